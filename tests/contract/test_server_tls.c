/* The server over TLS, with real certificates (deploy/certificates): who stalls, who speaks something else, who shows what, and
 * certificates that change under load.  Runs from the top of the tree. */
#include "shared/client.h"
#include "shared/clock.h"
#include "shared/server.h"
#include "tests/support/gate.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MAX_BODY (8 * 1024 * 1024)
#define STALLED 48

static struct reason why;

static void handle_ok(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	buf_printf(&r->body, "{\"tls\":%s}\n", q->tls ? "true" : "false");
}

static void handle_echo(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	r->status = 200;
	r->content_type = "application/x-ndjson";
	buf_put(&r->body, q->body);
}

struct counted {
	unsigned left;
};

static bool count_down(void *ctx, struct buf *out)
{
	struct counted *c = ctx;
	buf_printf(out, "event %u\n", c->left);
	return --c->left > 0;
}

static void handle_stream(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct counted *c = malloc(sizeof *c);
	(void)ctx;
	(void)q;
	assert_non_null(c);
	c->left = 5000;
	r->status = 200;
	r->content_type = "text/event-stream";
	r->stream = count_down;
	r->stream_done = free;
	r->stream_ctx = c;
}

static void handle_wait(void *ctx, struct http_request *q, struct http_reply *r)
{
	gate_pass(ctx);
	handle_ok(NULL, q, r);
}

static const struct route ROUTES[] = {
	{HTTP_GET, "/healthz", ROUTE_ALWAYS, 0, handle_ok, NULL},
	{HTTP_GET, "/app", ROUTE_APP, 0, handle_ok, NULL},
	{HTTP_GET, "/changes", ROUTE_CENTRE, 0, handle_ok, NULL},
	{HTTP_POST, "/echo", ROUTE_APP, MAX_BODY, handle_echo, NULL},
	{HTTP_GET, "/stream", ROUTE_APP, 0, handle_stream, NULL},
	{HTTP_GET, "/wait", ROUTE_APP, 0, handle_wait, NULL},
};

struct fixture {
	char dir[64];
	struct router router;
	struct gate gate;
	struct server *server;
	struct tls *side, *believing, *centre; /* the server's; a client's without and with a certificate */
	int64_t timeout_ms;
};

static char *path_of(const struct fixture *f, const char *name, char ret[128])
{
	snprintf(ret, 128, "%s/%s", f->dir, name);
	return ret;
}

/* A line of shell; $DIR is the fixture's directory. */
static void run(const struct fixture *f, const char *line)
{
	assert_int_equal(setenv("DIR", f->dir, 1), 0);
	assert_int_equal(system(line), 0);
}

/* `certificate` without its suffix; NULL: none, as `ca`. */
static enum err try_read(
	const struct fixture *f, const char *certificate, const char *key, const char *ca, struct tls **ret)
{
	char paths[3][128];
	struct tls_files files = {
		.certificate = certificate ? path_of(f, certificate, paths[0]) : NULL,
		.key = key ? path_of(f, key, paths[1]) : NULL,
		.ca = ca ? path_of(f, ca, paths[2]) : NULL,
	};
	return tls_read(ret, &files, &why);
}

static struct tls *read_tls(const struct fixture *f, const char *name, const char *ca)
{
	char certificate[32], key[32];
	struct tls *t = NULL;
	snprintf(certificate, sizeof certificate, "%s.pem", name ? name : "");
	snprintf(key, sizeof key, "%s.key", name ? name : "");
	if (try_read(f, name ? certificate : NULL, name ? key : NULL, ca, &t) != OK)
		fail_msg("%s", why.text);
	return t;
}

