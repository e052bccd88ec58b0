#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "central/exchange.h"

#include <cmocka.h> /* last: its fail() is a macro */

static const struct epoch none;
static const struct epoch e1 = {"11111111111111111111111111111111"};
static const struct epoch e2 = {"22222222222222222222222222222222"};
static const struct epoch e3 = {"33333333333333333333333333333333"};

/* In the middle of its life: every field that a reset has to set is set otherwise. */
static struct node_sync known(void)
{
	return (struct node_sync){
		.epoch = e1,
		.cursor = 40,
		.witness = {.seq = 42, .head = {{7, 8}}},
		.generation = 3,
		.resets = 5,
		.swept = true,
		.sweep_after = "m",
		.digest = {.count = 9, .lane = {1, 2}},
	};
}

static void assert_moved(
	const struct node_sync *before, const struct sync_change *c, struct epoch to, uint64_t witness)
{
	assert_string_equal(c->to.epoch.hex, to.hex);
	assert_int_equal(c->to.witness.seq, witness);
	assert_int_equal(c->to.resets, before->resets + 1);
	assert_int_equal(c->to.cursor, 0);
	assert_memory_equal(&c->to.digest, &before->digest, sizeof before->digest); /* the records stay */
}

/* Nothing is believed any more. */
static void assert_reread(
	const struct node_sync *before, const struct sync_change *c, struct epoch to, uint64_t witness)
{
	assert_moved(before, c, to, witness);
	assert_false(c->to.comparing);
	assert_int_equal(c->to.generation, before->generation + 1);
	assert_true(c->to.swept == (before->digest.count == 0));
	assert_string_equal(c->to.sweep_after, "");
}

/* By buckets first: what is believed stays so. */
static void assert_reset(
	const struct node_sync *before, const struct sync_change *c, struct epoch to, uint64_t witness)
{
	assert_moved(before, c, to, witness);
	assert_true(c->to.comparing);
	assert_int_equal(c->to.generation, before->generation);
	assert_true(c->to.swept == before->swept);
	assert_string_equal(c->to.sweep_after, before->sweep_after);
}

static void assert_abandons(const struct sync_change *c, struct epoch epoch, uint64_t witness)
{
	assert_true(c->abandon);
	assert_string_equal(c->abandoned.hex, epoch.hex);
	assert_int_equal(c->abandoned_witness.seq, witness);
}

static void assert_keeps_all_else(const struct node_sync *before, const struct sync_change *c)
{
	assert_false(c->abandon);
	assert_true(epoch_is_none(&c->forget));
	assert_string_equal(c->to.epoch.hex, before->epoch.hex);
	assert_int_equal(c->to.cursor, before->cursor);
	assert_true(position_equal(c->to.witness, before->witness));
	assert_int_equal(c->to.generation, before->generation);
	assert_int_equal(c->to.resets, before->resets);
}

/* --- epoch_changed --- */

static void test_first_contact(void **state)
{
	struct node_sync s = {.cursor = 0};
	struct sync_change c;
	struct event ev;

	(void)state;
	assert_true(exchange_decide_epoch_changed(&s, &e1, false, &c, &ev));
	assert_reread(&s, &c, e1, 0);
	assert_false(c.abandon);
	assert_false(c.to.reconciling);
	assert_null(ev.kind);
}

static void test_wiped(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	assert_true(exchange_decide_epoch_changed(&s, &e2, false, &c, &ev));
	assert_reset(&s, &c, e2, 0);
	assert_true(hash_is_none(c.to.witness.head));
	assert_abandons(&c, e1, 42);
	assert_true(c.to.reconciling);
	assert_string_equal(ev.kind, "WIPED");
	assert_non_null(strstr(ev.text.text, "epoch 22222222"));
	assert_non_null(strstr(ev.text.text, "position 42"));
	/* the same answer again: it is the present epoch now */
	s = c.to;
	assert_false(exchange_decide_epoch_changed(&s, &e2, false, &c, &ev));
	assert_null(ev.kind);
	assert_true(node_sync_same_basis(&s, &c.to));
}

