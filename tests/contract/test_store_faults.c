/*
 * Every statement of every write of the store fails once, also after it was done, in each way that SQLite knows,
 * or by a connection to PostgreSQL that breaks: afterwards the store is as before or as after, and the exchange
 * goes on to equality.
 */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */
#include "tests/support/occurrences.h"

#include <sys/socket.h>

#include <libpq-fe.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* From sqlite3.h, which only shared/lite*.c includes. */
struct sqlite3_stmt;
int __wrap_sqlite3_step(struct sqlite3_stmt *s);
int __real_sqlite3_step(struct sqlite3_stmt *s);
enum { CODE_BUSY = 5, CODE_NOMEM = 7, CODE_IOERR = 10, CODE_FULL = 13 };
static const int codes[] = {CODE_BUSY, CODE_NOMEM, CODE_IOERR, CODE_FULL};

static struct {
	int at; /* the call to fail, from 1; 0 = none */
	int calls, code;
	bool done_first; /* the step is done and yet reported as failed */
	bool hit;
	PGconn *swallow; /* its next answer is lost */
} fault;

int __wrap_sqlite3_step(struct sqlite3_stmt *s)
{
	if (fault.at == 0 || ++fault.calls != fault.at)
		return __real_sqlite3_step(s);
	fault.hit = true;
	if (fault.done_first)
		(void)__real_sqlite3_step(s);
	return fault.code;
}

int __wrap_PQsendQueryPrepared(PGconn *c, const char *name, int n, const char *const *values,
	const int *lengths, const int *formats, int result);
int __real_PQsendQueryPrepared(PGconn *c, const char *name, int n, const char *const *values,
	const int *lengths, const int *formats, int result);
int __wrap_PQsendQuery(PGconn *c, const char *sql);
int __real_PQsendQuery(PGconn *c, const char *sql);
int __wrap_PQputCopyEnd(PGconn *c, const char *error);
int __real_PQputCopyEnd(PGconn *c, const char *error);
PGresult *__wrap_PQgetResult(PGconn *c);
PGresult *__real_PQgetResult(PGconn *c);

static void may_break(PGconn *c)
{
	if (fault.at == 0 || ++fault.calls != fault.at)
		return;
	fault.hit = true;
	if (fault.done_first)
		fault.swallow = c;
	else
		shutdown(PQsocket(c), SHUT_RDWR);
}

int __wrap_PQsendQueryPrepared(PGconn *c, const char *name, int n, const char *const *values,
	const int *lengths, const int *formats, int result)
{
	may_break(c);
	return __real_PQsendQueryPrepared(c, name, n, values, lengths, formats, result);
}

int __wrap_PQsendQuery(PGconn *c, const char *sql)
{
	may_break(c);
	return __real_PQsendQuery(c, sql);
}

int __wrap_PQputCopyEnd(PGconn *c, const char *error)
{
	may_break(c);
	return __real_PQputCopyEnd(c, error);
}

PGresult *__wrap_PQgetResult(PGconn *c)
{
	PGresult *r = __real_PQgetResult(c);

	if (fault.swallow != c)
		return r;
	fault.swallow = NULL;
	shutdown(PQsocket(c), SHUT_RDWR);
	PQclear(r);
	return NULL;
}

/* --- what is written --- */

static const struct author ann = {.who = "ann"};

typedef enum err write_fn(struct stage *g, struct far *f);

static enum err pull(struct stage *g, struct far *f)
{
	return stage_pull(g, f, 100, NULL);
}

static enum err push(struct stage *g, struct far *f)
{
	return stage_push(g, f, 100, NULL);
}

static enum err put(struct stage *g, struct far *f)
{
	struct draft d[2] = {{span_of(f->name), span_of("r0002"), span_of("t"), span_of("\"put\"")},
		{span_of(f->name), span_of("fresh"), span_of("t"), span_of("\"put\"")}};
	struct written w[2];

	return store_put(g->store, &ann, d, 2, NULL, w, &g->why);
}

static enum err pause_node(struct stage *g, struct far *f)
{
	return store_node_pause(g->store, &ann, f->name, true, &g->why);
}

static enum err rename_node(struct stage *g, struct far *f)
{
	return store_node_edit(g->store, &ann, f->name, NULL, "another title", NULL, &g->why);
}

static enum err erase(struct stage *g, struct far *f)
{
	struct written w;

	return store_delete(g->store, &ann, span_of(f->name), span_of("r0002"), NULL, &w, &g->why);
}

static enum err promote(struct stage *g, struct far *f)
{
	char owner[RECORD_OWNER_MAX + 1];
	struct written w;

	(void)f;
	return store_conflict_promote(g->store, &ann, 1, owner, &w, &g->why);
}

static struct key a_key(const char *name)
{
	struct key k = {.role = ROLE_VIEWER, .created_us = 1, .expires_us = -1, .used_us = -1};

	(void)snprintf(k.name, sizeof(k.name), "%s", name);
	(void)snprintf(k.created_by, sizeof(k.created_by), "%s", ann.who);
	key_hash(span_of(name), k.hash);
	return k;
}

