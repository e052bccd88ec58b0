/* How long a connection lives, and what it may hold: many at once, drips, clients that vanish, streams, the
 * end. */
#include "shared/server.h"
#include "shared/clock.h"
#include "tests/support/gate.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT_MS 400
#define CROWD 64
#define GOOD "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct fixture {
	struct router router;
	struct server *server;
	struct gate waiting; /* handlers of /wait */
	struct gate more;    /* a stream goes on */
	struct gate ended;   /* streams that were done with */
};

static void handle_ok(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	buf_printf(&r->body, "{\"length\":%zu}\n", q->body.len);
}

static void handle_wait(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct fixture *f = ctx;
	(void)q;
	gate_pass(&f->waiting);
	r->status = 200;
	buf_text(&r->body, "waited");
}

static bool stream_one_more(void *ctx, struct buf *out)
{
	struct fixture *f = ctx;
	gate_pass(&f->more);
	buf_text(out, f->more.came < 3 ? "data: more\n\n" : "data: last\n\n");
	return f->more.came < 3;
}

static bool stream_for_ever(void *ctx, struct buf *out)
{
	(void)ctx;
	for (unsigned i = 0; i < 1000; i++)
		buf_text(out, ": nobody reads this\n\n");
	return true;
}

static void stream_done(void *ctx)
{
	struct fixture *f = ctx;
	gate_note(&f->ended);
}

static void handle_stream(void *ctx, struct http_request *q, struct http_reply *r)
{
	r->status = 200;
	r->content_type = "text/event-stream";
	r->stream = http_query(q, "flood").at ? stream_for_ever : stream_one_more;
	r->stream_done = stream_done;
	r->stream_ctx = ctx;
	buf_text(&r->body, "data: first\n\n");
}

