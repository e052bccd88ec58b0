#include "central/api_session.h"

#include <inttypes.h>
#include <stdio.h>

#include "central/centre.h"
#include "shared/clock.h"

#define TOKEN_MOST 1000 /* bytes */

/* HttpOnly: no script reads it.  Strict: no other site's page sends it.  No Domain: it goes to this host alone. */
static void set_cookie(const struct centre *c, const struct http_request *q, const char *value,
	int64_t seconds, struct http_reply *r)
{
	char name[SESSION_COOKIE_BYTES];

	access_cookie_name(c->access, name);
	snprintf(r->set_cookie, sizeof(r->set_cookie),
		"%s=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%" PRId64 "%s", name, value, seconds,
		q->tls ? "; Secure" : "");
}

/* Of the audit: that somebody came or went, not the cookie. */
static void tell(struct centre *c, const struct http_request *q, const struct signed_in *s, bool began)
{
	const struct author by = {.who = s->name, .address = centre_author(q).address};
	struct audit change = {0};
	struct event ev = {.level = LOG_INFO, .by = &by, .audit = &change};
	if (began)
		ev.kind = "session.began";
	else
		ev.kind = "session.ended";
	struct buf *end = began ? &change.after : &change.before;

	audit_text(end, "role", span_of(role_name(s->role)));
	audit_time(end, "expires_at", s->expires_us);
	audit_end(end);
	centre_tell_asked(c, &ev, began ? "%s signed in" : "%s signed out", s->name);
	audit_done(&change);
}

static void put(struct buf *out, const char *name, enum role role, enum http_proof by, int64_t expires_us)
{
	buf_text(out, "{\"name\":");
	buf_json_text(out, span_of(name));
	buf_printf(
		out, ",\"role\":\"%s\",\"by\":\"%s\",\"expires_at\":", role_name(role), http_proof_name(by));
	buf_json_time(out, expires_us);
	buf_text(out, "}\n");
}

void api_session_get(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	put(&r->body, q->who, q->role, q->by, q->expires_us);
	r->status = 200;
}

static void begin(struct centre *c, const struct http_request *q, const char *token, struct http_reply *r)
{
	struct signed_in s;

	if (!access_sign_in(c->access, q, span_of(token), &s, r))
		return;
	put(&r->body, s.name, s.role, HTTP_BY_COOKIE, s.expires_us);
	set_cookie(c, q, s.cookie, s.expires_us / 1000000 - clock_wall_us() / 1000000, r);
	r->status = 200;
	tell(c, q, &s, true);
}

void api_session_begin(void *ctx, struct http_request *q, struct http_reply *r)
{
	const char *token;
	struct json_doc *d = centre_read_body(q, r);

	if (!d)
		return;
	if (centre_read_text(d, "token", TOKEN_MOST, &token, r)) {
		if (token)
			begin(ctx, q, token, r);
		else
			http_problem(r, "bad_request", "wanted: {\"token\"}");
	}
	json_doc_free(d);
}

void api_session_end(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct signed_in s;

	if (access_signed_in(c->access, q, &s))
		tell(c, q, &s, false);
	set_cookie(c, q, "", 0, r);
	buf_text(&r->body, "{\"ended\":true}\n");
	r->status = 200;
}
