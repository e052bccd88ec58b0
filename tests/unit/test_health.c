/* When the centre's own store counts as failing, and who may try it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "central/health.h"

#include <cmocka.h>

#define NOW INT64_C(1000000000)

static const struct reason away = {"connection refused"}, full = {REASON_DISK_FULL};

static void test_one_at_a_time_tries_a_store_that_is_lost(void **state)
{
	struct health h = {0};
	int64_t retry_us = 0, now = NOW;
	unsigned tries = 0;

	(void)state;
	assert_true(health_may_ask(&h, now, &retry_us));
	assert_true(health_may_ask(&h, now, &retry_us));
	health_read(&h, false, &away, now);
	for (unsigned i = 0; i < 1000; i++, now += 10000) { /* ten seconds of a hundred who want to */
		if (!health_may_ask(&h, now, &retry_us)) {
			assert_in_range(retry_us - now, 1, HEALTH_RETRY_MOST_MS * 1000);
			continue;
		}
		assert_false(health_may_ask(&h, now, &retry_us));
		health_read(&h, false, &away, now);
		tries++;
	}
	assert_in_range(tries, 1, 40);
	assert_string_equal(h.why.text, "connection refused");
	health_read(&h, true, NULL, now);
	assert_true(health_may_ask(&h, now, &retry_us));
	assert_true(health_may_ask(&h, now, &retry_us));
}

static void test_it_is_told_once_however_many_suffer(void **state)
{
	struct health h = {0};

	(void)state;
	assert_false(health_changed(&h));
	health_refused(&h, &full);
	assert_true(health_changed(&h));
	assert_true(h.failed);
	health_refused(&h, &full);
	health_untold(&h, &full);
	health_read(&h, false, &away, NOW);
	assert_false(health_changed(&h));
	health_read(&h, true, NULL, NOW); /* it can be read; but is it well? */
	health_taken(&h);
	assert_false(health_changed(&h));
	health_told(&h);
	assert_false(health_changed(&h));
	health_taken(&h);
	assert_true(health_changed(&h));
	assert_false(h.failed);
}

/* While it takes no writes the workers do not wait for it with one node's words after another's. */
static void test_one_at_a_time_tries_to_tell(void **state)
{
	struct health h = {0};
	int64_t now = NOW;
	unsigned tries = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(health_may_tell(&h, now));
	health_tried_to_tell(&h, false, now);
	for (unsigned i = 0; i < 1000; i++, now += 10000) {
		if (!health_may_tell(&h, now))
			continue;
		assert_false(health_may_tell(&h, now)); /* while the first one is at it */
		health_tried_to_tell(&h, false, now);
		tries++;
	}
	assert_in_range(tries, 2, 40);
	now += INT64_C(1000) * HEALTH_RETRY_MOST_MS + 1;
	assert_true(health_may_tell(&h, now));
	health_tried_to_tell(&h, true, now);
	for (int i = 0; i < 100; i++)
		assert_true(health_may_tell(&h, now));
}

static void test_what_concerns_the_whole_store(void **state)
{
	(void)state;
	assert_true(health_concerns(RETRY));
	assert_true(health_concerns(UNCERTAIN));
	assert_true(health_concerns(DENIED)); /* read-only */
	assert_false(health_concerns(OK));
	assert_false(health_concerns(INTERNAL));
	assert_false(health_concerns(INVALID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time_tries_a_store_that_is_lost),
		cmocka_unit_test(test_one_at_a_time_tries_to_tell),
		cmocka_unit_test(test_it_is_told_once_however_many_suffer),
		cmocka_unit_test(test_what_concerns_the_whole_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
