/* Answers that come packed: what comes out of them is what was packed or a reason, and costs no more than an answer that came as it is. */
#include "central/transfer.h"
#include "tests/support/gate.h"
#include "tests/support/resident.h"

#include <arpa/inet.h>
#include <netinet/in.h>
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

#define MAX_BYTES 65536
#define BOMB_BYTES (32 << 20)

/* --- a server of one connection at a time, which says what the test has put there --- */

struct fixture {
	int fd, port;
	pthread_t thread;
	pthread_mutex_t lock; /* held while a request is answered; of these two: */
	struct buf answer;    /* head and body */
	char request[4096];   /* the last one */
	struct networks allowed;
	struct transfer *transfer;
	struct gate finished;
};

static void *serve(void *ctx)
{
	struct fixture *f = ctx;
	int fd;
	while ((fd = accept(f->fd, NULL, NULL)) >= 0) {
		size_t len = 0;
		ssize_t n = 1;
		pthread_mutex_lock(&f->lock);
		f->request[0] = 0;
		while (n > 0 && !strstr(f->request, "\r\n\r\n")) {
			n = recv(fd, f->request + len, sizeof f->request - 1 - len, 0);
			len += n > 0 ? (size_t)n : 0;
			f->request[len] = 0;
		}
		for (size_t at = 0; at < f->answer.len && n > 0; at += n > 0 ? (size_t)n : 0)
			n = send(fd, f->answer.at + at, f->answer.len - at, MSG_NOSIGNAL);
		pthread_mutex_unlock(&f->lock);
		close(fd);
	}
	return NULL;
}

static int set_up(void **state)
{
	static struct fixture f;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	struct reason why;
	f = (struct fixture){.lock = PTHREAD_MUTEX_INITIALIZER};
	f.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(f.fd, (struct sockaddr *)(void *)&a, sizeof a), 0);
	assert_int_equal(listen(f.fd, 16), 0);
	assert_int_equal(getsockname(f.fd, (struct sockaddr *)(void *)&a, &len), 0);
	f.port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&f.thread, NULL, serve, &f), 0);
	networks_add_loopback(&f.allowed);
	gate_init(&f.finished);
	assert_int_equal(transfer_open(&f.transfer, &f.allowed, &why), OK);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	transfer_close(f->transfer);
	shutdown(f->fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->fd);
	buf_done(&f->answer);
	gate_done(&f->finished);
	return 0;
}

static void on_done(struct transfer_call *call)
{
	gate_note(call->ctx);
}

static void run(struct fixture *f, struct transfer_call *c)
{
	unsigned before = f->finished.came;
	buf_clear(&c->url);
	buf_printf(&c->url, "http://127.0.0.1:%d/v1/changes", f->port);
	c->done = on_done;
	c->ctx = &f->finished;
	c->timeout_ms = 5000;
	if (!c->max_bytes)
		c->max_bytes = MAX_BYTES;
	transfer_start(f->transfer, c);
	assert_true(gate_wait(&f->finished, before + 1));
}

static void answer_with(struct fixture *f, const char *headers, struct span body)
{
	pthread_mutex_lock(&f->lock); /* who had enough of the last one is done before whoever said it */
	buf_clear(&f->answer);
	buf_printf(&f->answer, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
		headers, body.len);
	buf_put(&f->answer, body);
	pthread_mutex_unlock(&f->lock);
}

static bool was_asked(struct fixture *f, const char *text)
{
	pthread_mutex_lock(&f->lock);
	bool found = strstr(f->request, text) != NULL;
	pthread_mutex_unlock(&f->lock);
	return found;
}

static struct span packed_text(enum coding c, const char *text, struct buf *to)
{
	buf_clear(to);
	assert_true(coding_pack(c, span_of(text), to));
	return buf_span(to);
}

static struct span bomb(enum coding c, struct buf *to)
{
	char *zeros = calloc(1, BOMB_BYTES);
	assert_non_null(zeros);
	buf_clear(to);
	assert_true(coding_pack(c, (struct span){zeros, BOMB_BYTES}, to));
	free(zeros);
	return buf_span(to);
}

