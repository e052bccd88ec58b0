/* SQLite's way to its files, when not all is written that should be, or a process ends at any moment: nothing that was committed is lost, nothing else is there. */
#include <limits.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/lite.h" /* before cmocka.h, which makes fail a macro */
#include "tests/support/lite_under.h"

#include <cmocka.h>

#define OURS "tidemark"
#define GROUPS 6
#define GROUP \
	20 /* rows; together they are more than the few pages that SQLite keeps, so it writes them before the commit */
#define BODY 1500

/* What is to be in the database: a letter for the rows of each group. */
struct model {
	char letter[GROUPS];
};

/* The first connection by way of lite.h makes ours known. */
static void know_ours(const struct lite_place *p)
{
	static const char *const none[] = {"CREATE TABLE lite (i INTEGER)"};
	static const struct statements migrations = {none, none, 1}, queries = {none, none, 0};
	struct lite_config c = {
		.path = p->file, .writer = true, .queries = &queries, .migrations = &migrations};
	struct lite *l = NULL;
	struct reason why = {""};

	if (lite_open(&l, &c, &why) != OK)
		fail_msg("%s", why.text);
	lite_close(l);
}

static sqlite3 *open_by(const char *file, const char *vfs)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, vfs), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_exec(db,
				 "PRAGMA cache_size = 10; PRAGMA synchronous = FULL;"
				 "PRAGMA wal_autocheckpoint = 0",
				 NULL, NULL, NULL),
		SQLITE_OK);
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

/* That none of it has: what is the same already is not written. */
static char new_letter(const struct model *m)
{
	static unsigned turn;
	char letter;

	do
		letter = (char)('a' + turn++ % 26);
	while (memchr(m->letter, letter, GROUPS));
	return letter;
}

static int update(sqlite3 *db, int group, char letter)
{
	char sql[256];

	/* That a row might not be allowed makes SQLite keep what it needs to take the statement alone back. */
	snprintf(sql, sizeof sql,
		"UPDATE t SET v = replace(hex(zeroblob(%d)), '0', '%c'), u = k || ':%c' WHERE k %% %d = %d",
		BODY / 2, letter, letter, GROUPS, group);
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static void fill(sqlite3 *db, struct model *m)
{
	char sql[256];

	run(db, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL, u TEXT UNIQUE)");
	snprintf(sql, sizeof sql,
		"WITH RECURSIVE c (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM c WHERE k < %d) "
		"INSERT INTO t SELECT k, '', k || ':' FROM c",
		GROUPS * GROUP - 1);
	run(db, sql);
	for (int g = 0; g < GROUPS; g++) {
		m->letter[g] = 'a';
		assert_int_equal(update(db, g, 'a'), SQLITE_OK);
	}
}

static int read_model(sqlite3 *db, struct model *ret)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(db, "SELECT k, v FROM t ORDER BY k", -1, &s, NULL), rows = 0;

	if (rc != SQLITE_OK)
		return rc;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *v = (const char *)sqlite3_column_text(s, 1);
		int g = sqlite3_column_int(s, 0) % GROUPS;
		assert_in_range(sqlite3_column_int(s, 0), 0, GROUPS * GROUP - 1);
		if (rows++ < GROUPS)
			ret->letter[g] = v[0];
		assert_int_equal(strlen(v), BODY);
		for (size_t i = 0; v[i]; i++)
			if (v[i] != ret->letter[g])
				fail_msg("row %d is %s", sqlite3_column_int(s, 0), v);
	}
	sqlite3_finalize(s);
	if (rc == SQLITE_DONE)
		assert_int_equal(rows, GROUPS * GROUP);
	return rc;
}

static void must_be(sqlite3 *db, const struct model *m)
{
	struct model is;

	assert_int_equal(read_model(db, &is), SQLITE_DONE);
	assert_memory_equal(is.letter, m->letter, GROUPS);
}

static void must_be_sound(const char *file, const struct model *m)
{
	sqlite3 *db = open_by(file, lite_under.system->zName);
	sqlite3_stmt *s;

	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(s, 0), "ok");
	sqlite3_finalize(s);
	must_be(db, m);
	sqlite3_close(db);
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[1 << 20];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");

	assert_non_null(in);
	assert_non_null(out);
	for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

/* What whoever looks at it now sees, and what is found when all are killed now: without the log's index. */
static void must_be_for_all(const struct lite_place *p, const struct model *m)
{
	char log[128], copy[128], copied_log[160], copied_index[160];

	snprintf(log, sizeof log, "%s-wal", p->file);
	snprintf(copy, sizeof copy, "%s/copy.db", p->dir);
	snprintf(copied_log, sizeof copied_log, "%s-wal", copy);
	snprintf(copied_index, sizeof copied_index, "%s-shm", copy);
	remove(copied_index);
	copy_file(p->file, copy);
	copy_file(log, copied_log);
	must_be_sound(copy, m);
	must_be_sound(p->file, m);
}

