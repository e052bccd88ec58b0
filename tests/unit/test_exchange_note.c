/* What a run remembers of exchanges, and with the plan: that nothing a local does makes the centre spin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "central/exchange.h"
#include "shared/backoff.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define NOW INT64_C(5000000000)
#define INTERVAL_MS 1000
#define CALM_MS 1000

static const struct epoch e1 = {"11111111111111111111111111111111"};
static const struct epoch e2 = {"22222222222222222222222222222222"};

struct scene {
	struct node n;
	struct node_run run;
	struct exchange x;
	struct answer a;
	struct outcome out;
};

static void scene_done(struct scene *s)
{
	node_run_done(&s->run);
}

/* In its test; where a run goes from one scene to another, the test frees the last one itself. */
#define SCENE __attribute__((cleanup(scene_done))) struct scene

static struct node_sync at(uint64_t cursor)
{
	return (struct node_sync){.epoch = e1, .cursor = cursor, .witness = {.seq = cursor}, .generation = 1};
}

/* A page that ended at the head, without news, in answer to a parked request. */
static struct scene idle_pull(int64_t took_us)
{
	struct scene s = {
		.n = {.name = "a", .sync = at(9)},
		.run = {.heard = true, .at_head = true, .asked = true, .oldest_us = -1},
		.x = {.kind = PLAN_PULL, .node = "a", .basis = at(9), .parked_ms = INTERVAL_MS},
		.a = {.status = 200,
			.took_us = took_us,
			.t_sent_us = 1000000,
			.t_done_us = 1000000 + took_us},
		.out = {.sync = at(9),
			.sync_known = true,
			.pulled = true,
			.at_head = true,
			.proof = PROOF_EQUAL},
	};
	s.out.end = (struct page_end){.to = {.seq = 9},
		.head_seq = 9,
		.oldest_after_us = -1,
		.clock_error_us = 50,
		.digest = {.count = 4}};
	s.out.end.t_recv_us = 1000100;
	s.out.end.t_send_us = 1000100 + took_us - 200;
	return s;
}

static void note(struct scene *s)
{
	exchange_note(&s->n, &s->run, &s->x, &s->a, &s->out, NOW, INTERVAL_MS);
}

static int64_t delay_ms(const struct scene *s, enum plan_step step)
{
	struct plan p = plan_next(&s->n, &s->run, NOW, INTERVAL_MS);

	assert_int_equal(p.step, step);
	return p.delay_ms;
}

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
	assert_string_equal(s.run.counted.damage.first, "r7");
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

/* --- no spin --- */

static void test_early_answer_waits(void **state)
{
	SCENE s = idle_pull(3000);

	(void)state;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS - 3);
	s = idle_pull(3000); /* news: at once */
	s.out.end.to.seq = s.out.end.head_seq = 10;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), INTERVAL_MS);
	s = idle_pull(3000); /* something to push: at once */
	s.out.to_push = true;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PUSH), 0);
	s = idle_pull(3000); /* the rows are to be summed: at once */
	s.out.at_head = false;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	s = idle_pull(3000); /* it was not allowed to be parked: now it is */
	s.x.parked_ms = 0;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), INTERVAL_MS);
}

/* Against a local that never parks and never has news: an exchange an interval, counted on a clock of its
 * own. */
static void test_idle_rate(void **state)
{
	SCENE s = idle_pull(1000);
	int64_t now = NOW, exchanges = 0;

	(void)state;
	s.run.asked = false;
	while (now < NOW + 100 * INTERVAL_MS * 1000) {
		struct plan p = plan_next(&s.n, &s.run, now, INTERVAL_MS);

		if (p.step == PLAN_WAIT) {
			now += p.delay_ms * 1000;
			continue;
		}
		assert_int_equal(p.step, PLAN_PULL);
		now += 1000;
		s.x.parked_ms = p.delay_ms;
		exchange_note(&s.n, &s.run, &s.x, &s.a, &s.out, now, INTERVAL_MS);
		exchanges++;
	}
	assert_in_range(exchanges, 99, 101);
}

