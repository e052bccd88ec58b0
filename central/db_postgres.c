/* One connection: its session, transactions with a sticky error, running statements. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "central/db_postgres_private.h"
#include "central/postgres_binary.h"

static struct connection *of(struct db *db)
{
	return (struct connection *)db;
}

/* --- failing --- */

static void stick(struct connection *c, enum err e, const char *text)
{
	if (c->failed != OK)
		return;
	c->failed = e;
	(void)fail(e, &c->why, "%s", text);
}

static void hang_up(struct connection *c)
{
	PQclear(c->rows);
	c->rows = NULL;
	PQfinish(c->conn);
	c->conn = NULL;
}

void connection_fail(struct connection *c, PGresult *r, const char *doing)
{
	struct reason why;
	enum err e = postgres_classify(c->conn, r, doing, &why);

	stick(c, e, why.text);
	PQclear(r);
	if (!r || PQstatus(c->conn) == CONNECTION_BAD)
		hang_up(c);
}

/* What leads into a part of a transaction or out of it cannot fail but with the session. */
static void fail_part(struct connection *c, const struct reason *why)
{
	stick(c, RETRY, why->text);
	hang_up(c);
}

/* --- opening a session --- */

static enum err open_session(struct connection *c, struct reason *why)
{
	PGconn *conn;
	enum err e = postgres_connect(c->server, &conn, why);

	if (e != OK)
		return e;
	e = postgres_prepare(conn, c->places, why);
	if (e == OK)
		c->conn = conn;
	else
		PQfinish(conn);
	return e;
}

/* --- transactions --- */

static enum err begin_here(struct connection *c, struct reason *why)
{
	if (c->writer)
		return postgres_begin(c->server, c->conn, why);
	return postgres_do(c->conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", why);
}

static void begin(struct db *db)
{
	struct connection *c = of(db);
	struct reason why;
	enum err e;

	if (c->failed != OK || (c->conn && begin_here(c, &why) == OK))
		return;
	hang_up(c);
	e = open_session(c, &why);
	if (e == OK)
		e = begin_here(c, &why);
	if (e != OK)
		stick(c, e, why.text);
}

static enum err rollback(struct db *db, struct reason *why)
{
	struct connection *c = of(db);
	enum err e = c->failed;

	if (e != OK && why)
		*why = c->why;
	c->failed = OK;
	if (c->conn && postgres_do(c->conn, "ROLLBACK", NULL) != OK)
		hang_up(c);
	return e;
}

static enum err commit(struct db *db, struct reason *why)
{
	struct connection *c = of(db);
	PGresult *r;
	enum err e;

	if (c->failed != OK)
		return rollback(db, why);
	r = postgres_run(c->conn, "COMMIT");
	if (PQresultStatus(r) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(r), "COMMIT") == 0)
		e = OK;
	else if (PQresultStatus(r) == PGRES_COMMAND_OK)
		e = fail(INTERNAL, why, "commit: the transaction had failed");
	else
		e = postgres_classify(c->conn, r, "commit", why);
	/* Also an error may come too late: one of class 08, 57 or 58 says nothing of what is on disk. */
	if (e != OK && c->writer && (!r || e == RETRY))
		e = UNCERTAIN;
	PQclear(r);
	if (e != OK)
		hang_up(c);
	return e;
}

/* --- savepoints: one name for all, the innermost is meant --- */

static void savepoint(struct db *db)
{
	struct connection *c = of(db);
	struct reason why;

	if (c->failed == OK && postgres_do(c->conn, "SAVEPOINT part", &why) != OK)
		fail_part(c, &why);
}

static void release(struct db *db)
{
	struct connection *c = of(db);
	struct reason why;

	if (c->failed == OK && postgres_do(c->conn, "RELEASE part", &why) != OK)
		fail_part(c, &why);
}

/* A session that is lost has no way back. */
static enum err rollback_to(struct db *db, struct reason *why)
{
	struct connection *c = of(db);
	enum err e = c->failed;
	struct reason text;

	if (e != OK && why)
		*why = c->why;
	if (!c->conn)
		return e;
	c->failed = OK;
	if (postgres_do(c->conn, "ROLLBACK TO part; RELEASE part", &text) != OK)
		fail_part(c, &text);
	return e;
}

static enum err failed(const struct db *db, struct reason *why)
{
	const struct connection *c = (const struct connection *)db;

	if (c->failed != OK && why)
		*why = c->why;
	return c->failed;
}

