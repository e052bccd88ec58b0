#include "shared/coding.h"
#include "shared/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The handlers say who they are and what they were given. */
static void tell(const char *who, struct http_request *q, struct http_reply *r)
{
	r->status = 200;
	buf_text(&r->body, who);
	for (unsigned i = 0; i < q->n_params; i++) {
		buf_char(&r->body, ' ');
		buf_put(&r->body, q->params[i].name);
		buf_char(&r->body, '=');
		buf_put(&r->body, q->params[i].value);
	}
}

static void home(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("home", q, r);
}

static void health(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("health", q, r);
}

static void list(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("list", q, r);
}

static void add(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("add", q, r);
}

static void repeat(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("repeat ", q, r);
	buf_put(&r->body, q->body);
}

static void get(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("get", q, r);
}

static void put(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("put", q, r);
}

static void pause_node(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("pause", q, r);
}

static void feed(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	tell("feed", q, r);
}

static void whoever(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	buf_printf(&r->body, "%s %s %s", q->who, role_name(q->role), http_proof_name(q->by));
}

static const struct route ROUTES[] = {
	{HTTP_GET, "/", ROUTE_OPEN, 0, home, NULL},
	{HTTP_GET, "/healthz", ROUTE_ALWAYS, 0, health, NULL},
	{HTTP_GET, "/v1/records", ROUTE_APP, 0, list, "after limit "},
	{HTTP_POST, "/v1/records", ROUTE_APP, 8, add, NULL},
	{HTTP_GET, "/v1/records/{owner}/{id}", ROUTE_APP, 0, get, NULL},
	{HTTP_PUT, "/v1/records/{owner}/{id}", ROUTE_APP, 8, put, NULL},
	{HTTP_POST, "/v1/nodes/{name}/pause", ROUTE_APP, 0, pause_node, NULL},
	{HTTP_GET, "/v1/changes", ROUTE_CENTRE, 0, feed, "after "},
	{HTTP_GET, "/v1/look", ROUTE_VIEWER, 0, whoever, NULL},
	{HTTP_POST, "/v1/act", ROUTE_OPERATOR, 0, whoever, NULL},
	{HTTP_DELETE, "/v1/decide", ROUTE_ADMIN, 0, whoever, NULL},
};

static struct router a_router(void)
{
	return (struct router){.routes = ROUTES, .n = sizeof ROUTES / sizeof ROUTES[0], .hosts = ""};
}

/* One request through router_dispatch(): what is 0 or NULL stands for an ordinary one. */
struct ask {
	enum http_method method;
	const char *target, *body, *type, *encoding, *token, *host, *origin, *cookie;
	const char *site, *mode, *dest; /* Sec-Fetch-… */
	unsigned framing;
};

struct answer {
	int status;
	bool close;
	char allow[64], text[512];
};

static struct span header(const char *text)
{
	return text ? span_of(text) : (struct span){0};
}

static struct http_request request_of(const struct ask *a)
{
	struct http_request q = {
		.method = a->method, .target = span_of(a->target), .framing_errors = a->framing};
	q.body = header(a->body);
	q.content_type = header(a->type);
	q.content_encoding = header(a->encoding);
	q.authorization = header(a->token);
	q.host = header(a->host);
	q.origin = header(a->origin);
	q.fetch_site = header(a->site);
	q.fetch_mode = header(a->mode);
	q.fetch_dest = header(a->dest);
	q.cookie = header(a->cookie);
	return q;
}

static struct answer ask_router(const struct router *t, struct ask a)
{
	struct http_request q = request_of(&a);
	struct http_reply r = {0};
	struct answer ret = {0};
	router_dispatch(t, &q, &r);
	ret.status = r.status;
	ret.close = r.close;
	snprintf(ret.allow, sizeof ret.allow, "%s", r.allow ? r.allow : "");
	snprintf(ret.text, sizeof ret.text, "%s", r.body.at ? r.body.at : "");
	http_reply_done(&r);
	arena_done(&q.arena);
	return ret;
}