/* A database that is new while a rename was pending is a new one all the same. */
static void test_wiped_while_renaming(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.rename_to = e3;
	assert_true(exchange_decide_epoch_changed(&s, &e2, false, &c, &ev));
	assert_reset(&s, &c, e2, 0);
	assert_true(epoch_is_none(&c.to.rename_to));
	assert_string_equal(ev.kind, "WIPED");
}

static void test_abandoned_comes_back(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.rename_to = e3;
	assert_true(exchange_decide_epoch_changed(&s, &e2, true, &c, &ev));
	assert_keeps_all_else(&s, &c);
	assert_string_equal(c.to.probe.hex, e2.hex);
	assert_true(epoch_is_none(&c.to.rename_to));
	assert_null(ev.kind);
	s = c.to;
	assert_false(exchange_decide_epoch_changed(&s, &e2, true, &c, &ev)); /* the same answer again */
	assert_string_equal(c.to.probe.hex, e2.hex);
}

static void test_present_epoch_only_clears(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	for (int abandoned = 0; abandoned < 2; abandoned++) { /* it may have been left behind before */
		s = known();
		assert_false(exchange_decide_epoch_changed(&s, &e1, abandoned, &c, &ev));
		s.rename_to = e2;
		s.probe = e3;
		assert_true(exchange_decide_epoch_changed(&s, &e1, abandoned, &c, &ev));
		assert_keeps_all_else(&s, &c);
		assert_true(epoch_is_none(&c.to.rename_to));
		assert_true(epoch_is_none(&c.to.probe));
		assert_null(ev.kind);
	}
}

/* --- rewound, renamed --- */

static void test_rewound(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	assert_true(exchange_decide_rewound(&s, &e2, &c, &ev));
	assert_keeps_all_else(&s, &c);
	assert_string_equal(c.to.rename_to.hex, e2.hex);
	assert_string_equal(ev.kind, "REWOUND");
	assert_non_null(strstr(ev.text.text, "position 42"));
	s = c.to;
	assert_false(
		exchange_decide_rewound(&s, &e3, &c, &ev)); /* the same answer again: the choice stands */
	assert_string_equal(c.to.rename_to.hex, e2.hex);
	assert_null(ev.kind);
}

static void test_renamed(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.rename_to = e2;
	exchange_decide_renamed(&s, RENAME_DONE, &c, &ev);
	assert_reset(&s, &c, e2, 0);
	assert_abandons(&c, e1, 42);
	assert_true(epoch_is_none(&c.to.rename_to));
	assert_true(c.to.reconciling);
	exchange_decide_renamed(&s, RENAME_NOT_REWOUND, &c, &ev);
	assert_keeps_all_else(&s, &c);
	assert_true(epoch_is_none(&c.to.rename_to));
	assert_null(ev.kind);
}

/* --- probed --- */

static void test_probed_older_copy(void **state)
{
	const struct position w = {.seq = 17, .head = {{5, 5}}};
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.probe = e2;
	exchange_decide_probed(&s, false, w, &e3, &c, &ev);
	assert_reset(&s, &c, e2, 17);
	assert_true(position_equal(c.to.witness, w));
	assert_abandons(&c, e1, 42);
	assert_string_equal(c.to.rename_to.hex, e3.hex);
	assert_true(epoch_is_none(&c.to.probe));
	assert_int_equal(c.to.halt, HALT_NONE);
	assert_string_equal(ev.kind, "REWOUND");
}

static void test_probed_clone(void **state)
{
	const struct position w = {.seq = 17, .head = {{5, 5}}};
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.probe = e2;
	exchange_decide_probed(&s, true, w, &e3, &c, &ev);
	assert_keeps_all_else(&s, &c);
	assert_int_equal(c.to.halt, HALT_IDENTITY);
	assert_string_equal(c.to.probe.hex, e2.hex); /* what an operator accepts */
	assert_true(epoch_is_none(&c.to.rename_to));
	assert_string_equal(ev.kind, "CLONED");
	assert_int_equal(ev.level, LOG_ERROR);
}

