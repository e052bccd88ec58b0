#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "central/node.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define NOW INT64_C(1000000000)
#define SECOND INT64_C(1000000)

static const struct epoch e1 = {"11111111111111111111111111111111"};
static const struct epoch e2 = {"22222222222222222222222222222222"};

/* A node in step: everything else in the tables is a change to this. */
static void make_in_sync(struct node *n, struct node_run *run)
{
	*n = (struct node){.name = "a", .sync = {.epoch = e1, .cursor = 5, .witness = {.seq = 5}}};
	*run = (struct node_run){.heard = true, .at_head = true, .head_seq = 5};
	run->proof.known = run->proof.equal = true;
	run->proof.mono_us = NOW - SECOND;
	run->proof.digest.count = 12;
}

static void failed(struct node_run *run, enum poll_result r, const char *text)
{
	run->failures = 1;
	run->last_result = r;
	(void)(fail)(OK, &node_troubled(run)->last_reason, "%s", text);
}

static void as_it_is(struct node *n, struct node_run *run)
{
	(void)n;
	(void)run;
}
static void paused(struct node *n, struct node_run *run)
{
	n->paused = true;
	n->sync.halt = HALT_IDENTITY;
	failed(run, POLL_REFUSED, "x");
}
static void clone(struct node *n, struct node_run *run)
{
	n->sync.halt = HALT_IDENTITY;
	n->sync.probe = e2;
	failed(run, POLL_INCOMPATIBLE, "x");
}
static void diverged(struct node *n, struct node_run *run)
{
	(void)run;
	n->sync.halt = HALT_DIVERGED;
	n->sync.doubt_local.count = 7;
}
static void restless(struct node *n, struct node_run *run)
{
	(void)run;
	n->sync.halt = HALT_DIVERGED;
}
static void incompatible(struct node *n, struct node_run *run)
{
	n->sync.epoch.hex[0] = '\0';
	run->heard = false;
	failed(run, POLL_INCOMPATIBLE, "it speaks 7 to 9");
}
static void never_asked(struct node *n, struct node_run *run)
{
	n->sync = (struct node_sync){.cursor = 0};
	*run = (struct node_run){.heard = false};
}
static void never_answered(struct node *n, struct node_run *run)
{
	never_asked(n, run);
	failed(run, POLL_REFUSED, "connection refused by 127.0.0.1:9");
}
static void down(struct node *n, struct node_run *run)
{
	(void)n;
	failed(run, POLL_TIMEOUT, "no answer within 10 s");
}
static void down_since_start(struct node *n, struct node_run *run)
{
	(void)n;
	*run = (struct node_run){.heard = false};
	failed(run, POLL_UNAUTHORISED, "");
}
static void down_in_repair(struct node *n, struct node_run *run)
{
	n->sync.reconciling = true;
	failed(run, POLL_NETWORK, "connection reset");
}
static void own_store_down(struct node *n, struct node_run *run)
{
	(void)n;
	failed(run, POLL_STORE, "database is locked");
	run->failures = 0;
	run->store_failures = 1;
}
static void down_and_own_store_too(struct node *n, struct node_run *run)
{
	own_store_down(n, run);
	failed(run, POLL_TIMEOUT, "no answer within 10 s");
}
static void not_asked_in_this_run(struct node *n, struct node_run *run)
{
	n->sync.reconciling = true;
	*run = (struct node_run){.heard = false};
}
static void rereading(struct node *n, struct node_run *run)
{
	n->sync.reconciling = true;
	run->at_head = false;
	run->head_seq = 90;
}
static void refilling(struct node *n, struct node_run *run)
{
	n->sync.reconciling = true;
	run->to_push = true;
}
static void renaming(struct node *n, struct node_run *run)
{
	(void)run;
	n->sync.rename_to = e2;
}
static void probing(struct node *n, struct node_run *run)
{
	(void)run;
	n->sync.probe = e2;
}
static void comparing(struct node *n, struct node_run *run)
{
	n->sync.reconciling = n->sync.comparing = true;
	node_troubled(run)->apart.what =
		(struct apart){.bits_known = true, .bits = 8, .n = 1}; /* of before */
}
static void comparing_smaller_buckets(struct node *n, struct node_run *run)
{
	comparing(n, run);
	node_troubled(run)->apart.basis = n->sync;
	node_troubled(run)->apart.what = (struct apart){.bits_known = true, .bits = 12};
}
static void fetching(struct node *n, struct node_run *run)
{
	comparing_smaller_buckets(n, run);
	node_troubled(run)->apart.what.n = 3;
}
static void generating(struct node *n, struct node_run *run)
{
	(void)n;
	run->pull_backlog = 3;
	run->at_head = false;
}
static void old_proof(struct node *n, struct node_run *run)
{
	(void)n;
	run->proof.mono_us = NOW - 31 * SECOND;
}
static void proof_at_its_limit(struct node *n, struct node_run *run)
{
	(void)n;
	run->proof.mono_us = NOW - 30 * SECOND;
}
static void far_behind(struct node *n, struct node_run *run)
{
	old_proof(n, run);
	run->pull_backlog = 70;
}
static void one_behind(struct node *n, struct node_run *run)
{
	old_proof(n, run);
	run->pull_backlog = 1;
}
static void edited_centrally(struct node *n, struct node_run *run)
{
	(void)n;
	run->to_push = true;
}
static void unproven(struct node *n, struct node_run *run)
{
	(void)n;
	run->proof.known = false;
}
/* Fresh by its age, but of before the node was away, or was sent something. */
static void outdated(struct node *n, struct node_run *run)
{
	(void)n;
	run->proof.outdated = true;
}
static void outdated_and_old(struct node *n, struct node_run *run)
{
	old_proof(n, run);
	run->proof.outdated = true;
}
static void push_failed(struct node *n, struct node_run *run)
{
	edited_centrally(n, run);
	run->push_failures = 1;
	(void)(fail)(OK, &node_troubled(run)->push_reason, "507 disk_full");
}
static void push_failed_in_a_repair(struct node *n, struct node_run *run)
{
	push_failed(n, run);
	n->sync.reconciling = true;
}
static void unequal(struct node *n, struct node_run *run)
{
	(void)n;
	run->proof.equal = false;
}
static void stale_answer(struct node *n, struct node_run *run)
{
	(void)n;
	run->last_result = POLL_STALE;
}

