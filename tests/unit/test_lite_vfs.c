/* SQLite's way to its files: in few calls, and with all that others write or the disk refuses. */
#include <limits.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/lite.h" /* before cmocka.h, which makes fail a macro */
#include "tests/support/lite_under.h"

#include <cmocka.h>

#define ROWS 2000
#define BODY 300
#define TIMES 10 /* more than a log takes before it is moved into the database */

/* --- databases --- */

enum { PUT, SUM };
static const char *const text[] = {
	"INSERT INTO t VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
	"SELECT v FROM t ORDER BY k",
};
static const char *const name[] = {"put", "all"};
static const struct statements queries = {text, name, 2};
static const char *const steps[] = {"CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL);"};
static const char *const step_names[] = {"one"};
static const struct statements migrations = {steps, step_names, 1};

static struct lite *open_it(const struct lite_place *p, bool writer)
{
	struct lite_config c = {
		.path = p->file, .writer = writer, .queries = &queries, .migrations = &migrations};
	struct lite *l = NULL;
	struct reason why = {""};

	if (lite_open(&l, &c, &why) != OK)
		fail_msg("%s", why.text);
	return l;
}

/* As whoever else has SQLite opens it. */
static sqlite3 *open_plainly(const struct lite_place *p)
{
	sqlite3 *db;

	assert_int_equal(
		sqlite3_open_v2(p->file, &db, SQLITE_OPEN_READWRITE, lite_under.system->zName), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	return db;
}

static void put(struct lite *l, int64_t k, char fill, size_t len)
{
	char v[2 * BODY];

	memset(v, fill, len);
	struct query q = query_begin(l, PUT);
	query_i64(q, 1, k);
	query_text(q, 2, (struct span){v, len});
	query_run(q);
}

static enum err put_many(struct lite *l, int64_t from, char fill)
{
	struct reason why;

	lite_begin(l);
	for (int64_t k = from; k < from + ROWS; k++)
		put(l, k, fill, BODY);
	return lite_commit(l, &why);
}

static uint64_t sum_of(uint64_t sum, const char *v, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)v[i];
	return sum + 1;
}

/* All rows, read one behind the other. */
static uint64_t read_all(struct lite *l)
{
	uint64_t sum = 0;
	struct reason why;

	lite_begin(l);
	struct query q = query_begin(l, SUM);
	while (query_step(q)) {
		struct span v = query_col_text(q, 0);
		sum = sum_of(sum, v.at, v.len);
	}
	query_done(q);
	assert_int_equal(lite_rollback(l, &why), OK);
	return sum;
}

static uint64_t read_plainly(sqlite3 *db)
{
	sqlite3_stmt *s;
	uint64_t sum = 0;

	assert_int_equal(sqlite3_prepare_v2(db, text[SUM], -1, &s, NULL), SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		sum = sum_of(
			sum, (const char *)sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0));
	assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
	return sum;
}

static void run(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

/* A page at a time it would be two calls for each. */
static void what_is_in_a_row_goes_by_few_calls(void **state)
{
	struct lite_place *p = *state;
	struct lite *l = open_it(p, true), *reader;
	sqlite3 *other = open_plainly(p);

	lite_under.log_writes = 0;
	lite_under.log_written = 0;
	for (int i = 0; i < TIMES; i++)
		assert_int_equal(put_many(l, i * ROWS, 'a'), OK);
	assert_true(lite_under.log_written > (size_t)TIMES * ROWS * BODY);
	assert_in_range(lite_under.log_writes, 1, lite_under.log_written / 20000);
	assert_int_equal(lite_under.unsynced, 0);
	reader = open_it(p, false);
	lite_under.reads = 0;
	assert_true(read_all(reader) == read_plainly(other));
	assert_in_range(lite_under.reads, 1, TIMES * ROWS * BODY / 20000);
	lite_close(reader);
	sqlite3_close(other);
	lite_close(l);
}

/* Whoever writes, whoever moves what was written into the database: all see the same. */
static void what_another_wrote_is_read(void **state)
{
	static const char *const moves[] = {"PRAGMA wal_checkpoint(PASSIVE)",
		"PRAGMA wal_checkpoint(TRUNCATE)", "UPDATE t SET v = upper(v) WHERE k % 7 = 0",
		"UPDATE t SET v = v || 'x' WHERE k % 50 = 3", "DELETE FROM t WHERE k % 11 = 5",
		"UPDATE t SET v = lower(v)", "VACUUM"};
	struct lite_place *p = *state;
	struct lite *l = open_it(p, true), *reader = open_it(p, false);
	sqlite3 *other = open_plainly(p);
	unsigned chance = 1;

	assert_int_equal(put_many(l, 0, 'a'), OK);
	for (int i = 0; i < 120; i++) {
		chance = chance * 1103515245 + 12345;
		if (chance >> 16 & 1)
			assert_int_equal(put_many(l, chance >> 17 & 1023, (char)('a' + i % 26)), OK);
		else
			run(other, moves[(chance >> 17) % (sizeof moves / sizeof moves[0])]);
		uint64_t sum = read_plainly(other);
		assert_true(read_all(reader) == sum);
		assert_true(read_all(l) == sum);
	}
	run(other, "PRAGMA integrity_check");
	lite_close(reader);
	sqlite3_close(other);
	lite_close(l);
}

/* What was gathered may find no room: that is told at the commit, and nothing of it is there afterwards. */
static void a_commit_that_cannot_be_written_is_told(void **state)
{
	static const int refusals[] = {SQLITE_FULL, SQLITE_IOERR_WRITE};
	struct lite_place *p = *state;
	struct lite *l = open_it(p, true);
	sqlite3 *other = open_plainly(p);

	assert_int_equal(put_many(l, 0, 'a'), OK);
	uint64_t before = read_plainly(other);
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct reason why;

		lite_under_refuse(refusals[i], SQLITE_OPEN_WAL, 0, UINT_MAX);
		lite_begin(l);
		put(l, 1, 'b', BODY);
		assert_int_not_equal(lite_commit(l, &why), OK);
		assert_int_not_equal(put_many(l, 0, 'c'), OK);
		lite_under_allow();
		assert_true(read_plainly(other) == before);
		assert_true(read_all(l) == before);
	}
	assert_int_equal(put_many(l, 0, 'd'), OK);
	assert_true(read_plainly(other) != before);
	assert_true(read_all(l) == read_plainly(other));
	sqlite3_close(other);
	lite_close(l);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, lite_under_place, lite_under_no_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_in_a_row_goes_by_few_calls),
		TEST(what_another_wrote_is_read),
		TEST(a_commit_that_cannot_be_written_is_told),
	};

	lite_under_begin(); /* before the first database is opened, which asks for what is the system's own */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