/* --- tests --- */

static const enum coding codings[] = {CODING_ZSTD, CODING_GZIP};

static void head_of(enum coding c, char ret[64])
{
	(void)snprintf(ret, 64, "Content-Encoding: %s\r\n", coding_name(c));
}

static void test_it_is_asked_for_and_comes_out_whole(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {.packing = CODING_ALWAYS};
	struct buf packed = {0};
	char head[64];
	for (int i = 0; i < 2; i++) {
		struct span p = packed_text(codings[i], "hello hello hello hello hello hello hello", &packed);
		head_of(codings[i], head);
		answer_with(f, head, p);
		run(f, &c);
		assert_int_equal(c.answer.result, POLL_OK);
		assert_true(span_is(c.answer.body, "hello hello hello hello hello hello hello"));
		assert_true(c.packed);
		assert_int_equal(c.wire_bytes, p.len);
		assert_true(was_asked(f, "\r\nAccept-Encoding: zstd, gzip\r\n"));
	}
	answer_with(f, "Content-Encoding: identity\r\n", span_of("hello"));
	run(f, &c);
	assert_int_equal(c.answer.result, POLL_OK);
	assert_true(span_is(c.answer.body, "hello") && !c.packed && c.wire_bytes == 5);
	answer_with(f, "Content-Encoding: zstd\r\n", span_of(""));
	run(f, &c);
	assert_int_equal(c.answer.result, POLL_OK); /* as a 401 without a body may come */
	assert_int_equal(c.answer.body.len, 0);
	buf_done(&packed);
	transfer_call_done(&c);
}

/* Over loopback it is not asked for unless somebody wants it; and what was not asked for is not undone. */
static void test_it_is_not_asked_for_where_it_costs_time(void **state)
{
	static const enum coding_use plain[] = {CODING_NEVER, CODING_AUTO};
	struct fixture *f = *state;
	struct buf packed = {0};
	for (int i = 0; i < 2; i++) {
		struct transfer_call c = {.packing = plain[i]};
		answer_with(f, "", span_of("hello"));
		run(f, &c);
		assert_int_equal(c.answer.result, POLL_OK);
		assert_false(was_asked(f, "Accept-Encoding"));
		answer_with(f, "Content-Encoding: gzip\r\n", packed_text(CODING_GZIP, "hello", &packed));
		run(f, &c);
		assert_int_equal(c.answer.result, POLL_BAD_BODY);
		assert_non_null(strstr(c.answer.why, "Content-Encoding gzip, which was not asked for"));
		assert_int_equal(c.answer.body.len, 0);
		transfer_call_done(&c);
	}
	buf_done(&packed);
}

static void test_garbage_has_a_reason_and_the_next_one_works(void **state)
{
	static const struct {
		const char *head, *says;
		enum coding packed;
		int cut;          /* so many bytes less, */
		const char *more; /* these behind */
	} kinds[] = {
		{"Content-Encoding: br\r\n", "Content-Encoding br, which was not asked for", CODING_GZIP, 0,
			""},
		{"Content-Encoding: zstd, gzip\r\n", "which was not asked for", CODING_GZIP, 0, ""},
		{"Content-Encoding: zstd\r\nContent-Encoding: zstd\r\n",
			"2 headers of the name Content-Encoding", CODING_ZSTD, 0, ""},
		{"Content-Encoding: zstd\r\n", "its zstd content is damaged", CODING_GZIP, 0, ""},
		{"Content-Encoding: gzip\r\n", "its gzip content is damaged", CODING_ZSTD, 0, ""},
		{"Content-Encoding: zstd\r\n", "its zstd content is cut short", CODING_ZSTD, 1, ""},
		{"Content-Encoding: gzip\r\n", "its gzip content is cut short", CODING_GZIP, 1, ""},
		{"Content-Encoding: zstd\r\n", "followed by 3 other bytes", CODING_ZSTD, 0, "abc"},
		{"Content-Encoding: gzip\r\n", "followed by 3 other bytes", CODING_GZIP, 0, "abc"},
	};
	struct fixture *f = *state;
	struct transfer_call c = {.packing = CODING_ALWAYS};
	struct buf packed = {0};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		(void)packed_text(kinds[i].packed, "hello hello hello", &packed);
		packed.len -= (size_t)kinds[i].cut;
		buf_text(&packed, kinds[i].more);
		answer_with(f, kinds[i].head, buf_span(&packed));
		run(f, &c);
		if (c.answer.result != POLL_BAD_BODY || !strstr(c.answer.why, kinds[i].says))
			fail_msg("%s%s: %s (%s)", kinds[i].head, kinds[i].says,
				poll_result_name(c.answer.result), c.answer.why);
		assert_int_equal(c.answer.body.len, 0);
		assert_false(c.too_large);
		answer_with(f, "", span_of("hello"));
		run(f, &c);
		assert_int_equal(c.answer.result, POLL_OK);
	}
	buf_done(&packed);
	transfer_call_done(&c);
}