static void stick_db(struct db *db, enum err e, const char *text)
{
	stick(of(db), e, text);
}

static bool replaced(struct db *db)
{
	struct connection *c = of(db);

	return c->failed == OK && postgres_replaced(c->server);
}

static bool lost(struct db *db)
{
	(void)db;
	return false;
}

static void lock(struct db *db, const uint64_t *keys, size_t n)
{
	struct buf array = {0};
	struct stmt q;

	if (n == 0)
		return;
	q = stmt_begin(db, SQL_POSTGRES_OWNERS_LOCK);
	binary_array(&array, BINARY_BIGINT, n);
	for (size_t i = 0; i < n; i++)
		binary_put_u64(&array, keys[i]);
	stmt_bytes(q, 1, &array);
	stmt_run(q);
	buf_done(&array);
}

static void close_connection(struct db *db)
{
	struct connection *c = of(db);

	hang_up(c);
	free(c);
}

/* --- statements --- */

static void start(struct db *db, int id)
{
	struct connection *c = of(db);

	assert(c->running < 0 && id >= 0 && id < SQL_POSTGRES_COUNT);
	c->running = id;
	c->sent = c->ended = false;
	c->changes = 0;
	for (int i = 0; i < PLACES_MAX; i++) {
		c->values[i] = NULL;
		c->formats[i] = 1;
	}
}

static void bind(struct db *db, int id, int place, const char *at, size_t len)
{
	struct connection *c = of(db);

	assert(c->running == id && place >= 1 && place <= PLACES_MAX && len <= INT32_MAX);
	c->values[place - 1] = at;
	c->lengths[place - 1] = (int)len;
}

static size_t width_of(Oid type)
{
	switch (type) {
	case 16: /* boolean */
		return 1;
	case 21: /* smallint */
		return 2;
	case 23: /* integer */
		return 4;
	default:
		return 8;
	}
}

static void bind_i64(struct db *db, int id, int place, int64_t v)
{
	struct connection *c = of(db);
	char *at = c->scalars[place - 1];
	size_t width = width_of(c->places[id].types[place - 1]);

	for (size_t i = 0; i < width; i++)
		at[i] = (char)((uint64_t)v >> (8 * (width - 1 - i)));
	bind(db, id, place, at, width);
}

/* An empty span may have no address, which would be NULL. */
static void bind_bytes(struct db *db, int id, int place, struct span v)
{
	bind(db, id, place, v.len ? v.at : "", v.len);
}

static void bind_null(struct db *db, int id, int place)
{
	bind(db, id, place, NULL, 0);
}

static bool step(struct db *db, int id)
{
	assert(of(db)->running == id);
	return connection_step(of(db));
}

static void done(struct db *db, int id)
{
	assert(of(db)->running == id);
	connection_end_statement(of(db));
}

static int64_t col_i64(struct db *db, int id, int col)
{
	struct connection *c = of(db);

	assert(c->running == id && c->rows);
	return (int64_t)binary_read(
		PQgetvalue(c->rows, c->at, col), (size_t)PQgetlength(c->rows, c->at, col));
}

static struct span col_bytes(struct db *db, int id, int col)
{
	struct connection *c = of(db);

	assert(c->running == id && c->rows);
	return (struct span){PQgetvalue(c->rows, c->at, col), (size_t)PQgetlength(c->rows, c->at, col)};
}

static bool col_null(struct db *db, int id, int col)
{
	struct connection *c = of(db);

	assert(c->running == id && c->rows);
	return PQgetisnull(c->rows, c->at, col);
}

static int64_t changes(struct db *db, int id)
{
	(void)id;
	return of(db)->changes;
}

static const struct db_ops ops = {
	.close = close_connection,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.failed = failed,
	.stick = stick_db,
	.savepoint = savepoint,
	.release = release,
	.rollback_to = rollback_to,
	.replaced = replaced,
	.lost = lost,
	.lock = lock,
	.start = start,
	.bind_i64 = bind_i64,
	.bind_text = bind_bytes,
	.bind_blob = bind_bytes,
	.bind_null = bind_null,
	.step = step,
	.done = done,
	.col_i64 = col_i64,
	.col_text = col_bytes,
	.col_blob = col_bytes,
	.col_null = col_null,
	.changes = changes,
};

struct db *db_postgres_new(struct postgres *p, bool writer)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		err_out_of_memory();
	c->db.ops = &ops;
	c->server = p;
	c->writer = writer;
	c->running = -1;
	return &c->db;
}
