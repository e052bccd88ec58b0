/* Rates, the histogram and the ring of polls. */
#include "central/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static void test_a_rate_counts_whole_seconds_and_forgets(void **state)
{
	struct rate r = {0};
	(void)state;
	rate_add(&r, 50, 1000 * S);
	assert_true(rate_per_s(&r, 1000 * S) == 0);    /* not over yet */
	assert_true(rate_per_s(&r, 1001 * S) == 50.0); /* the only one so far */
	rate_add(&r, 30, 1005 * S + 7);
	rate_add(&r, 20, 1005 * S + 9);
	assert_true(rate_per_s(&r, 1006 * S) == 100.0 / 6);
	assert_true(rate_per_s(&r, 1010 * S) == 100.0 / RATE_WINDOW_S);
	assert_true(rate_per_s(&r, 1011 * S) == 50.0 / RATE_WINDOW_S);
	assert_true(rate_per_s(&r, 1016 * S) == 0);
	rate_add(&r, 10, 5000 * S);
	assert_true(rate_per_s(&r, 5001 * S) == 10.0 / RATE_WINDOW_S);
}

static void test_a_pace_is_that_since_it_began_to_move(void **state)
{
	struct rate r = {0};
	(void)state;
	assert_true(rate_pace(&r, 1000 * S) == 0);
	rate_add(&r, 50, 1003 * S + S / 10);
	assert_true(rate_pace(&r, 1003 * S + S / 10) == 200); /* not 500: so short a time says little */
	assert_true(rate_pace(&r, 1003 * S + S / 2) == 100);
	rate_add(&r, 150, 1004 * S);
	assert_true(rate_pace(&r, 1005 * S) == 100);
	assert_true(rate_pace(&r, 1014 * S) == 15); /* what is older has left the window */
	assert_true(rate_pace(&r, 1015 * S) == 0);
}

static void test_buckets_hold_what_is_not_above_them(void **state)
{
	struct histogram h = {0};
	(void)state;
	histogram_add(&h, 0.001);
	histogram_add(&h, 0.0011);
	histogram_add(&h, 100);
	assert_int_equal(h.buckets[0], 1);
	assert_int_equal(h.buckets[1], 2);
	assert_int_equal(h.buckets[HISTOGRAM_BUCKETS - 1], 2);
	assert_int_equal(h.count, 3);
	for (int i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bounds[i] > histogram_bounds[i - 1]);
}

static void test_the_ring_keeps_the_last(void **state)
{
	struct history h = {.n = 0};
	(void)state;
	assert_int_equal(history_count(&h), 0);
	for (int i = 0; i < HISTORY_MAX + 5; i++)
		history_add(&h, (struct poll_seen){.at_us = i * S, .ms = i, .result = POLL_HTTP});
	assert_int_equal(history_count(&h), HISTORY_MAX);
	assert_int_equal(history_get(&h, 0).at_us, 5 * S);
	assert_int_equal(history_get(&h, HISTORY_MAX - 1).at_us, (HISTORY_MAX + 4) * S);
	assert_int_equal(history_get(&h, HISTORY_MAX - 1).ms, HISTORY_MAX + 4);
	assert_int_equal(history_get(&h, HISTORY_MAX - 1).result, POLL_HTTP);
	history_done(&h);
	assert_int_equal(history_count(&h), 0);
}

/* Also over the place where the lower half of the milliseconds begins anew, and where somebody sets the clock back. */
static void test_times_are_whole(void **state)
{
	const int64_t turn_us = (INT64_C(400) << 32) * 1000, days[] = {0, 8, -8, 0, 8};
	struct history h = {.n = 0};
	(void)state;
	for (size_t i = 0; i < sizeof days / sizeof *days; i++)
		history_add(&h, (struct poll_seen){.at_us = turn_us + days[i] * 86400 * S});
	for (unsigned i = 0; i < 5; i++)
		assert_true(history_get(&h, i).at_us == turn_us + days[i] * 86400 * S);
	/* what is too far away is forgotten */
	history_add(&h, (struct poll_seen){.at_us = turn_us + 9 * 86400 * S});
	assert_int_equal(history_count(&h), 1);
	assert_true(history_get(&h, 0).at_us == turn_us + 9 * 86400 * S);
	history_add(&h, (struct poll_seen){.at_us = turn_us});
	assert_int_equal(history_count(&h), 1);
	history_done(&h);
}

static void test_what_was_moved_has_a_place_while_something_was(void **state)
{
	struct history h = {.n = 0}, copy;
	(void)state;
	history_add(&h, (struct poll_seen){.at_us = S});
	assert_null(h.moved);
	history_add(&h, (struct poll_seen){.at_us = 2 * S, .pulled = 7, .pushed = 70000});
	assert_int_equal(history_get(&h, 0).pulled, 0);
	assert_int_equal(history_get(&h, 1).pulled, 7);
	assert_int_equal(history_get(&h, 1).pushed, UINT16_MAX); /* as much as fits */
	history_copy(&h, &copy);
	for (int i = 0; i < HISTORY_MAX; i++)
		history_add(&h, (struct poll_seen){.at_us = (3 + i) * S});
	assert_null(h.moved);
	assert_int_equal(history_get(&h, HISTORY_MAX - 1).pulled, 0);
	assert_int_equal(history_get(&copy, 1).pulled, 7);
	history_done(&copy);
	history_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_rate_counts_whole_seconds_and_forgets),
		cmocka_unit_test(test_a_pace_is_that_since_it_began_to_move),
		cmocka_unit_test(test_buckets_hold_what_is_not_above_them),
		cmocka_unit_test(test_the_ring_keeps_the_last),
		cmocka_unit_test(test_times_are_whole),
		cmocka_unit_test(test_what_was_moved_has_a_place_while_something_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