static void open_server(struct fixture *f, int64_t request_timeout_ms)
{
	struct server_config c = {.listen = "127.0.0.1:0",
		.router = &f->router,
		.tls = f->side,
		.request_timeout_ms = request_timeout_ms};
	assert_int_equal(server_open(&f->server, &c, &why), OK);
	assert_non_null(strstr(server_url(f->server), "https://127.0.0.1:"));
	f->timeout_ms = request_timeout_ms;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	snprintf(f->dir, sizeof f->dir, "/tmp/test_server_tls.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	run(f, "deploy/certificates \"$DIR\" shop=127.0.0.1 next=127.0.0.1 --client centre=127.0.0.1 "
	       ">/dev/null");
	gate_init(&f->gate);
	f->router = (struct router){.routes = ROUTES,
		.n = sizeof ROUTES / sizeof ROUTES[0],
		.hosts = "",
		.ctx = &f->gate,
		.certified = ROUTE_CENTRE};
	f->side = read_tls(f, "shop", "ca.pem");
	f->believing = read_tls(f, NULL, "ca.pem");
	f->centre = read_tls(f, "centre", "ca.pem");
	open_server(f, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	gate_open(&f->gate);
	server_close(f->server);
	tls_release(f->side);
	tls_release(f->believing);
	tls_release(f->centre);
	gate_done(&f->gate);
	run(f, "rm -rf \"$DIR\"");
	free(f);
	return 0;
}

static struct client *open_client(struct fixture *f, const struct tls *tls)
{
	struct client_config c = {
		.base_url = server_url(f->server), .tls = tls, .timeout_ms = 10000, .max_body = MAX_BODY};
	struct client *client = NULL;
	assert_int_equal(client_open(&client, &c, &why), OK);
	return client;
}

static enum err ask(
	struct client *c, enum http_method m, const char *target, struct span body, struct client_reply *r)
{
	*r = (struct client_reply){0};
	return client_call(c, m, target, body, m == HTTP_POST ? "application/x-ndjson" : NULL, r, &why);
}

static void expect(struct client *c, const char *target, int status, const char *text)
{
	struct client_reply r;
	if (ask(c, HTTP_GET, target, (struct span){0}, &r) != OK)
		fail_msg("%s: %s", target, why.text);
	if (r.status != status || !strstr(r.body.at, text))
		fail_msg("%s: %d %s", target, r.status, r.body.at);
	client_reply_done(&r);
}

/* On a connection of its own. */
static void expect_alive(struct fixture *f)
{
	struct client *c = open_client(f, f->believing);
	expect(c, "/healthz", 200, "{\"tls\":true}");
	client_close(c);
}

/* With a time for requests that is short, and long for whoever is honest, on whatever machine and under whatever checker. */
static int set_up_hasty(void **state)
{
	set_up(state);
	struct fixture *f = *state;
	int64_t at_us = clock_mono_us();
	for (unsigned i = 0; i < 3; i++)
		expect_alive(f);
	int64_t took_ms = (clock_mono_us() - at_us) / 1000;
	server_close(f->server);
	open_server(f, 500 + 10 * took_ms);
	return 0;
}

static void test_bodies_go_whole_both_ways(void **state)
{
	struct fixture *f = *state;
	struct client *c = open_client(f, f->believing);
	struct buf body = {0};
	struct client_reply r;
	for (unsigned i = 0; body.len < MAX_BODY - 16; i++)
		buf_printf(&body, "%u\n", i);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ask(c, HTTP_POST, "/echo", buf_span(&body), &r), OK);
		assert_int_equal(r.status, 200);
		assert_true(span_equal(buf_span(&r.body), buf_span(&body)));
		client_reply_done(&r);
	}
	buf_done(&body);
	client_close(c);
}

static enum err count_bytes(void *ctx, struct span bytes, uint64_t total, struct reason *say)
{
	(void)total;
	(void)say;
	*(size_t *)ctx += bytes.len;
	return OK;
}

static void test_a_stream_goes_to_its_end(void **state)
{
	struct fixture *f = *state;
	struct client *c = open_client(f, f->believing);
	struct client_reply r = {0};
	size_t seen = 0, whole = 0;
	for (unsigned left = 5000; left > 0; left--)
		whole += (size_t)snprintf(NULL, 0, "event %u\n", left);
	assert_int_equal(client_download(c, "/stream", 10000, count_bytes, &seen, &r, &why), OK);
	assert_int_equal(r.status, 200);
	assert_int_equal(seen, whole);
	client_reply_done(&r);
	client_close(c);
}

/* Says something that is no handshake, or the beginning of one. */
static void speak(struct fixture *f, struct wire *w, const char *bytes, size_t len)
{
	char url[80];
	snprintf(url, sizeof url, "http%s", server_url(f->server) + strlen("https"));
	wire_open(w, url);
	if (len > 0)
		(void)wire_put(w, bytes, len);
}

static void test_plain_http_is_answered_in_http(void **state)
{
	struct fixture *f = *state;
	static const char *const said[] = {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome", "G"};
	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		struct wire w;
		struct wire_answer a;
		speak(f, &w, said[i], strlen(said[i]));
		wire_take(&w, false, &a);
		assert_int_equal(a.status, 400);
		assert_true(wire_has(&a, "Content-Type: application/problem+json"));
		assert_non_null(strstr(a.body.at, "https://"));
		assert_non_null(strstr(a.body.at, "tls_required"));
		wire_answer_done(&a);
		assert_true(wire_ended(&w));
		wire_close(&w);
		expect_alive(f);
	}
}

