#include "tests/sim/database_private.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_lite(struct database *d)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;

	snprintf(d->path, sizeof d->path, "file:/%s?vfs=memdb", d->name);
	snprintf(d->url, sizeof d->url, "sqlite:%s", d->path);
	assert(sqlite3_open_v2(d->path, &d->db, flags, NULL) == SQLITE_OK);
	assert(sqlite3_prepare_v2(d->db, "PRAGMA data_version", -1, &d->version, NULL) == SQLITE_OK);
}

void database_open(struct database *d, const char *name, bool postgres)
{
	memset(d, 0, sizeof *d);
	snprintf(d->name, sizeof d->name, "%s", name);
	if (postgres)
		postgres_database_open(d);
	else
		open_lite(d);
}

void database_close(struct database *d)
{
	d->pg = NULL; /* the process keeps it for the next world */
	if (d->db == NULL)
		return;
	sqlite3_finalize(d->version);
	for (unsigned i = 0; i < DATABASE_QUERIES; i++)
		sqlite3_finalize(d->query[i]);
	assert(sqlite3_close(d->db) == SQLITE_OK);
	d->db = NULL;
}

void database_wipe(struct database *d)
{
	char name[sizeof d->name];

	assert(d->pg == NULL);
	memcpy(name, d->name, sizeof name);
	database_close(d);
	database_open(d, name, false);
}

bool database_written(struct database *d)
{
	int64_t was = d->seen_version;

	if (d->pg != NULL)
		return postgres_database_written(d);
	assert(sqlite3_step(d->version) == SQLITE_ROW);
	d->seen_version = sqlite3_column_int64(d->version, 0);
	sqlite3_reset(d->version);
	return d->seen_version != was;
}

void database_run(struct database *d, const char *sql)
{
	if (d->pg != NULL)
		postgres_database_run(d, sql);
	else
		assert(sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

void database_end_sessions(struct database *d)
{
	if (d->pg != NULL)
		postgres_database_end_sessions(d);
}

/* --- rows --- */

void database_select(struct database *d, unsigned place, const char *sql, int64_t number)
{
	assert(place < DATABASE_QUERIES && d->running == NULL);
	if (d->pg != NULL) {
		postgres_database_select(d, sql, number);
		return;
	}
	if (d->query[place] == NULL && sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
					       &d->query[place], NULL) != SQLITE_OK) {
		fprintf(stderr, "sim: %s: %s\n", sql, sqlite3_errmsg(d->db));
		abort();
	}
	d->running = d->query[place];
	if (sqlite3_bind_parameter_count(d->running) > 0)
		sqlite3_bind_int64(d->running, 1, number);
}

bool database_next(struct database *d)
{
	if (d->pg != NULL)
		return postgres_database_next(d);
	if (sqlite3_step(d->running) == SQLITE_ROW)
		return true;
	sqlite3_reset(d->running);
	d->running = NULL;
	return false;
}

int database_columns(const struct database *d)
{
	return d->pg != NULL ? postgres_database_columns(d) : sqlite3_column_count(d->running);
}

bool database_null(const struct database *d, int col)
{
	return d->pg != NULL ? postgres_database_null(d, col)
			     : sqlite3_column_type(d->running, col) == SQLITE_NULL;
}

int64_t database_number(const struct database *d, int col)
{
	return d->pg != NULL ? postgres_database_number(d, col) : sqlite3_column_int64(d->running, col);
}

const void *database_bytes(const struct database *d, int col, size_t *ret_len)
{
	const void *at;

	if (d->pg != NULL)
		return postgres_database_bytes(d, col, ret_len);
	at = sqlite3_column_blob(d->running, col);
	*ret_len = (size_t)sqlite3_column_bytes(d->running, col);
	return at;
}

const char *database_text(const struct database *d, int col)
{
	size_t len;

	if (d->pg != NULL)
		return postgres_database_bytes(d, col, &len);
	return (const char *)sqlite3_column_text(d->running, col);
}

/* --- copies --- */

void copy_done(struct copy *c)
{
	sqlite3_free(c->bytes);
	*c = (struct copy){0};
}

void copy_take(struct copy *c, struct database *d)
{
	sqlite3_int64 len = 0;

	copy_done(c);
	if (d->pg != NULL) {
		postgres_copy_take(c, d);
		return;
	}
	c->bytes = sqlite3_serialize(d->db, "main", &len, 0);
	c->len = len;
	assert(c->bytes != NULL);
}

void copy_put_back(const struct copy *c, struct database *d)
{
	sqlite3 *from = NULL;
	sqlite3_backup *b;

	if (d->pg != NULL) {
		postgres_copy_put_back(c, d);
		return;
	}
	assert(sqlite3_open(":memory:", &from) == SQLITE_OK);
	assert(sqlite3_deserialize(from, "main", c->bytes, c->len, c->len, SQLITE_DESERIALIZE_READONLY) ==
		SQLITE_OK);
	b = sqlite3_backup_init(d->db, "main", from, "main");
	assert(b != NULL);
	assert(sqlite3_backup_step(b, -1) == SQLITE_DONE);
	assert(sqlite3_backup_finish(b) == SQLITE_OK);
	assert(sqlite3_close(from) == SQLITE_OK);
}
