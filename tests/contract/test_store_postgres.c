/* What only a store in PostgreSQL can meet: sessions that end, a server that does not write, data it refuses,
 * writers that commit late, another centre. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <pthread.h>

#include "shared/clock.h"

#define POSTGRES_TEST(name)                    \
	STAGE_TEST(name)                       \
	{                                      \
		if (g->kind == STAGE_POSTGRES) \
			name##_only(g, f);     \
	}

static PGconn *session(struct stage *g)
{
	PGconn *c = PQconnectdb(g->url);

	assert_int_equal(PQstatus(c), CONNECTION_OK);
	PQclear(PQexec(c, "SET search_path = tidemark_store"));
	return c;
}

static void run(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	PQclear(r);
}

/* Waits until the query gives something else than 0. */
static void wait_for(struct stage *g, const char *sql)
{
	int64_t until = clock_mono_us() + 10000000;

	while (strcmp(backstage_ask(g, sql), "0") == 0)
		assert_true(clock_mono_us() < until);
}

/* --- late commits --- */

struct writer {
	struct stage *g;
	enum err e;
};

static void *add_event(void *ctx)
{
	struct writer *w = ctx;
	struct event ev = {.level = LOG_INFO, .kind = "second", .text = {"said"}};
	struct reason why;

	w->e = store_events_add(w->g->store, &ev, 1, &why);
	return NULL;
}

static const char *events_after(struct stage *g, uint64_t after)
{
	struct event_query q = {.least_level = -1, .after = after, .limit = 100};
	struct buf b = {0};
	const char *text;

	assert_int_equal(store_events(g->store, &q, &b, &g->why), OK);
	text = arena_copy(&g->arena, b.at, b.len);
	buf_done(&b);
	return text;
}

/*
 * Somebody has written an event and commits late; another one comes meanwhile.  A reader that goes on from the
 * newest it has seen gets both.
 */
static void a_reader_never_skips_a_late_commit_only(struct stage *g, struct far *f)
{
	struct writer w = {.g = g};
	PGconn *late = session(g);
	uint64_t seen;
	pthread_t thread;
	const char *first, *second;

	(void)f;
	seen = strtoull(backstage_ask(g, "SELECT max(event) FROM events"), NULL, 10);
	run(late, "BEGIN");
	run(late, "WITH next AS (UPDATE counters SET event = event + 1 RETURNING event) "
		  "INSERT INTO events (event, at, level, kind, text) SELECT event, 1, 2, 'first', 'said' "
		  "FROM next");
	assert_int_equal(pthread_create(&thread, NULL, add_event, &w), 0);
	wait_for(g, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
		    "AND wait_event_type = 'Lock'");
	assert_null(strstr(events_after(g, seen), "\"kind\"")); /* the second is not seen before the first */
	run(late, "COMMIT");
	pthread_join(thread, NULL);
	PQfinish(late);
	assert_int_equal(w.e, OK);
	first = strstr(events_after(g, seen), "\"kind\":\"first\"");
	assert_non_null(first);
	second = strstr(first, "\"kind\":\"second\"");
	assert_non_null(second);
}
POSTGRES_TEST(a_reader_never_skips_a_late_commit)

/* --- sessions --- */

static void ended_sessions_are_begun_again_only(struct stage *g, struct far *f)
{
	far_put_many(f, 5);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	for (int i = 0; i < 3; i++) {
		backstage_end_sessions(g);
		far_put(f, "r0001", i % 2 ? "1" : "2");
		assert_int_equal(stage_pull(g, f, 10, NULL), OK);
		backstage_end_sessions(g);
		stage_put(g, "site-a", "r0002", i % 2 ? "1" : "2");
		assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	}
	assert_int_equal(stage_conflicts(g, NULL), 0);
}
POSTGRES_TEST(ended_sessions_are_begun_again)

/* A page waits for another transaction of the same owner; its session is ended meanwhile. */
struct puller {
	struct stage *g;
	struct far *f;
	enum err e;
};

