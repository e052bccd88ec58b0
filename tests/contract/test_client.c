/* The client against the server, and against peers that are none. */
#include "shared/client.h"
#include "shared/clock.h"
#include "shared/listen.h"
#include "shared/server.h"
#include "tests/support/gate.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_BODY 100000

static void handle_echo(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	memcpy(r->etag, "\"abc\"", 6);
	buf_printf(&r->body, "%s %.*s ", http_method_name(q->method), (int)q->target.len, q->target.at);
	buf_put(&r->body, q->content_type);
	buf_char(&r->body, ' ');
	buf_put(&r->body, q->body);
}

static void handle_wait(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)q;
	gate_pass(ctx);
	r->status = 200;
}

static void handle_away(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	r->status = 302;
	memcpy(r->location, "/secret", 8);
}

static void handle_long(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	for (unsigned i = 0; i < MAX_BODY + (http_query(q, "more").at ? 1 : 0); i++)
		buf_char(&r->body, 'x');
}

static bool stream_for_ever(void *ctx, struct buf *out)
{
	(void)ctx;
	buf_text(out, "one more line\n");
	return true;
}

static void handle_stream(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	r->status = 200;
	r->stream = stream_for_ever;
}

static const struct route ROUTES[] = {
	{HTTP_GET, "/echo/{id}", ROUTE_OPEN, 0, handle_echo, "x "},
	{HTTP_POST, "/echo/{id}", ROUTE_OPEN, 4 << 20, handle_echo, NULL},
	{HTTP_PUT, "/echo/{id}", ROUTE_OPEN, 1000, handle_echo, NULL},
	{HTTP_PATCH, "/echo/{id}", ROUTE_OPEN, 1000, handle_echo, NULL},
	{HTTP_DELETE, "/echo/{id}", ROUTE_OPEN, 0, handle_echo, NULL},
	{HTTP_GET, "/secret", ROUTE_APP, 0, handle_echo, NULL},
	{HTTP_GET, "/wait", ROUTE_OPEN, 0, handle_wait, NULL},
	{HTTP_POST, "/wait", ROUTE_OPEN, 1000, handle_wait, NULL},
	{HTTP_GET, "/away", ROUTE_OPEN, 0, handle_away, NULL},
	{HTTP_GET, "/long", ROUTE_OPEN, 0, handle_long, "more "},
	{HTTP_GET, "/stream", ROUTE_OPEN, 0, handle_stream, NULL},
};

struct fixture {
	struct router router;
	struct server *server;
	struct client *client;
	struct gate gate;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct reason why;
	gate_init(&f->gate);
	f->router = (struct router){
		.routes = ROUTES, .n = sizeof ROUTES / sizeof ROUTES[0], .ctx = &f->gate, .hosts = ""};
	f->router.app_token = "token";
	struct server_config s = {.listen = "127.0.0.1:0", .router = &f->router};
	assert_int_equal(server_open(&f->server, &s, &why), OK);
	struct client_config c = {.base_url = server_url(f->server),
		.token = "token",
		.timeout_ms = 10000,
		.max_body = MAX_BODY};
	assert_int_equal(client_open(&f->client, &c, &why), OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	client_close(f->client);
	gate_open(&f->gate);
	server_close(f->server);
	gate_done(&f->gate);
	free(f);
	return 0;
}

static void expect(
	struct client *c, enum http_method m, const char *target, const char *body, const char *text)
{
	struct client_reply r = {0};
	struct reason why = {0};
	const char *type = body ? "application/json" : NULL;
	if (client_call(c, m, target, span_of(body), type, &r, &why) != OK)
		fail_msg("%s: %s", target, why.text);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body.at ? r.body.at : "", text);
	assert_string_equal(r.etag, "\"abc\"");
	client_reply_done(&r);
}

static void test_methods(void **state)
{
	struct fixture *f = *state;
	expect(f->client, HTTP_GET, "/echo/a%2Eb?x=%26", NULL, "GET /echo/a%2Eb?x=%26  ");
	expect(f->client, HTTP_POST, "/echo/a", "{}", "POST /echo/a application/json {}");
	expect(f->client, HTTP_PUT, "/echo/..", "[1]", "PUT /echo/.. application/json [1]");
	expect(f->client, HTTP_HEAD, "/echo/a", NULL, "");
	expect(f->client, HTTP_PATCH, "/echo/a", "{}", "PATCH /echo/a application/json {}");
	expect(f->client, HTTP_DELETE, "/echo/a", NULL, "DELETE /echo/a  ");
	expect(f->client, HTTP_POST, "/echo/a", NULL, "POST /echo/a  ");
	expect(f->client, HTTP_GET, "/echo/a", NULL, "GET /echo/a  ");
}

