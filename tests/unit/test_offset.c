/* What eight exchanges say of a node's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "central/offset.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define S INT64_C(1000000)
#define NOW (1000 * S)
#define DAY (86400 * S)

/* An exchange that ended at `now`: so long there, so long back, parked for a while in between. */
static void add(struct offset *o, int64_t now_us, int64_t ahead_us, int64_t there_us, int64_t back_us)
{
	const int64_t parked_us = 400000, sent_us = 1795222923 * S + now_us;
	struct offset_stamps t = {
		.sent_us = sent_us,
		.received_us = sent_us + there_us + ahead_us,
		.answered_us = sent_us + there_us + parked_us + ahead_us,
		.done_us = sent_us + there_us + parked_us + back_us,
	};
	offset_add(o, &t, now_us);
}

static struct offset_reading read_at(const struct offset *o, int64_t now_us)
{
	struct offset_reading r = {0};
	assert_true(offset_read(o, now_us, &r));
	return r;
}

static void nothing_is_known_before_the_first(void **state)
{
	(void)state;
	struct offset o = {0};
	struct offset_reading r;
	assert_false(offset_read(&o, NOW, &r));
}

static void the_truth_lies_within_the_error(void **state)
{
	(void)state;
	static const int64_t rows[][3] = {
		/* ahead, there, back */
		{0, 100, 100},
		{0, 1000, 0},
		{0, 0, 1000},
		{2500000, 80, 130},
		{-2500000, 7000, 100},
		{3653 * DAY, 100, 300},
		{-3600 * S, 300, 100},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct offset o = {0};
		add(&o, NOW, rows[i][0], rows[i][1], rows[i][2]);
		struct offset_reading r = read_at(&o, NOW);
		assert_int_equal(r.rtt_us, rows[i][1] + rows[i][2]);
		assert_int_equal(r.error_us, (r.rtt_us + 1) / 2);
		assert_true(r.offset_us - rows[i][0] <= r.error_us && rows[i][0] - r.offset_us <= r.error_us);
		assert_int_equal(r.age_us, 0);
	}
}

static void the_quickest_of_eight_counts(void **state)
{
	(void)state;
	struct offset o = {0};
	add(&o, NOW, 5000, 100, 100);
	for (int i = 1; i < 8; i++)
		add(&o, NOW + i * S, 5000, 100, 3000); /* as true, and says less */
	assert_int_equal(read_at(&o, NOW + 7 * S).offset_us, 5000);
	assert_int_equal(read_at(&o, NOW + 7 * S).error_us, 100 + 105); /* and what the clocks wandered */
	assert_int_equal(read_at(&o, NOW + 7 * S).age_us, 7 * S);
	add(&o, NOW + 8 * S, 5000, 100, 2000); /* the ninth puts out the first; the next best stands */
	assert_int_equal(read_at(&o, NOW + 8 * S).rtt_us, 2100);
}

/* A hundred pages one after another, slow for their size: the idle poll before them still knows best. */
static void a_burst_takes_one_place(void **state)
{
	(void)state;
	struct offset o = {0};
	add(&o, NOW, 0, 100, 100);
	for (int i = 0; i < 100; i++)
		add(&o, NOW + S + i * 10000, 0, 100, 9000);
	assert_int_equal(o.n, 2);
	assert_int_equal(read_at(&o, NOW + 2 * S).rtt_us, 200);
	add(&o, NOW + S + 1000000 - 1, 0, 10, 10);
	assert_int_equal(o.n, 2);
	assert_int_equal(read_at(&o, NOW + 2 * S).rtt_us, 20);
}

static void an_old_measure_gives_way_to_a_slower_one(void **state)
{
	(void)state;
	struct offset o = {0};
	add(&o, NOW, 0, 100, 100);
	add(&o, NOW + 100 * S, 0, 400, 400); /* 100 µs, and 1500 µs that the clocks may have wandered */
	assert_int_equal(read_at(&o, NOW + 100 * S).error_us, 400);
}

static void a_clock_that_was_set_is_seen_at_once(void **state)
{
	(void)state;
	static const int64_t jumps[] = {20000, -20000, 3600 * S, -3600 * S, 3653 * DAY};
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		struct offset o = {0};
		for (int k = 0; k < 5; k++)
			add(&o, NOW + k * S, 300, 100, 100);
		add(&o, NOW + 5 * S, 300 + jumps[i], 2000, 2000); /* though it is slower */
		assert_int_equal(o.n, 1);
		assert_int_equal(read_at(&o, NOW + 5 * S).offset_us, 300 + jumps[i]);
	}
}

static void what_cannot_be_is_passed_over(void **state)
{
	(void)state;
	static const struct offset_stamps rows[] = {
		{0, INT64_MIN, INT64_MAX, 1000},
		{0, INT64_MAX, INT64_MAX, 1000},
		{0, -1, 5, 1000},
		{0, 500, 400, 1000},
		{0, 100, 1200, 1000}, /* longer at the local than the whole took */
		{0, 253402300800 * S, 253402300800 * S, 1000},
	};
	struct offset o = {0};
	add(&o, NOW, 42, 100, 100);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		offset_add(&o, &rows[i], NOW + S);
	assert_int_equal(o.n, 1);
	assert_int_equal(read_at(&o, NOW + S).offset_us, 42);
}

