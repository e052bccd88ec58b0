#include "central/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)
static struct throttle t;

static int begin(void **state)
{
	(void)state;
	t = (struct throttle){.totals = {0}};
	return 0;
}

static void fail_at(enum throttle_kind k, const char *peer, int64_t at_us)
{
	throttle_failed(&t, k, peer, "GET /", at_us);
}

/* Ten within a minute, and one more when the first of them is a minute ago; never more than ten in any minute. */
static void so_many_within_the_window(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(throttle_wait_us(&t, THROTTLE_SIGN_IN, "192.0.2.1", i * S), 0);
		fail_at(THROTTLE_SIGN_IN, "192.0.2.1", i * S);
	}
	assert_int_equal(throttle_wait_us(&t, THROTTLE_SIGN_IN, "192.0.2.1", 10 * S), 50 * S);
	assert_int_equal(throttle_wait_us(&t, THROTTLE_SIGN_IN, "192.0.2.1", 60 * S - 1), 1);
	assert_int_equal(throttle_wait_us(&t, THROTTLE_SIGN_IN, "192.0.2.1", 60 * S), 0);
	fail_at(THROTTLE_SIGN_IN, "192.0.2.1", 60 * S);
	assert_int_equal(throttle_wait_us(&t, THROTTLE_SIGN_IN, "192.0.2.1", 60 * S), S);
	assert_int_equal(throttle_wait_us(&t, THROTTLE_SIGN_IN, "192.0.2.2", 60 * S), 0);
	assert_int_equal(throttle_wait_us(&t, THROTTLE_BEARER, "192.0.2.1", 60 * S), 0);
}

/* However many there were: the count does not wrap into a hole. */
static void it_holds_for_ever(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		fail_at(THROTTLE_BEARER, "192.0.2.1", i);
		int64_t wait_us = throttle_wait_us(&t, THROTTLE_BEARER, "192.0.2.1", i);
		assert_int_equal(wait_us, i < 19 ? 0 : 10 * S - 19);
	}
	assert_int_equal(t.totals[THROTTLE_BEARER], 1000);
}

static void a_network_of_ipv6_is_one_address(void **state)
{
	(void)state;
	char peer[64];
	for (int i = 0; i < 10; i++) {
		snprintf(peer, sizeof peer, "2001:db8:0:1::%x", i + 1);
		fail_at(THROTTLE_SIGN_IN, peer, 0);
	}
	assert_true(throttle_wait_us(&t, THROTTLE_SIGN_IN, "2001:db8:0:1:ffff::9", 0) > 0);
	assert_int_equal(throttle_wait_us(&t, THROTTLE_SIGN_IN, "2001:db8:0:2::1", 0), 0);
	struct throttle_report r;
	assert_true(throttle_take(&t, 0, &r));
	assert_string_equal(r.peer, "2001:db8:0:1::/64");
}

/* A full table makes room for the newest at the cost of the one that failed longest ago. */
static void the_table_is_bounded(void **state)
{
	(void)state;
	char peer[64];
	for (int i = 0; i < THROTTLE_ADDRESSES; i++) {
		snprintf(peer, sizeof peer, "10.0.%d.%d", i / 250, i % 250);
		for (int k = 0; k < 10; k++)
			fail_at(THROTTLE_SIGN_IN, peer, i);
	}
	fail_at(THROTTLE_SIGN_IN, "10.0.0.0", 1000); /* the first one failed last */
	fail_at(THROTTLE_SIGN_IN, "192.0.2.1", 1001);
	assert_true(throttle_wait_us(&t, THROTTLE_SIGN_IN, "10.0.0.0", 1001) > 0);
	assert_int_equal(throttle_wait_us(&t, THROTTLE_SIGN_IN, "10.0.0.1", 1001), 0);
	assert_true(throttle_wait_us(&t, THROTTLE_SIGN_IN, "10.0.0.2", 1001) > 0);
	assert_int_equal(t.totals[THROTTLE_SIGN_IN], 10 * THROTTLE_ADDRESSES + 2);
}

static void an_address_is_told_of_once_a_minute(void **state)
{
	(void)state;
	struct throttle_report r;
	assert_false(throttle_take(&t, 0, &r));
	throttle_failed(&t, THROTTLE_BEARER, "192.0.2.1", "GET /v1/status", 0);
	throttle_failed(&t, THROTTLE_COOKIE, "192.0.2.2", "GET /v1/nodes", 0);
	assert_true(throttle_take(&t, 0, &r));
	assert_string_equal(r.peer, "192.0.2.1");
	assert_string_equal(r.tried, "GET /v1/status");
	assert_int_equal(r.failures, 1);
	assert_true(throttle_take(&t, 0, &r));
	assert_string_equal(r.peer, "192.0.2.2");
	for (int i = 0; i < 70; i++)
		throttle_failed(&t, THROTTLE_BEARER, "192.0.2.1", i == 69 ? "the last" : "one of many", i);
	assert_false(throttle_take(&t, THROTTLE_TELL_US - 1, &r));
	assert_true(throttle_take(&t, THROTTLE_TELL_US, &r));
	assert_int_equal(r.failures, 70);
	assert_string_equal(r.tried, "the last");
	assert_false(throttle_take(&t, 10 * THROTTLE_TELL_US, &r));
}

/* Who fails from ever new addresses fills neither the log nor the events, and keeps nobody at telling: yet no failure is untold. */
static void what_is_told_is_bounded_whatever_the_addresses(void **state)
{
	(void)state;
	enum { MANY = 5000 };
	char peer[64];
	struct throttle_report r;
	uint64_t told = 0;
	unsigned tells = 0;
	for (int i = 0; i < MANY; i++) {
		snprintf(peer, sizeof peer, "10.0.%d.%d", i / 250, i % 250);
		throttle_failed(&t, THROTTLE_BEARER, peer, "GET /v1/status", i);
		for (; throttle_take(&t, i, &r); tells++)
			told += r.failures;
	}
	assert_in_range(tells, THROTTLE_TELLS, THROTTLE_TELLS + 1);
	assert_true(throttle_take(&t, MANY + THROTTLE_TELL_US, &r));
	assert_string_equal(r.peer, THROTTLE_OTHERS);
	assert_string_equal(r.tried, "GET /v1/status");
	assert_true(r.failures > MANY - 2 * THROTTLE_ADDRESSES);
	told += r.failures;
	for (int64_t minute = 1; minute <= THROTTLE_ADDRESSES / THROTTLE_TELLS + 1; minute++)
		while (throttle_take(&t, MANY + minute * THROTTLE_TELL_US, &r))
			told += r.failures;
	assert_int_equal(told, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(so_many_within_the_window, begin),
		cmocka_unit_test_setup(it_holds_for_ever, begin),
		cmocka_unit_test_setup(a_network_of_ipv6_is_one_address, begin),
		cmocka_unit_test_setup(the_table_is_bounded, begin),
		cmocka_unit_test_setup(an_address_is_told_of_once_a_minute, begin),
		cmocka_unit_test_setup(what_is_told_is_bounded_whatever_the_addresses, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
