/* Group commit: many threads, few commits, and nobody pays for another's failure. */
#include "tests/contract/site.h"

#include <pthread.h>
#include <stdatomic.h>

#include "local/writer.h"

#define THREADS 64
#define WRITES 20

/* From sqlite3.h, which only shared/lite*.c includes. */
struct sqlite3_stmt;
const char *sqlite3_sql(struct sqlite3_stmt *s);
int __wrap_sqlite3_step(struct sqlite3_stmt *s);
int __real_sqlite3_step(struct sqlite3_stmt *s);

static atomic_int commits;
static atomic_int commit_us;    /* as a disk would take */
static atomic_bool fail_commit; /* from now on */

int __wrap_sqlite3_step(struct sqlite3_stmt *s)
{
	if (strcmp(sqlite3_sql(s), "COMMIT") != 0)
		return __real_sqlite3_step(s);
	atomic_fetch_add(&commits, 1);
	if (atomic_load(&fail_commit))
		return 13; /* SQLITE_FULL */
	if (atomic_load(&commit_us))
		usleep((useconds_t)atomic_load(&commit_us));
	return __real_sqlite3_step(s);
}

struct one_put {
	struct draft draft;
	struct written written;
	bool refuse;
};

static enum err refused(struct reason *reason)
{
	snprintf(reason->text, sizeof reason->text, "refused");
	return INVALID;
}

static enum err put_job(void *ctx, struct replica *r, struct reason *reason)
{
	struct one_put *p = ctx;
	enum err e = replica_put(r, &p->draft, NULL, &p->written, reason);
	if (e == OK && p->refuse)
		return refused(reason);
	return e;
}

struct thread {
	pthread_t id;
	struct writer *writer;
	unsigned which;
	unsigned ok, refused, failed;
	uint64_t seq[WRITES]; /* 0: not written */
};

/* Every fifth write is refused after it was made. */
static void *write_many(void *ctx)
{
	struct thread *t = ctx;
	for (unsigned i = 0; i < WRITES; i++) {
		char id[24];
		snprintf(id, sizeof id, "t%u.%u", t->which, i);
		struct one_put p = {.draft = draft_of(id, "1"), .refuse = i % 5 == 4};
		struct reason reason = {""};
		enum err e = writer_run(t->writer, put_job, &p, &reason);
		t->ok += e == OK;
		t->refused += e == INVALID && strcmp(reason.text, "refused") == 0;
		t->failed += e == RETRY && strstr(reason.text, "disk is full");
		t->seq[i] = e == OK ? p.written.seq : 0;
	}
	return NULL;
}