static const struct route ROUTES[] = {
	{HTTP_GET, "/healthz", ROUTE_OPEN, 0, handle_ok, NULL},
	{HTTP_POST, "/post", ROUTE_OPEN, 1 << 20, handle_ok, NULL},
	{HTTP_GET, "/wait", ROUTE_OPEN, 0, handle_wait, NULL},
	{HTTP_GET, "/stream", ROUTE_OPEN, 0, handle_stream, "flood "},
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct reason why;
	f->router = (struct router){
		.routes = ROUTES, .n = sizeof ROUTES / sizeof ROUTES[0], .ctx = f, .hosts = ""};
	gate_init(&f->waiting);
	gate_init(&f->more);
	gate_init(&f->ended);
	struct server_config c = {.listen = "127.0.0.1:0",
		.router = &f->router,
		.request_timeout_ms = TIMEOUT_MS,
		.reply_timeout_ms = TIMEOUT_MS};
	assert_int_equal(server_open(&f->server, &c, &why), OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	gate_open(&f->waiting);
	gate_open(&f->more);
	server_close(f->server);
	gate_done(&f->waiting);
	gate_done(&f->more);
	gate_done(&f->ended);
	free(f);
	return 0;
}

static void expect_alive(struct fixture *f)
{
	struct wire w;
	wire_open(&w, server_url(f->server));
	wire_say(&w, GOOD);
	wire_expect(&w, 200, "length");
	wire_close(&w);
}

static void test_many_wait_at_once(void **state)
{
	struct fixture *f = *state;
	struct wire w[CROWD];
	for (unsigned i = 0; i < CROWD; i++) {
		wire_open(&w[i], server_url(f->server));
		wire_say(&w[i], "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
	}
	assert_true(gate_wait(&f->waiting, CROWD)); /* all of them, none behind another */
	expect_alive(f);
	gate_open(&f->waiting);
	for (unsigned i = 0; i < CROWD; i++) {
		wire_expect(&w[i], 200, "waited");
		wire_say(&w[i], GOOD);
		wire_expect(&w[i], 200, "length");
		wire_close(&w[i]);
	}
}

/* A handler may take longer than a request may. */
static void test_waiting_is_not_reaped(void **state)
{
	struct fixture *f = *state;
	struct wire w;
	wire_open(&w, server_url(f->server));
	wire_say(&w, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->waiting, 1));
	assert_false(wire_stirs(&w, 3 * TIMEOUT_MS));
	gate_open(&f->waiting);
	wire_expect(&w, 200, "waited");
	wire_close(&w);
}

/* On a connection that has perhaps served before (`kept`), says `first`, then a byte of `drip` every tenth of
 * the timeout until the server has enough. */
static void drip(struct fixture *f, bool kept, const char *first, const char *drops)
{
	struct wire w;
	wire_open(&w, server_url(f->server));
	if (kept) {
		wire_say(&w, GOOD);
		wire_expect(&w, 200, "length");
	}
	int64_t from_us = clock_mono_us();
	wire_say(&w, "%s", first);
	for (size_t i = 0; !wire_stirs(&w, TIMEOUT_MS / 10); i++) {
		if (clock_mono_us() - from_us > WIRE_PATIENCE_MS * 1000LL)
			fail_msg("it still drips after \"%s\"", first);
		(void)!wire_put(&w, &drops[i % strlen(drops)], 1);
	}
	assert_true(wire_ended(&w));
	assert_true(clock_mono_us() - from_us >= TIMEOUT_MS * 900LL);
	wire_close(&w);
}

static void test_drips_are_reaped(void **state)
{
	struct fixture *f = *state;
	static const char get[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-";
	static const char post[] = "POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
	drip(f, false, "", "GET /healthzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
	drip(f, false, get, "x");
	drip(f, true, get, "x");
	drip(f, true, post, "x");
	expect_alive(f);
}

static void test_silence_is_reaped(void **state)
{
	struct fixture *f = *state;
	struct wire w;
	wire_open(&w, server_url(f->server));
	assert_true(wire_ended(&w));
	wire_close(&w);
	expect_alive(f);
}

static void test_vanished_clients(void **state)
{
	struct fixture *f = *state;
	struct wire w;
	static const char *const starts[] = {"", "GET /hea", GOOD,
		"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf"};
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		wire_open(&w, server_url(f->server));
		wire_say(&w, "%s", starts[i]);
		wire_reset(&w);
	}
	wire_open(&w, server_url(f->server));
	wire_say(&w, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->waiting, 1));
	wire_reset(&w);
	gate_open(&f->waiting);
	expect_alive(f);
}

static void test_stream(void **state)
{
	struct fixture *f = *state;
	struct wire w;
	struct wire_answer a;
	wire_open(&w, server_url(f->server));
	wire_say(&w, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_take(&w, true, &a); /* the head and the first bytes come before the stream goes on */
	assert_int_equal(a.status, 200);
	assert_true(wire_has(&a, "Content-Type: text/event-stream"));
	assert_true(wire_has(&a, "Transfer-Encoding: chunked"));
	assert_true(gate_wait(&f->more, 1));
	gate_open(&f->more);
	wire_answer_done(&a);
	assert_true(gate_wait(&f->ended, 1));
	assert_int_equal(f->more.came, 3);
	wire_close(&w);

	wire_open(&w, server_url(f->server));
	wire_say(&w, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_expect(&w, 200, "data: first\n\ndata: last\n\n");
	wire_close(&w);
}

static void test_reader_that_does_not_read(void **state)
{
	struct fixture *f = *state;
	struct wire w;
	wire_open(&w, server_url(f->server));
	wire_say(&w, "GET /stream?flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->ended, 1));
	wire_close(&w);
	expect_alive(f);
}

/* A stream's client that vanished shows at the next bytes. */
static void test_stream_of_a_vanished_client(void **state)
{
	struct fixture *f = *state;
	struct wire w;
	wire_open(&w, server_url(f->server));
	wire_say(&w, "GET /stream?flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(wire_stirs(&w, WIRE_PATIENCE_MS));
	wire_reset(&w);
	assert_true(gate_wait(&f->ended, 1));
	expect_alive(f);
}

/* The answer of a handler that was woken still goes out; an idle connection does not hold anything up. */
static void test_close_while_a_handler_waits(void **state)
{
	struct fixture *f = *state;
	struct wire w, idle, stream;
	wire_open(&w, server_url(f->server));
	wire_open(&idle, server_url(f->server));
	wire_open(&stream, server_url(f->server));
	wire_say(&idle, GOOD);
	wire_expect(&idle, 200, "length");
	wire_say(&stream, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->more, 1));
	wire_say(&w, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->waiting, 1));
	gate_open(&f->waiting);
	gate_open(&f->more);
	int64_t from_us = clock_mono_us();
	server_close(f->server);
	f->server = NULL;
	assert_true(clock_mono_us() - from_us < 1000000);
	wire_expect(&w, 200, "waited");
	assert_true(wire_ended(&w));
	assert_true(wire_ended(&idle));
	assert_true(gate_wait(&f->ended, 1));
	wire_close(&w);
	wire_close(&idle);
	wire_close(&stream);
}

static void test_addresses(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *listen;
		enum err e;
		const char *text;
	} cases[] = {
		{"", INVALID, "not an address"},
		{"7100", INVALID, "not an address"},
		{":7100", INVALID, "not an address"},
		{"127.0.0.1:", INVALID, "not an address"},
		{"127.0.0.1:65536", INVALID, "not an address"},
		{"127.0.0.1:x", INVALID, "not an address"},
		{"a.example:1", INVALID, "a.example:1"},
		{"::1:7100", INVALID, "::1:7100"},
		{"[::1:7100", INVALID, "[::1:7100"},
		{"[127.0.0.1]:7100", INVALID, "[127.0.0.1]:7100"},
		{"192.0.2.1:0", DENIED, "192.0.2.1:0: not an address of this machine"},
	};
	struct server *s = NULL;
	struct reason why;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server_config c = {.listen = cases[i].listen, .router = &f->router};
		assert_int_equal(server_open(&s, &c, &why), cases[i].e);
		assert_non_null(strstr(why.text, cases[i].text));
	}
	struct server_config taken = {
		.listen = server_url(f->server) + strlen("http://"), .router = &f->router};
	assert_int_equal(server_open(&s, &taken, &why), DENIED);
	assert_non_null(strstr(why.text, taken.listen));
	assert_non_null(strstr(why.text, "another program listens there"));
	assert_null(s);
	server_close(NULL);
}

static void test_ipv6(void **state)
{
	struct fixture *f = *state;
	struct server *s;
	struct reason why;
	struct wire w;
	struct server_config c = {.listen = "[::1]:0", .router = &f->router};
	enum err e = server_open(&s, &c, &why);
	if (e == DENIED)
		skip(); /* a machine without IPv6 */
	assert_int_equal(e, OK);
	assert_memory_equal(server_url(s), "http://[::1]:", strlen("http://[::1]:"));
	wire_open(&w, server_url(s));
	wire_say(&w, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", server_url(s) + strlen("http://"));
	wire_expect(&w, 200, "length");
	wire_close(&w);
	server_close(s);
}

static void test_loopback(void **state)
{
	(void)state;
	static const char *const near[] = {
		"127.0.0.1:0", "127.255.0.1:80", "[::1]:0", "localhost:7100", "[::ffff:127.0.0.1]:80"};
	static const char *const far[] = {"0.0.0.0:0", "[::]:0", "192.0.2.1:80", "128.0.0.1:80", "[::2]:80",
		"[::ffff:192.0.2.1]:80", "x", ""};
	for (size_t i = 0; i < sizeof near / sizeof near[0]; i++)
		assert_true(server_listen_is_loopback(near[i]));
	for (size_t i = 0; i < sizeof far / sizeof far[0]; i++)
		assert_false(server_listen_is_loopback(far[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_wait_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_waiting_is_not_reaped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drips_are_reaped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silence_is_reaped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vanished_clients, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reader_that_does_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream_of_a_vanished_client, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_while_a_handler_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ipv6, set_up, tear_down),
		cmocka_unit_test(test_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