static void test_what_is_no_handshake_ends_its_connection(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *at;
		size_t len;
	} said[] = {
		{"\x16\x03\x01\xff\xff"
		 "AAAAAAAAAAAAAAAA",
			21},
		{"\x16\x03\x01\x00\x05hello", 10},
		{"\x15\x03\x01\x00\x02\x02\x28", 7},
		{"\x17\x03\x03\x00\x04none", 9},
		{"\x14\x03\x03\x00\x01\x01", 6},
		{"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", 11},
		{"\0\0\0\0\0\0\0\0\0\0\0\0", 12},
		{"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x01", 11},
	};
	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		struct wire w;
		speak(f, &w, said[i].at, said[i].len);
		char byte;
		int64_t until_us = clock_mono_us() + f->timeout_ms * 3000;
		while (recv(w.fd, &byte, 1, 0) > 0) /* an alert */
			assert_true(clock_mono_us() < until_us);
		assert_true(clock_mono_us() < until_us);
		wire_close(&w);
		expect_alive(f);
	}
}

/* The time of a request is that of its handshake too: each is shut down by then, and meanwhile nobody waits. */
static void test_stalled_handshakes_are_ended_and_hold_up_nobody(void **state)
{
	struct fixture *f = *state;
	static struct wire w[STALLED];
	int64_t begun_us = clock_mono_us(), worst_us = 0;
	for (unsigned i = 0; i < STALLED; i++)
		speak(f, &w[i], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", i % 2 ? 11 : 0);
	for (unsigned i = 0; i < 20; i++) {
		int64_t at_us = clock_mono_us();
		expect_alive(f);
		if (clock_mono_us() - at_us > worst_us)
			worst_us = clock_mono_us() - at_us;
	}
	for (unsigned i = 0; i < STALLED; i++) {
		assert_true(wire_ended(&w[i]));
		wire_close(&w[i]);
	}
	assert_in_range(clock_mono_us() - begun_us, f->timeout_ms * 900, f->timeout_ms * 3000);
	assert_in_range(worst_us, 0, f->timeout_ms * 500);
	expect_alive(f);
}

static void test_replication_needs_a_certificate_and_nothing_else_does(void **state)
{
	struct fixture *f = *state;
	struct tls *wrong = read_tls(f, "next", "ca.pem");
	struct client *none = open_client(f, f->believing), *good = open_client(f, f->centre),
		      *node = open_client(f, wrong);
	for (unsigned i = 0; i < 2; i++) {
		expect(none, "/changes", 403, "none was shown");
		expect(none, "/app", 200, "true");
		expect(good, "/changes", 200, "true");
		expect(node, "/changes", 403, "is not one for clients");
		expect(node, "/healthz", 200, "true");
	}
	client_close(none);
	client_close(good);
	client_close(node);
	tls_release(wrong);
}

static void test_a_server_of_another_authority_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct client_reply r;
	run(f, "deploy/certificates \"$DIR/other\" x >/dev/null");
	struct tls *other = read_tls(f, NULL, "other/ca.pem");
	struct client *c = open_client(f, other);
	assert_int_equal(ask(c, HTTP_GET, "/healthz", (struct span){0}, &r), RETRY);
	assert_non_null(strstr(why.text, "not believed here"));
	client_close(c);
	tls_release(other);
	assert_true(client_probe(server_url(f->server), 5000)); /* whoever signed it */
}

struct load {
	struct fixture *f;
	_Atomic bool *stop;
	unsigned done;
};

static void *make_load(void *ctx)
{
	struct load *l = ctx;
	while (!*l->stop) {
		struct client *c = open_client(l->f, l->f->centre);
		for (unsigned i = 0; i < 3; i++)
			expect(c, "/changes", 200, "true");
		client_close(c);
		l->done++;
	}
	return NULL;
}