static void expect_status(struct client *c, const char *target, int status)
{
	struct client_reply r = {0};
	struct reason why = {0};
	if (client_call(c, HTTP_GET, target, (struct span){0}, NULL, &r, &why) != OK)
		fail_msg("%s: %s", target, why.text);
	assert_int_equal(r.status, status);
	client_reply_done(&r);
}

static struct client *client_to(const char *url, const char *token, int64_t timeout_ms)
{
	struct client *c;
	struct reason why = {0};
	struct client_config config = {
		.base_url = url, .token = token, .timeout_ms = timeout_ms, .max_body = MAX_BODY};
	if (client_open(&c, &config, &why) != OK)
		fail_msg("%s", why.text);
	return c;
}

/* Any status is an answer; redirects are not followed; a slash at the base's end does not matter. */
static void test_statuses(void **state)
{
	struct fixture *f = *state;
	char url[100];
	expect_status(f->client, "/nothing", 404);
	expect_status(f->client, "/away", 302);
	expect_status(f->client, "/secret", 200);
	snprintf(url, sizeof url, "%s/", server_url(f->server));
	struct client *c = client_to(url, NULL, 0);
	expect_status(c, "/secret", 401);
	client_close(c);
	c = client_to(server_url(f->server), "wrong", 0);
	expect_status(c, "/secret", 401);
	client_close(c);
}

static void expect_failure(
	struct client *c, enum http_method m, const char *target, enum err e, const char *text)
{
	struct client_reply r = {.status = 7};
	struct reason why = {0};
	enum err got = client_call(c, m, target, (struct span){0}, NULL, &r, &why);
	if (got != e || !strstr(why.text, text))
		fail_msg("%s: %s %s, not %s %s", target, err_name(got), why.text, err_name(e), text);
	assert_int_equal(r.status, 7); /* untouched */
}

/* Bytes are counted as they come, whatever a length says or does not say. */
static void test_long_answers(void **state)
{
	struct fixture *f = *state;
	struct client_reply r = {0};
	struct reason why;
	assert_int_equal(client_call(f->client, HTTP_GET, "/long", (struct span){0}, NULL, &r, &why), OK);
	assert_int_equal(r.body.len, MAX_BODY);
	client_reply_done(&r);
	expect_failure(f->client, HTTP_GET, "/long?more", INVALID, "more than 100000 bytes");
	expect_failure(f->client, HTTP_GET, "/stream", INVALID, "more than 100000 bytes");
	expect_status(f->client, "/echo/a", 200);
}

/* For an answer of which only the beginning matters, also one that never ends. */
static void test_answers_that_are_cut(void **state)
{
	struct fixture *f = *state;
	struct reason why = {""};
	struct client *c;
	const struct client_config config = {
		.base_url = server_url(f->server), .timeout_ms = 10000, .max_body = 10, .cut_body = true};
	assert_int_equal(client_open(&c, &config, &why), OK);
	static const char *const targets[] = {"/stream", "/long?more", "/stream"};
	for (size_t i = 0; i < 3; i++) {
		struct client_reply r = {0};
		if (client_call(c, HTTP_GET, targets[i], (struct span){0}, NULL, &r, &why) != OK)
			fail_msg("%s: %s", targets[i], why.text);
		assert_int_equal(r.status, 200);
		assert_int_equal(r.body.len, 10);
		assert_memory_equal(r.body.at, i == 1 ? "xxxxxxxxxx" : "one more l", 10);
		client_reply_done(&r);
	}
	client_close(c);
}

static void *ask_and_wait(void *arg)
{
	struct client_reply r = {0};
	struct reason why;
	enum err e = client_call(arg, HTTP_POST, "/wait", (struct span){0}, NULL, &r, &why);
	return (void *)(uintptr_t)e;
}

static void test_a_call_ends_when_it_is_to(void **state)
{
	struct fixture *f = *state;
	atomic_bool stop = false;
	struct client *c;
	pthread_t thread;
	void *e;
	const struct client_config config = {
		.base_url = server_url(f->server), .timeout_ms = 60000, .max_body = 10, .stop = &stop};
	assert_int_equal(client_open(&c, &config, NULL), OK);
	assert_int_equal(pthread_create(&thread, NULL, ask_and_wait, c), 0);
	assert_true(gate_wait(&f->gate, 1));
	int64_t from_us = clock_mono_us();
	atomic_store(&stop, true);
	pthread_join(thread, &e);
	assert_int_equal((uintptr_t)e, UNCERTAIN);
	assert_true(clock_mono_us() - from_us < 4000000);
	client_close(c);
}

