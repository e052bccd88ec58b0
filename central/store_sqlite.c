#include "central/store_sqlite_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gen/sql_central_migrations.h"

#define CHECKPOINT_PAGES 10000

/* --- transactions --- */

/* Versions of ours may be gone that later ones of the same actor would claim to know. */
static void distrust_foreign_content(struct store *st)
{
	struct query q = query_begin(st->writer, SQL_CENTRAL_DATA_VERSION);

	if (query_step(q)) {
		uint64_t now = query_col_u64(q, 0);

		if (now != st->data_version) {
			st->last.actor = 0;
			atomic_fetch_add(&st->life, 1);
		}
		st->data_version = now;
	}
	query_done(q);
}

struct lite *store_write_begin(struct store *st)
{
	pthread_mutex_lock(&st->writing);
	lite_begin(st->writer);
	distrust_foreign_content(st);
	return st->writer;
}

enum err store_write_end(struct store *st, enum err e, struct reason *why)
{
	struct reason cause;
	enum err stuck;

	if (e == OK) {
		e = lite_commit(st->writer, why);
		if (e == UNCERTAIN)
			st->last.actor = 0;
		if (e == OK && lite_moved(st->writer))
			e = fail(INTERNAL, why,
				"the store's file was deleted or replaced; restart the centre");
	} else {
		stuck = lite_rollback(st->writer, &cause);
		if (stuck != OK)
			e = fail(stuck, why, "%s", cause.text);
	}
	pthread_mutex_unlock(&st->writing);
	return e;
}

struct lite *store_read_begin(struct store *st)
{
	struct lite *l;

	pthread_mutex_lock(&st->pooling);
	while (st->n_free == 0)
		pthread_cond_wait(&st->returned, &st->pooling);
	l = st->readers[--st->n_free];
	pthread_mutex_unlock(&st->pooling);
	lite_begin(l);
	return l;
}

enum err store_read_end(struct store *st, struct lite *l, enum err e, struct reason *why)
{
	struct reason cause;
	enum err stuck = lite_rollback(l, &cause);

	pthread_mutex_lock(&st->pooling);
	st->readers[st->n_free++] = l;
	pthread_cond_signal(&st->returned);
	pthread_mutex_unlock(&st->pooling);
	return stuck == OK ? e : fail(stuck, why, "%s", cause.text);
}

struct dot store_next_dot(struct store *st)
{
	if (st->last.actor == 0)
		st->last = (struct dot){actor_new(true), 0};
	st->last.n++;
	return st->last;
}

/* --- opening --- */

static enum err open_connection(struct store *st, const char *path, struct lite **ret, struct reason *why)
{
	struct lite_config c = {
		.path = path,
		.writer = ret == &st->writer,
		.queries = &sql_central,
		.migrations = &sql_central_migrations,
		.autocheckpoint_pages = CHECKPOINT_PAGES,
		.application_id = STORE_APPLICATION_ID,
	};

	return lite_open(ret, &c, why);
}

/* Reads the centre's id or makes it; lets what locals rejected be offered once more. */
static enum err start(struct store *st, struct reason *why)
{
	struct lite *l = store_write_begin(st);
	struct query q = query_begin(l, SQL_CENTRAL_CENTRE_GET);
	bool known = query_step(q);

	if (known && !epoch_parse(query_col_text(q, 0), &st->centre_id))
		lite_fail(l, INVALID, "the centre's id is not one");
	query_done(q);
	if (!known) {
		st->centre_id = epoch_new();
		q = query_begin(l, SQL_CENTRAL_CENTRE_PUT);
		query_text(q, 1, span_of(st->centre_id.hex));
		query_run(q);
	}
	query_run(query_begin(l, SQL_CENTRAL_RECORDS_UNREFUSE));
	return store_write_end(st, OK, why);
}

static enum err open_all(struct store *st, const char *path, struct reason *why)
{
	enum err e = lite_lock(path, &st->lock_fd, why);

	if (e == OK)
		e = open_connection(st, path, &st->writer, why);
	while (e == OK && st->n_free < STORE_READERS) {
		e = open_connection(st, path, &st->readers[st->n_free], why);
		if (e == OK)
			st->n_free++;
	}
	return e == OK ? start(st, why) : e;
}

enum err store_open(struct store **ret, const struct store_config *c, struct reason *why)
{
	struct store *st;
	enum err e;

	if (strncmp(c->url, "sqlite:", 7) != 0 || c->url[7] == '\0')
		return fail(INVALID, why, "%s is no store: give sqlite:FILE", c->url);
	st = calloc(1, sizeof(*st));
	if (!st)
		return fail(RETRY, why, "out of memory");
	st->lock_fd = -1;
	st->policy = c->policy;
	pthread_mutex_init(&st->writing, NULL);
	pthread_mutex_init(&st->pooling, NULL);
	pthread_cond_init(&st->returned, NULL);
	e = open_all(st, c->url + 7, why);
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
	while (st->n_free > 0)
		lite_close(st->readers[--st->n_free]);
	lite_close(st->writer); /* last, so that it checkpoints */
	lite_unlock(st->lock_fd);
	pthread_cond_destroy(&st->returned);
	pthread_mutex_destroy(&st->pooling);
	pthread_mutex_destroy(&st->writing);
	free(st);
}

const char *store_kind(const struct store *st)
{
	(void)st;
	return "sqlite";
}

enum err store_ping(struct store *st, struct reason *why)
{
	(void)store_write_begin(st);
	return store_write_end(st, OK, why);
}

struct epoch store_centre_id(const struct store *st)
{
	return st->centre_id;
}
