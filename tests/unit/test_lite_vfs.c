/* SQLite's way to its files: in few calls, and with all that others write or the disk refuses. */
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

#include <cmocka.h>

#define ROWS 2000
#define BODY 300
#define TIMES 10 /* more than a log takes before it is moved into the database */

/* --- what lies under it: the system's own, that counts, and refuses when it is told to --- */

struct watched {
	sqlite3_file base;
	int flags;
};

static struct {
	sqlite3_vfs *system, counting;
	sqlite3_io_methods methods;
	unsigned reads, writes, syncs,
		unsynced; /* of databases and their logs; written since the last flush */
	size_t written;
	int refuses; /* what a write of a log is told instead */
} under;

static sqlite3_file *system_of(sqlite3_file *p)
{
	return (sqlite3_file *)(void *)((struct watched *)(void *)p + 1);
}

static int count_read(sqlite3_file *p, void *to, int n, sqlite3_int64 at)
{
	under.reads++;
	return system_of(p)->pMethods->xRead(system_of(p), to, n, at);
}

static int count_write(sqlite3_file *p, const void *from, int n, sqlite3_int64 at)
{
	under.writes++;
	under.unsynced++;
	under.written += (size_t)n;
	if (under.refuses && ((struct watched *)(void *)p)->flags & SQLITE_OPEN_WAL)
		return under.refuses;
	return system_of(p)->pMethods->xWrite(system_of(p), from, n, at);
}

static int count_sync(sqlite3_file *p, int flags)
{
	under.syncs++;
	under.unsynced = 0;
	return system_of(p)->pMethods->xSync(system_of(p), flags);
}

#define PASS(member, parameters, ...)                                             \
	static int pass_##member parameters                                       \
	{                                                                         \
		return system_of(p)->pMethods->member(system_of(p), __VA_ARGS__); \
	}
PASS(xTruncate, (sqlite3_file * p, sqlite3_int64 n), n)
PASS(xFileSize, (sqlite3_file * p, sqlite3_int64 *n), n)
PASS(xLock, (sqlite3_file * p, int l), l)
PASS(xUnlock, (sqlite3_file * p, int l), l)
PASS(xCheckReservedLock, (sqlite3_file * p, int *l), l)
PASS(xFileControl, (sqlite3_file * p, int op, void *arg), op, arg)
PASS(xShmMap, (sqlite3_file * p, int r, int n, int extend, void volatile **to), r, n, extend, to)
PASS(xShmLock, (sqlite3_file * p, int at, int n, int flags), at, n, flags)
PASS(xShmUnmap, (sqlite3_file * p, int del), del)

static int pass_xClose(sqlite3_file *p)
{
	return system_of(p)->pMethods->xClose(system_of(p));
}

static int pass_xSectorSize(sqlite3_file *p)
{
	return system_of(p)->pMethods->xSectorSize(system_of(p));
}

static int pass_xDeviceCharacteristics(sqlite3_file *p)
{
	return system_of(p)->pMethods->xDeviceCharacteristics(system_of(p));
}

static void pass_xShmBarrier(sqlite3_file *p)
{
	system_of(p)->pMethods->xShmBarrier(system_of(p));
}

static int open_counted(sqlite3_vfs *unused, const char *name, sqlite3_file *p, int flags, int *ret)
{
	int rc = under.system->xOpen(under.system, name, system_of(p), flags, ret);

	(void)unused;
	((struct watched *)(void *)p)->flags = flags;
	p->pMethods = rc == SQLITE_OK ? &under.methods : NULL;
	return rc;
}

static void make_counting(void)
{
	under.system = sqlite3_vfs_find(NULL);
	under.counting = *under.system;
	under.counting.zName = "counting";
	under.counting.pNext = NULL;
	under.counting.szOsFile += (int)sizeof(struct watched);
	under.counting.xOpen = open_counted;
	under.methods = (sqlite3_io_methods){2, pass_xClose, count_read, count_write, pass_xTruncate,
		count_sync, pass_xFileSize, pass_xLock, pass_xUnlock, pass_xCheckReservedLock,
		pass_xFileControl, pass_xSectorSize, pass_xDeviceCharacteristics, pass_xShmMap, pass_xShmLock,
		pass_xShmBarrier, pass_xShmUnmap, NULL, NULL};
	assert_int_equal(sqlite3_vfs_register(&under.counting, 1), SQLITE_OK);
}

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

struct place {
	char dir[64], file[96];
};

static int set_up(void **state)
{
	static struct place p;

	snprintf(p.dir, sizeof p.dir, "%s/vfs.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(p.dir))
		return -1;
	snprintf(p.file, sizeof p.file, "%s/a.db", p.dir);
	*state = &p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
	return system(command);
}

static struct lite *open_it(const struct place *p, bool writer)
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
static sqlite3 *open_plainly(const struct place *p)
{
	sqlite3 *db;

	assert_int_equal(
		sqlite3_open_v2(p->file, &db, SQLITE_OPEN_READWRITE, under.system->zName), SQLITE_OK);
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

/* A page at a time it would be two calls for each, and two more where they move into the database. */
static void what_is_in_a_row_goes_by_few_calls(void **state)
{
	struct place *p = *state;
	struct lite *l = open_it(p, true), *reader;
	sqlite3 *other = open_plainly(p);

	under.writes = 0;
	under.written = 0;
	for (int i = 0; i < TIMES; i++)
		assert_int_equal(put_many(l, i * ROWS, 'a'), OK);
	assert_true(under.written >
		    (size_t)TIMES * ROWS * BODY * 3 / 2); /* into the log and from there into the database */
	assert_in_range(under.writes, 1, under.written / 20000);
	assert_int_equal(under.unsynced, 0);
	reader = open_it(p, false);
	under.reads = 0;
	assert_true(read_all(reader) == read_plainly(other));
	assert_in_range(under.reads, 1, TIMES * ROWS * BODY / 20000);
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
	struct place *p = *state;
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
	struct place *p = *state;
	struct lite *l = open_it(p, true);
	sqlite3 *other = open_plainly(p);

	assert_int_equal(put_many(l, 0, 'a'), OK);
	uint64_t before = read_plainly(other);
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct reason why;

		under.refuses = refusals[i];
		lite_begin(l);
		put(l, 1, 'b', BODY);
		assert_int_not_equal(lite_commit(l, &why), OK);
		assert_int_not_equal(put_many(l, 0, 'c'), OK);
		under.refuses = 0;
		assert_true(read_plainly(other) == before);
		assert_true(read_all(l) == before);
	}
	assert_int_equal(put_many(l, 0, 'd'), OK);
	assert_true(read_plainly(other) != before);
	assert_true(read_all(l) == read_plainly(other));
	sqlite3_close(other);
	lite_close(l);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_in_a_row_goes_by_few_calls),
		TEST(what_another_wrote_is_read),
		TEST(a_commit_that_cannot_be_written_is_told),
	};

	make_counting(); /* before the first database is opened, which asks for what is the system's own */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
