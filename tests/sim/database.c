#include "tests/sim/database.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void database_open(struct database *d, const char *name)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;

	memset(d, 0, sizeof *d);
	snprintf(d->name, sizeof d->name, "%s", name);
	snprintf(d->uri, sizeof d->uri, "file:/%s?vfs=memdb", name);
	assert(sqlite3_open_v2(d->uri, &d->db, flags, NULL) == SQLITE_OK);
	assert(sqlite3_prepare_v2(d->db, "PRAGMA data_version", -1, &d->version, NULL) == SQLITE_OK);
}

void database_close(struct database *d)
{
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

	memcpy(name, d->name, sizeof name);
	database_close(d);
	database_open(d, name);
}

bool database_written(struct database *d)
{
	int64_t was = d->seen_version;

	assert(sqlite3_step(d->version) == SQLITE_ROW);
	d->seen_version = sqlite3_column_int64(d->version, 0);
	sqlite3_reset(d->version);
	return d->seen_version != was;
}

sqlite3_stmt *database_query(struct database *d, unsigned place, const char *sql)
{
	assert(place < DATABASE_QUERIES);
	if (d->query[place] == NULL && sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
					       &d->query[place], NULL) != SQLITE_OK) {
		fprintf(stderr, "sim: %s: %s\n", sql, sqlite3_errmsg(d->db));
		assert(false);
	}
	return d->query[place];
}

void database_run(struct database *d, const char *sql)
{
	assert(sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

void copy_done(struct copy *c)
{
	sqlite3_free(c->bytes);
	*c = (struct copy){0};
}

void copy_take(struct copy *c, struct database *d)
{
	sqlite3_int64 len = 0;

	copy_done(c);
	c->bytes = sqlite3_serialize(d->db, "main", &len, 0);
	c->len = len;
	assert(c->bytes != NULL);
}

void copy_put_back(const struct copy *c, struct database *d)
{
	sqlite3 *from = NULL;
	sqlite3_backup *b;

	assert(sqlite3_open(":memory:", &from) == SQLITE_OK);
	assert(sqlite3_deserialize(from, "main", c->bytes, c->len, c->len, SQLITE_DESERIALIZE_READONLY) ==
		SQLITE_OK);
	b = sqlite3_backup_init(d->db, "main", from, "main");
	assert(b != NULL);
	assert(sqlite3_backup_step(b, -1) == SQLITE_DONE);
	assert(sqlite3_backup_finish(b) == SQLITE_OK);
	assert(sqlite3_close(from) == SQLITE_OK);
}