static void roll_back(sqlite3 *db, int rows)
{
	char sql[256];

	snprintf(sql, sizeof sql,
		"BEGIN; WITH RECURSIVE c (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM c WHERE k < %d) "
		"INSERT INTO t SELECT k + 10000, hex(zeroblob(%d)), NULL FROM c; ROLLBACK",
		rows, BODY / 5);
	run(db, sql);
}

/* What was written before a rollback, however much, must not get over what another committed since. */
static void what_was_rolled_back_never_comes(void **state)
{
	struct lite_place *p = *state;
	struct model m;

	know_ours(p);
	sqlite3 *ours = open_by(p->file, OURS), *other = open_by(p->file, lite_under.system->zName);
	fill(ours, &m);
	for (int i = 1; i < 30; i++) {
		roll_back(ours, 25 * i);
		for (int g = 0; g < GROUPS; g++) {
			m.letter[g] = new_letter(&m);
			assert_int_equal(update(other, g, m.letter[g]), SQLITE_OK);
		}
		must_be(ours, &m);
		must_be_for_all(p, &m);
		run(other, "PRAGMA wal_checkpoint(TRUNCATE)");
	}
	sqlite3_close(ours);
	must_be_for_all(p, &m);
	sqlite3_close(other);
}

/* A checkpoint that `reader` cuts short, and whose writes are refused after so many.  Returns how many were. */
static unsigned refuse_moving(sqlite3 *ours, sqlite3 *reader, struct model *m, unsigned granted)
{
	m->letter[0] = m->letter[1] = new_letter(m);
	for (int g = 0; g < 2; g++)
		assert_int_equal(update(ours, g, m->letter[g]), SQLITE_OK);
	run(reader, "BEGIN");
	must_be(reader, m);
	m->letter[2] = new_letter(m);
	assert_int_equal(update(ours, 2, m->letter[2]), SQLITE_OK);
	lite_under_refuse(SQLITE_FULL, SQLITE_OPEN_MAIN_DB, granted, UINT_MAX);
	(void)sqlite3_exec(ours, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
	lite_under_allow();
	must_be(ours, m);
	run(reader, "COMMIT");
	return lite_under.was_refused;
}

/* It must not be taken for moved. */
static void what_a_checkpoint_could_not_move_stays_in_the_log(void **state)
{
	struct lite_place *p = *state;
	struct model m;
	unsigned granted = 0;

	know_ours(p);
	sqlite3 *ours = open_by(p->file, OURS), *other = open_by(p->file, lite_under.system->zName);
	fill(ours, &m);
	run(other, "PRAGMA wal_checkpoint(TRUNCATE)");
	while (refuse_moving(ours, other, &m, granted) > 0) {
		must_be_for_all(p, &m);
		run(other, "PRAGMA wal_checkpoint(TRUNCATE)");
		must_be_for_all(p, &m);
		granted++;
	}
	assert_true(granted > GROUPS);
	sqlite3_close(other);
	sqlite3_close(ours);
}

/*
 * Of a transaction that writes much before its commit, and reads it now and then; *m is what must be there afterwards.  After
 * SQLITE_FULL it is there still, without the statement that was told so.
 */
static void try_transaction(sqlite3 *db, struct model *m, char letter, bool carries_on)
{
	struct model now = *m, seen;

	run(db, "BEGIN");
	for (int i = 0; i < 2 * GROUPS; i++) {
		int rc = update(db, i % GROUPS, letter);
		if (rc == SQLITE_OK)
			now.letter[i % GROUPS] = letter;
		if (sqlite3_get_autocommit(db) || (rc != SQLITE_OK && !carries_on))
			break;
		if (i % 4 != 3)
			continue;
		rc = read_model(db, &seen);
		if (rc == SQLITE_DONE)
			assert_memory_equal(seen.letter, now.letter, GROUPS);
		if (sqlite3_get_autocommit(db) || (rc != SQLITE_DONE && !carries_on))
			break;
	}
	if (!sqlite3_get_autocommit(db) && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		*m = now;
	if (!sqlite3_get_autocommit(db))
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	assert_true(sqlite3_get_autocommit(db));
}

/* Returns how often a write was refused. */
static unsigned refuse_one(const struct lite_place *p, sqlite3 *ours, struct model *m, int rc, unsigned n,
	unsigned refusals, bool carries_on)
{
	lite_under_refuse(rc, SQLITE_OPEN_WAL, n, refusals);
	try_transaction(ours, m, new_letter(m), carries_on);
	unsigned refused = lite_under.was_refused;
	lite_under_allow();
	must_be(ours, m);
	must_be_for_all(p, m);
	return refused;
}

/* Each write of a transaction is refused once, or some with all after them; what comes next is done. */
static void a_transaction_with_a_gap_is_none(void **state)
{
	static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE};
	struct lite_place *p = *state;
	struct model m;

	know_ours(p);
	sqlite3 *ours = open_by(p->file, OURS);
	fill(ours, &m);
	for (unsigned way = 0; way < 8; way++) {
		unsigned n = 0;

		while (refuse_one(p, ours, &m, codes[way & 1], n, way & 2 ? 1 : UINT_MAX, way & 4) > 0) {
			n += way & 2 ? 1 : 5;
			m.letter[2] = new_letter(&m);
			assert_int_equal(update(ours, 2, m.letter[2]), SQLITE_OK);
			must_be_for_all(p, &m);
			if (n % 5 == 0)
				run(ours, "PRAGMA wal_checkpoint(TRUNCATE)");
		}
		assert_true(n > GROUPS);
	}
	sqlite3_close(ours);
}

/* --- two processes, which are killed --- */

#define ROUNDS 12
#define STEPS_MAX 40 /* of both, before they are killed */

/* All rows alike: each transaction that is committed leaves them so. */
static bool alike(sqlite3 *db)
{
	struct model m = {{0}};

	if (read_model(db, &m) != SQLITE_DONE)
		return false;
	for (int g = 1; g < GROUPS; g++)
		if (m.letter[g] != m.letter[0])
			return false;
	return true;
}

/* False: it is not as it must be.  The other one may be at it. */
static bool step(sqlite3 *db, unsigned chance)
{
	static const char *const moves[] = {"PRAGMA wal_checkpoint(PASSIVE)",
		"PRAGMA wal_checkpoint(RESTART)", "PRAGMA wal_checkpoint(TRUNCATE)"};

	if (chance % 4 == 0)
		(void)sqlite3_exec(db, moves[chance / 4 % 3], NULL, NULL, NULL);
	if (chance % 4 == 1)
		return alike(db);
	if (chance % 4 < 2 || sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return true;
	bool done = alike(db);
	for (int g = 0; g < GROUPS; g++)
		done = update(db, g, (char)('a' + chance / 4 % 26)) == SQLITE_OK && done;
	const char *end = chance / 128 % 3 ? "COMMIT" : "ROLLBACK";
	return sqlite3_exec(db, end, NULL, NULL, NULL) == SQLITE_OK && done;
}

/* Until it is killed; says each step. */
static void go_on(const char *file, const char *vfs, unsigned seed, int tells)
{
	sqlite3 *db = open_by(file, vfs);
	char said = '.';

	while (said == '.') {
		seed = seed * 1103515245 + 12345;
		said = step(db, seed >> 8) ? '.' : '!';
		if (write(tells, &said, 1) != 1)
			break;
	}
	_exit(1);
}

static pid_t start(const char *file, const char *vfs, unsigned seed, int tells)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		alarm(60); /* should the test end before it */
		go_on(file, vfs, seed, tells);
	}
	return child;
}

