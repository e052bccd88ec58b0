/* Answers of any size and a known length: from a handler's stream through a socket into the client's sink. */
#include "shared/client.h"
#include "shared/server.h"
#include "tests/support/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_BYTES (8 * 1024 * 1024 + 17)
#define BLOCK_BYTES 100000

struct fixture {
	struct router router;
	struct server *server;
	struct client *client;
	struct gate gate;
	uint64_t made, ended_at; /* bytes of the stream under way; where it is to end */
	int ended;
};

static char byte_at(uint64_t i)
{
	return (char)(i * 31 + i / 251);
}

static bool make_block(void *ctx, struct buf *out)
{
	struct fixture *f = ctx;
	for (int i = 0; i < BLOCK_BYTES && f->made < f->ended_at; i++)
		buf_char(out, byte_at(f->made++));
	return f->made < f->ended_at;
}

static void count_end(void *ctx)
{
	struct fixture *f = ctx;
	f->ended++;
	gate_open(&f->gate);
}

static void handle_file(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct fixture *f = ctx;
	f->made = 0;
	f->ended_at = FILE_BYTES - (http_query(q, "short").at ? 1000 : 0);
	r->status = 200;
	r->stream = make_block;
	r->stream_done = count_end;
	r->stream_ctx = f;
	r->stream_bytes = FILE_BYTES;
}

static void handle_wait(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct fixture *f = ctx;
	(void)q;
	gate_pass(&f->gate);
	r->status = 200;
}

static const struct route ROUTES[] = {
	{HTTP_GET, "/file", ROUTE_OPEN, 0, handle_file, "short "},
	{HTTP_GET, "/wait", ROUTE_OPEN, 0, handle_wait, NULL},
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct reason why;
	gate_init(&f->gate);
	f->router = (struct router){.routes = ROUTES, .n = 2, .ctx = f, .hosts = ""};
	struct server_config s = {.listen = "127.0.0.1:0", .router = &f->router};
	assert_int_equal(server_open(&f->server, &s, &why), OK);
	struct client_config c = {.base_url = server_url(f->server), .timeout_ms = 100, .max_body = 1000};
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

struct sunk {
	uint64_t n, total, most; /* most: refuses what is beyond */
	bool wrong;
};

static enum err take(void *ctx, struct span bytes, uint64_t total, struct reason *why)
{
	struct sunk *s = ctx;
	if (bytes.len > 0)
		s->total = total;
	for (size_t i = 0; i < bytes.len; i++)
		s->wrong |= bytes.at[i] != byte_at(s->n + i);
	s->n += bytes.len;
	if (s->n <= s->most)
		return OK;
	strcpy(why->text, "no room for more");
	return INTERNAL;
}

static void a_large_answer_comes_whole(void **state)
{
	struct fixture *f = *state;
	struct client_reply r = {0};
	struct reason why;
	for (int i = 0; i < 2; i++) { /* the connection goes on */
		struct sunk s = {.most = UINT64_MAX};
		assert_int_equal(client_download(f->client, "/file", 0, take, &s, &r, &why), OK);
		assert_int_equal(r.status, 200);
		assert_int_equal(r.body.len, 0);
		assert_int_equal(s.n, FILE_BYTES);
		assert_int_equal(s.total, FILE_BYTES);
		assert_false(s.wrong);
		client_reply_done(&r);
	}
	server_close(f->server);
	f->server = NULL;
	assert_int_equal(f->ended, 2);
}

static void a_short_one_is_no_answer(void **state)
{
	struct fixture *f = *state;
	struct sunk s = {.most = UINT64_MAX};
	struct client_reply r = {0};
	struct reason why;
	assert_int_equal(client_download(f->client, "/file?short=1", 0, take, &s, &r, &why), RETRY);
	assert_non_null(strstr(why.text, "the connection broke"));
	assert_int_equal(s.n, FILE_BYTES - 1000);
}

static void what_the_sink_refuses_ends_it(void **state)
{
	struct fixture *f = *state;
	struct sunk s = {.most = 300000};
	struct client_reply r = {0};
	struct reason why;
	assert_int_equal(client_download(f->client, "/file", 0, take, &s, &r, &why), INTERNAL);
	assert_string_equal(why.text, "no room for more");
	assert_true(s.n > 300000 && s.n < FILE_BYTES);
	gate_pass(&f->gate); /* and the stream is told that nobody reads it */
	assert_int_equal(f->ended, 1);
}

static void a_problem_is_not_for_the_sink(void **state)
{
	struct fixture *f = *state;
	struct sunk s = {.most = UINT64_MAX};
	struct client_reply r = {0};
	struct reason why;
	assert_int_equal(client_download(f->client, "/nothing", 0, take, &s, &r, &why), OK);
	assert_int_equal(r.status, 404);
	assert_non_null(strstr(r.body.at, "\"not_found\""));
	assert_int_equal(s.n, 0);
	client_reply_done(&r);
}

static void a_limit_holds_for_the_whole(void **state)
{
	struct fixture *f = *state;
	struct sunk s = {.most = UINT64_MAX};
	struct client_reply r = {0};
	struct reason why;
	assert_int_equal(client_download(f->client, "/wait", 150, take, &s, &r, &why), RETRY);
	assert_non_null(strstr(why.text, "timed out"));
	/* and a call after it has its own again */
	gate_open(&f->gate);
	assert_int_equal(client_call(f->client, HTTP_GET, "/nothing", (struct span){0}, NULL, &r, &why), OK);
	client_reply_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_large_answer_comes_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_short_one_is_no_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_sink_refuses_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_problem_is_not_for_the_sink, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_limit_holds_for_the_whole, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("download", tests, NULL, NULL);
}