static void test_certificates_change_under_load(void **state)
{
	struct fixture *f = *state;
	_Atomic bool stop = false;
	struct load loads[3];
	pthread_t threads[3];
	struct tls *next = read_tls(f, "next", "ca.pem");
	struct client *kept = open_client(f, f->centre);
	expect(kept, "/changes", 200, "true");
	for (unsigned i = 0; i < 3; i++) {
		loads[i] = (struct load){f, &stop, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, make_load, &loads[i]), 0);
	}
	for (unsigned i = 0; i < 100; i++) {
		server_set_tls(f->server, i % 2 ? f->side : next);
		expect(kept, "/changes", 200, "true");
		expect_alive(f);
	}
	stop = true;
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_true(loads[i].done > 3);
	}
	/* Another authority of clients: for who comes from now on. */
	run(f, "deploy/certificates \"$DIR/other\" --client centre=127.0.0.1 >/dev/null");
	struct tls *stricter = read_tls(f, "next", "other/ca.pem");
	server_set_tls(f->server, stricter);
	expect(kept, "/changes", 200, "true");
	struct client *late = open_client(f, f->centre);
	expect(late, "/changes", 403, "no authority that is believed here");
	client_close(late);
	client_close(kept);
	tls_release(stricter);
	tls_release(next);
}

static void *wait_there(void *ctx)
{
	struct fixture *f = ctx;
	struct client *c = open_client(f, f->believing);
	struct client_reply r;
	if (ask(c, HTTP_GET, "/wait", (struct span){0}, &r) == OK)
		client_reply_done(&r);
	client_close(c);
	return NULL;
}

static void test_it_ends_with_handshakes_and_requests_under_way(void **state)
{
	struct fixture *f = *state;
	struct wire silent, half;
	pthread_t waiting;
	assert_int_equal(pthread_create(&waiting, NULL, wait_there, f), 0);
	assert_true(gate_wait(&f->gate, 1));
	speak(f, &silent, "", 0);
	speak(f, &half, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9);
	gate_open(&f->gate);
	int64_t at_us = clock_mono_us();
	server_close(f->server);
	f->server = NULL;
	assert_in_range(clock_mono_us() - at_us, 0, 3000000);
	pthread_join(waiting, NULL);
	wire_close(&silent);
	wire_close(&half);
}

static void write_file(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *out = fopen(path_of(f, name, path), "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_files_that_are_not_right_are_refused_by_name(void **state)
{
	struct fixture *f = *state;
	struct tls *t = NULL;
	char path[128];
	write_file(f, "empty.pem", "", 0644);
	write_file(f, "words.pem", "no certificate\n", 0644);
	write_file(f, "cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n", 0644);
	write_file(f, "empty.key", "", 0600);
	run(f, "cp \"$DIR/shop.key\" \"$DIR/open.key\"");
	assert_int_equal(chmod(path_of(f, "open.key", path), 0644), 0);
	run(f, "openssl ec -aes128 -passout pass:secret -in \"$DIR/shop.key\" -out \"$DIR/locked.key\" "
	       "2>/dev/null");
	const struct {
		const char *certificate, *key, *ca, *text;
	} bad[] = {
		{"missing.pem", "shop.key", NULL, "missing.pem"},
		{"empty.pem", "shop.key", NULL, "empty.pem: empty"},
		{"words.pem", "shop.key", NULL, "words.pem: no certificates"},
		{"cut.pem", "shop.key", NULL, "cut.pem: no certificates"},
		{"shop.pem", "missing.key", NULL, "missing.key"},
		{"shop.pem", "empty.key", NULL, "empty.key: empty"},
		{"shop.pem", "words.pem", NULL, "words.pem: readable by everybody"},
		{"shop.pem", "open.key", NULL, "chmod go-rwx"},
		{"shop.pem", "next.key", NULL, "next.key: not the key of the first certificate"},
		{"shop.pem", "locked.key", NULL, "locked.key: encrypted"},
		{"shop.pem", "shop.key", "words.pem", "words.pem: no certificates"},
		{NULL, NULL, "missing.pem", "missing.pem"},
		{NULL, NULL, "empty.pem", "empty.pem: empty"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		enum err e = try_read(f, bad[i].certificate, bad[i].key, bad[i].ca, &t);
		if (e == OK || !strstr(why.text, bad[i].text))
			fail_msg("%zu: %s: %s, not %s", i, err_name(e), why.text, bad[i].text);
		assert_null(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bodies_go_whole_both_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_stream_goes_to_its_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_plain_http_is_answered_in_http, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_no_handshake_ends_its_connection, set_up_hasty, tear_down),
		cmocka_unit_test_setup_teardown(
			test_stalled_handshakes_are_ended_and_hold_up_nobody, set_up_hasty, tear_down),
		cmocka_unit_test_setup_teardown(
			test_replication_needs_a_certificate_and_nothing_else_does, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_server_of_another_authority_is_not_believed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_certificates_change_under_load, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_it_ends_with_handshakes_and_requests_under_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_files_that_are_not_right_are_refused_by_name, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
