#include "shared/clock.h"
#include "shared/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char line[8192];
static int writes;

/* Linked with --wrap=write: the log's one call is seen here; everything else passes through. */
ssize_t __real_write(int fd, const void *at, size_t len);
ssize_t __wrap_write(int fd, const void *at, size_t len);
ssize_t __wrap_write(int fd, const void *at, size_t len)
{
	if (fd != STDERR_FILENO)
		return __real_write(fd, at, len);
	assert_true(len < sizeof line);
	memcpy(line, at, len);
	line[len] = '\0';
	writes++;
	return (ssize_t)len;
}

static int setup(void **state)
{
	(void)state;
	writes = 0;
	line[0] = '\0';
	return 0;
}

/* The line without its time, which must be one. */
static const char *after_time(const char *head)
{
	size_t n = strlen(head), len = strlen("2026-11-21T01:02:03.000004Z");
	assert_memory_equal(line, head, n);
	assert_true(clock_parse(line + n, len) > 0);
	assert_int_equal(writes, 1);
	return line + n + len;
}

static void writes_one_line(void **state)
{
	(void)state;
	log_init(LOG_INFO, 0);
	log_event(LOG_INFO, "node.state", "node", "site-a", "n", LOG_I64(-42), NULL);
	assert_string_equal(after_time("ts="), " info node.state node=site-a n=-42\n");
}

static void quotes_and_escapes(void **state)
{
	(void)state;
	log_init(LOG_INFO, 0);
	log_event(LOG_WARN, "x", "empty", "", "blank", "a b", "equals", "a=b", "quote", "a\"b\\", "lines",
		"a\nb\r\tc", "bell", "\a\x1b[31m", "c1",
		"\xc2\x9b"
		"1m",
		"bad",
		"\xff"
		"a\xc3",
		"good", "\xc3\xa9\xe2\x82\xac", "del", "\x7f", NULL);
	assert_string_equal(after_time("ts="),
		" warn x empty=\"\" blank=\"a b\" equals=\"a=b\" quote=\"a\\\"b\\\\\" lines=\"a\\nb\\r\\tc\""
		" bell=\"\\u0007\\u001b[31m\" c1=\"\\u009b1m\" bad=\"\\ufffda\\ufffd\" "
		"good=\xc3\xa9\xe2\x82\xac del=\"\\u007f\"\n");
}

static void writes_json(void **state)
{
	(void)state;
	log_init(LOG_DEBUG, 1);
	log_event(LOG_DEBUG, "x", "a", "1", "b", "c \"d\"\n", NULL);
	assert_string_equal(after_time("{\"ts\":\""),
		"\",\"level\":\"debug\",\"event\":\"x\",\"a\":\"1\",\"b\":\"c \\\"d\\\"\\n\"}\n");
}

static void cuts_long_values(void **state)
{
	(void)state;
	static char value[10000];
	memset(value, 'v', sizeof value - 1);
	log_init(LOG_INFO, 0);
	log_event(LOG_INFO, "x", "a", value, "b", "c", NULL);
	assert_true(strlen(line) < 2200);
	assert_non_null(strstr(line, "vvv b=c\n"));
}

static void keeps_quiet_below_its_level(void **state)
{
	(void)state;
	log_init(LOG_WARN, 0);
	log_event(LOG_INFO, "x", NULL);
	log_event(LOG_DEBUG, "x", NULL);
	assert_int_equal(writes, 0);
	log_event(LOG_ERROR, "x", NULL);
	assert_string_equal(after_time("ts="), " error x\n");
}

static void knows_its_levels(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_ERROR);
	assert_int_equal(log_level_parse("warn"), LOG_WARN);
	assert_int_equal(log_level_parse("info"), LOG_INFO);
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(writes_one_line, setup),
		cmocka_unit_test_setup(quotes_and_escapes, setup),
		cmocka_unit_test_setup(writes_json, setup),
		cmocka_unit_test_setup(cuts_long_values, setup),
		cmocka_unit_test_setup(keeps_quiet_below_its_level, setup),
		cmocka_unit_test(knows_its_levels),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