static void assert_answer(const struct router *t, struct ask a, int status, const char *text)
{
	struct answer got = ask_router(t, a);
	if (got.status != status || !strstr(got.text, text))
		fail_msg("%s %s: %d %s, not %d %s", http_method_name(a.method), a.target, got.status,
			got.text, status, text);
}

static void test_paths(void **state)
{
	(void)state;
	static const struct {
		enum http_method method;
		const char *target;
		int status;
		const char *text;
	} cases[] = {
		{HTTP_GET, "/", 200, "home"},
		{HTTP_GET, "/healthz", 200, "health"},
		{HTTP_HEAD, "/healthz", 200, "health"},
		{HTTP_GET, "/healthz?", 200, "health"},
		{HTTP_GET, "/%68ealthz", 200, "health"},
		{HTTP_GET, "/v1/records", 200, "list"},
		{HTTP_GET, "/v1/records/site-a/x%3a1", 200, "get owner=site-a id=x:1"},
		{HTTP_PUT, "/v1/records/a/..", 200, "put owner=a id=.."},
		{HTTP_POST, "/v1/nodes/n/pause", 200, "pause name=n"},
		{HTTP_GET, "", 400, "bad_request"},
		{HTTP_GET, "*", 400, "bad_request"},
		{HTTP_GET, "http://evil/healthz", 400, "bad_request"},
		{HTTP_GET, "/v1/records/a/%00", 400, "bad_request"},
		{HTTP_GET, "/v1/records/a/%zz", 400, "bad_request"},
		{HTTP_GET, "/v1/records/a/%ff", 400, "bad_request"},
		{HTTP_GET, "/%zz/1/2/3/4/5/6/7/8/9", 400, "bad_request"},
		{HTTP_GET, "/1/2/3/4/5/6/7/8/9/%zz", 400, "bad_request"},
		{HTTP_GET, "/nothing", 404, "not_found"},
		{HTTP_GET, "//", 404, "not_found"},
		{HTTP_GET, "/healthz/", 404, "not_found"},
		{HTTP_GET, "//healthz", 404, "not_found"},
		{HTTP_GET, "/./healthz", 404, "not_found"},
		{HTTP_GET, "/v1/../healthz", 404, "not_found"},
		{HTTP_GET, "/v1/records/", 404, "not_found"},
		{HTTP_GET, "/v1/records/a/", 404, "not_found"},
		{HTTP_GET, "/v1/records//b", 404, "not_found"},
		{HTTP_GET, "/v1/records/a/b/c", 404, "not_found"},
		{HTTP_GET, "/v1/records/a%2fb", 404, "not_found"},
		{HTTP_GET, "/v1/records/a/..%2f..%2fetc", 404, "not_found"},
		{HTTP_GET, "/v1/records/1/2/3/4/5/6/7/8/9", 404, "not_found"},
		{HTTP_GET, "/HEALTHZ", 404, "not_found"},
	};
	struct router t = a_router();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_answer(&t, (struct ask){.method = cases[i].method, .target = cases[i].target},
			cases[i].status, cases[i].text);
}

static void test_methods(void **state)
{
	(void)state;
	static const struct {
		enum http_method method;
		const char *target, *allow;
	} cases[] = {
		{HTTP_DELETE, "/v1/records", "GET, HEAD, POST"},
		{HTTP_OTHER, "/v1/records/a/b", "GET, HEAD, PUT"},
		{HTTP_GET, "/v1/nodes/n/pause", "POST"},
		{HTTP_HEAD, "/v1/nodes/n/pause", "POST"},
	};
	struct router t = a_router();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct answer got =
			ask_router(&t, (struct ask){.method = cases[i].method, .target = cases[i].target});
		assert_int_equal(got.status, 405);
		assert_non_null(strstr(got.text, "method_not_allowed"));
		assert_string_equal(got.allow, cases[i].allow);
	}
}