static void *pull(void *ctx)
{
	struct puller *p = ctx;

	p->e = stage_pull(p->g, p->f, 100, NULL);
	return NULL;
}

static void a_session_that_ends_within_a_page_undoes_it_only(struct stage *g, struct far *f)
{
	struct puller p = {.g = g, .f = f};
	PGconn *other = session(g);
	pthread_t thread;

	far_put_many(f, 50);
	run(other, "BEGIN");
	run(other, "LOCK TABLE records IN EXCLUSIVE MODE");
	assert_int_equal(pthread_create(&thread, NULL, pull, &p), 0);
	wait_for(g, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
		    "AND wait_event_type = 'Lock'");
	run(other, "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
		   "WHERE datname = current_database() AND wait_event_type = 'Lock'");
	pthread_join(thread, NULL);
	assert_int_equal(p.e, RETRY);
	run(other, "ROLLBACK");
	PQfinish(other);
	assert_int_equal(stage_node(g, "site-a").sync.cursor, 0);
	assert_int_equal(stage_node(g, "site-a").sync.digest.count, 0);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.digest.count, 50);
}
POSTGRES_TEST(a_session_that_ends_within_a_page_undoes_it)

/* As a standby: it can be reached and does not write. */
static void a_server_that_does_not_write_is_waited_for_only(struct stage *g, struct far *f)
{
	char sql[160];
	int64_t until = clock_mono_us() + 20000000;
	enum err e;

	far_put_many(f, 5);
	snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET default_transaction_read_only = on",
		backstage_ask(g, "SELECT current_database()"));
	backstage_run(g, sql);
	backstage_end_sessions(g);
	assert_int_equal(stage_pull(g, f, 10, NULL), RETRY);
	assert_non_null(strstr(g->why.text, "read-only"));
	assert_int_equal(stage_pull(g, f, 10, NULL), RETRY); /* at once, until an attempt is due */
	assert_non_null(strstr(g->why.text, "next attempt in"));
	snprintf(sql, sizeof(sql),
		"ALTER DATABASE %s RESET "
		"default_transaction_read_only",
		backstage_ask(g, "SELECT current_database()"));
	backstage_run(g, sql);
	while ((e = stage_pull(g, f, 10, NULL)) == RETRY)
		assert_true(clock_mono_us() < until);
	assert_int_equal(e, OK);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}
POSTGRES_TEST(a_server_that_does_not_write_is_waited_for)

static void a_server_that_is_away_is_tried_at_once_on_demand_only(struct stage *g, struct far *f)
{
	char sql[160];

	far_put_many(f, 5);
	snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET default_transaction_read_only = on",
		backstage_ask(g, "SELECT current_database()"));
	backstage_run(g, sql);
	backstage_end_sessions(g);
	for (int i = 0; i < 6; i++) { /* the wait grows */
		store_hurry(g->store);
		assert_int_equal(stage_pull(g, f, 10, NULL), RETRY);
		assert_null(strstr(g->why.text, "next attempt in"));
	}
	snprintf(sql, sizeof(sql), "ALTER DATABASE %s RESET default_transaction_read_only",
		backstage_ask(g, "SELECT current_database()"));
	backstage_run(g, sql);
	store_hurry(g->store);
	assert_int_equal(stage_pull(g, f, 10, NULL), OK);
}
POSTGRES_TEST(a_server_that_is_away_is_tried_at_once_on_demand)

/* --- data --- */