static void end(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void one_by_the_systems_own_and_one_by_ours(void **state)
{
	struct lite_place *p = *state;
	struct model m;

	know_ours(p);
	sqlite3 *first = open_by(p->file, OURS);
	fill(first, &m);
	sqlite3_close(first);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int tells[2];
		char said;

		assert_int_equal(pipe(tells), 0);
		pid_t ours = start(p->file, OURS, 2 * i + 1, tells[1]),
		      other = start(p->file, i % 3 ? lite_under.system->zName : OURS, 2 * i + 2, tells[1]);
		close(tells[1]);
		for (unsigned steps = 0; steps < 1 + i * 7919 % STEPS_MAX; steps++) {
			assert_int_equal(read(tells[0], &said, 1), 1);
			assert_int_equal(said, '.');
		}
		end(ours);
		end(other);
		close(tells[0]);
		sqlite3 *db = open_by(p->file, lite_under.system->zName);
		assert_int_equal(read_model(db, &m), SQLITE_DONE);
		assert_true(alike(db));
		must_be_for_all(p, &m);
		sqlite3_close(db);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, lite_under_place, lite_under_no_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_rolled_back_never_comes),
		TEST(what_a_checkpoint_could_not_move_stays_in_the_log),
		TEST(a_transaction_with_a_gap_is_none),
		TEST(one_by_the_systems_own_and_one_by_ours),
	};

	lite_under_begin(); /* before the first database is opened */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