static void test_framing(void **state)
{
	(void)state;
	static const struct {
		unsigned framing;
		int status;
	} cases[] = {
		{HTTP_FRAMING_TWO_LENGTHS, 400},
		{HTTP_FRAMING_ENCODED, 400},
		{HTTP_FRAMING_ENCODED | HTTP_FRAMING_NO_LENGTH, 411},
		{HTTP_FRAMING_NUL, 400},
		{HTTP_FRAMING_TWO_HOSTS, 400},
		{HTTP_FRAMING_TWICE, 400},
		{HTTP_FRAMING_BODY_ON_GET, 400},
	};
	struct router t = a_router();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct answer got =
			ask_router(&t, (struct ask){.target = "/healthz", .framing = cases[i].framing});
		assert_int_equal(got.status, cases[i].status);
		assert_true(got.close);
	}
}

static void test_hosts(void **state)
{
	(void)state;
	static const struct {
		const char *hosts, *host, *origin;
		int status;
	} cases[] = {
		{"", NULL, NULL, 200},
		{"", "localhost", NULL, 200},
		{"", "LocalHost:7100", NULL, 200},
		{"", "127.0.0.1:7100", NULL, 200},
		{"", "127.9.9.9", NULL, 200},
		{"", "[::1]:7100", NULL, 200},
		{"", "[::1]", NULL, 200},
		{"", "", NULL, 403},
		{"", "evil.example", NULL, 403},
		{"", "evil.example:7100", NULL, 403},
		{"", "localhost.evil.example", NULL, 403},
		{"", "127.0.0.1.evil.example", NULL, 403},
		{"", "128.0.0.1", NULL, 403},
		{"", "[::2]", NULL, 403},
		{"", "[::1", NULL, 403},
		{"", "[::1]x", NULL, 403},
		{"", "localhost:", NULL, 403},
		{"", "localhost:x", NULL, 403},
		{"", "localhost:99999", NULL, 403},
		{"", "localhost@evil.example", NULL, 403},
		{"a.example b.example ", "B.example:1", NULL, 200},
		{"a.example b.example ", "a.exampl", NULL, 403},
		{"a.example b.example ", "a.example b.example", NULL, 403},
		{NULL, "anything.example", NULL, 200},
		{"", "localhost:1", "http://localhost:1", 200},
		{"", "localhost:1", "https://LOCALHOST:1", 200},
		{"", "localhost:1", "http://localhost:2", 403},
		{"", "localhost:1", "http://localhost", 403},
		{"", "localhost:1", "http://evil.example", 403},
		{"", "localhost:1", "localhost:1", 403},
		{"", "localhost:1", "null", 403},
		{"", "localhost:1", "", 403},
		{"", NULL, "http://localhost:1", 403},
		{NULL, "b.example", "http://a.example", 403},
		{NULL, "b.example", "http://b.example", 200},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct router t = a_router();
		t.hosts = cases[i].hosts;
		struct answer got = ask_router(&t,
			(struct ask){.target = "/healthz", .host = cases[i].host, .origin = cases[i].origin});
		if (got.status != cases[i].status)
			fail_msg("Host %s, Origin %s: %d", cases[i].host, cases[i].origin, got.status);
	}
}

static void test_pages_of_other_sites(void **state)
{
	(void)state;
	static const struct {
		enum http_method method;
		const char *target, *site, *mode, *dest;
		int status;
	} cases[] = {
		{HTTP_GET, "/v1/records", NULL, NULL, NULL, 200}, /* no browser, or one that does not say */
		{HTTP_GET, "/v1/records", "none", "navigate", "document", 200},
		{HTTP_GET, "/v1/records", "same-origin", "cors", "empty", 200},
		{HTTP_POST, "/v1/nodes/a/pause", "same-origin", "cors", "empty", 200},
		{HTTP_GET, "/v1/records", "cross-site", "navigate", "document", 200}, /* a link */
		{HTTP_HEAD, "/v1/records", "same-site", "navigate", "document", 200},
		{HTTP_GET, "/v1/records", "cross-site", "navigate", "iframe", 403},
		{HTTP_GET, "/v1/records", "cross-site", "navigate", NULL, 403},
		{HTTP_GET, "/v1/records", "cross-site", NULL, "document", 403},
		{HTTP_GET, "/v1/records", "cross-site", "no-cors", "image", 403},
		{HTTP_GET, "/v1/changes", "same-site", "no-cors", "script", 403}, /* another port */
		{HTTP_GET, "/healthz", "cross-site", "no-cors", "style", 403},
		{HTTP_POST, "/v1/nodes/a/pause", "cross-site", "navigate", "document", 403},
		{HTTP_POST, "/v1/nodes/a/pause", "same-site", "navigate", "document", 403},
		{HTTP_GET, "/v1/records", "", NULL, NULL, 403},
		{HTTP_GET, "/v1/records", "same-originx", NULL, NULL, 403},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct router t = a_router();
		struct answer got = ask_router(&t, (struct ask){.method = cases[i].method,
							   .target = cases[i].target,
							   .site = cases[i].site,
							   .mode = cases[i].mode,
							   .dest = cases[i].dest});
		if (got.status != cases[i].status)
			fail_msg("case %zu: %d %s", i, got.status, got.text);
	}
}