static void data_that_is_refused_goes_into_quarantine_only(struct stage *g, struct far *f)
{
	static struct far other;
	struct node n[2];
	struct page pages[2];
	struct pull_apply p[2];

	far_open(&other, "site-b", &g->arena);
	stage_meet(g, &other);
	far_put(f, "good", "1");
	far_put(f, "bad", "{"); /* no local hands that out */
	far_put(&other, "good", "1");
	n[0] = stage_node(g, "site-a");
	n[1] = stage_node(g, "site-b");
	far_page(f, 0, 10, &pages[0]);
	far_page(&other, 0, 10, &pages[1]);
	for (int i = 0; i < 2; i++)
		p[i] = (struct pull_apply){.node = n[i].name, .basis = &n[i].sync, .page = &pages[i]};
	assert_int_equal(store_apply_pages(g->store, p, 2, &g->why), INVALID);
	assert_non_null(strstr(g->why.text, "22P02"));
	assert_int_equal(stage_node(g, "site-b").sync.digest.count, 0);
	assert_int_equal(store_apply_pages(g->store, &p[0], 1, &g->why), OK);
	assert_int_equal(p[0].quarantine.in, 1);
	assert_int_equal(store_apply_pages(g->store, &p[1], 1, &g->why), OK);
	assert_int_equal(stage_node(g, "site-a").sync.digest.count, 1);
	assert_int_equal(stage_node(g, "site-b").sync.digest.count, 1);
}
POSTGRES_TEST(data_that_is_refused_goes_into_quarantine)

static unsigned results; /* of statements; each row is one */
static bool hush;        /* errors are not heard of */

PGresult *__wrap_PQgetResult(PGconn *c);
PGresult *__real_PQgetResult(PGconn *c);
PGresult *__wrap_PQgetResult(PGconn *c)
{
	PGresult *r = __real_PQgetResult(c);

	results++;
	if (!hush || !r || PQresultStatus(r) != PGRES_FATAL_ERROR)
		return r;
	PQclear(r);
	return PQmakeEmptyPGresult(c, PGRES_COMMAND_OK);
}

/* --- commits --- */

/* A transaction that writes an event fails: at once, or (deferred) within its commit. */
static void fail_events(struct stage *g, const char *state, const char *when)
{
	char sql[320];

	snprintf(sql, sizeof(sql),
		"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
		"RAISE EXCEPTION 'not now' USING ERRCODE = '%s'; END $$; "
		"CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON events %s FOR EACH ROW EXECUTE FUNCTION "
		"refuse()",
		state, when);
	backstage_run(g, sql);
}

static enum err tell(struct stage *g)
{
	struct event ev = {.level = LOG_INFO, .kind = "told", .text = {"said"}};

	return store_events_add(g->store, &ev, 1, &g->why);
}

/* What a server says of itself while it commits tells nothing of what is on its disk; what it says of the data does. */
static void a_commit_that_fails_late_is_uncertain_only(struct stage *g, struct far *f)
{
	(void)f;
	fail_events(g, "58030", "DEFERRABLE INITIALLY DEFERRED");
	assert_int_equal(tell(g), UNCERTAIN);
	backstage_run(g, "DROP TRIGGER refuse ON events");
	fail_events(g, "23514", "DEFERRABLE INITIALLY DEFERRED");
	assert_int_equal(tell(g), INVALID);
	backstage_run(g, "DROP TRIGGER refuse ON events");
	assert_int_equal(tell(g), OK);
	assert_int_equal(stage_events(g, "told"), 1);
}
POSTGRES_TEST(a_commit_that_fails_late_is_uncertain)

/* What a caller should do next follows from the class of the server's error alone. */
static void errors_are_what_their_class_says_only(struct stage *g, struct far *f)
{
	static const struct {
		const char *state;
		enum err e;
	} table[] = {{"08006", RETRY}, {"25006", RETRY}, {"40001", RETRY}, {"40P01", RETRY}, {"53100", RETRY},
		{"53300", RETRY}, {"55P03", RETRY}, {"57014", RETRY}, {"58030", RETRY}, {"23505", CONFLICT},
		{"21000", INVALID}, {"22021", INVALID}, {"23514", INVALID}, {"42501", DENIED},
		{"42P01", INTERNAL}, {"XX001", INTERNAL}};

	(void)f;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fail_events(g, table[i].state, "");
		if (tell(g) != table[i].e)
			fail_msg("%s: %s", table[i].state, g->why.text);
		assert_int_equal(
			strstr(g->why.text, REASON_DISK_FULL) != NULL, !strcmp(table[i].state, "53100"));
		backstage_run(g, "DROP TRIGGER refuse ON events");
	}
	assert_int_equal(tell(g), OK);
}
POSTGRES_TEST(errors_are_what_their_class_says)

