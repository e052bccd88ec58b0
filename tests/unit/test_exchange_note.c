/* What a run remembers of exchanges: of those that worked, failed, were discarded, and of clocks. */
#include "tests/unit/scene.h"

static void test_success(void **state)
{
	SCENE s = idle_pull(1000000);

	(void)state;
	s.run.failures = 3;
	s.run.last_result = POLL_REFUSED;
	s.run.next_attempt_us = NOW + 1;
	strcpy(node_troubled(&s.run)->last_reason.text, "refused");
	strcpy(s.out.version, "1.2.3");
	s.out.taken = 5;
	s.out.end.damage = (struct page_damage){.known = true, .records = 2, .first = "r7"};
	note(&s);
	assert_true(s.run.heard);
	assert_int_equal(s.run.heard_at_us, 2000000);
	assert_int_equal(s.run.heard_mono_us, NOW);
	assert_int_equal(s.run.counted.poll, s.x.poll);
	assert_int_equal(s.run.counted.at_us, 2000000);
	assert_int_equal(s.run.counted.damaged, 2);
	assert_string_equal(node_trouble(&s.run)->damaged, "r7");
	assert_false(s.run.asked);
	assert_int_equal(s.run.failures, 0);
	assert_int_equal(s.run.last_result, POLL_OK);
	assert_string_equal(node_trouble(&s.run)->last_reason.text, "");
	assert_int_equal(s.run.polls_ok, 1);
	assert_int_equal(s.run.polls_failed, 0);
	assert_int_equal(s.run.pulled, 5);
	assert_int_equal(s.run.last_ms, 1000);
	assert_string_equal(s.run.version, "1.2.3");
	assert_true(s.run.proof.known && s.run.proof.equal);
	assert_int_equal(s.run.proof.mono_us, NOW);
	assert_int_equal(s.run.proof.at_us, 2000000);
	assert_int_equal(s.run.proof.seq, 9);
	assert_int_equal(s.run.proof.digest.count, 4);
	assert_int_equal(delay_ms(&s, PLAN_PULL), INTERVAL_MS); /* parks again at once */
}

static void test_backlog(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.out.end.head_seq = 70;
	s.out.end.more = true;
	s.out.end.digest.count = 1000;
	s.out.end.oldest_after_us =
		s.out.end.t_send_us - 7000000; /* it waits for 7 s, whatever that clock says */
	s.out.end.t_recv_us += 3600000000;
	s.out.end.t_send_us += 3600000000;
	s.out.end.oldest_after_us += 3600000000;
	s.out.at_head = false;
	s.out.proof = PROOF_NONE;
	note(&s);
	assert_int_equal(s.run.head_seq, 70);
	assert_int_equal(s.run.pull_backlog, 61);
	assert_int_equal(s.run.oldest_us, s.a.t_done_us - 7000000);
	assert_false(s.run.at_head);
	assert_false(s.run.proof.known);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	s.out.end.digest.count = 5; /* the other places of the log were written over */
	note(&s);
	assert_int_equal(s.run.pull_backlog, 5);
}

static void test_what_the_node_says_of_itself(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	ailments_add(&s.out.end.unwell, AILMENT_DISK_LOW, "only 5 KiB");
	note(&s);
	assert_int_equal(node_trouble(&s.run)->unwell.kinds, AILMENT_BIT(AILMENT_DISK_LOW));
	assert_string_equal(node_trouble(&s.run)->unwell.text[AILMENT_DISK_LOW], "only 5 KiB");
	s.out.end.unwell.kinds = 0;
	note(&s);
	assert_int_equal(node_trouble(&s.run)->unwell.kinds, 0);
}

static void test_a_rejection_stands_until_a_proof_is_judged(void **state)
{
	SCENE s = idle_pull(1000), pull = s;

	(void)state;
	s.x.kind = PLAN_PUSH;
	s.out = (struct outcome){.rejected = 1, .rejected_id = "r4"};
	note(&s);
	assert_true(node_trouble(&s.run)->rejected.any);
	assert_string_equal(node_trouble(&s.run)->rejected.first, "r4");
	s.x = pull.x;
	s.out = pull.out;
	s.out.proof = PROOF_NONE;
	note(&s);
	assert_true(node_trouble(&s.run)->rejected.any);
	s.out.proof = PROOF_EQUAL;
	note(&s);
	assert_false(node_trouble(&s.run)->rejected.any);
}