static void test_tokens(void **state)
{
	(void)state;
	static const struct {
		const char *app, *centre, *target, *token;
		int status;
	} cases[] = {
		{"", "", "/v1/records", NULL, 200},
		{"", "", "/v1/records", "Bearer whatever", 200},
		{"app", "node", "/healthz", NULL, 200},
		{"app", "node", "/v1/records", "Bearer app", 200},
		{"app", "node", "/v1/records", "bearer app", 200},
		{"app", "node", "/v1/changes", "Bearer node", 200},
		{"app", "node", "/v1/records", NULL, 401},
		{"app", "node", "/v1/records", "", 401},
		{"app", "node", "/v1/records", "Bearer", 401},
		{"app", "node", "/v1/records", "Bearer ", 401},
		{"app", "node", "/v1/records", "app", 401},
		{"app", "node", "/v1/records", "Basic app", 401},
		{"app", "node", "/v1/records", "Bearer ap", 401},
		{"app", "node", "/v1/records", "Bearer apq", 401},
		{"app", "node", "/v1/records", "Bearer appp", 401},
		{"app", "node", "/v1/records", "Bearer  app", 401},
		{"app", "node", "/v1/records", "Bearer node", 401},
		{"app", "node", "/v1/changes", "Bearer app", 401},
		{"new\nold", "node", "/v1/records", "Bearer new", 200},
		{"new\nold", "node", "/v1/records", "Bearer old", 200},
		{"new\nold", "node", "/v1/records", "Bearer new\nold", 401},
		{"new\nold", "node", "/v1/records", "Bearer node", 401},
		{"new\nold", "node", "/v1/records", "Bearer ", 401},
		{"app", "new\nold", "/v1/changes", "Bearer old", 200},
		{"app", "new\nold", "/v1/records", "Bearer old", 401},
		{"", "node", "/v1/records", NULL, 200},
		{"", "node", "/v1/changes", NULL, 401},
		{"app", "", "/v1/records", NULL, 401},
		{"app", "", "/v1/changes", NULL, 200},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct router t = a_router();
		t.app_token = cases[i].app;
		t.centre_token = cases[i].centre;
		struct answer got =
			ask_router(&t, (struct ask){.target = cases[i].target, .token = cases[i].token});
		if (got.status != cases[i].status)
			fail_msg("%s %s with %s: %d", cases[i].target, cases[i].app, cases[i].token,
				got.status);
	}
}

/* "Bearer ROLE", or a cookie who=ROLE; "many" has been wrong too often, and "half" forgets to say what it may do. */
static bool identify(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct span cookie = http_cookie(q, "who"), name = cookie.at ? cookie : http_bearer(q);
	++*(unsigned *)ctx;
	q->who = "ann";
	q->by = cookie.at ? HTTP_BY_COOKIE : HTTP_BY_BEARER;
	if (name.at && span_is(name, "half"))
		return true;
	if (name.at && span_is(name, "many"))
		http_problem(r, "too_many_requests", "too many");
	return name.at && role_parse(name, &q->role);
}

