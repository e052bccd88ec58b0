/* Too many at once: who goes, who is let in, what is refused, and that whoever is at work is left alone. */
#include "shared/server.h"
#include "shared/clock.h"
#include "tests/support/eventually.h"
#include "tests/support/gate.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLACES 8
#define SHARE 6 /* of an address */
#define WAITS 2
#define TURNS 2 /* of an address that make large answers */
#define TIMEOUT_MS 4000
#define AGED_MS 1100              /* idle, or slow, for longer than it is put up with */
#define MEMORY (16 * 1024 * 1024) /* half of it for an address */
#define LARGE (6 * 1024 * 1024)   /* more than the kernel keeps for two sockets */
#define GOOD "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ELSEWHERE "127.0.0.2"

struct fixture {
	struct router router;
	struct server *server;
	struct gate working; /* handlers of /work */
	struct gate waiting, over;
	struct gate making; /* of /turn */
};

static void handle_ok(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	buf_printf(&r->body, "{\"length\":%zu}\n", q->body.len);
}

static void handle_metrics(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	http_put_metrics(q, &r->body);
}

static void handle_work(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct fixture *f = ctx;
	gate_pass(&f->working);
	handle_ok(ctx, q, r);
}

/* Until the client has gone. */
static void handle_news(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct fixture *f = ctx;
	r->status = 200;
	buf_text(&r->body, "no news");
	if (!http_may_wait(q))
		return;
	gate_note(&f->waiting);
	if (EVENTUALLY(WIRE_PATIENCE_MS, http_is_gone(q)))
		gate_note(&f->over);
}

static void handle_large(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	r->status = 200;
	for (size_t i = 0; i < LARGE / 64; i++)
		buf_text(&r->body, "sixty-four bytes of an answer that nobody cares to read, line 1\n");
}

static void handle_turn(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct fixture *f = ctx;
	if (!http_may_be_large(q, r))
		return;
	gate_pass(&f->making);
	handle_ok(ctx, q, r);
}

