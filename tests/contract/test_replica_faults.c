/*
 * Every statement of every write fails once, in each way SQLite knows: afterwards the database is as before
 * or as after the write, what the caller was told is true, and the next write works.
 */
#include "tests/contract/site.h"

/* From sqlite3.h, which only shared/lite*.c includes. */
struct sqlite3_stmt;
int __wrap_sqlite3_step(struct sqlite3_stmt *s);
int __real_sqlite3_step(struct sqlite3_stmt *s);
struct sqlite3;
struct sqlite3 *sqlite3_db_handle(struct sqlite3_stmt *s);
int sqlite3_exec(struct sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *ctx,
	char **why);
enum { CODE_BUSY = 5, CODE_NOMEM = 7, CODE_IOERR = 10, CODE_CORRUPT = 11, CODE_FULL = 13 };

static struct {
	int at; /* the call to fail, from 1; 0 = none */
	int calls;
	int code;
	bool done_first; /* the step is done and yet reported as failed */
	bool undone;     /* the transaction is rolled back and the step not done */
	bool hit;
} fault;

int __wrap_sqlite3_step(struct sqlite3_stmt *s)
{
	if (fault.at == 0 || ++fault.calls != fault.at)
		return __real_sqlite3_step(s);
	fault.hit = true;
	if (fault.done_first)
		(void)__real_sqlite3_step(s);
	if (fault.undone)
		(void)sqlite3_exec(sqlite3_db_handle(s), "ROLLBACK", NULL, NULL, NULL);
	return fault.code;
}

/* --- what is written --- */

typedef enum err write_fn(struct site *s);

static enum err finish(struct site *s, enum err e)
{
	if (e != OK) {
		replica_write_rollback(s->r);
		return e;
	}
	return replica_write_commit(s->r, &why);
}

static enum err put(struct site *s, const char *id, const char *body)
{
	struct draft d = draft_of(id, body);
	struct written w;
	enum err e = replica_write_begin(s->r, &why);
	if (e != OK)
		return e;
	return finish(s, replica_put(s->r, &d, NULL, &w, &why));
}

static enum err put_new(struct site *s)
{
	return put(s, "", "1");
}

static enum err put_over(struct site *s)
{
	char body[24];
	static int count;
	snprintf(body, sizeof body, "%d", ++count);
	return put(s, "over", body);
}

static enum err delete_one(struct site *s)
{
	struct written w;
	enum err e = replica_write_begin(s->r, &why);
	if (e != OK)
		return e;
	return finish(s, replica_delete(s->r, span_of("gone"), NULL, &w, &why));
}

static enum err apply_new(struct site *s)
{
	static uint64_t count;
	char id[24];
	struct vector vv;
	struct arena a = {0};
	struct push_answer answer;
	snprintf(id, sizeof id, "p%llu", (unsigned long long)++count);
	struct push_item item = {.record = centre_version(id, "1", count, NULL, &vv)};
	enum err e = replica_write_begin(s->r, &why);
	if (e == OK)
		e = finish(s, replica_apply(s->r, &item, &answer, &a, &why));
	arena_done(&a);
	return e;
}

/* Two jobs in one transaction, the second refused by its caller. */
static enum err two_jobs(struct site *s)
{
	struct draft d = draft_of("", "1");
	struct written w;
	enum err e = replica_write_begin(s->r, &why);
	if (e != OK)
		return e;
	replica_job_begin(s->r);
	enum err first = replica_put(s->r, &d, NULL, &w, &why);
	replica_job_end(s->r, first == OK);
	replica_job_begin(s->r);
	enum err second = replica_put(s->r, &d, NULL, &w, &why);
	replica_job_end(s->r, false);
	e = replica_write_commit(s->r, &why);
	(void)second; /* whatever it was, it is undone */
	return e == OK ? first : e;
}

/* --- before, after --- */

struct picture {
	struct replica_status status;
	struct buf rows;
};

static struct picture take_picture(struct site *s)
{
	struct picture p = {.status = site_status(s)};
	assert_true(digest_equal(p.status.digest, site_recount(s)));
	struct record_query q = {.limit = 1000, .deleted = true};
	ASSERT_OK(replica_list(s->r, &q, &p.rows, &why));
	return p;
}

static bool same(const struct picture *a, const struct picture *b)
{
	return position_equal(a->status.head, b->status.head) &&
	       epoch_equal(&a->status.epoch, &b->status.epoch) &&
	       span_equal(buf_span(&a->rows), buf_span(&b->rows));
}

