/* What the transfer promises, against a server that misbehaves on purpose. */
#include "tests/contract/visited.h"
#include "tests/support/resident.h"

static void test_an_answer_comes_whole_and_the_connection_stays(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {0};
	for (int i = 0; i < 3; i++) {
		run(f, &c, "/ok");
		assert_int_equal(c.answer.result, POLL_OK);
		assert_int_equal(c.answer.status, 200);
		assert_true(span_is(c.answer.body, "hello"));
		assert_true(c.answer.t_sent_us > 0 && c.answer.t_done_us >= c.answer.t_sent_us);
	}
	assert_int_equal(peer_seen(&f->peer).requests, 3);
	assert_int_equal(peer_seen(&f->peer).connections, 1);
	transfer_call_done(&c);
}

/* libcurl sends a request anew where a kept connection gave none of its answer, five times; it counts them over all of a handle's requests. */
static void test_a_request_over_a_connection_that_ended_is_sent_anew_each_time(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {0};
	for (unsigned i = 0; i < 12; i++) {
		run(f, &c, "/only-first");
		assert_int_equal(c.answer.result, POLL_OK);
		assert_int_equal(peer_seen(&f->peer).connections, i + 1);
	}
	assert_int_equal(peer_seen(&f->peer).requests, 12 + 11);
	transfer_call_done(&c);
}

static void test_what_comes_behind_an_answer_is_not_the_next_one(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {0};
	for (int i = 0; i < 20; i++) {
		run(f, &c, "/twice");
		assert_int_equal(c.answer.result, POLL_OK);
		run(f, &c, "/ok");
		assert_int_equal(c.answer.result, POLL_OK);
		assert_true(span_is(c.answer.body, "hello"));
	}
	transfer_call_done(&c);
}

static void test_a_post_carries_body_token_and_type(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {
		.method = HTTP_POST, .body = span_of("{\"a\":1}\n"), .content_type = "application/x-ndjson"};
	transfer_call_show(&c, "vergessen");
	transfer_call_show(&c, "geheim");
	run(f, &c, "/ok");
	assert_int_equal(c.answer.result, POLL_OK);
	assert_int_equal(peer_seen(&f->peer).requests, 1);
	assert_non_null(strstr(f->peer.last, "POST /ok HTTP/1.1\r\n"));
	assert_non_null(strstr(f->peer.last, "Authorization: Bearer geheim\r\n"));
	assert_non_null(strstr(f->peer.last, "Content-Type: application/x-ndjson\r\n"));
	assert_non_null(strstr(f->peer.last, "\r\n\r\n{\"a\":1}\n"));
	assert_null(strstr(f->peer.last, "Expect"));
	transfer_call_done(&c);
}

static const struct {
	const char *path;
	enum poll_result result;
	int status;
} kinds[] = {
	{"/ok", POLL_OK, 200},
	{"/status", POLL_OK, 409},
	{"/away", POLL_OK, 302}, /* not followed */
	{"/endless", POLL_BAD_BODY, 200},
	{"/cut", POLL_NETWORK, 200},
	{"/nothing", POLL_NETWORK, 0},
	{"/old", POLL_NOT_TIDEMARK, 0},
};

static void test_ends_are_told_apart(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct transfer_call c = {0};
		run(f, &c, kinds[i].path);
		if (c.answer.result != kinds[i].result || c.answer.status != kinds[i].status)
			fail_msg("%s: %s, %d (%s)", kinds[i].path, poll_result_name(c.answer.result),
				c.answer.status, c.answer.why);
		assert_true(c.reply.len <= MAX_BYTES);
		assert_int_equal(c.too_large, kinds[i].result == POLL_BAD_BODY);
		assert_true(c.answer.result == POLL_OK || c.answer.why);
		transfer_call_done(&c);
	}
}

static void test_a_flood_in_any_part_of_an_answer_ends_it(void **state)
{
	static const char *const parts[] = {
		"/endless", "/heads", "/interim", "/long-head", "/extensions", "/trailers"};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct transfer_call c = {.timeout_ms = 60000};
		run(f, &c, parts[i]);
		if (c.answer.result != POLL_BAD_BODY || !strstr(c.answer.why, "is larger than "))
			fail_msg("%s: %s (%s)", parts[i], poll_result_name(c.answer.result), c.answer.why);
		assert_true(c.reply.len <= MAX_BYTES);
		assert_true(c.answer.took_us < 30000000); /* long before its time */
		run(f, &c, "/ok");
		assert_int_equal(c.answer.result, POLL_OK);
		transfer_call_done(&c);
	}
}