static void test_a_bomb_is_an_answer_that_is_too_large(void **state)
{
	struct fixture *f = *state;
	struct transfer_budget budget = {.bytes = 1 << 20};
	struct transfer_call c = {.packing = CODING_ALWAYS, .budget = &budget};
	struct buf packed = {0};
	char head[64];
	for (int i = 0; i < 2; i++) {
		struct span p = bomb(codings[i], &packed);
		head_of(codings[i], head);
		c.max_bytes = p.len > MAX_BYTES ? p.len : MAX_BYTES;
		answer_with(f, head, p);
		long before_kib = resident_peak_kib();
		run(f, &c);
		assert_int_equal(c.answer.result, POLL_BAD_BODY);
		assert_true(c.too_large);
		assert_non_null(strstr(c.answer.why, "is larger than"));
		assert_int_equal(c.reply.len, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which keep what was freed */
		assert_true(resident_peak_kib() - before_kib < 10 * 1024);
#else
		(void)before_kib;
#endif
		transfer_call_drop(&c);
		assert_int_equal(budget.taken, 0);
	}
	buf_done(&packed);
	transfer_call_done(&c);
}

/* Small on the wire, and larger than what all may take together: it is given up as if it had come so large. */
static void test_what_comes_out_is_of_the_budget(void **state)
{
	struct fixture *f = *state;
	struct transfer_budget budget = {.bytes = 3 * MAX_BYTES};
	struct transfer_call kept = {.packing = CODING_ALWAYS, .budget = &budget, .max_bytes = 4 * MAX_BYTES};
	struct transfer_call other = kept, paid = kept;
	struct buf packed = {0};
	char *text = malloc(2 * MAX_BYTES + 1);
	assert_non_null(text);
	memset(text, 'x', 2 * MAX_BYTES);
	text[2 * MAX_BYTES] = 0;
	answer_with(f, "Content-Encoding: zstd\r\n", packed_text(CODING_ZSTD, text, &packed));
	run(f, &kept);
	assert_int_equal(kept.answer.result, POLL_OK);
	assert_int_equal(kept.answer.body.len, 2 * MAX_BYTES);
	assert_true(budget.taken > 2 * MAX_BYTES - 2 * TRANSFER_FREE_BYTES);
	run(f, &other);
	assert_int_equal(other.answer.result, POLL_NETWORK);
	assert_non_null(strstr(other.answer.why, "no room for its answer"));
	assert_int_equal(other.reply.len, 0);
	paid.kept_bytes = 4 * MAX_BYTES; /* for which there is room elsewhere */
	run(f, &paid);
	assert_int_equal(paid.answer.result, POLL_OK);
	transfer_call_drop(&kept);
	run(f, &other);
	assert_int_equal(other.answer.result, POLL_OK);
	transfer_call_done(&kept);
	transfer_call_done(&other);
	transfer_call_done(&paid);
	assert_int_equal(budget.taken, 0);
	buf_done(&packed);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_is_asked_for_and_comes_out_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_it_is_not_asked_for_where_it_costs_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_garbage_has_a_reason_and_the_next_one_works, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_bomb_is_an_answer_that_is_too_large, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_comes_out_is_of_the_budget, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
