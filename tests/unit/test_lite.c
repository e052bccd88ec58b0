/* SQLite's door: kinds and versions of files, sticky failures, savepoints, locks. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/lite.h" /* before cmocka.h, which makes fail a macro */

#include <cmocka.h>

enum { PUT, GET, COUNT, BAD_ROW };
static const char *const text[] = {
	"INSERT INTO t VALUES ($1, $2, $3)",
	"SELECT v, b FROM t WHERE k = $1",
	"SELECT count(*) FROM t",
	"INSERT INTO t VALUES ($1, NULL, NULL)",
};
static const char *const name[] = {"put", "get", "count", "bad_row"};
static const struct statements queries = {text, name, 4};
static const char *const steps[] = {
	"CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL, b BLOB);", "CREATE INDEX t_v ON t (v);"};
static const char *const step_names[] = {"one", "two"};
static const struct statements one = {steps, step_names, 1};
static const struct statements two = {steps, step_names, 2};
static const struct statements none = {steps, step_names, 0};

struct place {
	char dir[64];
	char file[96];
};

static int set_up(void **state)
{
	static struct place p;
	snprintf(p.dir, sizeof p.dir, "%s/lite.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
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

static struct lite_config config_of(const char *path, const struct statements *migrations)
{
	return (struct lite_config){.path = path,
		.writer = true,
		.queries = &queries,
		.migrations = migrations,
		.application_id = 0x54444c31};
}

static struct lite *open_ok(const char *path, bool writer)
{
	struct lite_config c = config_of(path, &two);
	c.writer = writer;
	struct lite *l = NULL;
	struct reason why = {""};
	enum err e = lite_open(&l, &c, &why);
	if (e != OK)
		print_error("%s: %s\n", err_name(e), why.text);
	assert_int_equal(e, OK);
	return l;
}

static void put(struct lite *l, int64_t k, const char *v)
{
	struct query q = query_begin(l, PUT);
	query_i64(q, 1, k);
	query_text(q, 2, span_of(v));
	query_blob(q, 3, (struct span){.at = "\0x", .len = 2});
	query_run(q);
}

static void put_wrong(struct lite *l, int64_t k)
{
	struct query q = query_begin(l, BAD_ROW);
	query_i64(q, 1, k);
	query_run(q);
}

static int64_t count(struct lite *l)
{
	struct query q = query_begin(l, COUNT);
	int64_t n = query_step(q) ? query_col_i64(q, 0) : -1;
	query_done(q);
	return n;
}

static void rows_come_back_as_they_were(void **state)
{
	struct place *p = *state;
	struct lite *l = open_ok(p->file, true);
	lite_begin(l);
	put(l, 1, "");
	put(l, 2, "zwei");
	assert_int_equal(lite_commit(l, NULL), OK);
	struct lite *r = open_ok(p->file, false);
	struct query q = query_begin(r, GET);
	query_i64(q, 1, 1);
	assert_true(query_step(q));
	assert_false(query_col_null(q, 0));
	assert_int_equal(query_col_text(q, 0).len, 0);
	struct span b = query_col_blob(q, 1);
	assert_int_equal(b.len, 2);
	assert_memory_equal(b.at, "\0x", 2);
	assert_false(query_step(q));
	query_done(q);
	assert_int_equal(count(r), 2);
	lite_close(r);
	lite_close(l);
}

static void a_failure_sticks_until_told(void **state)
{
	struct place *p = *state;
	struct lite *l = open_ok(p->file, true);
	struct reason why = {""};
	lite_begin(l);
	put(l, 1, "a");
	put_wrong(l, 2);
	put(l, 3, "c");
	assert_int_equal(lite_failed(l, NULL), INVALID);
	assert_int_equal(lite_commit(l, &why), INVALID);
	assert_non_null(strstr(why.text, "bad_row"));
	assert_non_null(strstr(why.text, "NOT NULL"));
	assert_int_equal(count(l), 0);
	lite_begin(l);
	put(l, 4, "d");
	lite_fail(l, CONFLICT, "no %d", 7);
	assert_int_equal(lite_rollback(l, &why), CONFLICT);
	assert_string_equal(why.text, "no 7");
	assert_int_equal(count(l), 0);
	lite_begin(l);
	put(l, 5, "e");
	assert_int_equal(lite_commit(l, &why), OK);
	assert_int_equal(count(l), 1);
	lite_close(l);
}

static void a_savepoint_undoes_just_its_part(void **state)
{
	struct place *p = *state;
	struct lite *l = open_ok(p->file, true);
	lite_begin(l);
	put(l, 1, "a");
	lite_savepoint(l);
	put(l, 2, "b");
	put_wrong(l, 3);
	lite_savepoint_rollback(l);
	assert_int_equal(lite_failed(l, NULL), OK);
	lite_savepoint(l);
	put(l, 4, "d");
	lite_savepoint(l);
	put(l, 5, "e");
	lite_savepoint_rollback(l);
	lite_release(l);
	assert_int_equal(lite_commit(l, NULL), OK);
	assert_int_equal(count(l), 2);
	lite_close(l);
}

static void an_outer_failure_is_not_cleared_within(void **state)
{
	struct place *p = *state;
	struct lite *l = open_ok(p->file, true);
	lite_begin(l);
	put_wrong(l, 1);
	lite_savepoint(l);
	put(l, 2, "b");
	lite_savepoint_rollback(l);
	assert_int_equal(lite_failed(l, NULL), INVALID);
	assert_int_equal(lite_commit(l, NULL), INVALID);
	/* A failure released outward is the outer part's, which may undo it. */
	lite_begin(l);
	lite_savepoint(l);
	put(l, 3, "c");
	lite_savepoint(l);
	put_wrong(l, 4);
	lite_release(l);
	lite_savepoint(l);
	lite_savepoint_rollback(l);
	assert_int_equal(lite_failed(l, NULL), INVALID);
	lite_savepoint_rollback(l);
	put(l, 5, "e");
	assert_int_equal(lite_commit(l, NULL), OK);
	assert_int_equal(count(l), 1);
	lite_close(l);
}

static void files_of_others_are_refused(void **state)
{
	struct place *p = *state;
	struct reason why = {""};
	struct lite *l = open_ok(p->file, true);
	lite_close(l);
	struct lite_config c = config_of(p->file, &two);
	c.application_id = 7;
	l = NULL;
	assert_int_equal(lite_open(&l, &c, &why), INVALID);
	assert_null(l);
	FILE *f = fopen(p->file, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is a text of some length\n", f);
	fclose(f);
	c = config_of(p->file, &two);
	assert_int_equal(lite_open(&l, &c, &why), INVALID);
	assert_non_null(strstr(why.text, "not a database"));
}

static void schemas_grow_and_a_newer_one_is_refused(void **state)
{
	struct place *p = *state;
	struct reason why = {""};
	struct lite_config c = config_of(p->file, &one);
	struct lite *l = NULL;
	assert_int_equal(lite_open(&l, &c, &why), OK);
	lite_begin(l);
	put(l, 1, "kept");
	assert_int_equal(lite_commit(l, NULL), OK);
	lite_close(l);
	c.migrations = &two;
	c.writer = false;
	assert_int_equal(lite_open(&l, &c, &why), INVALID); /* a reader does not migrate */
	l = open_ok(p->file, true);
	assert_int_equal(count(l), 1);
	lite_close(l);
	c.writer = true;
	c.migrations = &one;
	assert_int_equal(lite_open(&l, &c, &why), INVALID);
	assert_non_null(strstr(why.text, "newer version"));
	assert_non_null(strstr(why.text, "its schema is 2, this one knows up to 1"));
	c.migrations = &none;
	assert_int_equal(lite_open(&l, &c, &why), INVALID);
}

/* The newer program died in the middle of its work: what it had done is in its log, and stays there. */
static void a_refused_file_is_not_touched(void **state)
{
	struct place *p = *state;
	char before[96], command[512];
	struct lite_config c = config_of(p->file, &one);
	struct reason why = {""};
	struct lite *l = NULL;
	pid_t newer = fork();
	int status = 0;
	if (newer == 0) {
		l = open_ok(p->file, true);
		lite_begin(l);
		put(l, 1, "kept");
		_exit(lite_commit(l, NULL) == OK ? 0 : 1);
	}
	assert_int_equal(waitpid(newer, &status, 0), newer);
	assert_int_equal(status, 0);
	snprintf(before, sizeof before, "%s/before", p->dir);
	snprintf(command, sizeof command, "test -s '%s-wal' && cat '%s' '%s-wal' >'%s'", p->file, p->file,
		p->file, before);
	assert_int_equal(system(command), 0);
	assert_int_equal(lite_open(&l, &c, &why), INVALID);
	assert_non_null(strstr(why.text, "newer version"));
	snprintf(command, sizeof command, "cat '%s' '%s-wal' | cmp - '%s'", p->file, p->file, before);
	assert_int_equal(system(command), 0);
	l = open_ok(p->file, true);
	assert_int_equal(count(l), 1);
	lite_close(l);
	snprintf(command, sizeof command, "test ! -e '%s-wal'",
		p->file); /* an accepted one is tidied up as ever */
	assert_int_equal(system(command), 0);
}

static void a_bad_statement_is_named(void **state)
{
	struct place *p = *state;
	static const char *const wrong[] = {"SELECT 1", "SELECT nothing FROM nowhere"};
	static const char *const wrong_name[] = {"fine", "the_wrong_one"};
	static const struct statements wrong_sql = {wrong, wrong_name, 2};
	struct lite_config c = config_of(p->file, &two);
	c.queries = &wrong_sql;
	struct lite *l = NULL;
	struct reason why = {""};
	assert_int_equal(lite_open(&l, &c, &why), INTERNAL);
	assert_non_null(strstr(why.text, "the_wrong_one"));
}

static void a_failed_migration_leaves_nothing(void **state)
{
	struct place *p = *state;
	static const char *const half[] = {"CREATE TABLE t (k); CREATE TABLE t (k);"};
	static const char *const half_name[] = {"half"};
	static const struct statements half_sql = {half, half_name, 1};
	struct lite_config c = config_of(p->file, &half_sql);
	struct lite *l = NULL;
	struct reason why = {""};
	assert_int_equal(lite_open(&l, &c, &why), INTERNAL);
	assert_non_null(strstr(why.text, "half"));
	lite_close(open_ok(p->file, true));
}

/* Half way: the old program goes on with the old schema, and a mended migration is applied later. */
static void a_migration_that_fails_leaves_the_old_schema(void **state)
{
	struct place *p = *state;
	static const char *const half[] = {"CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL, b BLOB);",
		"ALTER TABLE t RENAME COLUMN v TO w; UPDATE t SET w = 'lost'; INSERT INTO nowhere VALUES "
		"(1);"};
	static const char *const half_name[] = {"one", "half"};
	static const struct statements half_sql = {half, half_name, 2};
	struct lite_config c = config_of(p->file, &one);
	struct lite *l = NULL;
	struct reason why = {""};
	assert_int_equal(lite_open(&l, &c, &why), OK);
	lite_begin(l);
	put(l, 1, "kept");
	assert_int_equal(lite_commit(l, NULL), OK);
	lite_close(l);
	c.migrations = &half_sql;
	assert_int_equal(lite_open(&l, &c, &why), INTERNAL);
	assert_non_null(strstr(why.text, "migration half: "));
	assert_non_null(strstr(why.text, "nowhere"));
	for (int times = 0; times < 2; times++) {
		c.migrations = times == 0 ? &one : &two;
		assert_int_equal(lite_open(&l, &c, &why), OK);
		struct query q = query_begin(l, GET);
		query_i64(q, 1, 1);
		assert_true(query_step(q));
		assert_true(span_is(query_col_text(q, 0), "kept"));
		query_done(q);
		lite_close(l);
	}
}

static bool steps_left(void *ctx)
{
	int *left = ctx;
	return *left < 0 || (*left)-- > 0;
}

/* While a writer is in the middle of something: what is committed, and nothing else. */
static void a_copy_is_of_one_moment(void **state)
{
	struct place *p = *state;
	char copy[128];
	int for_ever = -1;
	struct reason why = {""};
	struct lite *l = open_ok(p->file, true);
	lite_begin(l);
	for (int k = 0; k < 20000; k++) /* more pages than one step takes */
		put(l, k,
			"a text that makes the row as long as a row may be that is not very long at all, and "
			"a "
			"little longer, so that the pages of these rows are more than a few hundred");
	assert_int_equal(lite_commit(l, NULL), OK);
	lite_begin(l);
	put(l, 20000, "not yet");
	snprintf(copy, sizeof copy, "%s/copy.db", p->dir);
	assert_int_equal(lite_copy(p->file, copy, steps_left, &for_ever, &why), OK);
	assert_int_equal(lite_commit(l, NULL), OK);
	assert_int_equal(count(l), 20001);
	lite_close(l);
	l = open_ok(copy, true); /* ours, of this version, to be written to */
	assert_int_equal(count(l), 20000);
	lite_begin(l);
	put(l, 20000, "another life");
	assert_int_equal(lite_commit(l, NULL), OK);
	lite_close(l);
}

static void a_copy_is_given_up_or_told_to_be_damaged(void **state)
{
	struct place *p = *state;
	char copy[128], command[256];
	struct reason why = {""};
	struct lite *l = open_ok(p->file, true);
	lite_begin(l);
	for (int k = 0; k < 50000; k++) /* its check takes a while */
		put(l, k, "something to be damaged");
	assert_int_equal(lite_commit(l, NULL), OK);
	lite_close(l);
	snprintf(copy, sizeof copy, "%s/copy.db", p->dir);
	for (int wanted = 0; wanted < 2; wanted++) { /* while it copies, while it is checked */
		int left = wanted;
		assert_int_equal(lite_copy(p->file, copy, steps_left, &left, &why), RETRY);
		unlink(copy);
	}
	snprintf(command, sizeof command,
		"dd if=/dev/zero of='%s' bs=4096 seek=5 count=3 conv=notrunc 2>/dev/null", p->file);
	assert_int_equal(system(command), 0);
	int for_ever = -1;
	assert_int_equal(lite_copy(p->file, copy, steps_left, &for_ever, &why), INTERNAL);
	assert_non_null(strstr(why.text, "damaged"));
	assert_int_equal(lite_copy("/nowhere/a.db", copy, steps_left, &for_ever, &why), RETRY);
}

static void memory_is_shared_by_name(void **state)
{
	(void)state;
	const char *path = "file:/lite-test?vfs=memdb";
	struct lite *l = open_ok(path, true);
	struct lite *r = open_ok(path, false);
	int fd = 5;
	assert_int_equal(lite_lock(path, &fd, NULL), OK);
	assert_int_equal(fd, -1);
	lite_begin(l);
	put(l, 1, "a");
	assert_int_equal(lite_commit(l, NULL), OK);
	assert_int_equal(count(r), 1);
	assert_false(lite_moved(l));
	/* A reader cannot write. */
	lite_begin(r);
	put(r, 2, "b");
	assert_int_not_equal(lite_commit(r, NULL), OK);
	assert_int_equal(count(l), 1);
	lite_close(l);
	l = open_ok(path, true); /* the reader kept it alive */
	assert_int_equal(count(l), 1);
	lite_close(l);
	lite_close(r);
}

static void one_process_holds_the_lock(void **state)
{
	struct place *p = *state;
	int fd = -1;
	assert_int_equal(lite_lock(p->file, &fd, NULL), OK);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int other = -1;
		struct reason why = {""};
		enum err e = lite_lock(p->file, &other, &why);
		_exit(e == DENIED && strstr(why.text, p->file) ? 0 : 1);
	}
	int status = 1;
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	lite_unlock(fd);
	assert_int_equal(lite_lock(p->file, &fd, NULL), OK);
	lite_unlock(fd);
	struct reason why = {""};
	assert_int_equal(lite_lock("/nowhere/at/all.db", &fd, &why), INVALID);
}

static void a_file_taken_away_is_noticed(void **state)
{
	struct place *p = *state;
	char wal[128], away[128];
	snprintf(wal, sizeof wal, "%s-wal", p->file);
	snprintf(away, sizeof away, "%s.away", p->file);
	struct lite *l = open_ok(p->file, true);
	assert_false(lite_moved(l));
	assert_int_equal(rename(p->file, away), 0);
	assert_true(lite_moved(l));
	assert_int_equal(rename(away, p->file), 0);
	assert_false(lite_moved(l));
	assert_int_equal(unlink(wal), 0);
	assert_true(lite_moved(l));
	lite_close(l);
}

/* As the heap counts it; a sanitizer's counts nothing. */
static size_t in_use(void)
{
	return mallinfo2().uordblks;
}

static void at_rest_no_page_is_kept(void **state)
{
	struct place *p = *state;
	struct lite *l = open_ok(p->file, true);
	char kibibyte[1025];
	memset(kibibyte, 'x', 1024);
	kibibyte[1024] = 0;
	lite_begin(l);
	for (int64_t k = 0; k < 1000; k++)
		put(l, k, kibibyte);
	assert_int_equal(lite_commit(l, NULL), OK);
	size_t full = in_use();
	assert_true(lite_wrote(l));
	assert_false(lite_wrote(l));
	lite_rest(l);
	assert_true(full == 0 || in_use() + 500000 < full);
	lite_begin(l);
	assert_int_equal(count(l), 1000);
	lite_rollback(l, NULL);
	lite_close(l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_come_back_as_they_were),
		TEST(a_failure_sticks_until_told),
		TEST(a_savepoint_undoes_just_its_part),
		TEST(an_outer_failure_is_not_cleared_within),
		TEST(files_of_others_are_refused),
		TEST(schemas_grow_and_a_newer_one_is_refused),
		TEST(a_bad_statement_is_named),
		TEST(a_failed_migration_leaves_nothing),
		TEST(a_migration_that_fails_leaves_the_old_schema),
		TEST(a_refused_file_is_not_touched),
		TEST(a_copy_is_of_one_moment),
		TEST(a_copy_is_given_up_or_told_to_be_damaged),
		TEST(memory_is_shared_by_name),
		TEST(one_process_holds_the_lock),
		TEST(a_file_taken_away_is_noticed),
		TEST(at_rest_no_page_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