static void test_timeouts(void **state)
{
	struct fixture *f = *state;
	struct client *c = client_to(server_url(f->server), NULL, 200);
	int64_t from_us = clock_mono_us();
	expect_failure(c, HTTP_GET, "/wait", RETRY, "timed out");
	expect_failure(c, HTTP_POST, "/wait", UNCERTAIN, "timed out; it may have been done");
	assert_true(clock_mono_us() - from_us >= 400000);
	assert_true(clock_mono_us() - from_us < 5000000);
	gate_open(&f->gate);
	expect_status(c, "/echo/a", 200);
	client_close(c);
}

/* A body over a megabyte asks first (Expect: 100-continue), and is refused before it is sent. */
static void test_large_bodies(void **state)
{
	struct fixture *f = *state;
	struct client_reply r = {0};
	struct reason why;
	size_t len = 5 << 20;
	char *body = calloc(1, len);
	struct span s = {body, len};
	assert_int_equal(client_call(f->client, HTTP_POST, "/echo/a", s, "application/json", &r, &why), OK);
	assert_int_equal(r.status, 413);
	client_reply_done(&r);
	free(body);
}

static void test_proxy_of_the_environment(void **state)
{
	struct fixture *f = *state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	struct client *c = client_to(server_url(f->server), NULL, 0);
	expect_status(c, "/echo/a", 200);
	client_close(c);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct sockaddr_storage a;
	char address[64], url[100];
	int fd;
	/* A port that was free a moment ago: nobody listens after the close. */
	assert_int_equal(listen_open("127.0.0.1:0", &fd, &a, NULL), OK);
	listen_format(&a, address);
	snprintf(url, sizeof url, "http://%s", address);
	close(fd);
	struct client *c = client_to(url, NULL, 1000);
	expect_failure(c, HTTP_GET, "/", RETRY, "connection refused");
	expect_failure(c, HTTP_POST, "/", RETRY, url);
	client_close(c);
}

/*
 * A peer with a script: on each accepted connection it reads heads and says the next replies,
 * then ends it.
 */
struct peer {
	int fd;
	char url[100];
	pthread_t thread;
	const char *const (*script)[3]; /* per connection: replies; "" = ends without one; NULL = no more */
	unsigned n, heads;
	pthread_mutex_t lock;
	char last[4096]; /* the head that came last */
};

static bool read_head(struct peer *p, int fd)
{
	char head[sizeof p->last];
	size_t len = 0;
	while (len < sizeof head - 1) {
		ssize_t n = recv(fd, head + len, sizeof head - 1 - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
		head[len] = 0;
		if (!strstr(head, "\r\n\r\n"))
			continue;
		pthread_mutex_lock(&p->lock);
		memcpy(p->last, head, len + 1);
		pthread_mutex_unlock(&p->lock);
		return true;
	}
	return false;
}

/* Had the head that came last this text? */
static bool was_told(struct peer *p, const char *text)
{
	pthread_mutex_lock(&p->lock);
	bool found = strstr(p->last, text) != NULL;
	pthread_mutex_unlock(&p->lock);
	return found;
}

/* A request on this connection, or first another connection? */
static bool is_asked(const struct peer *p, int fd)
{
	struct pollfd either[] = {{.fd = fd, .events = POLLIN}, {.fd = p->fd, .events = POLLIN}};
	return poll(either, 2, 10000) > 0 && either[0].revents != 0;
}

static void *run_peer(void *arg)
{
	struct peer *p = arg;
	for (unsigned i = 0; i < p->n; i++) {
		struct pollfd ready = {.fd = p->fd, .events = POLLIN};
		if (poll(&ready, 1, 10000) <= 0)
			break;
		int fd = accept(p->fd, NULL, NULL);
		for (unsigned j = 0; j < 3 && p->script[i][j] && is_asked(p, fd) && read_head(p, fd); j++) {
			p->heads++;
			(void)!send(fd, p->script[i][j], strlen(p->script[i][j]), MSG_NOSIGNAL);
		}
		close(fd);
	}
	return NULL;
}

static void peer_start(struct peer *p, const char *const (*script)[3], unsigned n)
{
	struct sockaddr_storage a;
	char address[64];
	*p = (struct peer){.script = script, .n = n, .lock = PTHREAD_MUTEX_INITIALIZER};
	assert_int_equal(listen_open("127.0.0.1:0", &p->fd, &a, NULL), OK);
	listen_format(&a, address);
	snprintf(p->url, sizeof p->url, "http://%s", address);
	assert_int_equal(pthread_create(&p->thread, NULL, run_peer, p), 0);
}

static void peer_stop(struct peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->fd);
}

