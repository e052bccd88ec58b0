/* What the server makes of the bytes of a request, on raw sockets: where libmicrohttpd is lenient, we are
 * not. */
#include "shared/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_BODY (1024 * 1024)

static _Atomic unsigned smuggled;

static void handle_ok(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	r->status = 200;
	buf_text(&r->body, "{\"ok\":true}\n");
}

static void handle_smuggled(void *ctx, struct http_request *q, struct http_reply *r)
{
	smuggled++;
	handle_ok(ctx, q, r);
}

static void handle_echo(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 201;
	r->content_type = "application/x-ndjson";
	memcpy(r->etag, "\"e\"", 4);
	memcpy(r->location, "/v1/there", 10);
	buf_put(&r->body, q->body);
}

static void handle_id(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	buf_put(&r->body, http_param(q, "id"));
	buf_text(&r->body, q->loopback ? " loopback" : " far");
}

static void handle_nothing(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	r->status = 204;
}

static const struct route ROUTES[] = {
	{HTTP_GET, "/healthz", ROUTE_OPEN, 0, handle_ok, NULL},
	{HTTP_GET, "/smuggled", ROUTE_OPEN, 0, handle_smuggled, NULL},
	{HTTP_POST, "/echo", ROUTE_OPEN, MAX_BODY, handle_echo, NULL},
	{HTTP_POST, "/pause", ROUTE_OPEN, 0, handle_ok, NULL},
	{HTTP_GET, "/v1/records/{id}", ROUTE_OPEN, 0, handle_id, "x "},
	{HTTP_DELETE, "/v1/records/{id}", ROUTE_OPEN, 0, handle_nothing, NULL},
	{HTTP_GET, "/secret", ROUTE_APP, 0, handle_ok, NULL},
	{HTTP_POST, "/secret", ROUTE_APP, MAX_BODY, handle_echo, NULL},
};

struct fixture {
	struct router router;
	struct server *server;
	struct wire w;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct reason why;
	smuggled = 0;
	f->router = (struct router){.routes = ROUTES, .n = sizeof ROUTES / sizeof ROUTES[0], .hosts = ""};
	f->router.app_token = "token";
	struct server_config c = {.listen = "127.0.0.1:0", .router = &f->router};
	assert_int_equal(server_open(&f->server, &c, &why), OK);
	wire_open(&f->w, server_url(f->server));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	wire_close(&f->w);
	server_close(f->server);
	free(f);
	return 0;
}