static void test_doubt(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.run.proof.known = s.run.proof.equal = true;
	s.out.proof = PROOF_DOUBTED;
	s.out.at_head = false;
	note(&s);
	assert_true(s.run.proof.known);
	assert_false(s.run.proof.equal);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	note(&s); /* read anew, and doubted again: not more often than once an interval */
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS);
	s.run.proof.known = false; /* of another database: the first doubt of this one */
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

static void test_failure(void **state)
{
	SCENE s = idle_pull(2000000);
	int64_t longest = 0;

	(void)state;
	s.run.proof.known = s.run.proof.equal = true;
	s.out = (struct outcome){.result = POLL_TIMEOUT, .why = {"no answer"}};
	for (unsigned i = 1; i <= 20; i++) {
		note(&s);
		assert_int_equal(s.run.failures, i);
		int64_t wait = delay_ms(&s, PLAN_WAIT);
		assert_in_range(wait, INTERVAL_MS / 2, BACKOFF_CAP_MS);
		longest = wait > longest ? wait : longest;
	}
	assert_true(longest > 4 * INTERVAL_MS); /* it does grow */
	assert_int_equal(s.run.polls_failed, 20);
	assert_int_equal(s.run.polls_ok, 0);
	assert_int_equal(s.run.last_result, POLL_TIMEOUT);
	assert_string_equal(node_trouble(&s.run)->last_reason.text, "no answer");
	assert_false(s.run.asked);
	assert_true(s.run.proof.known); /* it ages */
	s.run.asked = true;
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

/* Our own store's failure is none of the node's, and is waited out like one. */
static void test_store_failure(void **state)
{
	SCENE s = idle_pull(1000);
	int64_t longest = 0;

	(void)state;
	s.out = (struct outcome){.result = POLL_STORE, .why = {"the disk is full"}};
	for (unsigned i = 1; i <= 20; i++) {
		s.x.kind = i % 2 ? PLAN_PULL : PLAN_PUSH;
		note(&s);
		assert_int_equal(s.run.store_failures, i);
		assert_int_equal(s.run.failures, 0);
		assert_int_equal(s.run.push_failures, 0);
		int64_t wait = delay_ms(&s, PLAN_WAIT);
		assert_in_range(wait, 500, i < 3 ? 1000 << i : BACKOFF_CAP_MS);
		longest = wait > longest ? wait : longest;
	}
	assert_true(longest > 4 * INTERVAL_MS);
	assert_int_equal(s.run.polls_failed, 20);
	assert_string_equal(node_trouble(&s.run)->last_reason.text, "the disk is full");
	s.x.kind = PLAN_PULL;
	s.out = (struct outcome){.sync = at(9), .sync_known = true};
	s.run.next_attempt_us = 0;
	note(&s);
	assert_int_equal(s.run.store_failures, 0);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0); /* not parked: what it had is still wanted */
}

/* The pull goes on: at once, and then parked as ever until the push is due. */
static void test_failed_push(void **state)
{
	struct scene push = idle_pull(1000), pull = idle_pull(INTERVAL_MS * 1000);
	int64_t longest = 0;

	(void)state;
	push.x.kind = PLAN_PUSH;
	push.out = (struct outcome){.result = POLL_HTTP, .why = {"507 disk_full"}};
	pull.out.to_push = true;
	push.run.asked = false;
	push.run.to_push = true;
	for (unsigned i = 1; i <= 20; i++) {
		note(&push);
		assert_int_equal(push.run.push_failures, i);
		assert_int_equal(push.run.failures, 0);
		assert_int_equal(delay_ms(&push, PLAN_PULL), 0);
		pull.run = push.run;
		note(&pull);
		assert_in_range(delay_ms(&pull, PLAN_PULL), INTERVAL_MS / 2, INTERVAL_MS);
		pull.a.took_us = 1000; /* it does not park */
		pull.x.parked_ms = INTERVAL_MS / 2;
		note(&pull);
		assert_int_equal(delay_ms(&pull, PLAN_WAIT), INTERVAL_MS / 2 - 1);
		pull.a.took_us = INTERVAL_MS * 1000;
		longest = pull.run.next_push_us - NOW > longest ? pull.run.next_push_us - NOW : longest;
		push.run = pull.run;
		push.run.next_attempt_us = 0; /* time went by */
	}
	assert_in_range(longest, 4 * INTERVAL_MS * 1000, BACKOFF_CAP_MS * 1000);
	assert_int_equal(push.run.polls_failed, 20);
	assert_string_equal(node_trouble(&push.run)->push_reason.text, "507 disk_full");
	push.out = (struct outcome){.sync = at(9), .sync_known = true, .pushed = 1};
	note(&push);
	assert_int_equal(push.run.push_failures, 0);
	assert_int_equal(push.run.next_push_us, 0);
}