/* One refusal by epoch starts a repair at once; a local that goes on so is asked once an interval. */
static void test_epochs_in_a_row_wait(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.out = (struct outcome){.result = POLL_EPOCH, .sync = at(0), .sync_known = true};
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS);
	s.out.result = POLL_OK;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

static void test_push_of_the_impossible_waits(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.x.kind = PLAN_PUSH;
	s.out = (struct outcome){.sync = at(9), .sync_known = true, .rejected = 2, .to_push = true};
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS);
	s.run.fruitless = false;
	s.out.refused = 1; /* a version that the centre did not know: at once, */
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	note(&s); /* but not again and again */
	assert_int_equal(delay_ms(&s, PLAN_WAIT), CALM_MS);
	s.out.pushed = 1;
	note(&s);
	assert_false(s.run.fruitless);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

static void test_resets_again_and_again_wait_and_end(void **state)
{
	SCENE s = idle_pull(1000), proven = s;

	(void)state;
	s.out.sync.resets++;
	s.out.at_head = false;
	s.out.proof = PROOF_NONE;
	for (unsigned i = 1; i < NODE_RESETS_IN_A_ROW; i++) {
		note(&s);
		if (i <= 3) /* accidents are repaired at once */
			assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
		else
			assert_int_equal(delay_ms(&s, PLAN_WAIT), CALM_MS);
		assert_false(node_is_restless(&s.run));
	}
	note(&s);
	assert_true(node_is_restless(&s.run));
	s.out = proven.out; /* a proof between: these were accidents */
	note(&s);
	assert_false(node_is_restless(&s.run));
	for (unsigned i = NODE_RESETS_IN_A_ROW; i < NODE_RESETS_AN_HOUR; i++) {
		assert_false(node_is_restless(&s.run));
		s.out.sync.resets++;
		note(&s); /* with a proof each time */
		if (s.run.resets.n > 20)
			assert_int_equal(delay_ms(&s, PLAN_WAIT), CALM_MS);
	}
	assert_true(node_is_restless(&s.run));
	exchange_note(&s.n, &s.run, &s.x, &s.a, &s.out, NOW + INT64_C(3600000000), INTERVAL_MS);
	assert_false(node_is_restless(&s.run)); /* another hour */
}

static void test_rename_in_vain_waits(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.x.kind = PLAN_RENAME;
	s.out = (struct outcome){.sync = at(9), .sync_known = true};
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS);
	s.out.sync.resets++;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

/* --- comparing by buckets --- */

static struct scene comparison(enum plan_step kind)
{
	struct scene s = idle_pull(1000);

	s.n.sync.comparing = s.x.basis.comparing = true;
	s.x.kind = kind;
	s.out = (struct outcome){.sync = s.n.sync, .sync_known = true};
	return s;
}