static void damaged(struct node *n, struct node_run *run)
{
	(void)n;
	run->counted.known = true;
	run->counted.damaged = 2;
	strcpy(node_troubled(run)->damaged, "r7");
}
static void counted_whole(struct node *n, struct node_run *run)
{
	(void)n;
	run->counted.known = true;
}
static void quarantined(struct node *n, struct node_run *run)
{
	(void)run;
	n->sync.quarantined = 3;
}
/* Its proof is still fresh, but of before that. */
static void rejecting(struct node *n, struct node_run *run)
{
	(void)n;
	node_troubled(run)->rejected.any = true;
	strcpy(node_troubled(run)->rejected.first, "r4");
	(void)(fail)(OK, &node_troubled(run)->rejected.why, "%s", "its hash does not fit");
}
static void rejecting_in_a_repair(struct node *n, struct node_run *run)
{
	rejecting(n, run);
	n->sync.reconciling = true;
}

static const struct {
	const char *what;
	void (*change)(struct node *n, struct node_run *run);
	enum node_state state;
	const char *says; /* part of the sentence */
} states[] = {
	{"in step", as_it_is, NODE_IN_SYNC, "same 12 records, proven 1 s ago"},
	{"paused before all else", paused, NODE_PAUSED, "by an operator"},
	{"a clone", clone, NODE_IDENTITY_CONFLICT, "epoch 22222222"},
	{"diverged", diverged, NODE_DIVERGED, "still differ"},
	{"restless", restless, NODE_DIVERGED, "never came to rest"},
	{"incompatible, though never seen", incompatible, NODE_INCOMPATIBLE, "7 to 9"},
	{"new", never_asked, NODE_NEVER_SEEN, "not yet asked"},
	{"new and not there", never_answered, NODE_NEVER_SEEN, "refused by 127.0.0.1:9"},
	{"down", down, NODE_OFFLINE, "no answer within 10 s"},
	{"down since the start, no words", down_since_start, NODE_OFFLINE, "unauthorised"},
	{"down in a repair", down_in_repair, NODE_OFFLINE, "connection reset"},
	{"our own store", own_store_down, NODE_CATCHING_UP, "database is locked"},
	{"our own store, but it does not answer either", down_and_own_store_too, NODE_OFFLINE,
		"no answer within 10 s"},
	{"a new run", not_asked_in_this_run, NODE_CATCHING_UP, "not yet asked"},
	{"rereading", rereading, NODE_RECONCILING, "read 5 of 90"},
	{"refilling", refilling, NODE_RECONCILING, "pushed"},
	{"renaming", renaming, NODE_RECONCILING, "new epoch"},
	{"probing", probing, NODE_RECONCILING, "asked what it holds"},
	{"comparing", comparing, NODE_RECONCILING, "digests of buckets"},
	{"comparing smaller buckets", comparing_smaller_buckets, NODE_RECONCILING, "compared: 4096 buckets"},
	{"fetching", fetching, NODE_RECONCILING, "reading 3 of 4096 buckets"},
	{"generating", generating, NODE_IN_SYNC, "proven"},
	{"a proof as old as may be", proof_at_its_limit, NODE_IN_SYNC, "30 s ago"},
	{"an old proof", old_proof, NODE_CATCHING_UP, "31 s old"},
	{"far behind", far_behind, NODE_CATCHING_UP, "70 changes left to pull"},
	{"one behind", one_behind, NODE_CATCHING_UP, "1 change left to pull"},
	{"edited centrally", edited_centrally, NODE_CATCHING_UP, "left to push"},
	{"an outdated proof", outdated, NODE_CATCHING_UP, "since the last proof, 1 s ago"},
	{"an outdated proof, and old", outdated_and_old, NODE_CATCHING_UP, "since the last proof, 31 s ago"},
	{"a failed push", push_failed, NODE_CATCHING_UP, "it answers, but the last push"},
	{"a failed push, why", push_failed, NODE_CATCHING_UP, "tried again: 507 disk_full"},
	{"a failed push in a repair", push_failed_in_a_repair, NODE_RECONCILING,
		"tried again: 507 disk_full"},
	{"no proof", unproven, NODE_CATCHING_UP, "no proof yet"},
	{"unequal", unequal, NODE_CATCHING_UP, "no proof yet"},
	{"damaged", damaged, NODE_IN_SYNC, "the bytes of 2 are damaged, one is r7: wipe its database"},
	{"counted, and whole", counted_whole, NODE_IN_SYNC, "hold the same 12 records"},
	{"some in quarantine", quarantined, NODE_IN_SYNC, "but for 3 in quarantine"},
	{"rejecting", rejecting, NODE_CATCHING_UP,
		"one is r4: its hash does not fit; change or delete that one"},
	{"rejecting in a repair", rejecting_in_a_repair, NODE_RECONCILING, "one is r4"},
	{"a discarded answer", stale_answer, NODE_IN_SYNC, "proven"},
};

