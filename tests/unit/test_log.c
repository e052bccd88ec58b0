#include "shared/clock.h"
#include "shared/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The journal's own stream, by its device and inode; not another, as after `2>file` within a unit. */
static void a_line_for_the_journal_begins_with_its_priority(void **state)
{
	static const struct {
		enum log_level level;
		const char *begins;
	} rows[] = {{LOG_ERROR, "<3>ts="}, {LOG_WARN, "<4>ts="}, {LOG_INFO, "<6>ts="}, {LOG_DEBUG, "<7>ts="}};
	struct stat st;
	char stream[64];
	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init(LOG_DEBUG, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		log_event(rows[i].level, "x", NULL);
		assert_memory_equal(line, rows[i].begins, strlen(rows[i].begins));
	}
	log_init(LOG_DEBUG, 1);
	log_event(LOG_INFO, "x", NULL);
	assert_memory_equal(line, "<6>{", 4);
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init(LOG_DEBUG, 0);
	log_event(LOG_INFO, "x", NULL);
	assert_memory_equal(line, "ts=", 3);
	unsetenv("JOURNAL_STREAM");
	log_init(LOG_INFO, 0);
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
		cmocka_unit_test_setup(a_line_for_the_journal_begins_with_its_priority, setup),
		cmocka_unit_test(knows_its_levels),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