/* After whatever came before, the next good request works. */
static void expect_alive(struct fixture *f)
{
	struct wire w;
	wire_open(&w, server_url(f->server));
	wire_say(&w, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_expect(&w, 200, "ok");
	wire_close(&w);
}

static void test_keep_alive(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < 3; i++) {
		struct wire_answer a;
		wire_say(&f->w, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		wire_take(&f->w, false, &a);
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body.at, "{\"ok\":true}\n");
		assert_true(wire_has(&a, "Content-Type: application/json"));
		assert_true(wire_has(&a, "Content-Length: 12"));
		assert_true(wire_has(&a, "Cache-Control: no-store"));
		assert_true(wire_has(&a, "X-Content-Type-Options: nosniff"));
		assert_true(wire_has(&a, "Cross-Origin-Resource-Policy: same-origin"));
		assert_true(
			wire_has(&a, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'"));
		assert_null(strcasestr(a.head.at, "\r\nServer:"));
		assert_null(strcasestr(a.head.at, "\r\nConnection: close"));
		wire_answer_done(&a);
	}
}

static void test_body_and_headers_of_an_answer(void **state)
{
	struct fixture *f = *state;
	static char body[MAX_BODY];
	struct wire_answer a;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (char)('!' + i % 89);
	wire_say(&f->w, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", sizeof body);
	assert_true(wire_put(&f->w, body, sizeof body));
	wire_take(&f->w, false, &a);
	assert_int_equal(a.status, 201);
	assert_int_equal(a.body.len, sizeof body);
	assert_memory_equal(a.body.at, body, sizeof body);
	assert_true(wire_has(&a, "Content-Type: application/x-ndjson"));
	assert_true(wire_has(&a, "ETag: \"e\""));
	assert_true(wire_has(&a, "Location: /v1/there"));
	wire_answer_done(&a);

	wire_say(&f->w, "DELETE /v1/records/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_take(&f->w, true, &a);
	assert_int_equal(a.status, 204);
	wire_answer_done(&a);
	wire_say(&f->w, "GET /v1/records/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_expect(&f->w, 200, "a loopback");
}

static void test_head(void **state)
{
	struct fixture *f = *state;
	struct wire_answer a;
	wire_say(&f->w, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD /none HTTP/1.1\r\nHost: "
			"localhost\r\n\r\n");
	wire_take(&f->w, true, &a);
	assert_int_equal(a.status, 200);
	assert_true(wire_has(&a, "Content-Length: 12"));
	wire_answer_done(&a);
	wire_take(&f->w, true, &a); /* had the first a body, this would not be a status line */
	assert_int_equal(a.status, 404);
	wire_answer_done(&a);
}

static void test_pipelining(void **state)
{
	struct fixture *f = *state;
	wire_say(&f->w, "GET /v1/records/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
			"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n[]"
			"GET /v1/records/3 HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_expect(&f->w, 200, "1 ");
	wire_expect(&f->w, 201, "[]");
	wire_expect(&f->w, 200, "3 ");
}

/* Requests after which nobody can say where the next one begins: refused, closed, and what follows never
 * served. Where 411 is ours, libmicrohttpd 1.0 itself says 400 to some. */
static void test_framing(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *head;
		int status;
	} cases[] = {
		{"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 4", 400},
		{"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 4", 400},
		{"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nTransfer-Encoding: chunked",
			400},
		{"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 0",
			400},
		{"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked", 411},
		{"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked", 411},
		{"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked", 411},
		{"POST /pause HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked", 411},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked", 400},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 47", 400},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost", 400},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: null", 400},
		{"GET /secret HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\nAuthorization: Bearer token",
			400},
		{"GET /health\tz HTTP/1.1\r\nHost: localhost", 400},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct wire w;
		struct wire_answer a;
		wire_open(&w, server_url(f->server));
		wire_say(&w, "%s\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n", cases[i].head);
		wire_take(&w, false, &a);
		if (a.status != cases[i].status && a.status != 400)
			fail_msg("%s: %d", cases[i].head, a.status);
		assert_true(wire_has(&a, "Connection: close"));
		assert_true(wire_ended(&w));
		wire_answer_done(&a);
		wire_close(&w);
	}
	assert_int_equal(smuggled, 0);
	expect_alive(f);
}

/* What libmicrohttpd itself refuses: with a body of its own, or by closing; but never served. */
static void test_unreadable(void **state)
{
	struct fixture *f = *state;
	static const char *const heads[] = {
		"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1",
		"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5",
		"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x5",
		"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5",
		"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616",
		"GET /smuggled z HTTP/1.1\r\nHost: localhost",
		"GET /smuggled HTTP/1.1",
		"GET /smuggled HTTP/2.0\r\nHost: localhost",
		"\x16\x03\x01\x02",
	};
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		struct wire w;
		struct wire_answer a;
		wire_open(&w, server_url(f->server));
		wire_say(&w, "%s\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n", heads[i]);
		wire_take(&w, false, &a);
		assert_true(a.status == 0 || (a.status >= 400 && a.status <= 505));
		wire_answer_done(&a);
		wire_close(&w);
	}
	assert_int_equal(smuggled, 0);
	expect_alive(f);
}

/* A size is refused by the head alone, before a byte of the body came. */
static void test_early_413(void **state)
{
	struct fixture *f = *state;
	static const char *const lengths[] = {"1048577", "4294967297", "9223372036854775807",
		"9223372036854775808", "18446744073709551614"};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct wire w;
		wire_open(&w, server_url(f->server));
		wire_say(&w, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %s\r\n\r\n",
			lengths[i]);
		wire_expect(&w, 413, "body_too_large");
		assert_true(wire_ended(&w));
		wire_close(&w);
	}
	wire_say(&f->w, "POST /pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n");
	wire_expect(&f->w, 413, "body_too_large");
	expect_alive(f);
}

static void test_missing_length(void **state)
{
	struct fixture *f = *state;
	wire_say(&f->w, "POST /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_expect(&f->w, 411, "length_required");
	wire_say(&f->w, "POST /pause HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_expect(&f->w, 200, "ok");
}

static void test_targets(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *target;
		int status;
		const char *text;
	} cases[] = {
		{"/v1/records/a%3Ab?x=%26", 200, "a:b"},
		{"/v1/records/..", 200, ".."},
		{"/v1/records/%00", 400, "bad_request"},
		{"/v1/records/a%00b", 400, "bad_request"},
		{"/v1/records/%zz", 400, "bad_request"},
		{"/v1/records/%", 400, "bad_request"},
		{"/v1/records/%c0%af", 400, "bad_request"},
		{"/v1/records/a?x=%zz", 400, "bad_request"},
		{"/v1/records/a?x=%00", 400, "bad_request"},
		{"/v1/records/a?x=1&x=1", 400, "bad_request"},
		{"/v1/records/a?y=1", 400, "bad_request"},
		{"http://localhost/healthz", 400, "bad_request"},
		{"/v1/records/..%2fhealthz", 404, "not_found"},
		{"/v1/records/..%2f..%2fetc", 404, "not_found"},
		{"/v1/../healthz", 404, "not_found"},
		{"//healthz", 404, "not_found"},
		{"/./healthz", 404, "not_found"},
		{"/nothing", 404, "not_found"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wire_say(&f->w, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", cases[i].target);
		wire_expect(&f->w, cases[i].status, cases[i].text); /* all on one connection */
	}
}

/* libmicrohttpd 0.9 would serve /healthz here; 1.0 ends the connection before anybody sees the request. */
static void test_raw_nul(void **state)
{
	struct fixture *f = *state;
	struct wire_answer a;
	static const char request[] = "GET /smuggled\0/../x HTTP/1.1\r\nHost: localhost\r\n\r\n";
	assert_true(wire_put(&f->w, request, sizeof request - 1));
	wire_take(&f->w, false, &a);
	if (a.status)
		assert_true(a.status == 400 && strstr(a.body.at, "NUL") != NULL);
	wire_answer_done(&a);
	assert_true(wire_ended(&f->w));
	assert_int_equal(smuggled, 0);
	expect_alive(f);
}

static void test_methods(void **state)
{
	struct fixture *f = *state;
	static const char *const methods[] = {"PUT", "OPTIONS", "TRACE", "get", "G@T"};
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		struct wire_answer a;
		wire_say(&f->w, "%s /v1/records/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
			methods[i]);
		wire_take(&f->w, false, &a);
		assert_int_equal(a.status, 405);
		assert_true(wire_has(&a, "Allow: GET, HEAD, DELETE"));
		wire_answer_done(&a);
	}
}

static void test_hosts(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *headers;
		int status;
	} cases[] = {
		{"Host: localhost:1", 200},
		{"Host: evil.example", 403},
		{"Host: localhost\r\nOrigin: http://localhost", 200},
		{"Host: localhost\r\nOrigin: http://evil.example", 403},
		{"Host: localhost\r\nOrigin: null", 403},
		{"Host: localhost\r\nOrigin:", 403},
		{"Host: localhost\r\nSec-Fetch-Site: none", 200},
		{"Host: localhost\r\nSec-Fetch-Site: cross-site", 403},
		{"Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
		 "Sec-Fetch-Dest: document",
			200},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wire_say(&f->w, "GET /healthz HTTP/1.1\r\n%s\r\n\r\n", cases[i].headers);
		wire_expect(&f->w, cases[i].status, cases[i].status == 200 ? "ok" : "forbidden");
	}
}

static void test_tokens(void **state)
{
	struct fixture *f = *state;
	struct wire_answer a;
	wire_say(&f->w, "GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_take(&f->w, false, &a);
	assert_int_equal(a.status, 401);
	assert_true(wire_has(&a, "WWW-Authenticate: Bearer"));
	wire_answer_done(&a);
	wire_say(&f->w, "GET /secret HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n");
	wire_expect(&f->w, 401, "unauthorised");
	/* A small body of a refused request is dropped, and the connection goes on. */
	wire_say(&f->w, "POST /secret HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nGET");
	wire_expect(&f->w, 401, "unauthorised");
	wire_say(&f->w, "GET /secret HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token\r\n\r\n");
	wire_expect(&f->w, 200, "ok");
	/* A large one is not waited for. */
	wire_say(&f->w, "POST /secret HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
	wire_expect(&f->w, 401, "unauthorised");
	assert_true(wire_ended(&f->w));
}

static void test_expect_continue(void **state)
{
	struct fixture *f = *state;
	struct wire_answer a;
	static const char head[] =
		"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ";
	wire_say(&f->w, "%s2\r\n\r\n", head);
	wire_take(&f->w, true, &a);
	assert_int_equal(a.status, 100);
	wire_answer_done(&a);
	wire_say(&f->w, "{}");
	wire_expect(&f->w, 201, "{}");
	wire_say(&f->w, "%s9999999\r\n\r\n", head);
	wire_expect(&f->w, 413, "body_too_large");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keep_alive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_body_and_headers_of_an_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_head, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pipelining, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_framing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_early_413, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_missing_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_targets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_raw_nul, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_methods, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hosts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tokens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expect_continue, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
