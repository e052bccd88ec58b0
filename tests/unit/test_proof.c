/* proof: what the two digests decide, and that no sequence of them loops. */
#include "central/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct epoch epoch = {"0123456789abcdef0123456789abcdef"};
static const struct epoch other_epoch = {"fedcba9876543210fedcba9876543210"};

/* A centre and a local whose rows and counters can each be off by themselves. */
struct world {
	struct node_sync sync;
	struct explained explained;
	uint64_t seq;
	uint64_t local_rows, local_counter; /* one number is enough to tell digests apart */
	uint64_t centre_rows, centre_counter;
};

static struct digest digest_of(uint64_t n)
{
	return (struct digest){.count = 3, .lane = {n, n * 7}};
}

static struct world world_of(uint64_t seq)
{
	struct world w = {
		.seq = seq, .local_rows = 5, .local_counter = 5, .centre_rows = 5, .centre_counter = 5};

	w.sync.epoch = epoch;
	w.sync.generation = w.sync.resets = 1;
	w.sync.witness = (struct position){.seq = seq};
	w.sync.swept = true;
	return w;
}

/* An idle poll: both ends were compared as far as they must, nothing is to be pushed. */
static enum proof_verdict poll(struct world *w)
{
	struct page_end end = {.to = {.seq = w->seq}, .head_seq = w->seq};

	if (w->sync.recount)
		w->centre_counter = w->centre_rows;
	w->sync.cursor = w->seq;
	w->sync.swept = true;
	w->sync.comparing = false;
	w->sync.digest = digest_of(w->centre_counter);
	end.digest = digest_of(w->sync.recount ? w->local_rows : w->local_counter);
	return proof_judge(&w->sync, &end, &w->explained, false);
}

static void equal_and_settled_changes_nothing(void **state)
{
	struct world w = world_of(9);
	struct node_sync before;

	(void)state;
	w.sync.cursor = 9;
	w.sync.digest = digest_of(5);
	before = w.sync;
	assert_int_equal(poll(&w), PROOF_EQUAL);
	assert_memory_equal(&w.sync, &before, sizeof(before));
}

static void nothing_is_judged_before_the_head(void **state)
{
	struct world w = world_of(9);
	struct node_sync before;
	struct page_end end = {.to = {.seq = 9}, .head_seq = 9};

	(void)state;
	w.sync.cursor = 9;
	before = w.sync;
	end.digest = digest_of(6);
	assert_int_equal(proof_judge(&w.sync, &end, &w.explained, true), PROOF_NONE);
	end.more = true;
	assert_int_equal(proof_judge(&w.sync, &end, &w.explained, false), PROOF_NONE);
	end.more = false;
	end.head_seq = 10;
	assert_int_equal(proof_judge(&w.sync, &end, &w.explained, false), PROOF_NONE);
	end.head_seq = 9;
	w.sync.cursor = before.cursor = 8;
	assert_int_equal(proof_judge(&w.sync, &end, &w.explained, false), PROOF_NONE);
	w.sync.cursor = before.cursor = 9;
	w.sync.halt = before.halt = HALT_IDENTITY;
	assert_int_equal(proof_judge(&w.sync, &end, &w.explained, false), PROOF_NONE);
	assert_memory_equal(&w.sync, &before, sizeof(before));
}

/* What is in quarantine is left out at both ends, and nothing but that. */
static void what_is_explained_is_no_difference(void **state)
{
	struct world w = world_of(9);
	struct page_end end = {.to = {.seq = 9}, .head_seq = 9, .digest = {5, {50, 500}}};

	(void)state;
	w.sync.cursor = 9;
	w.sync.digest = (struct digest){4, {44, 444}};
	w.explained.local = (struct digest){2, {10, 100}};
	w.explained.centre = (struct digest){1, {4, 44}};
	assert_int_equal(proof_judge(&w.sync, &end, &w.explained, false), PROOF_EQUAL);
	end.digest.lane[1]++;
	assert_int_equal(proof_judge(&w.sync, &end, &w.explained, false), PROOF_DOUBTED);
	w.sync.cursor = 9;
	w.sync.swept = true;
	w.explained = (struct explained){0}; /* another difference than before, so a new doubt */
	w.sync.comparing = false;
	assert_int_equal(proof_judge(&w.sync, &end, &w.explained, false), PROOF_DOUBTED);
}

static void unequal_resets_the_same_epoch(void **state)
{
	struct world w = world_of(9);

	(void)state;
	w.local_rows = w.local_counter = 6;
	assert_int_equal(poll(&w), PROOF_DOUBTED);
	assert_true(epoch_equal(&w.sync.epoch, &epoch));
	assert_int_equal(w.sync.resets, 2);
	assert_int_equal(w.sync.cursor, 0);
	assert_int_equal(w.sync.witness.seq, 9);
	assert_true(w.sync.recount && w.sync.reconciling && w.sync.comparing && w.sync.swept);
	assert_int_equal(w.sync.generation, 1); /* what is believed stays so until a bucket differs */
	assert_int_equal(w.sync.halt, HALT_NONE);
}

