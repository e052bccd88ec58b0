#include "central/db_lite.h"

#include <stdlib.h>

#include "central/db_private.h"
#include "gen/sql_central.h"
#include "gen/sql_central_migrations.h"
#include "shared/lite.h"

#define CHECKPOINT_PAGES 10000

struct connection {
	struct db db;
	struct lite *lite;
	bool writer;
	uint64_t data_version; /* as it was seen last */
};

static struct lite *lite_of(const struct db *db)
{
	return ((const struct connection *)db)->lite;
}

static struct query query_of(struct db *db, int id)
{
	return (struct query){.lite = lite_of(db), .id = id};
}

/* --- transactions --- */

static void close_lite(struct db *db)
{
	lite_close(lite_of(db));
	free(db);
}

bool db_lite_wrote(struct db *db)
{
	return lite_wrote(lite_of(db));
}

void db_lite_rest(struct db *db)
{
	lite_rest(lite_of(db));
}

static void begin(struct db *db)
{
	lite_begin(lite_of(db));
}

static enum err commit(struct db *db, struct reason *why)
{
	return lite_commit(lite_of(db), why);
}

static enum err rollback(struct db *db, struct reason *why)
{
	return lite_rollback(lite_of(db), why);
}

static enum err failed(const struct db *db, struct reason *why)
{
	return lite_failed(lite_of(db), why);
}

static void stick(struct db *db, enum err e, const char *text)
{
	lite_fail(lite_of(db), e, "%s", text);
}

static void savepoint(struct db *db)
{
	lite_savepoint(lite_of(db));
}

static void release(struct db *db)
{
	lite_release(lite_of(db));
}

static enum err rollback_to(struct db *db, struct reason *why)
{
	enum err e = lite_failed(lite_of(db), why);

	lite_savepoint_rollback(lite_of(db));
	return e;
}

/* Another number than last time on the same connection: somebody else has written. */
static bool replaced(struct db *db)
{
	struct connection *c = (struct connection *)db;
	struct query q;
	bool changed = false;

	if (!c->writer)
		return false;
	q = query_begin(c->lite, SQL_CENTRAL_DATA_VERSION);
	if (query_step(q)) {
		uint64_t now = query_col_u64(q, 0);

		changed = now != c->data_version;
		c->data_version = now;
	}
	query_done(q);
	return changed;
}

static bool lost(struct db *db)
{
	return lite_moved(lite_of(db));
}

static void lock(struct db *db, const uint64_t *keys, size_t n)
{
	(void)db;
	(void)keys;
	(void)n;
}

/* --- statements --- */

static void start(struct db *db, int id)
{
	(void)query_begin(lite_of(db), id);
}

static void bind_i64(struct db *db, int id, int place, int64_t v)
{
	query_i64(query_of(db, id), place, v);
}

static void bind_text(struct db *db, int id, int place, struct span v)
{
	query_text(query_of(db, id), place, v);
}

static void bind_blob(struct db *db, int id, int place, struct span v)
{
	query_blob(query_of(db, id), place, v);
}

static void bind_null(struct db *db, int id, int place)
{
	query_null(query_of(db, id), place);
}

static bool step(struct db *db, int id)
{
	return query_step(query_of(db, id));
}

static void done(struct db *db, int id)
{
	query_done(query_of(db, id));
}

static int64_t col_i64(struct db *db, int id, int col)
{
	return query_col_i64(query_of(db, id), col);
}

static struct span col_text(struct db *db, int id, int col)
{
	return query_col_text(query_of(db, id), col);
}

static struct span col_blob(struct db *db, int id, int col)
{
	return query_col_blob(query_of(db, id), col);
}

static bool col_null(struct db *db, int id, int col)
{
	return query_col_null(query_of(db, id), col);
}

static int64_t changes(struct db *db, int id)
{
	return query_changes(query_of(db, id));
}

static const struct db_ops ops = {
	.close = close_lite,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.failed = failed,
	.stick = stick,
	.savepoint = savepoint,
	.release = release,
	.rollback_to = rollback_to,
	.replaced = replaced,
	.lost = lost,
	.lock = lock,
	.start = start,
	.bind_i64 = bind_i64,
	.bind_text = bind_text,
	.bind_blob = bind_blob,
	.bind_null = bind_null,
	.step = step,
	.done = done,
	.col_i64 = col_i64,
	.col_text = col_text,
	.col_blob = col_blob,
	.col_null = col_null,
	.changes = changes,
};

enum err db_lite_open(struct db **ret, const char *path, bool writer, struct reason *why)
{
	const struct lite_config config = {
		.path = path,
		.writer = writer,
		.queries = &sql_central,
		.migrations = &sql_central_migrations,
		.autocheckpoint_pages = CHECKPOINT_PAGES,
		.application_id = DB_LITE_APPLICATION_ID,
	};
	struct connection *c = calloc(1, sizeof(*c));
	enum err e;

	if (!c)
		return fail(RETRY, why, "out of memory");
	c->db.ops = &ops;
	c->writer = writer;
	e = lite_open(&c->lite, &config, why);
	if (e == OK)
		*ret = &c->db;
	else
		free(c);
	return e;
}