static const struct route ROUTES[] = {
	{HTTP_GET, "/healthz", ROUTE_OPEN, 0, handle_ok, NULL},
	{HTTP_GET, "/metrics", ROUTE_OPEN, 0, handle_metrics, NULL},
	{HTTP_POST, "/post", ROUTE_OPEN, LARGE, handle_ok, NULL},
	{HTTP_GET, "/work", ROUTE_OPEN, 0, handle_work, NULL},
	{HTTP_GET, "/news", ROUTE_OPEN, 0, handle_news, NULL},
	{HTTP_GET, "/large", ROUTE_OPEN, 0, handle_large, NULL},
	{HTTP_GET, "/turn", ROUTE_OPEN, 0, handle_turn, NULL},
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct reason why;
	f->router = (struct router){
		.routes = ROUTES, .n = sizeof ROUTES / sizeof ROUTES[0], .ctx = f, .hosts = ""};
	gate_init(&f->working);
	gate_init(&f->waiting);
	gate_init(&f->over);
	gate_init(&f->making);
	struct server_config c = {.listen = "127.0.0.1:0",
		.router = &f->router,
		.max_connections = PLACES,
		.max_waits = WAITS,
		.memory_bytes = MEMORY,
		.request_timeout_ms = TIMEOUT_MS};
	assert_int_equal(server_open(&f->server, &c, &why), OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	gate_open(&f->working);
	gate_open(&f->making);
	server_close(f->server);
	gate_done(&f->working);
	gate_done(&f->waiting);
	gate_done(&f->over);
	gate_done(&f->making);
	free(f);
	return 0;
}

static void ask(struct wire *w, const char *path, int status, const char *text)
{
	wire_say(w, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	wire_expect(w, status, text);
}

static void open_and_ask(struct fixture *f, struct wire *w)
{
	wire_open(w, server_url(f->server));
	ask(w, "/healthz", 200, "length");
}

static void open_all(struct fixture *f, struct wire *w, size_t n, const char *address)
{
	for (size_t i = 0; i < n; i++)
		wire_open_from(&w[i], server_url(f->server), address);
}

static void close_all(struct wire *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wire_close(&w[i]);
}

static void expect_figure(struct fixture *f, const char *figure)
{
	struct wire w;
	wire_open_from(&w, server_url(f->server), ELSEWHERE);
	ask(&w, "/metrics", 200, figure);
	wire_close(&w);
}

static void test_the_oldest_unfinished_goes(void **state)
{
	struct fixture *f = *state;
	struct wire w[SHARE], late[2];
	open_all(f, w, SHARE, NULL);
	open_and_ask(f, &late[0]);
	assert_true(wire_ended(&w[0]));
	open_and_ask(f, &late[1]);
	assert_true(wire_ended(&w[1]));
	for (unsigned i = 2; i < SHARE; i++)
		ask(&w[i], "/healthz", 200, "length");
	ask(&late[0], "/healthz", 200, "length");
	expect_figure(f, "tidemark_connections_ended_total{reason=\"crowded\"} 2\n");
	close_all(w, SHARE);
	close_all(late, 2);
}

static void test_a_body_that_is_coming_is_unfinished(void **state)
{
	struct fixture *f = *state;
	struct wire post, w[SHARE - 1], late;
	struct wire_answer a;
	wire_open(&post, server_url(f->server));
	wire_say(&post, "POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: "
			"100-continue\r\n\r\n");
	wire_take(&post, true, &a); /* so it is being read */
	assert_int_equal(a.status, 100);
	wire_answer_done(&a);
	open_all(f, w, SHARE - 1, NULL);
	open_and_ask(f, &late);
	assert_true(wire_ended(&post));
	wire_close(&post);
	close_all(w, SHARE - 1);
	wire_close(&late);
}

static void test_who_is_at_work_stays(void **state)
{
	struct fixture *f = *state;
	struct wire w[SHARE], late[PLACES];
	open_all(f, w, SHARE, NULL);
	for (unsigned i = 0; i < SHARE; i++)
		wire_say(&w[i], "GET /work HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->working, SHARE));
	for (unsigned i = 0; i < PLACES; i++) {
		open_and_ask(f, &late[i]);
		wire_reset(&late[i]);
	}
	gate_open(&f->working);
	for (unsigned i = 0; i < SHARE; i++)
		wire_expect(&w[i], 200, "length");
	close_all(w, SHARE);
}

static void test_who_idles_goes_first(void **state)
{
	struct fixture *f = *state;
	struct wire w[SHARE], late;
	wire_open(&w[0], server_url(f->server));
	open_and_ask(f, &w[1]);
	assert_false(wire_stirs(&w[1], AGED_MS)); /* there is room for it so far */
	open_all(f, w + 2, SHARE - 2, NULL);
	open_and_ask(f, &late);
	assert_true(wire_ended(&w[1]));
	ask(&w[0], "/healthz", 200, "length"); /* which came before */
	close_all(w, SHARE);
	wire_close(&late);
}

/* Else a flood would end each connection of an honest client between two of its requests. */
static void test_who_was_just_served_idles_not(void **state)
{
	struct fixture *f = *state;
	struct wire w[SHARE], late;
	wire_open(&w[0], server_url(f->server));
	open_and_ask(f, &w[1]);
	open_all(f, w + 2, SHARE - 2, NULL);
	open_and_ask(f, &late);
	assert_true(wire_ended(&w[0]));
	ask(&w[1], "/healthz", 200, "length");
	close_all(w, SHARE);
	wire_close(&late);
}

static void test_the_greediest_address_pays(void **state)
{
	struct fixture *f = *state;
	struct wire own[PLACES - 5], other[5], late;
	open_all(f, own, PLACES - 5, NULL);
	open_all(f, other, 5, ELSEWHERE);
	open_and_ask(f, &late);
	assert_true(wire_ended(&other[0]));
	for (unsigned i = 0; i < PLACES - 5; i++)
		ask(&own[i], "/healthz", 200, "length");
	for (unsigned i = 1; i < 5; i++)
		ask(&other[i], "/healthz", 200, "length");
	close_all(own, PLACES - 5);
	close_all(other, 5);
	wire_close(&late);
}

static void test_many_unfinished_have_less_time(void **state)
{
	struct fixture *f = *state;
	struct wire w[3];
	int64_t from_us = clock_mono_us();
	open_all(f, w, 3, NULL);
	assert_true(wire_ended(&w[2]));
	assert_true(clock_mono_us() - from_us < TIMEOUT_MS * 1000LL / 2);
	ask(&w[0], "/healthz", 200, "length");
	close_all(w, 3);
	expect_figure(f, "tidemark_connections_ended_total{reason=\"slow_request\"} ");
}

/* Announces a large body and says nothing of it; 100: it may come. */
static int announce(struct fixture *f, struct wire *w, const char *address)
{
	struct wire_answer a;
	wire_open_from(w, server_url(f->server), address);
	wire_say(w,
		"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nExpect: "
		"100-continue\r\n\r\n",
		LARGE);
	wire_take(w, false, &a);
	if (a.status != 100) {
		assert_int_equal(a.status, 503);
		assert_true(wire_has(&a, "Retry-After: 1"));
		assert_non_null(strstr(a.body.at, "too many large bodies"));
		assert_true(wire_ended(w));
	}
	wire_answer_done(&a);
	return a.status;
}

static void test_large_bodies_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct wire slow, w, small, other;
	assert_int_equal(announce(f, &slow, NULL), 100);
	assert_int_equal(announce(f, &w, NULL), 503);
	wire_close(&w);
	assert_int_equal(announce(f, &other, ELSEWHERE), 100); /* which has a share of its own */
	wire_close(&other);
	wire_open(&small, server_url(f->server));
	wire_say(&small, "POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345");
	wire_expect(&small, 200, "5");
	wire_close(&small);
	/* The first has had its time: it makes room for one that is in earnest. */
	assert_false(wire_stirs(&slow, AGED_MS));
	assert_int_equal(announce(f, &w, NULL), 100);
	assert_true(wire_ended(&slow));
	char *body = calloc(1, LARGE);
	assert_non_null(body);
	assert_true(wire_put(&w, body, LARGE));
	free(body);
	wire_expect(&w, 200, "6291456");
	wire_close(&w);
	wire_close(&slow);
	expect_figure(f, "tidemark_requests_shed_total{what=\"body\"} 1\n");
	expect_figure(f, "tidemark_connections_ended_total{reason=\"memory\"} 1\n");
}

static void test_large_answers_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct wire slow, w;
	wire_open(&slow, server_url(f->server));
	wire_say(&slow, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(wire_stirs(&slow, WIRE_PATIENCE_MS)); /* so it is being sent */
	wire_open(&w, server_url(f->server));
	ask(&w, "/large", 503, "too many large answers");
	ask(&w, "/healthz", 200, "length");
	/* What the kernel took at once counts for a while; then the first has had its time. */
	assert_false(wire_stirs(&w, AGED_MS));
	ask(&w, "/large", 503, "too many large answers");
	assert_false(wire_stirs(&w, AGED_MS));
	ask(&w, "/large", 200, "line 1");
	wire_close(&w);
	wire_close(&slow);
	expect_figure(f, "tidemark_requests_shed_total{what=\"answer\"} 2\n");
	expect_figure(f, "tidemark_connections_ended_total{reason=\"memory\"} 1\n");
}

static void test_large_answers_take_turns(void **state)
{
	struct fixture *f = *state;
	struct wire w[TURNS + 1], other;
	open_all(f, w, TURNS + 1, NULL);
	for (unsigned i = 0; i < TURNS; i++)
		wire_say(&w[i], "GET /turn HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->making, TURNS));
	wire_say(&w[TURNS], "GET /turn HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_open_from(&other, server_url(f->server), ELSEWHERE);
	wire_say(&other, "GET /turn HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->making, TURNS + 1));
	assert_false(wire_stirs(&w[TURNS], AGED_MS));
	assert_int_equal(f->making.came, TURNS + 1);
	gate_open(&f->making);
	wire_expect(&other, 200, "length");
	for (unsigned i = 0; i <= TURNS; i++)
		wire_expect(&w[i], 200, "length");
	close_all(w, TURNS + 1);
	wire_close(&other);
}

static void test_nothing_is_made_for_nobody(void **state)
{
	struct fixture *f = *state;
	struct wire w[TURNS], late;
	open_all(f, w, TURNS, NULL);
	for (unsigned i = 0; i < TURNS; i++)
		wire_say(&w[i], "GET /turn HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->making, TURNS));
	wire_open(&late, server_url(f->server));
	wire_say(&late, "GET /turn HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_close(&late);
	for (int64_t from_us = clock_mono_us();;) {
		struct wire m;
		struct wire_answer a;
		wire_open_from(&m, server_url(f->server), ELSEWHERE);
		wire_say(&m, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
		wire_take(&m, false, &a);
		/* a crowd of those who only look may cost one of them its connection */
		bool seen = a.status == 200 && strstr(a.body.at, "{reason=\"vanished\"} 1\n");
		wire_answer_done(&a);
		wire_close(&m);
		if (seen)
			break;
		assert_true(clock_mono_us() - from_us < WIRE_PATIENCE_MS * 1000LL);
	}
	gate_open(&f->making);
	for (unsigned i = 0; i < TURNS; i++)
		wire_expect(&w[i], 200, "length");
	assert_int_equal(f->making.came, TURNS);
	close_all(w, TURNS);
}

static void test_few_of_an_address_wait(void **state)
{
	struct fixture *f = *state;
	struct wire w[WAITS], late, other;
	open_all(f, w, WAITS, NULL);
	for (unsigned i = 0; i < WAITS; i++)
		wire_say(&w[i], "GET /news HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->waiting, WAITS));
	wire_open(&late, server_url(f->server));
	ask(&late, "/news", 200, "no news"); /* at once */
	wire_open_from(&other, server_url(f->server), ELSEWHERE);
	wire_say(&other, "GET /news HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->waiting, WAITS + 1));
	/* Those who vanish are noticed, though nothing is said to them. */
	wire_reset(&w[0]);
	assert_true(gate_wait(&f->over, 1));
	wire_close(&w[1]);
	wire_close(&other);
	assert_true(gate_wait(&f->over, 3));
	wire_say(&late, "GET /news HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(gate_wait(&f->waiting, WAITS + 2)); /* there is room again */
	wire_close(&late);
	assert_true(gate_wait(&f->over, 4));
	expect_figure(f, "tidemark_requests_shed_total{what=\"wait\"} 1\n");
	expect_figure(f, "tidemark_connections_ended_total{reason=\"vanished\"} 4\n");
}

/* What is not HTTP is told so at once, and not when its time is over. */
static void test_another_protocol_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	struct wire w;
	int64_t from_us = clock_mono_us();
	wire_open(&w, server_url(f->server));
	assert_true(wire_put(&w, "\x16\x03\x01\x00\x10\x01\x00\x00\n\x00\x00", 11));
	assert_true(wire_stirs(&w, WIRE_PATIENCE_MS));
	assert_true(clock_mono_us() - from_us < TIMEOUT_MS * 1000LL / 4);
	wire_close(&w);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_the_oldest_unfinished_goes),
		CASE(test_a_body_that_is_coming_is_unfinished),
		CASE(test_who_is_at_work_stays),
		CASE(test_who_idles_goes_first),
		CASE(test_who_was_just_served_idles_not),
		CASE(test_the_greediest_address_pays),
		CASE(test_many_unfinished_have_less_time),
		CASE(test_large_bodies_are_bounded),
		CASE(test_large_answers_are_bounded),
		CASE(test_large_answers_take_turns),
		CASE(test_nothing_is_made_for_nobody),
		CASE(test_few_of_an_address_wait),
		CASE(test_another_protocol_is_not_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