static enum node_state shown(const struct scene *s, const char *says)
{
	struct reason why = {""};
	enum node_state now = node_state(&s->n, &s->run, NOW, INTERVAL_MS, &why);

	if (strstr(why.text, says) == NULL)
		fail_msg("%s: \"%s\" lacks \"%s\"", node_state_name(now), why.text, says);
	return now;
}

/* The words of a node that was proven equal, went away, had a record edited at the centre, and came back. */
static void test_proof_of_before(void **state)
{
	struct scene pull = idle_pull(1000), down = idle_pull(1000), push = idle_pull(1000);

	(void)state;
	push.x.kind = PLAN_PUSH;
	push.out = (struct outcome){.sync = at(9), .sync_known = true, .pushed = 1};
	down.out = (struct outcome){.result = POLL_REFUSED, .why = {"connection refused"}};
	note(&pull);
	assert_int_equal(shown(&pull, "same 4 records"), NODE_IN_SYNC);
	down.run = pull.run;
	note(&down);
	assert_int_equal(shown(&down, "connection refused"), NODE_OFFLINE);
	push.run = down.run;
	push.run.to_push = true;
	push.run.next_attempt_us = 0; /* time went by */
	assert_int_equal(delay_ms(&push, PLAN_PUSH), 0);
	note(&push);
	assert_false(push.run.to_push);
	assert_int_equal(shown(&push, "since the last proof"), NODE_CATCHING_UP);
	assert_true(push.run.proof.known && push.run.proof.equal); /* it is shown, with its age */
	pull.run = push.run;
	pull.out.end.digest.count = 5;
	note(&pull);
	assert_int_equal(shown(&pull, "same 5 records"), NODE_IN_SYNC);
}