static void test_roles(void **state)
{
	(void)state;
	static const char *const targets[] = {"/v1/look", "/v1/act", "/v1/decide"};
	static const enum http_method methods[] = {HTTP_GET, HTTP_POST, HTTP_DELETE};
	static const struct {
		const char *token;
		int status[3];
	} cases[] = {
		{NULL, {401, 401, 401}},
		{"Bearer", {401, 401, 401}},
		{"Bearer nobody", {401, 401, 401}},
		{"Bearer none", {401, 401, 401}},
		{"Bearer half", {403, 403, 403}},
		{"Bearer many", {429, 429, 429}},
		{"Bearer viewer", {200, 403, 403}},
		{"Bearer operator", {200, 200, 403}},
		{"Bearer admin", {200, 200, 200}},
	};
	unsigned asked = 0;
	struct router t = a_router();
	t.identify = identify;
	t.identify_ctx = &asked;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t k = 0; k < 3; k++) {
			struct answer got = ask_router(&t,
				(struct ask){
					.method = methods[k], .target = targets[k], .token = cases[i].token});
			if (got.status != cases[i].status[k])
				fail_msg("%s with %s: %d", targets[k], cases[i].token, got.status);
		}
	assert_int_equal(asked, 3 * sizeof cases / sizeof cases[0]);
	assert_answer(&t, (struct ask){.method = HTTP_POST, .target = "/v1/act", .token = "Bearer viewer"},
		403, "\"needs\":\"operator\",\"has\":\"viewer\"");
	assert_answer(&t, (struct ask){.target = "/healthz"}, 200, "health");
	assert_int_equal(asked, 1 + 3 * sizeof cases / sizeof cases[0]);
	t.identify = NULL;
	assert_answer(
		&t, (struct ask){.method = HTTP_DELETE, .target = "/v1/decide"}, 200, "anyone admin none");
}

/* Another site's page may have the browser send the cookie along, but not with our Origin. */
static void test_cookies_need_an_origin(void **state)
{
	(void)state;
	static const struct {
		const char *target, *cookie, *token, *origin;
		enum http_method method;
		int status;
	} cases[] = {
		{"/v1/look", "who=viewer", NULL, NULL, HTTP_GET, 200},
		{"/v1/look", "who=viewer", NULL, NULL, HTTP_HEAD, 200},
		{"/v1/look", "who=viewer", NULL, "http://localhost:1", HTTP_GET, 200},
		{"/v1/act", "who=operator", NULL, NULL, HTTP_POST, 403},
		{"/v1/act", "who=operator", NULL, "null", HTTP_POST, 403},
		{"/v1/act", "who=operator", NULL, "http://evil", HTTP_POST, 403},
		{"/v1/act", "who=operator", NULL, "http://localhost:2", HTTP_POST, 403},
		{"/v1/act", "who=operator", NULL, "http://localhost:1", HTTP_POST, 200},
		{"/v1/act", NULL, "Bearer operator", NULL, HTTP_POST, 200},
		{"/v1/decide", "who=admin", NULL, NULL, HTTP_DELETE, 403},
		{"/v1/decide", "who=operator", NULL, "http://localhost:1", HTTP_DELETE, 403},
	};
	unsigned asked = 0;
	struct router t = a_router();
	t.identify = identify;
	t.identify_ctx = &asked;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct answer got = ask_router(&t, (struct ask){.method = cases[i].method,
							   .target = cases[i].target,
							   .cookie = cases[i].cookie,
							   .token = cases[i].token,
							   .host = "localhost:1",
							   .origin = cases[i].origin});
		if (got.status != cases[i].status)
			fail_msg("%s %s of %s: %d", http_method_name(cases[i].method), cases[i].cookie,
				cases[i].origin, got.status);
	}
}