/* The re-read brought the missing record: equal twice, then nothing is left of the doubt. */
static void a_doubt_that_mends_is_forgotten(void **state)
{
	struct world w = world_of(9);
	struct node_sync settled;

	(void)state;
	w.centre_rows = w.centre_counter = 4;
	assert_int_equal(poll(&w), PROOF_DOUBTED);
	w.centre_rows = 5;
	assert_int_equal(poll(&w), PROOF_EQUAL);
	assert_false(w.sync.reconciling);
	assert_false(w.sync.recount);
	assert_int_equal(poll(&w), PROOF_EQUAL);
	assert_int_equal(w.sync.doubt_seq, 0);
	settled = w.sync;
	assert_int_equal(poll(&w), PROOF_EQUAL);
	assert_memory_equal(&w.sync, &settled, sizeof(settled));
}

static void a_difference_that_stays_stops(void **state)
{
	(void)state;
	for (uint64_t seq = 0; seq < 2; seq++) {
		struct world w = world_of(seq);

		w.centre_rows = w.centre_counter = 4;
		assert_int_equal(poll(&w), PROOF_DOUBTED);
		assert_int_equal(poll(&w), PROOF_DIVERGED);
		assert_int_equal(w.sync.halt, HALT_DIVERGED);
		assert_int_equal(poll(&w), PROOF_NONE);
	}
}

/* Writes that replicate move both digests alike. */
static void a_busy_node_that_differs_stops_too(void **state)
{
	struct world w = world_of(9);

	(void)state;
	w.centre_rows = w.centre_counter = 4;
	assert_int_equal(poll(&w), PROOF_DOUBTED);
	w.seq = 12;
	w.local_rows += 100;
	w.local_counter += 100;
	w.centre_rows += 100;
	assert_int_equal(poll(&w), PROOF_DIVERGED);
}

static void another_difference_is_doubted_anew(void **state)
{
	struct world w = world_of(9);

	(void)state;
	w.centre_rows = w.centre_counter = 4;
	assert_int_equal(poll(&w), PROOF_DOUBTED);
	w.seq = 12;
	w.centre_rows = 3;
	assert_int_equal(poll(&w), PROOF_DOUBTED);
	assert_int_equal(w.sync.resets, 3);
	assert_int_equal(w.sync.doubt_seq, 12);
	w.centre_rows = 5;
	assert_int_equal(poll(&w), PROOF_EQUAL);
	assert_int_equal(w.sync.halt, HALT_NONE);
}

/* The rows are equal and only a local's counters are wrong: no stop, no reset after the first. */
static void lying_counters_cost_one_reset(void **state)
{
	struct world w = world_of(9);
	struct node_sync settled;

	(void)state;
	w.local_counter = 6;
	assert_int_equal(poll(&w), PROOF_DOUBTED);
	assert_int_equal(poll(&w), PROOF_EQUAL);
	assert_int_equal(poll(&w), PROOF_NONE);
	assert_int_equal(poll(&w), PROOF_EQUAL);
	settled = w.sync;
	for (int i = 0; i < 5; i++)
		assert_int_equal(poll(&w), PROOF_EQUAL);
	assert_memory_equal(&w.sync, &settled, sizeof(settled));
	assert_int_equal(w.sync.resets, 2);
	w.centre_rows = 4;
	assert_int_equal(poll(&w), PROOF_DOUBTED);
	assert_int_equal(poll(&w), PROOF_DIVERGED);
}

/* An operator's `verify` sets recount alone. */
static void a_verify_sums_once(void **state)
{
	struct world w = world_of(9);

	(void)state;
	w.sync.recount = true;
	assert_int_equal(poll(&w), PROOF_EQUAL);
	assert_false(w.sync.recount);
	assert_int_equal(w.sync.resets, 1);
}

/*
 * Every way in which the four sums can be off, the log empty or filled: settles or stops
 * within two resets.
 */
static void a_quiet_node_never_loops(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 2 * 256; c++) {
		struct world w = world_of(c & 256 ? 9 : 0);
		struct node_sync settled;

		w.local_rows = c & 3;
		w.local_counter = c >> 2 & 3;
		w.centre_rows = c >> 4 & 3;
		w.centre_counter = c >> 6 & 3;
		for (int i = 0; i < 6; i++)
			poll(&w);
		settled = w.sync;
		for (int i = 0; i < 3; i++)
			poll(&w);
		assert_memory_equal(&w.sync, &settled, sizeof(settled));
		assert_true(w.sync.resets <= 3);
		if (w.local_rows == w.centre_rows)
			assert_int_equal(w.sync.halt, HALT_NONE);
		else if (w.local_counter != (c >> 6 & 3))
			assert_int_equal(w.sync.halt, HALT_DIVERGED);
	}
}