/* An answer that proves nothing does not bring it back, nor does a push that failed, or whose answer was discarded. */
static void test_proof_is_outdated(void **state)
{
	static const struct {
		enum plan_step kind;
		struct outcome out;
		bool outdated;
	} rows[] = {
		{PLAN_PULL, {.result = POLL_TIMEOUT}, true},
		{PLAN_PULL, {.result = POLL_STALE, .stale = true}, false},
		{PLAN_PULL, {.result = POLL_STORE}, false},
		{PLAN_PUSH, {.result = POLL_TIMEOUT}, true}, /* but it may have been taken */
		{PLAN_PUSH, {.result = POLL_STALE, .stale = true}, true},
		{PLAN_PUSH, {.result = POLL_STORE}, true},
		{PLAN_PUSH, {.result = POLL_OK, .pushed = 3}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		SCENE s = idle_pull(1000);

		note(&s);
		s.x.kind = rows[i].kind;
		s.out = rows[i].out;
		note(&s);
		if (s.run.proof.outdated != rows[i].outdated)
			fail_msg("row %zu: %d", i, s.run.proof.outdated);
		s.x.kind = PLAN_PULL;
		s.out = (struct outcome){.sync = at(9), .sync_known = true, .pulled = true};
		note(&s);
		assert_int_equal(s.run.proof.outdated, rows[i].outdated);
	}
}

/* What a push met while the node was away is neither shown nor waited for once the node answers again. */
static void test_push_to_one_that_was_away(void **state)
{
	struct scene push = idle_pull(1000), pull = idle_pull(1000);

	(void)state;
	push.x.kind = PLAN_PUSH;
	push.run.to_push = true;
	push.out = (struct outcome){.result = POLL_REFUSED, .why = {"connection refused"}};
	note(&push);
	pull.run = push.run;
	pull.out = (struct outcome){.result = POLL_REFUSED, .why = {"connection refused"}};
	note(&pull);
	assert_int_equal(pull.run.push_failures, 1);
	pull.out = idle_pull(1000).out;
	pull.out.to_push = true;
	pull.out.proof = PROOF_NONE;
	pull.run.next_attempt_us = 0; /* time went by */
	note(&pull);
	assert_int_equal(shown(&pull, "being sent what is left"), NODE_CATCHING_UP);
	assert_int_equal(delay_ms(&pull, PLAN_PUSH), 0);
}

/* A discarded answer says nothing of the node: no failure, no success, and the wish stands. */
static void test_stale(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.run.to_push = true;
	s.out = (struct outcome){.result = POLL_STALE, .stale = true};
	note(&s);
	assert_int_equal(s.run.failures, 0);
	assert_int_equal(s.run.polls_failed, 0);
	assert_int_equal(s.run.last_result, POLL_OK);
	assert_true(s.run.asked);
	assert_false(s.run.at_head);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

static void test_push(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.run.to_push = true;
	s.run.pushed = 1;
	s.x.kind = PLAN_PUSH;
	s.out = (struct outcome){.sync = at(9), .sync_known = true, .pushed = 10, .to_push = true};
	note(&s);
	assert_int_equal(s.run.pushed, 11);
	assert_true(s.run.to_push);
	assert_false(s.run.at_head); /* its own writes are read back before the next push */
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

static void test_nothing_to_push(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.run.to_push = true;
	s.run.asked = false;
	assert_int_equal(delay_ms(&s, PLAN_PUSH), 0);
	exchange_note_nothing(&s.run);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

/* What was said of one database is not said of another. */
static void test_epoch_forgets(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.run.proof.known = s.run.proof.equal = true;
	s.run.head_seq = 9;
	s.run.pull_backlog = 3;
	s.run.oldest_us = 5;
	s.out = (struct outcome){.result = POLL_EPOCH, .sync = at(0), .sync_known = true};
	s.out.sync.epoch = e2;
	note(&s);
	assert_string_equal(s.n.sync.epoch.hex, e2.hex);
	assert_false(s.run.proof.known);
	assert_int_equal(s.run.head_seq, 0);
	assert_int_equal(s.run.pull_backlog, 0);
	assert_int_equal(s.run.oldest_us, -1);
	assert_true(s.run.heard);
	assert_int_equal(s.run.polls_ok, 1);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

/* --- clock --- */

static struct offset_reading measured(const struct scene *s, int64_t now_us)
{
	struct offset_reading m = {0};

	assert_true(offset_read(&s->run.clock.measured, now_us, &m));
	return m;
}

static void test_clock(void **state)
{
	SCENE s = idle_pull(1000000);

	(void)state;
	/* 100 µs there, 100 µs back, parked for nearly a second in between; the local is 7 s ahead. */
	s.out.end.t_recv_us += 7000000;
	s.out.end.t_send_us += 7000000;
	s.out.end.chrony = (struct chrony){.state = CHRONY_SYNCHRONISED, .stratum = 3};
	assert_false(s.run.clock.told);
	note(&s);
	assert_int_equal(measured(&s, NOW).offset_us, 7000000);
	assert_int_equal(measured(&s, NOW).rtt_us, 200);
	assert_int_equal(measured(&s, NOW).error_us, 100);
	assert_true(s.run.clock.told);
	assert_int_equal(s.run.clock.error_us, 50);
	assert_int_equal(node_chrony(&s.run).stratum, 3);
	/* the newest word of it counts, though it measured worse */
	s.a.t_done_us += 50000;
	s.out.end.clock_error_us = -1;
	s.out.end.chrony = (struct chrony){.state = CHRONY_SILENT};
	note(&s);
	assert_int_equal(measured(&s, NOW).offset_us, 7000000);
	assert_int_equal(s.run.clock.error_us, -1);
	assert_int_equal(node_chrony(&s.run).state, CHRONY_SILENT);
	assert_null(s.run.clock.chrony);
}

/* Nonsense is not shown, and harms nobody. */
static void test_clock_nonsense(void **state)
{
	static const int64_t pairs[][2] = {
		{INT64_MIN, INT64_MAX},
		{INT64_MAX, INT64_MAX},
		{-1, 5},
		{1000200, 1000100},
		{1000000, 1999999999}, /* longer at the local than the whole took */
		{INT64_C(253402300800000000), INT64_C(253402300800000000)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		SCENE s = idle_pull(1000);

		s.out.end.t_recv_us = pairs[i][0];
		s.out.end.t_send_us = pairs[i][1];
		note(&s);
		assert_int_equal(s.run.clock.measured.n, 0);
		assert_true(s.run.proof.known);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_what_the_node_says_of_itself),
		cmocka_unit_test(test_a_rejection_stands_until_a_proof_is_judged),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_store_failure),
		cmocka_unit_test(test_failed_push),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_push),
		cmocka_unit_test(test_proof_of_before),
		cmocka_unit_test(test_proof_is_outdated),
		cmocka_unit_test(test_push_to_one_that_was_away),
		cmocka_unit_test(test_nothing_to_push),
		cmocka_unit_test(test_epoch_forgets),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_clock_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