static void test_what_was_found_is_fetched(void **state)
{
	SCENE s = comparison(PLAN_DIGEST);

	(void)state;
	node_troubled(&s.run)->apart.failures = 2;
	s.out.compared = true;
	s.out.apart =
		(struct apart){.bits_known = true, .bits = 4, .n = 3, .records = 9, .buckets = {1, 2, 3}};
	s.out.sync.witness.seq = 10; /* learned with the digests */
	note(&s);
	assert_int_equal(node_trouble(&s.run)->apart.failures, 0);
	assert_int_equal(delay_ms(&s, PLAN_FETCH), 0);

	s.x.kind = PLAN_FETCH; /* too large: fewer at once */
	s.x.compare.fetched.buckets.n = 3;
	s.out = (struct outcome){.result = POLL_OK, .too_large = true};
	note(&s);
	assert_int_equal(node_trouble(&s.run)->apart.what.n, 3);
	assert_int_equal(node_trouble(&s.run)->apart.what.most, 1);
	assert_int_equal(delay_ms(&s, PLAN_FETCH), 0);

	s.x.compare.fetched.buckets.n = 1;
	s.out = (struct outcome){.sync = s.n.sync, .sync_known = true, .pulled = true};
	s.out.sync.witness.seq = 11; /* somebody wrote there meanwhile */
	note(&s);
	assert_int_equal(node_trouble(&s.run)->apart.what.n, 2);
	assert_int_equal(node_trouble(&s.run)->apart.what.buckets[0], 2);
	assert_int_equal(delay_ms(&s, PLAN_FETCH), 0);

	s.x.compare.fetched.buckets.n = 2; /* the last ones */
	s.out.sync.comparing = false;
	note(&s);
	assert_false(node_trouble(&s.run)->apart.what.bits_known);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

/* Everything is read again: what the buckets told is of no use any more. */
static void test_a_comparison_given_up_is_forgotten(void **state)
{
	static const enum plan_step kinds[] = {PLAN_DIGEST, PLAN_FETCH};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		SCENE s = comparison(kinds[i]);

		node_troubled(&s.run)->apart.what = (struct apart){.bits_known = true, .bits = 4, .n = 3};
		node_troubled(&s.run)->apart.failures = 2;
		s.out = (struct outcome){.result = POLL_OK, .sync = s.n.sync, .sync_known = true};
		s.out.sync.comparing = false;
		note(&s);
		assert_int_equal(node_trouble(&s.run)->apart.failures, 0);
		assert_false(node_trouble(&s.run)->apart.what.bits_known);
		assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	}
}

static void test_failures_of_comparing_count(void **state)
{
	static const struct {
		enum poll_result result;
		unsigned expected;
	} rows[] = {{POLL_TIMEOUT, 4}, {POLL_BAD_BODY, 4}, {POLL_HTTP, 4}, {POLL_NETWORK, 4},
		{POLL_REFUSED, 3}, {POLL_EPOCH, 3}, {POLL_UNAUTHORISED, 3}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		SCENE s = comparison(PLAN_DIGEST);

		node_troubled(&s.run)->apart.failures = 3;
		s.out = (struct outcome){.result = rows[i].result};
		note(&s);
		assert_int_equal(node_trouble(&s.run)->apart.failures, rows[i].expected);
	}
	SCENE last = comparison(PLAN_FETCH); /* too many: everything is read again */
	node_troubled(&last.run)->apart.failures = 4;
	last.out.result = POLL_TIMEOUT;
	last.out.sync.comparing = false;
	note(&last);
	assert_int_equal(node_trouble(&last.run)->apart.failures, 0);
	SCENE pull = idle_pull(1000); /* of nothing else */
	pull.out = (struct outcome){.result = POLL_TIMEOUT};
	note(&pull);
	assert_int_equal(node_trouble(&pull.run)->apart.failures, 0);
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
	assert_int_equal(s.run.clock.chrony.stratum, 3);
	/* the newest word of it counts, though it measured worse */
	s.a.t_done_us += 50000;
	s.out.end.clock_error_us = -1;
	s.out.end.chrony = (struct chrony){.state = CHRONY_SILENT};
	note(&s);
	assert_int_equal(measured(&s, NOW).offset_us, 7000000);
	assert_int_equal(s.run.clock.error_us, -1);
	assert_int_equal(s.run.clock.chrony.state, CHRONY_SILENT);
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
		cmocka_unit_test(test_early_answer_waits),
		cmocka_unit_test(test_idle_rate),
		cmocka_unit_test(test_epochs_in_a_row_wait),
		cmocka_unit_test(test_push_of_the_impossible_waits),
		cmocka_unit_test(test_resets_again_and_again_wait_and_end),
		cmocka_unit_test(test_rename_in_vain_waits),
		cmocka_unit_test(test_what_was_found_is_fetched),
		cmocka_unit_test(test_a_comparison_given_up_is_forgotten),
		cmocka_unit_test(test_failures_of_comparing_count),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_clock_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