static enum err add_key(struct stage *g, struct far *f)
{
	struct key k = a_key("new");

	(void)f;
	return store_key_add(g->store, &ann, &k, &g->why);
}

static enum err drop_key(struct stage *g, struct far *f)
{
	(void)f;
	return store_key_remove(g->store, &ann, "old", &g->why);
}

static void forbid(struct stage *g)
{
	backstage_forbid(
		g, g->kind == STAGE_POSTGRES ? "body::text LIKE '%poison%'" : "body LIKE '%poison%'");
}

static enum err sift(struct stage *g, struct far *f)
{
	return stage_pull(g, f, 100, NULL);
}

static enum err try_again(struct stage *g, struct far *f)
{
	char owner[RECORD_OWNER_MAX + 1];

	(void)f;
	return store_quarantine_retry(g->store, &ann, 1, owner, &g->why);
}

/* A store with something of everything to do: new, changed and conflicting records, edits to push, an
 * archive. */
static struct stage *prepare(enum stage_kind kind, struct far *f)
{
	struct stage *g = stage_open(kind, POLICY_OWNER);

	far_open(f, "site-a", &g->arena);
	stage_meet(g, f);
	far_put_many(f, 5);
	(void)stage_settle(g, f);
	stage_put(g, "site-a", "r0004", "\"first\"");
	far_put(f, "r0004", "\"second\"");
	(void)stage_settle(g, f);
	stage_put(g, "site-a", "r0000", "\"centre\"");
	stage_put(g, "site-a", "r0001", "\"centre\"");
	far_put(f, "r0000", "\"local\"");
	far_put(f, "r0003", "\"local\"");
	far_put(f, "new", "1");
	struct key old = a_key("old");
	assert_int_equal(store_key_add(g->store, NULL, &old, &g->why), OK);
	return g;
}

/* The same and a record that the store refuses; `again`: it did before, and does no longer. */
static struct stage *prepare_poison(enum stage_kind kind, struct far *f, bool again)
{
	struct stage *g = prepare(kind, f);

	forbid(g);
	far_put(f, "r0002", "\"poison\"");
	far_put(f, "newer", "1");
	if (!again)
		return g;
	(void)stage_settle(g, f);
	backstage_allow(g);
	return g;
}

/* The stored state without what chance and time put into a version made again. */
static uint64_t state_of(struct stage *g)
{
	struct node_row r = stage_row(g, "site-a");
	struct node n = r.node;
	uint64_t records;
	int64_t oldest;
	struct keys ks = {0};
	size_t keys;

	if (store_keys(g->store, &ks, &g->why) != OK)
		return 0;
	keys = ks.n;
	keys_done(&ks);
	if (store_push_backlog(g->store, "site-a", &records, &oldest, &g->why) != OK)
		return 0;
	return n.sync.digest.count * 1000003 + n.sync.cursor * 10007 + n.sync.witness.seq * 1009 +
	       n.paused * 17 + (r.title[0] != 0) * 23 + n.sync.quarantined * 19 + keys * 29 +
	       stage_conflicts(g, NULL) * 101 + stage_events(g, "conflict") * 7 +
	       stage_events(g, "pulled") * 11 + stage_events(g, "pushed") * 13 + records * 1000033;
}

/* A person's change and its event are both there, or neither is. */
static unsigned audited(struct stage *g)
{
	struct event_query q = {.who = ann.who, .least_level = -1, .limit = 1000};
	struct buf list = {0};
	unsigned n;

	assert_int_equal(store_events(g->store, &q, &list, &g->why), OK);
	n = occurrences(list.at, "\"at\":");
	buf_done(&list);
	return n;
}

/* What was refused is taken in the end. */
static void empty_quarantine(struct stage *g, struct far *f)
{
	char owner[RECORD_OWNER_MAX + 1];

	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.quarantined, 1);
	backstage_allow(g);
	assert_int_equal(store_quarantine_retry(g->store, NULL, 1, owner, &g->why), OK);
}

/* True: the fault came. */
static bool fail_at(enum stage_kind kind, write_fn *write, int at, int code, bool done_first)
{
	static struct far f;
	struct stage *g = write == sift || write == try_again ? prepare_poison(kind, &f, write == try_again)
							      : prepare(kind, &f);
	uint64_t before = state_of(g), after;
	enum err e;
	bool hit;

	fault.calls = 0;
	fault.hit = false;
	fault.code = code;
	fault.done_first = done_first;
	fault.at = at;
	e = write(g, &f);
	fault.at = 0;
	hit = fault.hit;
	after = state_of(g);
	if (e != OK && e != UNCERTAIN && write != push) /* a push has changed the local, and reads first */
		assert_true(after == before);
	if (e == OK && hit && !done_first)
		assert_true(after != before || write == push);
	assert_int_equal(audited(g), write != pull && write != push && write != sift && after != before);
	stage_reopen(g);
	assert_true(state_of(g) == after);
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", false, &g->why), OK);
	if (write == sift)
		empty_quarantine(g, &f);
	else if (write == try_again && stage_node(g, "site-a").sync.quarantined > 0)
		assert_int_equal(try_again(g, &f), OK);
	assert_int_equal(stage_settle(g, &f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.quarantined, 0);
	assert_true(digest_equal(stage_node(g, "site-a").sync.digest, far_digest(&f)));
	assert_true(stage_conflicts(g, NULL) == 2);
	stage_close(g);
	return hit;
}

static const enum stage_kind kinds[] = {STAGE_FILE, STAGE_POSTGRES};

static void fail_each(write_fn *write, int least)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int k = 1;

		for (bool hit = true; hit; k++)
			hit = fail_at(kinds[i], write, k, codes[k % 4], k % 3 == 0);
		assert_true(k > least);
	}
}

