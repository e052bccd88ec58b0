/* Who asks, and may they? */
#include "shared/router_private.h"

#include <stdio.h>

#include "shared/secrets.h"

static bool has_token(const struct http_request *q, const char *tokens)
{
	struct span given = http_bearer(q);
	return given.at && secrets_have(tokens, given);
}

static void be_anyone(struct http_request *q)
{
	q->who = "anyone";
	q->role = ROLE_ADMIN;
	q->by = HTTP_BY_NONE;
	q->expires_us = -1;
	q->credential[0] = '\0';
}

static void refuse_unknown(struct http_reply *r)
{
	/* The same bytes whatever was wrong: who guesses learns nothing. */
	http_problem(r, "unauthorised", "a token is needed: Authorization: Bearer TOKEN");
}

/* A route of a program that has one token for it. */
static bool refuse_token(const char *token, struct http_request *q, struct http_reply *r)
{
	if (!token || !*token)
		return false;
	q->who = "secret";
	q->by = HTTP_BY_BEARER;
	if (has_token(q, token))
		return false;
	refuse_unknown(r);
	return true;
}

static bool refuse_role(
	const struct router *t, enum role needed, struct http_request *q, struct http_reply *r)
{
	char members[64];
	q->role = t->identify ? ROLE_NONE : ROLE_ADMIN;
	if (t->identify && !t->identify(t->identify_ctx, q, r)) {
		if (r->status == 0)
			refuse_unknown(r);
		return true;
	}
	/* A browser sends its cookies by itself, whoever had it ask; so a page must be one of ours to change something. */
	if (q->by == HTTP_BY_COOKIE && !q->origin.at && q->method != HTTP_GET && q->method != HTTP_HEAD) {
		http_problem(r, "forbidden",
			"by cookie only with an Origin that is the Host; programs send Authorization: Bearer "
			"TOKEN");
		return true;
	}
	if (q->role >= needed)
		return false;
	snprintf(members, sizeof members, "\"needs\":\"%s\",\"has\":\"%s\"", role_name(needed),
		role_name(q->role));
	http_problem_with(r, "forbidden", members, "this takes the role %s; %s has the role %s",
		role_name(needed), q->who, role_name(q->role));
	return true;
}

bool router_refuse_access(
	const struct router *t, const struct route *route, struct http_request *q, struct http_reply *r)
{
	be_anyone(q);
	switch (route->access) {
	case ROUTE_ALWAYS:
	case ROUTE_OPEN:
		return false;
	case ROUTE_APP:
		return refuse_token(t->app_token, q, r);
	case ROUTE_CENTRE:
		return refuse_token(t->centre_token, q, r);
	case ROUTE_VIEWER:
		return refuse_role(t, ROLE_VIEWER, q, r);
	case ROUTE_OPERATOR:
		return refuse_role(t, ROLE_OPERATOR, q, r);
	case ROUTE_ADMIN:
		return refuse_role(t, ROLE_ADMIN, q, r);
	}
	refuse_unknown(r);
	return true;
}

bool router_refuse_uncertified(
	const struct router *t, const struct route *route, const struct http_request *q, struct http_reply *r)
{
	if (!q->uncertified || route->access <= ROUTE_OPEN || route->access < t->certified)
		return false;
	http_problem(r, "certificate_required",
		"a client certificate is needed, signed by an authority that is believed here: %s",
		q->uncertified);
	return true;
}