static void test_media(void **state)
{
	(void)state;
	static const struct {
		const char *type, *encoding;
		int status;
	} cases[] = {
		{NULL, NULL, 200},
		{"", NULL, 200},
		{"application/json", NULL, 200},
		{"Application/JSON; Charset=UTF-8", NULL, 200},
		{"application/json;charset=\"utf-8\"", NULL, 200},
		{"application/x-ndjson", NULL, 200},
		{"application/x-www-form-urlencoded", NULL, 200},
		{"application/json; charset=latin1", NULL, 415},
		{"application/jsonx", NULL, 415},
		{"text/plain", NULL, 415},
		{"text/plain; application/json", NULL, 415},
		{"multipart/form-data; boundary=x", NULL, 415},
		{";", NULL, 415},
		{"application/json", "identity", 200},
		{"application/json", "gzip", 415},
	};
	struct router t = a_router();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct answer got = ask_router(&t, (struct ask){.method = HTTP_POST,
							   .target = "/v1/records",
							   .body = "{}",
							   .type = cases[i].type,
							   .encoding = cases[i].encoding});
		if (got.status != cases[i].status)
			fail_msg("%s, %s: %d", cases[i].type, cases[i].encoding, got.status);
	}
	assert_answer(&t, (struct ask){.target = "/healthz", .type = "text/plain"}, 200, "health");
}

#define SIXTY_FOUR "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* The route's limit bounds what a body holds, however small it came; and only where the router says so may it come packed. */
static void test_packed_bodies(void **state)
{
	(void)state;
	static const struct {
		const char *encoding, *content;
		enum coding packed;
		size_t cut;
		int status;
		const char *text;
	} cases[] = {
		{"gzip", "12345678", CODING_GZIP, 0, 200, "repeat 12345678"},
		{"Zstd", SIXTY_FOUR, CODING_ZSTD, 0, 200, "repeat " SIXTY_FOUR},
		{"gzip", "", CODING_GZIP, 0, 200, "repeat "},
		{"gzip", SIXTY_FOUR "x", CODING_GZIP, 0, 413, "body_too_large"},
		{"zstd", SIXTY_FOUR "x", CODING_ZSTD, 0, 413, "body_too_large"},
		{"zstd", "1", CODING_ZSTD, 1, 400, "zstd content is cut short"},
		{"gzip", "1", CODING_ZSTD, 0, 400, "gzip content is damaged"},
		{"br", "1", CODING_GZIP, 0, 415, "by zstd, by gzip, or without"},
		{"gzip, gzip", "1", CODING_GZIP, 0, 415, "by zstd, by gzip, or without"},
	};
	static const struct route routes[] = {{HTTP_POST, "/v1/records", ROUTE_APP, 64, repeat, NULL}};
	struct router t = {.routes = routes, .n = 1, .hosts = "", .packed = ROUTE_APP}, other = t;
	other.packed = ROUTE_CENTRE;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf packed = {0};
		struct http_request q = request_of(&(struct ask){
			.method = HTTP_POST, .target = "/v1/records", .encoding = cases[i].encoding});
		struct http_reply r = {0};
		assert_true(coding_pack(cases[i].packed, span_of(cases[i].content), &packed));
		q.body = (struct span){packed.at, packed.len - cases[i].cut};
		assert_int_equal(
			router_refuse_early(&t, &q, (int64_t)q.body.len, &r), cases[i].status == 415);
		assert_int_equal(q.unpacks, cases[i].status == 415 ? 0 : 64);
		router_dispatch(&t, &q, &r);
		if (r.status != cases[i].status || !strstr(r.body.at, cases[i].text))
			fail_msg("%s %s: %d %s", cases[i].encoding, cases[i].content, r.status, r.body.at);
		router_dispatch(&other, &q, &r);
		assert_int_equal(r.status, 415);
		http_reply_done(&r);
		arena_done(&q.arena);
		buf_done(&packed);
	}
}

/* A POST without a length has no body: fine where none is taken. */
static void test_missing_length(void **state)
{
	(void)state;
	struct router t = a_router();
	struct ask a = {.method = HTTP_POST, .target = "/v1/records", .framing = HTTP_FRAMING_NO_LENGTH};
	assert_answer(&t, a, 411, "length_required");
	assert_false(ask_router(&t, a).close);
	a.target = "/v1/nodes/n/pause";
	assert_answer(&t, a, 200, "pause");
	a.framing |= HTTP_FRAMING_ENCODED;
	assert_answer(&t, a, 411, "length_required");
	assert_true(ask_router(&t, a).close);
}