#define FAULT_TEST(name, write, least)   \
	static void name(void **state)   \
	{                                \
		(void)state;             \
		fail_each(write, least); \
	}
FAULT_TEST(a_pull_is_whole_or_not_at_all, pull, 15)
FAULT_TEST(a_push_is_whole_or_not_at_all, push, 10)
FAULT_TEST(a_put_is_whole_or_not_at_all, put, 8)
FAULT_TEST(a_pause_is_whole_or_not_at_all, pause_node, 4)
FAULT_TEST(another_title_is_whole_or_not_at_all, rename_node, 4)
FAULT_TEST(a_deletion_is_whole_or_not_at_all, erase, 6)
FAULT_TEST(a_promotion_is_whole_or_not_at_all, promote, 6)
FAULT_TEST(another_token_is_whole_or_not_at_all, add_key, 4)
FAULT_TEST(a_tokens_end_is_whole_or_not_at_all, drop_key, 4)

FAULT_TEST(a_pull_of_what_is_refused_is_whole_or_not_at_all, sift, 25)
FAULT_TEST(another_try_is_whole_or_not_at_all, try_again, 8)

/* The commit was done and not reported: what is told must not be "failed". */
static void an_unknown_commit_is_uncertain_or_known_in(enum stage_kind kind)
{
	unsigned uncertain = 0;

	for (int k = 1; k < 60; k++) {
		static struct far f;
		struct stage *g = prepare(kind, &f);
		uint64_t before = state_of(g);
		enum err e;

		fault.calls = 0;
		fault.hit = false;
		fault.code = CODE_IOERR;
		fault.done_first = true;
		fault.at = k;
		e = pull(g, &f);
		fault.at = 0;
		if (state_of(g) != before && fault.hit)
			assert_true(e == OK || e == UNCERTAIN);
		uncertain += e == UNCERTAIN;
		stage_close(g);
		if (!fault.hit)
			break;
	}
	assert_int_equal(uncertain, 1);
}

static void an_unknown_commit_is_uncertain_or_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		an_unknown_commit_is_uncertain_or_known_in(kinds[i]);
}

static uint64_t actor_of(struct stage *g, const char *id)
{
	struct record r;

	assert_int_equal(store_record(g->store, span_of("site-a"), span_of(id), &r, &g->arena, &g->why), OK);
	return r.dot.actor;
}

/* Nobody can tell whether a dot was used: it is never used again. */
static void an_uncertain_put_is_followed_by_another_actor_in(enum stage_kind kind)
{
	enum err e = OK;

	for (int k = 1; k < 60 && e != UNCERTAIN; k++) {
		static struct far f;
		struct stage *g = prepare(kind, &f);
		uint64_t before;

		stage_put(g, "site-a", "x", "1");
		before = actor_of(g, "x");
		stage_put(g, "site-a", "x", "2");
		assert_true(actor_of(g, "x") == before);
		fault.calls = 0;
		fault.code = CODE_IOERR;
		fault.done_first = true;
		fault.at = k;
		e = put(g, &f);
		fault.at = 0;
		stage_put(g, "site-a", "x", "3");
		assert_true((actor_of(g, "x") == before) == (e != UNCERTAIN));
		stage_close(g);
	}
	assert_int_equal(e, UNCERTAIN);
}

static void an_uncertain_put_is_followed_by_another_actor(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		an_uncertain_put_is_followed_by_another_actor_in(kinds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pull_is_whole_or_not_at_all),
		cmocka_unit_test(a_push_is_whole_or_not_at_all),
		cmocka_unit_test(a_put_is_whole_or_not_at_all),
		cmocka_unit_test(a_pause_is_whole_or_not_at_all),
		cmocka_unit_test(another_title_is_whole_or_not_at_all),
		cmocka_unit_test(a_deletion_is_whole_or_not_at_all),
		cmocka_unit_test(a_promotion_is_whole_or_not_at_all),
		cmocka_unit_test(another_token_is_whole_or_not_at_all),
		cmocka_unit_test(a_tokens_end_is_whole_or_not_at_all),
		cmocka_unit_test(a_pull_of_what_is_refused_is_whole_or_not_at_all),
		cmocka_unit_test(another_try_is_whole_or_not_at_all),
		cmocka_unit_test(an_uncertain_put_is_followed_by_another_actor),
		cmocka_unit_test(an_unknown_commit_is_uncertain_or_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
