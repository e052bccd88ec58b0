/* In PostgreSQL many write at once, but of each owner's records only one: each kind of writer waits for its turn. */
#include "tests/support/stage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <pthread.h>

#include "shared/clock.h"

static void run(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	PQclear(r);
}

static enum err do_pull(struct stage *g, struct far *f)
{
	return stage_pull(g, f, 100, NULL);
}

static enum err do_push(struct stage *g, struct far *f)
{
	return stage_push(g, f, 100, NULL);
}

static enum err do_put(struct stage *g, struct far *f)
{
	struct draft d = {span_of(f->name), span_of("r0001"), span_of("t"), span_of("3")};
	struct written w;

	return store_put(g->store, NULL, &d, 1, NULL, &w, &g->why);
}

static enum err do_delete(struct stage *g, struct far *f)
{
	struct written w;

	return store_delete(g->store, NULL, span_of(f->name), span_of("r0002"), NULL, &w, &g->why);
}

static enum err do_promote(struct stage *g, struct far *f)
{
	char owner[RECORD_OWNER_MAX + 1];
	struct written w;

	(void)f;
	return store_conflict_promote(g->store, NULL, 1, owner, &w, &g->why);
}

static enum err do_move(struct stage *g, struct far *f)
{
	struct node n;
	enum err e = store_node(g->store, f->name, &n, &g->why);
	struct sync_change c = {.to = n.sync};

	c.to.recount = true;
	return e == OK ? store_move_node(g->store, f->name, &n.sync, &c, NULL, &g->why) : e;
}

static enum err do_edit(struct stage *g, struct far *f)
{
	return store_node_edit(g->store, NULL, f->name, NULL, "another title", NULL, &g->why);
}

static enum err do_pause(struct stage *g, struct far *f)
{
	return store_node_pause(g->store, NULL, f->name, true, &g->why);
}

static enum err do_resume(struct stage *g, struct far *f)
{
	return store_node_pause(g->store, NULL, f->name, false, &g->why);
}

static enum err do_rotate(struct stage *g, struct far *f)
{
	uint64_t rotation;

	return store_node_rotate(g->store, NULL, f->name, &rotation, &g->why);
}

static enum err do_remove(struct stage *g, struct far *f)
{
	return store_node_remove(g->store, NULL, f->name, &g->why);
}

static enum err do_add(struct stage *g, struct far *f)
{
	return store_node_add(g->store, NULL, f->name, "http://127.0.0.1/again", "", &g->why);
}

typedef enum err do_fn(struct stage *g, struct far *f);
struct doing {
	struct stage *g;
	struct far *f;
	do_fn *what;
	enum err e;
};

static void *do_it(void *ctx)
{
	struct doing *d = ctx;

	d->e = d->what(d->g, d->f);
	return NULL;
}

static bool somebody_waits(PGconn *c)
{
	PGresult *r =
		PQexec(c, "SELECT 1 FROM pg_locks JOIN pg_database AS d ON d.oid = database "
			  "WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted");
	bool waits = PQntuples(r) > 0;

	PQclear(r);
	return waits;
}

/* Whoever writes an owner's records or its row waits for the one who does so already. */
STAGE_TEST(writers_of_an_owner_come_one_after_the_other)
{
	static do_fn *const all[] = {do_push, do_put, do_delete, do_pull, do_promote, do_move, do_edit,
		do_rotate, do_pause, do_resume, do_remove, do_add};
	PGconn *other;
	char lock[80];

	if (g->kind != STAGE_POSTGRES)
		return;
	other = PQconnectdb(g->url);
	snprintf(lock, sizeof(lock), "SELECT pg_advisory_xact_lock(%lld)",
		(long long)hash_of(span_of(f->name)).half[0]);
	far_put_many(f, 5);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, f->name, "r0004", "\"centre\"");
	far_put(f, "r0004", "\"local\""); /* a conflict, and so something to push and to promote */
	assert_int_equal(stage_pull(g, f, 100, NULL), OK);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct doing d = {.g = g, .f = f, .what = all[i]};
		int64_t until = clock_mono_us() + 10000000;
		pthread_t thread;

		run(other, "BEGIN");
		run(other, lock);
		assert_int_equal(pthread_create(&thread, NULL, do_it, &d), 0);
		while (!somebody_waits(other))
			if (clock_mono_us() > until)
				fail_msg("number %zu does not wait", i);
		run(other, "COMMIT");
		pthread_join(thread, NULL);
		assert_int_equal(d.e, OK);
	}
	PQfinish(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writers_of_an_owner_come_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
