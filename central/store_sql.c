#include "central/store_sql_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "central/db_lite.h"
#include "central/db_postgres.h"
#include "shared/lite.h"

#define LITE_READERS 4
/* The workers that apply (main.c), and the API. */
#define POSTGRES_WRITERS 6
#define POSTGRES_READERS 4

/* --- connections --- */

static void pool_init(struct pool *p)
{
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->returned, NULL);
}

static void pool_done(struct pool *p)
{
	while (p->n > 0)
		db_close(p->all[--p->n]);
	free(p->path);
	pthread_cond_destroy(&p->returned);
	pthread_mutex_destroy(&p->lock);
}

static void pool_add(struct pool *p, struct db *db)
{
	assert(p->n < POOL_MAX);
	p->all[p->n++] = db;
	p->free[p->n_free++] = db;
}

/*
 * One more, if there may be: each takes as long to open as its statements to prepare, and hundreds of KiB.  Where it cannot be
 * opened, or the file is no longer the one that the others have open, those go on alone.
 */
static bool pool_grow(struct pool *p, struct db *writer)
{
	struct db *db;

	if (p->n >= p->most || db_lite_open(&db, p->path, false, NULL) != OK)
		return false;
	if (db_lost(writer)) {
		db_close(db);
		return false;
	}
	pool_add(p, db);
	return true;
}

static struct db *pool_take(struct store *st, struct pool *p)
{
	struct db *db;

	pthread_mutex_lock(&p->lock);
	while (p->n_free == 0)
		if (!pool_grow(p, st->writers.all[0]))
			pthread_cond_wait(&p->returned, &p->lock);
	db = p->free[--p->n_free];
	pthread_mutex_unlock(&p->lock);
	return db;
}

static void pool_return(struct pool *p, struct db *db)
{
	pthread_mutex_lock(&p->lock);
	p->free[p->n_free++] = db;
	pthread_cond_signal(&p->returned);
	pthread_mutex_unlock(&p->lock);
}

/* --- the embedded store's memory --- */

bool store_wrote(struct store *st)
{
	struct pool *p = &st->writers;
	bool wrote;

	if (st->postgres)
		return false;
	pthread_mutex_lock(&p->lock);
	wrote = p->n_free == 0 || db_lite_wrote(p->free[0]);
	pthread_mutex_unlock(&p->lock);
	return wrote;
}

/* Those that are in use are not at rest. */
static void pool_rest(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->n_free; i++)
		db_lite_rest(p->free[i]);
	pthread_mutex_unlock(&p->lock);
}

void store_rest(struct store *st)
{
	if (st->postgres)
		return;
	pool_rest(&st->writers);
	pool_rest(&st->readers);
}

/* --- transactions --- */

static void fresh_actor(struct store *st)
{
	pthread_mutex_lock(&st->minting);
	st->last.actor = 0;
	pthread_mutex_unlock(&st->minting);
}

/*
 * Versions of ours may be gone that later ones of the same actor would claim to know.  It is said to one
 * connection only: the others wait here until that one has drawn its conclusion.
 */
static void distrust_foreign_content(struct store *st, struct db *db)
{
	pthread_mutex_lock(&st->minting);
	if (db_replaced(db)) {
		st->last.actor = 0;
		atomic_fetch_add(&st->life, 1);
	}
	pthread_mutex_unlock(&st->minting);
}

static struct db *begin(struct store *st, struct pool *p)
{
	struct db *db = pool_take(st, p);

	db_begin(db);
	distrust_foreign_content(st, db);
	return db;
}

bool *store_tells(struct store *st, const struct db *db)
{
	unsigned i = 0;

	while (st->writers.all[i] != db)
		i++;
	return &st->tells[i];
}

struct db *store_write_begin(struct store *st)
{
	struct db *db = begin(st, &st->writers);

	*store_tells(st, db) = false;
	return db;
}

static enum err roll_back(struct db *db, enum err e, struct reason *why)
{
	struct reason cause;
	enum err stuck = db_rollback(db, &cause);

	return stuck == OK ? e : fail(stuck, why, "%s", cause.text);
}

static enum err refuse(struct store *st, struct reason *why)
{
	atomic_store(&st->lost, true);
	return fail(INTERNAL, why,
		"the store's file (or its -wal, -shm or .lock) was deleted or replaced while in use: nothing "
		"can be "
		"stored; start the centre again on the file that is to be used");
}

enum err store_write_end(struct store *st, struct db *db, enum err e, struct reason *why)
{
	bool tells = *store_tells(st, db);

	if (e == OK && db_lost(db)) {
		(void)db_rollback(db, NULL);
		e = refuse(st, why);
	} else if (e == OK) {
		e = db_commit(db, why);
		if (e == UNCERTAIN)
			fresh_actor(st);
		if (e == OK && db_lost(db))
			e = refuse(st, why);
	} else {
		e = roll_back(db, e, why);
	}
	pool_return(&st->writers, db);
	if (tells && st->told && (e == OK || e == UNCERTAIN))
		st->told(st->told_ctx);
	return e;
}

struct db *store_read_begin(struct store *st)
{
	return begin(st, &st->readers);
}