/* Many answers, each within its own bound, and none of which ends: what all take is bounded, and who says little is heard. */
static void test_many_large_answers_at_once_do_not_fill_the_memory(void **state)
{
	enum { N = 200, BUDGET = 4 << 20 };
	static struct transfer_call many[N];
	struct fixture *f = *state;
	struct transfer_budget budget = {.bytes = BUDGET};
	struct transfer_call page = {.budget = &budget, .max_bytes = MUCH_BYTES, .kept_bytes = MUCH_BYTES};
	struct transfer_call little = {.budget = &budget};
	struct gate done;
	unsigned crowded = 0;
	gate_init(&done);
	page.ctx = little.ctx = &done;
	long before_kib = resident_peak_kib();

	for (int i = 0; i < N; i++) {
		many[i] = (struct transfer_call){
			.budget = &budget, .max_bytes = MUCH_BYTES, .timeout_ms = 60000};
		start(f, &many[i], "/much-held");
	}
	assert_true(gate_wait(&f->finished, N - BUDGET / MUCH_BYTES));
	assert_in_range(budget.taken, 1, BUDGET);
	start(f, &little, "/ok");
	assert_true(gate_wait(&done, 1));
	assert_int_equal(little.answer.result, POLL_OK);
	start(f, &page, "/much"); /* for which there is room elsewhere */
	assert_true(gate_wait(&done, 2));
	assert_int_equal(page.answer.result, POLL_OK);
	assert_int_equal(page.answer.body.len, MUCH_BYTES);
	gate_open(&f->peer.silent);
	assert_true(gate_wait(&f->finished, N));
	gate_done(&done);
	for (int i = 0; i < N; i++) {
		crowded += many[i].answer.result == POLL_NETWORK &&
			   strstr(many[i].answer.why, "no room for its answer") && many[i].reply.len == 0;
		transfer_call_done(&many[i]);
	}
	assert_in_range(crowded, N - BUDGET / MUCH_BYTES - 1, N - 5);
	transfer_call_done(&page);
	transfer_call_done(&little);
	assert_int_equal(budget.taken, 0);
	print_message("%u of %d given up, %ld KiB at most\n", crowded, N, resident_peak_kib() - before_kib);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which keep what was freed */
	assert_true(resident_peak_kib() - before_kib < 32 * 1024);  /* all that was sent is 76 MiB */
#endif
}

/* It shows when one waits to be applied: what has come whole is never given up, and the next one is. */
static void test_what_came_whole_stays(void **state)
{
	struct fixture *f = *state;
	struct transfer_budget budget = {.bytes = 600000};
	struct transfer_call first = {.budget = &budget, .max_bytes = MUCH_BYTES}, second = first;
	run(f, &first, "/much");
	assert_int_equal(first.answer.result, POLL_OK);
	run(f, &second, "/much");
	assert_int_equal(second.answer.result, POLL_NETWORK);
	assert_int_equal(first.answer.body.len, MUCH_BYTES);
	transfer_call_drop(&first);
	run(f, &second, "/much");
	assert_int_equal(second.answer.result, POLL_OK);
	transfer_call_done(&first);
	transfer_call_done(&second);
}

static void test_nobody_listens(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {0};
	struct peer gone;
	int port = f->peer.port;
	peer_open(&gone);
	f->peer.port = gone.port;
	peer_close(&gone);
	run(f, &c, "/ok");
	f->peer.port = port;
	assert_int_equal(c.answer.result, POLL_REFUSED);
	transfer_call_done(&c);
}

/* Handles go from call to call: the next one's request has nothing of the one before, nor has its end. */
static void test_nothing_of_one_call_is_the_next_ones(void **state)
{
	struct fixture *f = *state;
	struct transfer_call first = {.method = HTTP_POST,
		.body = span_of("{\"a\":1}\n"),
		.content_type = "application/x-ndjson",
		.packing = CODING_ALWAYS};
	struct transfer_call next = {.packing = CODING_ALWAYS}, refused = next;
	struct peer gone;
	int port = f->peer.port;
	transfer_call_show(&first, "geheim");
	run(f, &first, "/packs?all");
	assert_int_equal(first.answer.result, POLL_OK);
	assert_int_equal(transfer_call_takes(&first), CODING_ZSTD);
	peer_open(&gone);
	f->peer.port = gone.port;
	peer_close(&gone);
	run(f, &refused, "/ok");
	f->peer.port = port;
	assert_int_equal(refused.answer.result, POLL_REFUSED);
	assert_int_equal(refused.answer.status, 0);
	assert_int_equal(transfer_call_takes(&refused), CODING_NONE);
	run(f, &next, "/ok");
	assert_true(span_is(next.answer.body, "hello"));
	assert_int_equal(transfer_call_takes(&next), CODING_NONE);
	assert_ptr_equal(strstr(f->peer.last, "GET /ok HTTP/1.1\r\n"), f->peer.last);
	assert_null(strstr(f->peer.last, "Authorization"));
	assert_null(strstr(f->peer.last, "Content-"));
	assert_int_equal(transfer_call_takes(&first), CODING_ZSTD);
	transfer_call_done(&first);
	transfer_call_done(&refused);
	transfer_call_done(&next);
}

static void test_silence_ends_at_the_deadline_and_holds_nobody_up(void **state)
{
	struct fixture *f = *state;
	struct transfer_call slow = {.timeout_ms = 300}, quick = {0};
	start(f, &slow, "/silent");
	assert_true(gate_wait(&f->peer.silent, 1));
	run(f, &quick, "/ok");
	assert_int_equal(quick.answer.result, POLL_OK);
	assert_true(gate_wait(&f->finished, 2));
	assert_int_equal(slow.answer.result, POLL_TIMEOUT);
	assert_true(slow.answer.took_us >= 290000 && slow.answer.took_us < 3000000);
	transfer_call_done(&slow);
	transfer_call_done(&quick);
}

