#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/entropy.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <cmocka.h>

/* What the kernel says in the tests below: linked with --wrap=ntp_adjtime. */
static struct timex kernel;
static int kernel_result;
int __wrap_ntp_adjtime(struct timex *t);
int __wrap_ntp_adjtime(struct timex *t)
{
	assert_int_equal(t->modes, 0);
	*t = kernel;
	return kernel_result;
}

/* So much later than it is: linked with --wrap=clock_gettime. */
static time_t later_s;
int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = __real_clock_gettime(id, ret);
	ret->tv_sec += later_s;
	return r;
}

static void error_is_the_kernels_bound(void **state)
{
	(void)state;
	kernel = (struct timex){.maxerror = 1234};
	kernel_result = TIME_OK;
	assert_int_equal(clock_error_us(), 1234);
	kernel.status = STA_UNSYNC;
	kernel_result = TIME_ERROR;
	assert_int_equal(clock_error_us(), 1234);
	kernel.maxerror = 15999999;
	assert_int_equal(clock_error_us(), 15999999);
	kernel.maxerror = 16000000;
	assert_int_equal(clock_error_us(), -1);
	kernel.maxerror = 10;
	kernel_result = -1;
	assert_int_equal(clock_error_us(), -1);
}

/* What the keeper tells goes first, grows, and can be taken back. */
static void error_is_what_was_told(void **state)
{
	(void)state;
	kernel = (struct timex){.maxerror = 1234};
	kernel_result = TIME_OK;
	clock_tell_error_us(70);
	assert_in_range(clock_error_us(), 70, 75);
	clock_tell_error_us(16000000);
	assert_int_equal(clock_error_us(), 1234);
	clock_tell_error_us(0);
	assert_in_range(clock_error_us(), 0, 5);
	clock_tell_error_us(-1);
	assert_int_equal(clock_error_us(), 1234);
}

static void told_error_grows_and_expires(void **state)
{
	(void)state;
	kernel = (struct timex){.maxerror = 1234};
	kernel_result = TIME_OK;
	clock_tell_error_us(70);
	later_s = 40;
	assert_in_range(clock_error_us(), 670, 675); /* 15 ppm */
	later_s = 61;
	assert_int_equal(clock_error_us(), 1234);
	later_s = 0;
	clock_tell_error_us(-1);
}

static void clocks_tell_time(void **state)
{
	(void)state;
	int64_t wall = clock_wall_us(), mono = clock_mono_us();
	assert_true(wall / 1000000 - (int64_t)time(NULL) <= 1 && (int64_t)time(NULL) - wall / 1000000 <= 1);
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_mono_us();
		assert_true(now >= mono);
		mono = now;
	}
}

static void parses_times(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t us;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.000001Z", 1},
		{"2026-11-21T01:02:03.000004Z", 1795222923000004},
		{"2026-11-21t01:02:03z", 1795222923000000},
		{"2026-11-21T01:02:03.5Z", 1795222923500000},
		{"2026-11-21T01:02:03.123456789Z", 1795222923123456},
		{"2026-11-21T03:02:03+02:00", 1795222923000000},
		{"2026-11-20T20:32:03-04:30", 1795222923000000},
		{"2000-02-29T00:00:00Z", 951782400000000},
		{"2016-12-31T23:59:60Z", 1483228800000000},
		{"9999-12-31T23:59:59.999999Z", 253402300799999999},
		{"1969-12-31T23:59:59Z", -1},
		{"1970-01-01T00:00:00+00:01", -1},
		{"", -1},
		{"2026", -1},
		{"2026-11-21", -1},
		{"2026-11-21T01:02Z", -1},
		{"2026-11-21T01:02:03", -1},
		{"2026-11-21 01:02:03Z", -1},
		{"2026-11-21T01:02:03.Z", -1},
		{"2026-11-21T01:02:03.1234567890Z", -1},
		{"2026-11-21T01:02:03Zx", -1},
		{"2026-11-21T01:02:03+0200", -1},
		{"2026-11-21T01:02:03+24:00", -1},
		{"2026-11-21T24:00:00Z", -1},
		{"2026-11-21T01:60:00Z", -1},
		{"2026-11-21T01:02:61Z", -1},
		{"2026-13-01T01:02:03Z", -1},
		{"2026-00-01T01:02:03Z", -1},
		{"2026-11-31T01:02:03Z", -1},
		{"2026-11-00T01:02:03Z", -1},
		{"2026-02-29T01:02:03Z", -1},
		{"1900-02-29T01:02:03Z", -1},
		{"2100-02-29T01:02:03Z", -1},
		{"+026-11-21T01:02:03Z", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t us = clock_parse(rows[i].text, strlen(rows[i].text));
		if (us != rows[i].us)
			fail_msg("%s: %lld", rows[i].text, (long long)us);
	}
}