static void a_reset_to_another_epoch_forgets_the_doubt(void **state)
{
	struct world w = world_of(9);

	(void)state;
	w.local_rows = w.local_counter = 6;
	assert_int_equal(poll(&w), PROOF_DOUBTED);
	sync_reset(&w.sync, &other_epoch, (struct position){0});
	assert_int_equal(w.sync.doubt_seq, 0);
	assert_false(w.sync.recount);
	assert_true(w.sync.reconciling);
	assert_int_equal(w.sync.witness.seq, 0);
	assert_int_equal(w.sync.resets, 3);
}

static void nothing_is_judged_while_both_ends_are_compared(void **state)
{
	struct world w = world_of(0);
	const struct page_end end = {.digest = digest_of(6)};

	(void)state;
	w.sync.comparing = true;
	assert_int_equal(proof_judge(&w.sync, &end, &(struct explained){0}, false), PROOF_NONE);
	assert_true(w.sync.comparing);
}

/* Where the centre holds nothing of the node, everything is to be read, and no digest asked for. */
static void with_nothing_to_compare_everything_is_read(void **state)
{
	struct world w = world_of(9);

	(void)state;
	w.sync.digest = (struct digest){0};
	strcpy(w.sync.sweep_after, "m");
	sync_compare(&w.sync, &epoch, w.sync.witness);
	assert_false(w.sync.comparing);
	assert_true(w.sync.swept); /* of nothing */
	assert_string_equal(w.sync.sweep_after, "");
	assert_int_equal(w.sync.generation, 2);
	assert_int_equal(w.sync.resets, 2);
	assert_true(w.sync.reconciling);
}

static void a_full_reset_ends_a_comparison(void **state)
{
	struct world w = world_of(9);

	(void)state;
	w.sync.digest = digest_of(5);
	sync_compare(&w.sync, &epoch, w.sync.witness);
	assert_true(w.sync.comparing && w.sync.cursor == 0 && w.sync.generation == 1);
	sync_reset(&w.sync, &epoch, w.sync.witness);
	assert_false(w.sync.comparing);
	assert_int_equal(w.sync.generation, 2);
	assert_int_equal(w.sync.resets, 3);
}

/* Seq 0 tells nobody that it is doubted: the difference alone does, whichever end has the rows. */
static void an_empty_log_is_doubted_too(void **state)
{
	const struct explained ex = {0};

	(void)state;
	for (int local_has = 0; local_has < 2; local_has++) {
		struct node_sync s = {.epoch = epoch};
		struct page_end empty = {.head_seq = 0};

		*(local_has ? &empty.digest : &s.digest) = digest_of(5);
		assert_int_equal(proof_judge(&s, &empty, &ex, false), PROOF_DOUBTED);
		assert_true(digest_equal(local_has ? s.doubt_local : s.doubt_centre, digest_of(5)));
		s.comparing = s.recount = false; /* read again and unchanged: now the rows are to be summed */
		assert_int_equal(proof_judge(&s, &empty, &ex, false), PROOF_NONE);
		assert_true(s.recount);
		s.digest = empty.digest = (struct digest){0}; /* the sums: there are none */
		assert_int_equal(proof_judge(&s, &empty, &ex, false), PROOF_EQUAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_and_settled_changes_nothing),
		cmocka_unit_test(nothing_is_judged_before_the_head),
		cmocka_unit_test(what_is_explained_is_no_difference),
		cmocka_unit_test(unequal_resets_the_same_epoch),
		cmocka_unit_test(a_doubt_that_mends_is_forgotten),
		cmocka_unit_test(a_difference_that_stays_stops),
		cmocka_unit_test(a_busy_node_that_differs_stops_too),
		cmocka_unit_test(another_difference_is_doubted_anew),
		cmocka_unit_test(lying_counters_cost_one_reset),
		cmocka_unit_test(a_verify_sums_once),
		cmocka_unit_test(a_quiet_node_never_loops),
		cmocka_unit_test(a_reset_to_another_epoch_forgets_the_doubt),
		cmocka_unit_test(nothing_is_judged_while_both_ends_are_compared),
		cmocka_unit_test(with_nothing_to_compare_everything_is_read),
		cmocka_unit_test(a_full_reset_ends_a_comparison),
		cmocka_unit_test(an_empty_log_is_doubted_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