static int listen_to(int backlog, int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)(void *)&a, sizeof a) == 0 &&
		    listen(fd, backlog) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* Takes the only place in the line of a listener: nobody else gets a connection any more. */
static int cram(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && connect(fd, (struct sockaddr *)(void *)&a, sizeof a) == 0);
	return fd;
}

static void answer_one_and_hang_up(int listener)
{
	char request[4096] = "";
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	for (size_t n = 0; !strstr(request, "\r\n\r\n");) {
		ssize_t came = recv(fd, request + n, sizeof request - 1 - n, 0);
		assert_true(came > 0);
		n += (size_t)came;
	}
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	close(fd);
}

/* Also where the one before was kept, and has gone; and where it is the handshake that does not come. */
static void test_a_connection_that_is_not_made_ends_the_call_soon(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {.timeout_ms = 60000}, secure = {.timeout_ms = 60000, .lane = 1};
	int peer_port = f->peer.port, mute_port;
	int listener = listen_to(0, &f->peer.port), mute = listen_to(1, &mute_port);
	start(f, &c, "/ok");
	answer_one_and_hang_up(listener);
	assert_true(gate_wait(&f->finished, 1));
	assert_int_equal(c.answer.result, POLL_OK);
	int other = cram(f->peer.port);
	start(f, &c, "/ok");
	buf_printf(&secure.url, "https://127.0.0.1:%d/ok", mute_port);
	secure.done = on_done;
	secure.ctx = &f->finished;
	secure.max_bytes = MAX_BYTES;
	transfer_start(f->transfer, &secure);
	assert_true(gate_wait(&f->finished, 3));
	assert_int_equal(c.answer.result, POLL_TIMEOUT);
	assert_true(c.answer.took_us >= 2900000 && c.answer.took_us < 9000000);
	assert_int_equal(secure.answer.result, POLL_TIMEOUT);
	assert_string_equal(secure.answer.why, "no answer in time to the TLS handshake");
	assert_true(secure.answer.took_us >= 2900000 && secure.answer.took_us < 9000000);
	close(other);
	close(listener);
	close(mute);
	f->peer.port = peer_port;
	run(f, &c, "/ok");
	assert_int_equal(c.answer.result, POLL_OK);
	transfer_call_done(&c);
	transfer_call_done(&secure);
}

static void test_a_cancelled_call_ends_at_once(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {.timeout_ms = 60000};
	start(f, &c, "/silent");
	assert_true(gate_wait(&f->peer.silent, 1));
	transfer_cancel(f->transfer, &c);
	assert_true(gate_wait(&f->finished, 1));
	assert_true(c.cancelled);
	assert_true(c.answer.took_us < 30000000);
	run(f, &c, "/ok"); /* and can be started again */
	assert_false(c.cancelled);
	assert_int_equal(c.answer.result, POLL_OK);
	transfer_call_done(&c);
}

static void test_addresses_outside_the_networks_are_refused(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {0};
	f->allowed.n = 0; /* nothing runs: the thread reads it with the next call */
	run(f, &c, "/ok");
	assert_int_equal(c.answer.result, POLL_NETWORK);
	assert_non_null(strstr(c.answer.why, "--allow-network"));
	assert_int_equal(peer_seen(&f->peer).connections, 0);
	transfer_call_done(&c);
}

static void test_closing_cancels_what_is_under_way(void **state)
{
	struct fixture *f = *state;
	struct transfer_call many[32] = {0};
	for (int i = 0; i < 32; i++) {
		many[i].timeout_ms = 60000;
		start(f, &many[i], "/silent");
	}
	assert_true(gate_wait(&f->peer.silent, 32));
	transfer_close(f->transfer);
	f->transfer = NULL;
	for (int i = 0; i < 32; i++) {
		assert_true(many[i].cancelled);
		transfer_call_done(&many[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_answer_comes_whole_and_the_connection_stays),
		TEST(test_a_request_over_a_connection_that_ended_is_sent_anew_each_time),
		TEST(test_what_comes_behind_an_answer_is_not_the_next_one),
		TEST(test_a_post_carries_body_token_and_type),
		TEST(test_ends_are_told_apart),
		TEST(test_a_flood_in_any_part_of_an_answer_ends_it),
		TEST(test_many_large_answers_at_once_do_not_fill_the_memory),
		TEST(test_what_came_whole_stays),
		TEST(test_nobody_listens),
		TEST(test_nothing_of_one_call_is_the_next_ones),
		TEST(test_silence_ends_at_the_deadline_and_holds_nobody_up),
		TEST(test_a_connection_that_is_not_made_ends_the_call_soon),
		TEST(test_a_cancelled_call_ends_at_once),
		TEST(test_addresses_outside_the_networks_are_refused),
		TEST(test_closing_cancels_what_is_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
