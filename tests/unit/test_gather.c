/* How long a small answer waits for others: not at all where few come, and never for long. */
#include "central/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* So many nodes write evenly for a while, each answer `took_us` after its request; how long would the last one wait? */
static int64_t wait_at(struct gather *g, unsigned per_s, int64_t took_us)
{
	static int64_t now;

	for (unsigned i = 0; i < 10 * per_s; i++) {
		now += SECOND / per_s;
		gather_note(g, now, took_us);
	}
	return gather_wait_us(g);
}

static void test_who_comes_alone_does_not_wait(void **state)
{
	struct gather g = {0};

	(void)state;
	assert_int_equal(gather_wait_us(&g), 0);
	for (unsigned per_s = 1; per_s < 100; per_s *= 3)
		assert_int_equal(wait_at(&g, per_s, SECOND), 0);
}

static void test_the_more_come_the_longer_they_wait(void **state)
{
	struct gather g = {0};
	int64_t before = 0;

	(void)state;
	for (unsigned per_s = 150; per_s < 1000; per_s += 150) {
		int64_t now = wait_at(&g, per_s, SECOND);

		assert_true(now > before && now < GATHER_MOST_US);
		before = now;
	}
	assert_int_equal(wait_at(&g, 1100, SECOND), GATHER_MOST_US);
	assert_int_equal(wait_at(&g, 20000, SECOND), GATHER_MOST_US);
}

/* One node, or a few, whose every request is answered at once, since they write all the time. */
static void test_a_few_busy_nodes_do_not_wait_for_nobody(void **state)
{
	struct gather g = {0};

	(void)state;
	assert_int_equal(wait_at(&g, 1000, 1000), 0);
	assert_int_equal(wait_at(&g, 4000, 2000), 0);
	assert_true(wait_at(&g, 4000, 50000) > 0); /* two hundred of them */
}

static void test_what_was_long_ago_is_forgotten(void **state)
{
	struct gather g = {0};

	(void)state;
	gather_note(&g, 1, SECOND);
	for (unsigned i = 0; i < 5000; i++)
		gather_note(&g, SECOND, SECOND);
	assert_int_equal(gather_wait_us(&g), GATHER_MOST_US);
	gather_note(&g, 6 * SECOND, SECOND);
	assert_int_equal(gather_wait_us(&g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_comes_alone_does_not_wait),
		cmocka_unit_test(test_the_more_come_the_longer_they_wait),
		cmocka_unit_test(test_a_few_busy_nodes_do_not_wait_for_nobody),
		cmocka_unit_test(test_what_was_long_ago_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