static void reads_back_what_buf_time_writes(void **state)
{
	(void)state;
	struct buf b = {0};
	/* A step that meets every hour, weekday and month: a bit over ten days. */
	for (int64_t us = 0; us < INT64_C(253402300800000000); us += INT64_C(876543210987)) {
		buf_clear(&b);
		buf_time(&b, us);
		assert_true(clock_parse(b.at, b.len) == us);
	}
	buf_done(&b);
}

static void chance_stays_below_its_bound(void **state)
{
	(void)state;
	int seen[5] = {0};
	for (int i = 0; i < 5000; i++) {
		uint64_t n = entropy_below(5);
		assert_true(n < 5);
		seen[n]++;
	}
	/* A thousand each with a deviation of 28: ten of those never happen. */
	for (int i = 0; i < 5; i++)
		assert_in_range(seen[i], 720, 1280);
	assert_true(entropy_below(1) == 0);
	for (int i = 0; i < 100; i++)
		assert_true(entropy_below(UINT64_C(1) << 63 | 1) <= UINT64_C(1) << 63);
}

static void ids_are_well_formed(void **state)
{
	(void)state;
	char a[33], b[33];
	entropy_hex(a);
	entropy_hex(b);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_int_equal(strlen(a), 32);
	assert_string_not_equal(a, b);

	char uuid[37], hex[13] = "";
	int64_t before = clock_wall_us() / 1000;
	struct uuid7 last = {0};
	entropy_uuid7(&last, uuid);
	assert_int_equal(strlen(uuid), 36);
	for (int i = 0; i < 36; i++)
		assert_int_equal(uuid[i] == '-', i == 8 || i == 13 || i == 18 || i == 23);
	assert_int_equal(uuid[14], '7');
	assert_non_null(strchr("89ab", uuid[19]));
	memcpy(hex, uuid, 8);
	memcpy(hex + 8, uuid + 9, 4);
	int64_t ms = strtoll(hex, NULL, 16);
	assert_true(ms >= before && ms <= clock_wall_us() / 1000);
}

/* Those of one millisecond, of which a quick writer makes many, stand in the order in which they were made; none can be told from the one before. */
static void ids_of_a_moment_rise_by_chance(void **state)
{
	enum { N = 20000, ALIKE = 28 }; /* up to the last 32 bits */
	struct uuid7 last = {0}, other = {0};
	char before[37], id[37], stranger[37];
	unsigned together = 0, near = 0, odd_steps = 0;
	uint64_t step = 0;

	(void)state;
	entropy_uuid7(&last, before);
	for (int i = 0; i < N; i++) {
		struct uuid7 was = last;
		entropy_uuid7(&last, id);
		entropy_uuid7(&other, stranger);
		assert_string_not_equal(id, stranger);
		assert_int_equal(id[14], '7');
		assert_non_null(strchr("89ab", id[19]));
		if (was.ms == last.ms) {
			together++;
			assert_true(strcmp(before, id) < 0);
			near += memcmp(before, id, ALIKE - 2) == 0;
			odd_steps += last.low - was.low != step;
			step = last.low - was.low;
		}
		memcpy(before, id, sizeof before);
	}
	assert_true(together > N / 2);
	assert_true(near > together / 2);
	assert_true(odd_steps > together / 2);
}

/* At the end of what a millisecond has: another one is drawn, and is as well formed. */
static void ids_do_not_run_over(void **state)
{
	char id[37];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct uuid7 last = {.ms = (uint64_t)clock_wall_us() / 1000,
			.high = 0xfff,
			.low = (UINT64_C(1) << 62) - 1};
		entropy_uuid7(&last, id);
		assert_int_equal(strlen(id), 36);
		assert_int_equal(id[14], '7');
		assert_non_null(strchr("89ab", id[19]));
		assert_true(last.high <= 0xfff && last.low < UINT64_C(1) << 62);
	}
}

#define IDS 1000
#define THREADS 3

static void *take_ids(void *at)
{
	char(*ids)[33] = at;
	for (unsigned i = 0; i < IDS; i++)
		entropy_hex(ids[i]);
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The kernel is asked for many at a time, by each thread. */
static void no_two_ids_are_equal(void **state)
{
	static char ids[THREADS * IDS][33];
	pthread_t threads[THREADS];
	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_ids, ids[i * IDS]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	qsort(ids, THREADS * IDS, sizeof *ids, by_text);
	for (unsigned i = 0; i + 1 < THREADS * IDS; i++)
		assert_true(strlen(ids[i]) == 32 && strncmp(ids[i], ids[i + 1], 16) != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_is_the_kernels_bound),
		cmocka_unit_test(error_is_what_was_told),
		cmocka_unit_test(told_error_grows_and_expires),
		cmocka_unit_test(clocks_tell_time),
		cmocka_unit_test(parses_times),
		cmocka_unit_test(reads_back_what_buf_time_writes),
		cmocka_unit_test(chance_stays_below_its_bound),
		cmocka_unit_test(ids_are_well_formed),
		cmocka_unit_test(ids_of_a_moment_rise_by_chance),
		cmocka_unit_test(ids_do_not_run_over),
		cmocka_unit_test(no_two_ids_are_equal),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