static void test_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct node n;
		struct node_run run;
		struct reason why = {""};
		enum node_state got;

		make_in_sync(&n, &run);
		states[i].change(&n, &run);
		got = node_state(&n, &run, NOW, 10000, &why);
		if (got != states[i].state || strstr(why.text, states[i].says) == NULL)
			fail_msg("%s: %s, \"%s\"", states[i].what, node_state_name(got), why.text);
		if (node_state(&n, &run, NOW, 10000, NULL) != got)
			fail_msg("%s: another word without the sentence", states[i].what);
		node_run_done(&run);
	}
}

/* With a short interval a proof is not thrown away within the blink of an eye. */
static void test_short_interval(void **state)
{
	struct node n;
	struct node_run run;

	(void)state;
	make_in_sync(&n, &run);
	run.proof.mono_us = NOW - 3 * SECOND;
	assert_int_equal(node_state(&n, &run, NOW, 10, NULL), NODE_IN_SYNC);
	assert_int_equal(node_state(&n, &run, NOW + 1, 10, NULL), NODE_CATCHING_UP);
}

static void test_names(void **state)
{
	enum node_state s;

	(void)state;
	for (int i = 0; i < NODE_STATES; i++) {
		assert_true(node_state_parse(span_of(node_state_name((enum node_state)i)), &s));
		assert_int_equal(s, i);
	}
	s = NODE_DIVERGED;
	assert_false(node_state_parse(span_of("in_syn"), &s));
	assert_false(node_state_parse(span_of(""), &s));
	assert_int_equal(s, NODE_DIVERGED);
	assert_string_equal(node_state_name(NODE_IDENTITY_CONFLICT), "identity_conflict");
	for (int i = 0; i < POLL_RESULTS; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				poll_result_name((enum poll_result)i), poll_result_name((enum poll_result)j));
	assert_string_equal(poll_result_name(POLL_BAD_BODY), "bad_body");
}