static void skewed_is_beyond_the_error_and_the_threshold(void **state)
{
	(void)state;
	static const struct {
		int64_t offset_us, error_us;
		bool skewed;
	} rows[] = {
		{0, 0, false},
		{OFFSET_SKEW_US, 0, false},
		{OFFSET_SKEW_US + 1, 0, true},
		{-OFFSET_SKEW_US - 1, 0, true},
		{OFFSET_SKEW_US + 500, 500, false},
		{OFFSET_SKEW_US + 501, 500, true},
		{-OFFSET_SKEW_US - 500, 500, false},
		{2500000, 3000000, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct offset_reading r = {.offset_us = rows[i].offset_us, .error_us = rows[i].error_us};
		assert_int_equal(offset_is_skewed(&r), rows[i].skewed);
	}
}

static void a_claim_that_the_measure_contradicts(void **state)
{
	(void)state;
	static const struct {
		int64_t offset_us, error_us, node_us, centre_us;
		bool disagrees;
	} rows[] = {
		{0, 100, 500, 200, false},
		{1800, 100, 500, 200, false}, /* 1 ms is forgiven: clocks are slewed meanwhile */
		{1801, 100, 500, 200, true},
		{-1800, 100, 500, 200, false},
		{-1801, 100, 500, 200, true},
		{2500000, 100, 500, 200, true},
		{2500000, 100, 2600000, 200, false},
		{2500000, 2600000, 500, 200, false},
		{2500000, 100, -1, 200, false}, /* who claims nothing is not contradicted */
		{2500000, 100, 500, -1, false},
		{2500000, 100, -1, -1, false},
		{3653 * DAY, 100, 500, 0, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct offset_reading r = {.offset_us = rows[i].offset_us, .error_us = rows[i].error_us};
		struct offset_claim node = {OFFSET_SYNCHRONISED, rows[i].node_us},
				    centre = {OFFSET_SYNCHRONISED, rows[i].centre_us};
		assert_int_equal(offset_disagrees(&r, &node, &centre), rows[i].disagrees);
	}
}

static void says_it_in_words(void **state)
{
	(void)state;
	static const struct offset_claim free_ = {OFFSET_FREE, -1}, serves = {OFFSET_FREE, 0},
					 not_told = {OFFSET_NOT_TOLD, -1}, right = {OFFSET_SYNCHRONISED, 900},
					 vague = {OFFSET_SYNCHRONISED, 15 * S};
	static const struct {
		int64_t offset_us, error_us;
		const struct offset_claim *node, *centre;
		const char *words;
	} rows[] = {
		{-64, 90, &free_, &free_, "64 us behind the centre's clock, measured to within 90 us"},
		{1500, 999, &right, &serves, "1.5 ms ahead of the centre's clock, measured to within 999 us"},
		{2500013, 120, &free_, &right,
			"2.500 s ahead of the centre's clock, measured to within 120 us; "
			"the node's is not synchronised: let chronyd keep it"},
		{-2500013, 120, &right, &free_,
			"2.500 s behind the centre's clock, measured to within 120 us; "
			"the centre's own is not synchronised and may be the wrong one: let chronyd keep it"},
		{3 * 3600 * S, 1000, &free_, &free_,
			"3.0 hours ahead of the centre's clock, measured to within 1.0 ms; "
			"neither clock is synchronised: let chronyd keep both"},
		{10 * S, 1000, &vague, &vague,
			"10.000 s ahead of the centre's clock, measured to within 1.0 ms; "
			"both say they are synchronised: do they follow the same time?"},
		{10 * S, 1000, &not_told, &right,
			"10.000 s ahead of the centre's clock, measured to within 1.0 ms; see that chronyd "
			"keeps both"},
		{-3653 * DAY, 1000, &right, &right,
			"3653.0 days behind the centre's clock, measured to within 1.0 ms; yet the node "
			"claims to "
			"be right to within 900 us, the centre to within 900 us: do both follow the same "
			"time?"},
		{20000, 100, &right, &serves,
			"20.0 ms ahead of the centre's clock, measured to within 100 us; yet the node claims "
			"to "
			"be right to within 900 us: the centre serves its own time: does the node follow "
			"that?"},
	};
	struct reason got;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct offset_reading r = {.offset_us = rows[i].offset_us, .error_us = rows[i].error_us};
		offset_describe(&r, rows[i].node, rows[i].centre, &got);
		assert_string_equal(got.text, rows[i].words);
	}
	offset_describe(NULL, &free_, &free_, &got);
	assert_string_equal(got.text, "not measured yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_known_before_the_first),
		cmocka_unit_test(the_truth_lies_within_the_error),
		cmocka_unit_test(the_quickest_of_eight_counts),
		cmocka_unit_test(a_burst_takes_one_place),
		cmocka_unit_test(an_old_measure_gives_way_to_a_slower_one),
		cmocka_unit_test(a_clock_that_was_set_is_seen_at_once),
		cmocka_unit_test(what_cannot_be_is_passed_over),
		cmocka_unit_test(skewed_is_beyond_the_error_and_the_threshold),
		cmocka_unit_test(a_claim_that_the_measure_contradicts),
		cmocka_unit_test(says_it_in_words),
	};
	return cmocka_run_group_tests_name("offset", tests, NULL, NULL);
}
