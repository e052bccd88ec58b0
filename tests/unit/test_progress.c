/* progress: the line in each of its kinds, and when it is shown where there is no terminal. */
#include "shared/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t now_us;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void)
{
	return now_us;
}

#define BOTH (PROGRESS_RECORDS | PROGRESS_BYTES)

static const struct {
	struct progress_point at;
	double seconds;
	const char *line;
} rows[] = {
	/* both, as of a file */
	{{"f", BOTH, 0, 0, 0}, 0, "f: 0 records, 0 B"},
	{{"f", BOTH, 1000, 999, 0}, 2, "f: 1000 records, 999 B, 500 records/s"},
	{{"f", BOTH, 50, 1500, 6000}, 1,
		"[#####...............] f: 50 records, 1.5 KB of 6.0 KB (25 %), 50 records/s, 0:03 left"},
	{{"f", BOTH, 50, 1500000, 1500000}, 1,
		"[####################] f: 50 records, 1.5 MB of 1.5 MB (100 %), 50 records/s, 0:00 left"},
	{{"f", BOTH, 1, 1, 1000000}, 10,
		"[....................] f: 1 records, 1 B of 1.0 MB (0 %), 0 records/s, 99:59:59 left"},
	{{"f", BOTH, 1, 1000000000, 5000000000}, 900,
		"[####................] f: 1 records, 1.0 GB of 5.0 GB (20 %), 0 records/s, 1:00:00 left"},
	/* the file has grown */
	{{"f", BOTH, 7, 20, 10}, 1, "[####################] f: 7 records, 20 B of 10 B (200 %), 7 records/s"},
	/* records alone, as of a node */
	{{"a catching_up", PROGRESS_RECORDS, 0, 0, 0}, 5, "a catching_up: 0 records, 0 records/s"},
	{{"a catching_up", PROGRESS_RECORDS, 300, 0, 1000}, 3,
		"[######..............] a catching_up: 300 of 1000 records (30 %), 100 records/s, 0:07 left"},
	{{"a catching_up", PROGRESS_RECORDS, 999, 0, 1000}, 0,
		"[###################.] a catching_up: 999 of 1000 records (99 %)"},
	/* bytes alone, as of a copy */
	{{"c.db", PROGRESS_BYTES, 0, 2000000, 4000000}, 2,
		"[##########..........] c.db: 2.0 MB of 4.0 MB (50 %), 1.0 MB/s, 0:02 left"},
	{{"c.db", PROGRESS_BYTES, 0, 2000000000000000, 0}, 1, "c.db: 2000.0 TB, 2000.0 TB/s"},
	/* nothing but words */
	{{"a offline: no answer", 0, 0, 0, 0}, 60, "a offline: no answer"},
	/* no rate out of a moment */
	{{"f", BOTH, 50, 1500, 6000}, 0.1, "[#####...............] f: 50 records, 1.5 KB of 6.0 KB (25 %)"},
};

static void in_one_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf line = {0};

		progress_line(&line, &rows[i].at, rows[i].seconds);
		assert_string_equal(line.at, rows[i].line);
		buf_done(&line);
	}
}

/* What 31 seconds of work say on a standard error that is a file. */
static void watch(bool quiet, char *said, size_t size)
{
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	struct progress p;

	assert_non_null(file);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	now_us = 5000000;
	progress_begin(&p, quiet);
	for (uint64_t tenth = 1; tenth <= 310; tenth++) {
		now_us += 100000;
		progress_move(&p, &(struct progress_point){"f", PROGRESS_RECORDS, tenth, 0, 400});
	}
	double seconds = progress_end(&p);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	assert_true(seconds > 30.9 && seconds < 31.1);
	rewind(file);
	said[fread(said, 1, size - 1, file)] = 0;
	fclose(file);
}

static void elsewhere_a_line_every_ten_seconds(void **state)
{
	char said[1000];

	(void)state;
	watch(false, said, sizeof said);
	assert_string_equal(said,
		"[#####...............] f: 100 of 400 records (25 %), 10 records/s, 0:30 left\n"
		"[##########..........] f: 200 of 400 records (50 %), 10 records/s, 0:20 left\n"
		"[###############.....] f: 300 of 400 records (75 %), 10 records/s, 0:10 left\n");
	watch(true, said, sizeof said);
	assert_string_equal(said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_one_line),
		cmocka_unit_test(elsewhere_a_line_every_ten_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