/* Whatever a request was built on counts; what merely follows from the rows does not. */
static void test_basis(void **state)
{
	const struct node_sync s = {
		.epoch = e1, .cursor = 5, .witness = {.seq = 6, .head = {{1, 2}}}, .generation = 3};
	struct node_sync t = s;

	(void)state;
	assert_true(node_sync_same_basis(&s, &t));
	t.digest.count = 9;
	t.recount = t.swept = t.reconciling = true;
	t.sweep_after[0] = 'x';
	t.doubt_seq = 4;
	assert_true(node_sync_same_basis(&s, &t));
#define MOVED(assignment)                                   \
	do {                                                \
		t = s;                                      \
		assignment;                                 \
		assert_false(node_sync_same_basis(&s, &t)); \
	} while (0)
	MOVED(t.epoch = e2);
	MOVED(t.cursor = 4);
	MOVED(t.witness.seq = 5);
	MOVED(t.witness.head.half[1] = 3);
	MOVED(t.generation = 4);
	MOVED(t.resets = 1);
	MOVED(t.comparing = true);
	MOVED(t.rename_to = e2);
	MOVED(t.probe = e2);
	MOVED(t.halt = HALT_DIVERGED);
}

static void test_a_change_is_read_as_it_was_written(void **state)
{
	static const char *const others[] = {"", "offline", "offline (was in_sync)",
		"offline (was nothing): x", "nothing (was in_sync): x", " (was in_sync): x"};
	const struct reason cause = {"refused (was kind): at 10:15"};
	struct reason text;
	struct span reason;
	enum node_state now, was;
	(void)state;
	for (int n = 0; n < NODE_STATES; n++) {
		node_change_text((enum node_state)n, (enum node_state)((n + 1) % NODE_STATES), &cause, &text);
		assert_true(node_change_parse(span_of(text.text), &now, &was, &reason));
		assert_int_equal(now, n);
		assert_int_equal(was, (n + 1) % NODE_STATES);
		assert_true(span_is(reason, cause.text));
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(node_change_parse(span_of(others[i]), &now, &was, &reason));
	assert_int_equal(now, NODE_STATES - 1); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_short_interval),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_basis),
		cmocka_unit_test(test_a_change_is_read_as_it_was_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