static void test_sizes(void **state)
{
	(void)state;
	struct router t = a_router();
	struct ask a = {.method = HTTP_POST, .target = "/v1/records", .body = "12345678"};
	assert_answer(&t, a, 200, "add");
	a.body = "123456789";
	assert_answer(&t, a, 413, "body_too_large");
	a = (struct ask){.method = HTTP_POST, .target = "/v1/nodes/n/pause", .body = "x"};
	assert_answer(&t, a, 413, "body_too_large");
}

static void test_query_names(void **state)
{
	(void)state;
	static const struct {
		const char *target;
		int status;
	} cases[] = {
		{"/v1/records?after=1&limit=2", 200},
		{"/v1/records?limit=", 200},
		{"/v1/records?Limit=2", 400},
		{"/v1/records?afte=1", 400},
		{"/v1/records?after%20limit=1", 400},
		{"/v1/records?=1", 400},
		{"/v1/records?after=1&after=1", 400},
		{"/v1/records?after=%zz", 400},
		{"/healthz?x=1", 400},
	};
	struct router t = a_router();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_answer(&t, (struct ask){.target = cases[i].target}, cases[i].status, "");
}

/* A request wrong in every way is refused for the first; mended step by step, for the next. */
static void test_order(void **state)
{
	(void)state;
	struct router t = a_router();
	t.app_token = "secret";
	struct ask a = {.method = HTTP_DELETE,
		.target = "/v1/nowhere?x=1",
		.body = "123456789",
		.type = "text/plain",
		.host = "evil",
		.framing = HTTP_FRAMING_TWO_HOSTS};
	assert_answer(&t, a, 400, "two Host");
	a.framing = 0;
	assert_answer(&t, a, 403, "forbidden");
	a.host = "localhost";
	assert_answer(&t, a, 404, "not_found");
	a.target = "/v1/records?x=1";
	assert_answer(&t, a, 405, "method_not_allowed");
	a.method = HTTP_POST;
	assert_answer(&t, a, 401, "unauthorised");
	a.token = "Bearer secret";
	assert_answer(&t, a, 415, "unsupported_media_type");
	a.type = NULL;
	assert_answer(&t, a, 413, "body_too_large");
	a.body = "";
	assert_answer(&t, a, 400, "x is not known here");
	a.target = "/v1/records";
	assert_answer(&t, a, 200, "add");
}

/* Shut: what is refused by its head alone still is, and no body is read for nothing. */
static void test_gate(void **state)
{
	(void)state;
	struct router_gate gate;
	struct router t = a_router();
	struct ask a = {.method = HTTP_POST, .target = "/v1/records", .body = "123456789"};
	router_gate_init(&gate, "being opened");
	t.gate = &gate;
	t.app_token = "secret";
	assert_answer(&t, (struct ask){.target = "/healthz"}, 200, "health");
	assert_answer(&t, (struct ask){.target = "/"}, 503, "being opened");
	assert_answer(&t, (struct ask){.target = "/v1/nowhere"}, 404, "not_found");
	assert_answer(&t, a, 401, "unauthorised");
	a.token = "Bearer secret";
	router_gate_shut(&gate, &(struct reason){"no server there"});
	assert_answer(&t, a, 503, "no server there");
	router_gate_open(&gate);
	assert_answer(&t, a, 413, "body_too_large");
	assert_answer(&t, (struct ask){.target = "/"}, 200, "home");
	pthread_mutex_destroy(&gate.lock);
}

static void test_early(void **state)
{
	(void)state;
	static const struct {
		int64_t length;
		bool refused;
	} cases[] = {{-1, false}, {0, false}, {8, false}, {9, true}, {INT64_MAX, true}};
	struct router t = a_router();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ask a = {.method = HTTP_POST, .target = "/v1/records"};
		struct http_request q = request_of(&a);
		struct http_reply r = {0};
		assert_int_equal(router_refuse_early(&t, &q, cases[i].length, &r), cases[i].refused);
		assert_int_equal(r.status, cases[i].refused ? 413 : 0);
		http_reply_done(&r);
		arena_done(&q.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_pages_of_other_sites),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_cookies_need_an_origin),
		cmocka_unit_test(test_media),
		cmocka_unit_test(test_packed_bodies),
		cmocka_unit_test(test_missing_length),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_query_names),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_early),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