/* PostgreSQL answers the COMMIT of a transaction that has failed with success, and rolls it back. */
static void a_commit_that_rolled_back_is_none_only(struct stage *g, struct far *f)
{
	(void)f;
	fail_events(g, "23514", "");
	hush = true;
	assert_int_equal(tell(g), INTERNAL);
	hush = false;
	assert_int_equal(stage_events(g, "told"), 0);
}
POSTGRES_TEST(a_commit_that_rolled_back_is_none)

/* --- reading no more than is needed --- */

/* What the server has begun to send comes to its end, so it is not asked for all that waits. */
static void a_page_of_large_records_does_not_read_those_after_it_only(struct stage *g, struct far *f)
{
	enum { RECORDS = 400, BODY = 20000, BYTES = 200000 };
	static char body[BODY + 1];
	struct node n = stage_node(g, f->name);
	struct push_page p;
	char id[16];

	memset(body, '1', BODY);
	for (unsigned i = 0; i < RECORDS; i++) {
		snprintf(id, sizeof(id), "r%04u", i);
		stage_put(g, f->name, id, body);
	}
	results = 0;
	assert_int_equal(store_push_page(g->store, f->name, &n.sync, 5000, BYTES, &p, &g->why), OK);
	assert_in_range(p.n, BYTES / BODY - 1, BYTES / BODY);
	assert_in_range(results, p.n, 4 * p.n + 20);
	push_page_done(&p);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}
POSTGRES_TEST(a_page_of_large_records_does_not_read_those_after_it)

/* A session tells what it has read when it ends, if not before. */
static uint64_t rows_read(struct stage *g)
{
	backstage_end_sessions(g);
	return strtoull(backstage_ask(g, "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_user_tables "
					 "WHERE relid = 'records'::regclass"),
		NULL, 10);
}

/* Also when the server knows how large the table is, and would rather sort all of it than trust an index. */
static void a_page_of_the_sweep_does_not_read_the_rest_only(struct stage *g, struct far *f)
{
	struct push_page p;
	struct node n;
	uint64_t before;

	backstage_run(g, "INSERT INTO records (owner, id, type, body, deleted, actor, n, h0, h1, created_at, "
			 "updated_at, local_h0, local_h1, local_generation) SELECT 'site-a', md5(i::text), "
			 "'t', '1', false, "
			 "1, i, i, i, 1, 1, i, i, 0 FROM generate_series(1, 50000) AS i");
	backstage_run(g, "ANALYZE records");
	backstage_run(g, "UPDATE nodes SET swept = false"); /* as a reset leaves it where there are records */
	n = stage_node(g, f->name);
	assert_int_equal(n.sync.swept, false);
	before = rows_read(g);
	assert_int_equal(store_push_page(g->store, f->name, &n.sync, 100, 1 << 20, &p, &g->why), OK);
	assert_int_equal(p.n, 100);
	push_page_done(&p);
	assert_in_range(rows_read(g) - before, 100, 1000);
}
POSTGRES_TEST(a_page_of_the_sweep_does_not_read_the_rest)

/* --- one centre, its schema --- */