/* One write with the k-th statement failing.  False when it has fewer. */
static bool fail_once(struct site *s, write_fn *write, int at)
{
	static unsigned heard;
	struct position here = site_status(s).head;
	struct epoch centre = {"00000000000000000000000000000001"};
	here.seq -= here.seq > 0 && heard++ % 2; /* so that each write has an acknowledgement to store */
	replica_acknowledge(s->r, &centre, here);
	struct picture before = take_picture(s);
	fault.at = at;
	fault.calls = 0;
	fault.hit = false;
	enum err e = write(s);
	bool hit = fault.hit;
	fault.at = 0;
	struct picture after = take_picture(s);
	bool unchanged = same(&before, &after);
	if (e == OK)
		assert_true(!unchanged && after.status.head.seq == before.status.head.seq + 1);
	else if (e != UNCERTAIN)
		assert_true(unchanged);
	assert_true(hit || e == OK);
	buf_done(&before.rows);
	buf_done(&after.rows);
	return hit;
}

static int fail_each(struct site *s, write_fn *write, bool done_first, bool undone)
{
	int k = 1;
	fault.done_first = done_first;
	fault.undone = undone;
	while (site_put(s, "gone", "1"), fail_once(s, write, k)) {
		uint64_t seq = site_status(s).head.seq;
		site_put(s, "", "1");
		assert_int_equal(site_status(s).head.seq, seq + 1);
		assert_true(digest_equal(site_status(s).digest, site_recount(s)));
		k++;
	}
	fault.done_first = fault.undone = false;
	return k - 1;
}

static void every_statement_may_fail(void **state)
{
	struct site *s = *state;
	write_fn *const writes[] = {put_new, put_over, delete_one, apply_new, two_jobs};
	const int codes[] = {CODE_BUSY, CODE_NOMEM, CODE_IOERR, CODE_CORRUPT, CODE_FULL};
	site_put(s, "over", "0");
	for (size_t w = 0; w < sizeof writes / sizeof *writes; w++) {
		for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
			fault.code = codes[c];
			assert_true(fail_each(s, writes[w], false, false) >= 6);
			assert_true(fail_each(s, writes[w], true, false) >= 6);
			assert_true(fail_each(s, writes[w], false, true) >= 6);
		}
	}
	struct replica_status before = site_status(s);
	site_reopen(s);
	assert_true(position_equal(before.head, site_status(s).head));
	assert_true(digest_equal(before.digest, site_recount(s)));
}

static enum err put_until_uncertain(struct site *s)
{
	enum err e = OK;
	fault.code = CODE_IOERR;
	for (int k = 1; e != UNCERTAIN; k++) {
		assert_true(k < 100);
		fault.at = k;
		fault.calls = 0;
		e = put_over(s);
		fault.at = 0;
	}
	return e;
}

/* Whether it was done or not: from then on the process writes as another. */
static void an_uncertain_commit_ends_the_actor(void **state)
{
	struct site *s = *state;
	site_put(s, "over", "a");
	uint64_t first = site_actor_of(s, "over");
	fault.undone = true;
	put_until_uncertain(s);
	fault.undone = false;
	assert_int_equal(site_actor_of(s, "over"), first);
	site_put(s, "over", "b");
	uint64_t second = site_actor_of(s, "over");
	assert_int_not_equal(second, first);
	fault.done_first = true;
	put_until_uncertain(s);
	fault.done_first = false;
	assert_int_equal(site_actor_of(s, "over"), second);
	site_put(s, "over", "c");
	assert_int_not_equal(site_actor_of(s, "over"), second);
}

static void an_opening_that_fails_can_be_repeated(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "1");
	struct replica_status before = site_status(s);
	struct replica_config c = {.path = s->path, .node = "site-a"};
	replica_close(s->r);
	s->r = NULL;
	fault.code = CODE_IOERR;
	fault.done_first = false;
	for (int k = 1; !s->r; k++) {
		fault.at = k;
		fault.calls = 0;
		fault.hit = false;
		enum err e = replica_open(&s->r, &c, &why);
		fault.at = 0;
		assert_true(e != OK || !fault.hit || s->r);
		assert_true(e == OK || !s->r);
	}
	assert_true(position_equal(before.head, site_status(s).head));
	site_put(s, "a", "2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_statement_may_fail, site_on_file, site_gone),
		cmocka_unit_test_setup_teardown(an_uncertain_commit_ends_the_actor, site_on_file, site_gone),
		cmocka_unit_test_setup_teardown(
			an_opening_that_fails_can_be_repeated, site_on_file, site_gone),
		cmocka_unit_test_setup_teardown(every_statement_may_fail, site_in_memory, site_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