static void run_threads(struct site *s, struct thread t[THREADS])
{
	struct writer *w = writer_new(s->r);
	memset(t, 0, THREADS * sizeof *t);
	for (unsigned i = 0; i < THREADS; i++) {
		t[i].writer = w;
		t[i].which = i;
		assert_int_equal(pthread_create(&t[i].id, NULL, write_many, &t[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(t[i].id, NULL), 0);
	writer_free(w);
}

static void all_that_was_promised_is_there(void **state)
{
	struct site *s = *state;
	static struct thread t[THREADS];
	static bool seen[THREADS * WRITES + 1];
	uint64_t promised = 0;
	memset(seen, 0, sizeof seen);
	run_threads(s, t);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(t[i].ok, WRITES - WRITES / 5);
		assert_int_equal(t[i].refused, WRITES / 5);
		for (unsigned k = 0; k < WRITES; k++) {
			uint64_t seq = t[i].seq[k];
			if (!seq)
				continue;
			assert_true(seq <= THREADS * WRITES && !seen[seq]);
			seen[seq] = true;
			promised++;
		}
	}
	site_reopen(s);
	struct replica_status status = site_status(s);
	assert_int_equal(status.head.seq, promised);
	assert_int_equal(status.digest.count, promised);
	assert_true(digest_equal(status.digest, site_recount(s)));
	struct arena a = {0};
	struct record v;
	for (unsigned i = 0; i < THREADS; i++) {
		for (unsigned k = 0; k < WRITES; k++) {
			char id[24];
			snprintf(id, sizeof id, "t%u.%u", i, k);
			enum err e = replica_get(s->r, span_of(id), &v, &a, &why);
			assert_int_equal(e, t[i].seq[k] ? OK : GONE);
			if (e == OK)
				assert_int_equal(v.seq, t[i].seq[k]);
		}
	}
	arena_done(&a);
}

static void a_slow_disk_is_shared(void **state)
{
	struct site *s = *state;
	static struct thread t[THREADS];
	atomic_store(&commits, 0);
	atomic_store(&commit_us, 5000);
	run_threads(s, t);
	atomic_store(&commit_us, 0);
	int written = THREADS * (WRITES - WRITES / 5);
	print_message("%d writes of %d threads in %d commits\n", written, THREADS, atomic_load(&commits));
	assert_true(atomic_load(&commits) <= written / 10);
}

static void a_failed_commit_is_everybodys(void **state)
{
	struct site *s = *state;
	static struct thread t[THREADS];
	atomic_store(&commits, 0);
	atomic_store(&fail_commit, true);
	run_threads(s, t);
	atomic_store(&fail_commit, false);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(t[i].ok, 0);
		assert_int_equal(t[i].refused + t[i].failed, WRITES);
		assert_true(t[i].failed >= WRITES - WRITES / 5);
	}
	assert_int_equal(site_status(s).head.seq, 0);
	site_put(s, "a", "1");
	assert_int_equal(site_status(s).head.seq, 1);
}

static void one_alone_simply_writes(void **state)
{
	struct site *s = *state;
	struct writer *w = writer_new(s->r);
	struct one_put p = {.draft = draft_of("a", "1")};
	ASSERT_OK(writer_run(w, put_job, &p, &why));
	p.draft = draft_of("b", "1");
	p.refuse = true;
	atomic_store(&commits, 0);
	assert_int_equal(writer_run(w, put_job, &p, &why), INVALID);
	assert_int_equal(atomic_load(&commits), 0);
	p = (struct one_put){.draft = draft_of("a", "1")};
	ASSERT_OK(writer_run(w, put_job, &p, &why)); /* the same content: nothing is committed */
	assert_int_equal(atomic_load(&commits), 0);
	assert_int_equal(site_status(s).head.seq, 1);
	writer_free(w);
}

struct reading {
	pthread_t id;
	struct site *site;
	struct page_request request;
	atomic_bool *stop;
	unsigned pages;
	bool wrong;
};

/* Each page is one snapshot: its counters are the sum of its rows, however fast the log grows. */
static void *read_on(void *ctx)
{
	struct reading *t = ctx;
	do {
		struct feed_served served;
		struct buf out = {0};
		struct page page;
		struct reason reason;
		struct digest sum = {0};
		t->request.recount = t->pages % 2;
		if (replica_feed(t->site->r, &t->request, 0, &served, &out, &reason) != OK ||
			page_decode(&page, buf_span(&out), span_of("site-a"), 0, &reason) != OK) {
			t->wrong = true;
			return NULL;
		}
		for (size_t i = 0; i < page.n; i++)
			digest_add(&sum, page.records[i].hash);
		t->wrong |= !digest_equal(sum, page.end.digest) || page.end.more;
		page_done(&page);
		buf_done(&out);
		t->pages++;
	} while (!t->wrong && !atomic_load(t->stop));
	return NULL;
}

static void readers_see_whole_transactions(void **state)
{
	struct site *s = *state;
	static struct thread t[THREADS];
	struct reading readers[12]; /* more than the pool holds */
	atomic_bool stop = false;
	for (size_t i = 0; i < 12; i++) {
		readers[i] = (struct reading){
			.site = s, .request = request_of(s, 0, (struct position){0}), .stop = &stop};
		assert_int_equal(pthread_create(&readers[i].id, NULL, read_on, &readers[i]), 0);
	}
	run_threads(s, t);
	atomic_store(&stop, true);
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(pthread_join(readers[i].id, NULL), 0);
		assert_true(readers[i].pages > 0 && !readers[i].wrong);
	}
	assert_int_equal(site_status(s).head.seq, THREADS * (WRITES - WRITES / 5));
}

static void a_group_of_refused_ones_is_not_written(void **state)
{
	struct site *s = *state;
	struct draft d = draft_of("a", "1");
	struct written w;
	atomic_store(&commits, 0);
	site_begin(s);
	replica_job_begin(s->r);
	ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
	replica_job_end(s->r, false);
	site_commit(s);
	assert_int_equal(atomic_load(&commits), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(one_alone_simply_writes),
		SITE_TEST(a_group_of_refused_ones_is_not_written),
		SITE_TEST(all_that_was_promised_is_there),
		SITE_TEST(a_failed_commit_is_everybodys),
		cmocka_unit_test_setup_teardown(readers_see_whole_transactions, site_on_file, site_gone),
		SITE_TEST(a_slow_disk_is_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
