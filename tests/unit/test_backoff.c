#include "shared/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Draws often enough that both ends of the range are met within a tenth. */
static void check(unsigned failures, int64_t base, int64_t least, int64_t most)
{
	int64_t low = INT64_MAX, high = 0;
	for (int i = 0; i < 500; i++) {
		int64_t ms = backoff_ms(failures, base);
		assert_true(ms >= least && ms <= most);
		low = ms < low ? ms : low;
		high = ms > high ? ms : high;
	}
	assert_true(low <= least + (most - least) / 10);
	assert_true(high >= most - (most - least) / 10);
}

static void doubles_with_jitter_up_to_the_cap(void **state)
{
	(void)state;
	check(1, 1000, 500, 2000);
	check(2, 1000, 500, 4000);
	check(5, 1000, 500, 32000);
	check(6, 1000, 500, BACKOFF_CAP_MS);
	check(4000000000, 1000, 500, BACKOFF_CAP_MS);
	check(1, 1, 0, 2);
}

static void a_base_over_the_cap_is_capped(void **state)
{
	(void)state;
	check(1, BACKOFF_CAP_MS, BACKOFF_CAP_MS / 2, BACKOFF_CAP_MS);
	check(1, 10 * BACKOFF_CAP_MS, BACKOFF_CAP_MS, BACKOFF_CAP_MS);
	check(3, INT64_MAX, BACKOFF_CAP_MS, BACKOFF_CAP_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_with_jitter_up_to_the_cap),
		cmocka_unit_test(a_base_over_the_cap_is_capped),
	};
	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