static void a_newer_schema_is_left_alone_only(struct stage *g, struct far *f)
{
	struct store_config c = {.url = g->url};
	const char *before;

	(void)f;
	store_close(g->store);
	g->store = NULL;
	backstage_run(g, "INSERT INTO schema_version (version) VALUES (1000)");
	before = backstage_ask(g, "SELECT token FROM opening");
	assert_int_equal(store_open(&g->store, &c, &g->why), INVALID);
	assert_non_null(strstr(g->why.text, "schema 1000"));
	assert_string_equal(backstage_ask(g, "SELECT token FROM opening"), before);
	backstage_run(g, "DELETE FROM schema_version WHERE version = 1000");
	stage_reopen(g);
}
POSTGRES_TEST(a_newer_schema_is_left_alone)

static void another_centre_is_refused_until_the_first_has_gone_only(struct stage *g, struct far *f)
{
	struct store_config c = {.url = g->url};
	struct store *second = NULL;

	far_put_many(f, 5);
	assert_int_equal(store_open(&second, &c, &g->why), DENIED);
	assert_non_null(strstr(g->why.text, "another tidemark-central"));
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL); /* the first is not disturbed */
	store_close(g->store);
	assert_int_equal(store_open(&g->store, &c, &g->why), OK);
}
POSTGRES_TEST(another_centre_is_refused_until_the_first_has_gone)

/* Set for the whole server by somebody who thinks of other databases. */
static void an_acknowledged_edit_is_on_disk_whatever_the_server_does_for_others_only(
	struct stage *g, struct far *f)
{
	char sql[160];

	(void)f;
	snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET synchronous_commit = off",
		backstage_ask(g, "SELECT current_database()"));
	backstage_run(g, sql);
	backstage_end_sessions(g);
	assert_string_equal(backstage_ask(g, "SHOW synchronous_commit"), "off");
	backstage_run(g, "CREATE TABLE seen (how text)");
	backstage_run(g, "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS "
			 "'BEGIN INSERT INTO tidemark_store.seen VALUES "
			 "(current_setting(''synchronous_commit'')); RETURN NEW; END'");
	backstage_run(g, "CREATE TRIGGER see AFTER INSERT ON records FOR EACH ROW EXECUTE FUNCTION see()");
	stage_put(g, "site-a", "x", "1");
	assert_string_equal(backstage_ask(g, "SELECT string_agg(how, ' ') FROM seen"), "on");
	snprintf(sql, sizeof(sql), "ALTER DATABASE %s RESET synchronous_commit",
		backstage_ask(g, "SELECT current_database()"));
	backstage_run(g, sql);
}
POSTGRES_TEST(an_acknowledged_edit_is_on_disk_whatever_the_server_does_for_others)

static void a_server_that_is_not_there_can_be_tried_again(void **state)
{
	struct store_config c = {.url = "postgresql://tidemark@127.0.0.1:1/nothing?connect_timeout=2"};
	struct store *st = NULL;
	struct reason why;

	(void)state;
	assert_int_equal(store_open(&st, &c, &why), RETRY);
	assert_non_null(strstr(why.text, "127.0.0.1"));
	assert_null(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_never_skips_a_late_commit),
		cmocka_unit_test(ended_sessions_are_begun_again),
		cmocka_unit_test(a_session_that_ends_within_a_page_undoes_it),
		cmocka_unit_test(a_server_that_does_not_write_is_waited_for),
		cmocka_unit_test(a_server_that_is_away_is_tried_at_once_on_demand),
		cmocka_unit_test(data_that_is_refused_goes_into_quarantine),
		cmocka_unit_test(a_commit_that_fails_late_is_uncertain),
		cmocka_unit_test(errors_are_what_their_class_says),
		cmocka_unit_test(a_commit_that_rolled_back_is_none),
		cmocka_unit_test(a_page_of_large_records_does_not_read_those_after_it),
		cmocka_unit_test(a_page_of_the_sweep_does_not_read_the_rest),
		cmocka_unit_test(a_newer_schema_is_left_alone),
		cmocka_unit_test(another_centre_is_refused_until_the_first_has_gone),
		cmocka_unit_test(an_acknowledged_edit_is_on_disk_whatever_the_server_does_for_others),
		cmocka_unit_test(a_server_that_is_not_there_can_be_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
