#include "shared/router_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SEGMENTS_MAX 8

bool router_same_word(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

bool router_listed(const char *list, struct span word, bool same(struct span, struct span))
{
	while (list && *list != '\0') {
		struct span next = {list, strcspn(list, " ")};
		if (same(next, word))
			return true;
		list += next.len + strspn(list + next.len, " ");
	}
	return false;
}

static bool refuse_framing(const struct http_request *q, struct http_reply *r)
{
	unsigned f = q->framing_errors;
	if (f == 0 ||
		f == HTTP_FRAMING_NO_LENGTH) /* without a length there is no body: see router_refuse_body() */
		return false;
	if (f & HTTP_FRAMING_TWO_LENGTHS)
		http_problem(r, "bad_request", "two Content-Length headers");
	else if ((f & HTTP_FRAMING_ENCODED) && !(f & HTTP_FRAMING_NO_LENGTH))
		http_problem(
			r, "bad_request", "a Transfer-Encoding: send the body with a Content-Length alone");
	else if (f & HTTP_FRAMING_NUL)
		http_problem(r, "bad_request", "a NUL, a blank or a control byte in the target");
	else if (f & HTTP_FRAMING_TWO_HOSTS)
		http_problem(r, "bad_request", "two Host headers");
	else if (f & HTTP_FRAMING_TWICE)
		http_problem(r, "bad_request", "a header that may come once came twice");
	else if (f & HTTP_FRAMING_BODY_ON_GET)
		http_problem(r, "bad_request", "a body on %s", http_method_name(q->method));
	else
		http_problem(r, "length_required", "send the body with a Content-Length");
	r->close = true; /* where the next request would begin is not known */
	return true;
}

struct path {
	struct span segments[SEGMENTS_MAX];
	unsigned n;
	bool odd; /* no route can fit: too long, or a slash came out of a segment */
};

/* Cuts q->path at its slashes, then decodes: so that %2f never becomes a separator. */
static enum err path_parse(struct http_request *q, struct path *ret, struct reason *why)
{
	struct span rest = q->path;
	if (rest.len == 0 || rest.at[0] != '/')
		return fail(INVALID, why, "the target does not begin with a slash");
	while (rest.len > 0) {
		const char *from = rest.at + 1, *end = rest.at + rest.len;
		const char *slash = memchr(from, '/', (size_t)(end - from));
		struct span one = {from, (size_t)((slash ? slash : end) - from)};
		enum err e = http_decode(&q->arena, one, false, &one, why);
		if (e != OK)
			return e;
		if (ret->n == SEGMENTS_MAX || memchr(one.at, '/', one.len))
			ret->odd = true;
		else
			ret->segments[ret->n++] = one;
		rest = slash ? (struct span){slash, (size_t)(end - slash)} : (struct span){end, 0};
	}
	return OK;
}

/* Does the route's path fit?  Then q->params are its {names}. */
static bool route_fits(const struct route *route, const struct path *p, struct http_request *q)
{
	const char *at = route->path;
	q->n_params = 0;
	for (unsigned i = 0; i < p->n; i++) {
		if (*at != '/')
			return false;
		struct span part = {at + 1, strcspn(at + 1, "/")};
		if (part.len > 2 && part.at[0] == '{') {
			if (p->segments[i].len == 0 || q->n_params == HTTP_PARAMS_MAX)
				return false;
			struct span name = {part.at + 1, part.len - 2};
			q->params[q->n_params++] = (struct http_pair){name, p->segments[i]};
		} else if (!span_equal(part, p->segments[i])) {
			return false;
		}
		at += 1 + part.len;
	}
	return *at == '\0';
}

static const char *allow_text(struct http_request *q, unsigned methods)
{
	struct buf b = {0};
	for (unsigned m = 0; m < HTTP_OTHER; m++) {
		if (methods & (1U << m)) {
			buf_text(&b, b.len > 0 ? ", " : "");
			buf_text(&b, http_method_name((enum http_method)m));
		}
	}
	const char *text = arena_copy(&q->arena, b.at, b.len);
	buf_done(&b);
	return text;
}

/* NULL: refused, and `r` says how. */
static const struct route *find(const struct router *t, struct http_request *q, struct http_reply *r)
{
	struct path p = {.n = 0};
	struct reason why;
	unsigned methods = 0;
	enum http_method wanted = q->method == HTTP_HEAD ? HTTP_GET : q->method;
	if (path_parse(q, &p, &why) != OK) {
		http_problem(r, "bad_request", "path: %s", why.text);
		return NULL;
	}
	for (size_t i = 0; i < t->n && !p.odd; i++) {
		if (!route_fits(&t->routes[i], &p, q))
			continue;
		if (t->routes[i].method == wanted)
			return &t->routes[i];
		methods |= 1U << t->routes[i].method;
	}
	q->n_params = 0;
	if (methods == 0) {
		http_problem(r, "not_found", "no such path");
		return NULL;
	}
	if (methods & (1U << HTTP_GET))
		methods |= 1U << HTTP_HEAD;
	http_problem(r, "method_not_allowed", "this path does not take that method");
	r->allow = allow_text(q, methods);
	return NULL;
}

void router_gate_init(struct router_gate *g, const char *why)
{
	pthread_mutex_init(&g->lock, NULL);
	g->shut = true;
	g->why = (struct reason){""};
	snprintf(g->why.text, sizeof g->why.text, "%s", why);
}

void router_gate_shut(struct router_gate *g, const struct reason *why)
{
	pthread_mutex_lock(&g->lock);
	g->shut = true;
	g->why = *why;
	pthread_mutex_unlock(&g->lock);
}

void router_gate_open(struct router_gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->shut = false;
	pthread_mutex_unlock(&g->lock);
}

static bool refuse_shut(struct router_gate *g, const struct route *route, struct http_reply *r)
{
	if (!g || route->access == ROUTE_ALWAYS)
		return false;
	pthread_mutex_lock(&g->lock);
	bool shut = g->shut;
	struct reason why = g->why;
	pthread_mutex_unlock(&g->lock);
	if (shut)
		http_problem(r, "unavailable", "%s", why.text);
	return shut;
}

static bool refuse_query(
	const struct route *route, struct http_request *q, struct span raw, struct http_reply *r)
{
	struct reason why;
	if (http_query_parse(q, raw, &why) != OK) {
		http_problem(r, "bad_request", "query: %s", why.text);
		return true;
	}
	for (unsigned i = 0; i < q->n_query; i++) {
		if (!router_listed(route->query, q->query[i].name, span_equal)) {
			http_problem(r, "bad_request", "query: %.60s is not known here", q->query[i].name.at);
			return true;
		}
	}
	return false;
}

/* All checks but the handler; NULL: refused. */
static const struct route *admit(
	const struct router *t, struct http_request *q, uint64_t length, struct http_reply *r)
{
	if (refuse_framing(q, r) || router_refuse_host(t, q, r))
		return NULL;
	const char *mark = memchr(q->target.at, '?', q->target.len);
	q->path = (struct span){q->target.at, mark ? (size_t)(mark - q->target.at) : q->target.len};
	struct span raw = {0};
	if (mark)
		raw = (struct span){mark + 1, q->target.len - q->path.len - 1};
	const struct route *route = find(t, q, r);
	if (!route)
		return NULL;
	if (router_refuse_uncertified(t, route, q, r) || router_refuse_access(t, route, q, r) ||
		refuse_shut(t->gate, route, r))
		return NULL;
	return router_refuse_body(t, route, q, length, r) || refuse_query(route, q, raw, r) ? NULL : route;
}

bool router_refuse_early(
	const struct router *t, struct http_request *q, int64_t content_length, struct http_reply *r)
{
	return admit(t, q, content_length < 0 ? 0 : (uint64_t)content_length, r) == NULL;
}

void router_dispatch(const struct router *t, struct http_request *q, struct http_reply *r)
{
	const struct route *route = admit(t, q, q->body.len, r);
	struct span came = q->body;
	struct buf unpacked = {0};
	if (route && router_unpack(route, q, &unpacked, r))
		route->handler(t->ctx, q, r);
	q->body = came;
	buf_done(&unpacked);
}