enum err store_read_end(struct store *st, struct db *db, enum err e, struct reason *why)
{
	e = roll_back(db, e, why);
	pool_return(&st->readers, db);
	return e;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void store_lock_owners_untouched(struct db *db, const struct span *owners, size_t n)
{
	struct arena a = {0};
	uint64_t *keys = arena_alloc(&a, (n + 1) * sizeof(*keys));

	for (size_t i = 0; i < n; i++)
		keys[i] = hash_of(owners[i]).half[0];
	qsort(keys, n, sizeof(*keys), by_value);
	db_lock(db, keys, n);
	arena_done(&a);
}

void store_lock_owners(struct store *st, struct db *db, const struct span *owners, size_t n)
{
	store_lock_owners_untouched(db, owners, n);
	for (size_t i = 0; i < n; i++)
		store_touch_owner(st, owners[i]);
}

void store_lock_owner(struct store *st, struct db *db, struct span owner)
{
	store_lock_owners(st, db, &owner, 1);
}

struct dot store_next_dot(struct store *st)
{
	struct dot next;

	pthread_mutex_lock(&st->minting);
	if (st->last.actor == 0)
		st->last = (struct dot){actor_new(true), 0};
	st->last.n++;
	next = st->last;
	pthread_mutex_unlock(&st->minting);
	return next;
}

/* --- opening --- */

/* Reads the centre's id or makes it; lets what locals rejected be offered once more. */
static enum err start(struct store *st, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_CENTRE_GET);
	bool known = stmt_step(q);

	if (known && !epoch_parse(stmt_col_text(q, 0), &st->centre_id))
		db_fail(db, INVALID, "the centre's id is not one");
	stmt_done(q);
	if (!known) {
		st->centre_id = epoch_new();
		q = stmt_begin(db, SQL_CENTRAL_CENTRE_PUT);
		stmt_text(q, 1, span_of(st->centre_id.hex));
		stmt_run(q);
	}
	stmt_run(stmt_begin(db, SQL_CENTRAL_RECORDS_UNREFUSE));
	return store_write_end(st, db, OK, why);
}

static enum err open_lite(struct store *st, const char *path, struct reason *why)
{
	struct db *db;
	enum err e = lite_lock(path, &st->lock_fd, why);

	if (e == OK)
		e = db_lite_open(&db, path, true, why);
	if (e == OK)
		pool_add(&st->writers, db);
	if (e == OK)
		e = db_lite_open(&db, path, false, why);
	if (e != OK)
		return e;
	pool_add(&st->readers, db);
	st->readers.most = LITE_READERS;
	st->readers.path = strdup(path);
	return st->readers.path ? OK : fail(RETRY, why, "out of memory");
}

/* Sessions begin when they are first needed. */
static enum err open_postgres(struct store *st, const char *url, struct reason *why)
{
	enum err e = postgres_open(&st->postgres, url, why);

	while (e == OK && st->writers.n < POSTGRES_WRITERS)
		pool_add(&st->writers, db_postgres_new(st->postgres, true));
	while (e == OK && st->readers.n < POSTGRES_READERS)
		pool_add(&st->readers, db_postgres_new(st->postgres, false));
	return e;
}

enum store_url_kind store_url_kind(const char *url)
{
	if (strncmp(url, "sqlite:", 7) == 0 && url[7])
		return STORE_SQLITE;
	if (strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0)
		return STORE_POSTGRES;
	return STORE_UNKNOWN;
}

static enum err open_url(struct store *st, const char *url, struct reason *why)
{
	switch (store_url_kind(url)) {
	case STORE_SQLITE:
		return open_lite(st, url + strlen("sqlite:"), why);
	case STORE_POSTGRES:
		return open_postgres(st, url, why);
	case STORE_UNKNOWN:
		break;
	}
	return fail(INVALID, why, "neither sqlite:FILE nor postgresql://…");
}

void store_retune(struct store *st, enum merge_policy policy, uint64_t events_kept, uint64_t audit_kept)
{
	st->policy = policy;
	st->events_kept = events_kept ? events_kept : STORE_EVENTS_KEPT;
	st->audit_kept = audit_kept ? audit_kept : STORE_AUDIT_KEPT;
}

enum err store_open(struct store **ret, const struct store_config *c, struct reason *why)
{
	struct store *st = calloc(1, sizeof(*st));
	uint64_t opening = actor_new(true);
	enum err e;

	if (!st)
		return fail(RETRY, why, "out of memory");
	st->lock_fd = -1;
	store_retune(st, c->policy, c->events_kept, c->audit_kept);
	st->notify = c->notify;
	st->notify_level = c->notify_level;
	st->notices_kept = c->notices_kept ? c->notices_kept : STORE_NOTICES_KEPT;
	st->spate = spate_new();
	for (size_t i = 0; i < STORE_MARKS; i++)
		st->touched[i] = opening;
	pthread_mutex_init(&st->minting, NULL);
	pool_init(&st->writers);
	pool_init(&st->readers);
	e = open_url(st, c->url, why);
	if (e == OK)
		e = start(st, why);
	if (e == OK)
		*ret = st;
	else
		store_close(st);
	return e;
}

void store_close(struct store *st)
{
	if (!st)
		return;
	pool_done(&st->readers);
	pool_done(&st->writers); /* last, so that SQLite's writer checkpoints */
	lite_unlock(st->lock_fd);
	postgres_close(st->postgres);
	pthread_mutex_destroy(&st->minting);
	spate_free(st->spate);
	free(st);
}

const char *store_kind(const struct store *st)
{
	return st->postgres ? "postgresql" : "sqlite";
}

void store_hurry(struct store *st)
{
	if (st->postgres)
		postgres_hurry(st->postgres);
}

bool store_is_lost(struct store *st, struct reason *why)
{
	if (!st->postgres && (atomic_load(&st->lost) || db_lost(st->writers.all[0]))) {
		(void)refuse(st, why);
		return true;
	}
	return false;
}

enum err store_ping(struct store *st, struct reason *why)
{
	return store_write_end(st, store_write_begin(st), OK, why);
}

struct epoch store_centre_id(const struct store *st)
{
	return st->centre_id;
}