/* --- no comparison --- */

static void test_reread(void **state)
{
	const struct reason cause = {"404 not_found"};
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.comparing = true;
	s.cursor = 0;
	exchange_decide_reread(&s, &cause, &c, &ev);
	assert_reread(&s, &c, e1, 42);
	assert_false(c.abandon);
	assert_string_equal(ev.kind, "compared");
	assert_non_null(strstr(ev.text.text, "404 not_found"));
}

/* --- resumed --- */

static void test_resumed_identity(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.halt = HALT_IDENTITY;
	s.probe = e2;
	assert_true(exchange_decide_resumed(&s, &c, &ev));
	assert_reset(&s, &c, e2, 0);
	assert_abandons(&c, e1, 42);
	assert_string_equal(c.forget.hex, e2.hex);
	assert_true(epoch_is_none(&c.to.probe));
	assert_int_equal(c.to.halt, HALT_NONE);
	assert_string_equal(ev.kind, "node.resumed");
	s = c.to;
	assert_false(exchange_decide_resumed(&s, &c, &ev));
}

/* Nobody remembers another database: then it is the present one that is accepted, and none is left behind. */
static void test_resumed_identity_without_another(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.halt = HALT_IDENTITY;
	assert_true(exchange_decide_resumed(&s, &c, &ev));
	assert_reset(&s, &c, e1, 0);
	assert_false(c.abandon);
	assert_string_equal(c.forget.hex, e1.hex);
	assert_int_equal(c.to.halt, HALT_NONE);
}

static void test_resumed_diverged(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.halt = HALT_DIVERGED;
	s.doubt_seq = 40;
	s.doubt_local.count = 3;
	s.doubt_centre.count = 4;
	assert_true(exchange_decide_resumed(&s, &c, &ev));
	assert_reset(&s, &c, e1, 42);
	assert_true(position_equal(c.to.witness, s.witness));
	assert_false(c.abandon);
	assert_true(epoch_is_none(&c.forget));
	assert_int_equal(c.to.halt, HALT_NONE);
	assert_int_equal(c.to.doubt_seq, 0);
	assert_int_equal(c.to.doubt_local.count, 0);
	assert_int_equal(c.to.doubt_centre.count, 0);
	assert_true(c.to.recount);
	assert_true(epoch_equal(&none, &c.to.rename_to));
}

static void test_restless(void **state)
{
	struct node_sync s = known();
	struct sync_change c;
	struct event ev;

	(void)state;
	s.doubt_seq = 40;
	s.doubt_local.count = 3;
	s.rename_to = e2;
	exchange_decide_restless(&s, &c, &ev);
	assert_int_equal(c.to.halt, HALT_DIVERGED);
	assert_false(node_sync_doubts(&c.to));
	assert_true(epoch_equal(&c.to.epoch, &s.epoch) && epoch_equal(&c.to.rename_to, &e2));
	assert_int_equal(c.to.cursor, s.cursor);
	assert_false(c.abandon);
	assert_string_equal(ev.kind, "DIVERGED");
	assert_int_equal(ev.level, LOG_ERROR);
	s = c.to;
	assert_true(exchange_decide_resumed(&s, &c, &ev));
	assert_int_equal(c.to.halt, HALT_NONE);
	assert_true(c.to.recount && c.to.resets == s.resets + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_contact),
		cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_wiped_while_renaming),
		cmocka_unit_test(test_abandoned_comes_back),
		cmocka_unit_test(test_present_epoch_only_clears),
		cmocka_unit_test(test_rewound),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_probed_older_copy),
		cmocka_unit_test(test_probed_clone),
		cmocka_unit_test(test_reread),
		cmocka_unit_test(test_resumed_identity),
		cmocka_unit_test(test_resumed_identity_without_another),
		cmocka_unit_test(test_resumed_diverged),
		cmocka_unit_test(test_restless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