#define EMPTY_OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void test_connections_are_kept(void **state)
{
	(void)state;
	static const char *const script[][3] = {{EMPTY_OK, EMPTY_OK, EMPTY_OK}};
	struct peer p;
	peer_start(&p, script, 1);
	struct client *c = client_to(p.url, NULL, 5000);
	for (unsigned i = 0; i < 3; i++)
		expect_status(c, "/", 200);
	client_close(c);
	peer_stop(&p);
	assert_int_equal(p.heads, 3);
}

/*
 * The peer would end a kept connection at the next request's head, and then another without a word: libcurl
 * sends a POST again after the first.
 */
static void test_post_goes_out_once(void **state)
{
	(void)state;
	static const char *const script[][3] = {{EMPTY_OK, ""}, {""}, {EMPTY_OK}};
	struct peer p;
	peer_start(&p, script, 3);
	struct client *c = client_to(p.url, NULL, 5000);
	expect_status(c, "/", 200);
	expect_failure(c, HTTP_POST, "/", UNCERTAIN, "the connection broke");
	expect_status(c, "/", 200);
	client_close(c);
	peer_stop(&p);
	assert_int_equal(p.heads, 3);
}

/* They go with that call alone, beside the client's own. */
static void test_headers_of_ones_own(void **state)
{
	(void)state;
	static const char *const script[][3] = {{EMPTY_OK, EMPTY_OK}};
	static const char *const headers[] = {"X-One", "1", "Idempotency-Key", "a b", NULL};
	const struct client_request q = {HTTP_PUT, "/", {"x", 1}, "text/plain", headers};
	struct client_reply r = {0};
	struct reason why;
	struct peer p;
	peer_start(&p, script, 1);
	struct client *c = client_to(p.url, "token", 5000);
	assert_int_equal(client_ask(c, &q, &r, &why), OK);
	client_reply_done(&r);
	assert_true(was_told(&p, "\r\nX-One: 1\r\n"));
	assert_true(was_told(&p, "\r\nIdempotency-Key: a b\r\n"));
	assert_true(was_told(&p, "\r\nAuthorization: Bearer token\r\n"));
	assert_true(was_told(&p, "\r\nContent-Type: text/plain\r\n"));
	expect_status(c, "/", 200);
	assert_false(was_told(&p, "X-One"));
	client_close(c);
	peer_stop(&p);
}

static void test_peers_that_are_no_servers(void **state)
{
	(void)state;
	static const struct {
		const char *reply, *text;
	} cases[] = {
		{"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP server"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "the connection broke"},
		{"", "the connection broke"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const script[1][3] = {{cases[i].reply}};
		struct peer p;
		peer_start(&p, script, 1);
		struct client *c = client_to(p.url, NULL, 5000);
		expect_failure(c, HTTP_GET, "/", RETRY, cases[i].text);
		client_close(c);
		peer_stop(&p);
	}
}

static void test_what_is_no_url(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "127.0.0.1:80", "file:///etc/passwd", "ftp://127.0.0.1/", "httpx://a"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct client *c = NULL;
		struct reason why = {0};
		struct client_config config = {.base_url = bad[i], .max_body = 1};
		assert_int_equal(client_open(&c, &config, &why), INVALID);
		assert_null(c);
		assert_true(why.text[0] != '\0');
	}
	struct client *c = client_to("http://a b", NULL, 1000);
	expect_failure(c, HTTP_GET, "/", INVALID, "not a URL");
	client_close(c);
	client_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_methods, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_statuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_answers_that_are_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_call_ends_when_it_is_to, set_up, tear_down),
		cmocka_unit_test(test_headers_of_ones_own),
		cmocka_unit_test_setup_teardown(test_timeouts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large_bodies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_proxy_of_the_environment, set_up, tear_down),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_connections_are_kept),
		cmocka_unit_test(test_post_goes_out_once),
		cmocka_unit_test(test_peers_that_are_no_servers),
		cmocka_unit_test(test_what_is_no_url),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
