#include "shared/lite_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* What somebody wants of the values; that a key is there twice is our own bug. */
static enum err class_of_constraint(int rc)
{
	switch (rc) {
	case SQLITE_CONSTRAINT_CHECK:
	case SQLITE_CONSTRAINT_DATATYPE:
	case SQLITE_CONSTRAINT_FOREIGNKEY:
	case SQLITE_CONSTRAINT_NOTNULL:
	case SQLITE_CONSTRAINT_TRIGGER:
	case SQLITE_CONSTRAINT_UNIQUE:
		return INVALID;
	default:
		return INTERNAL;
	}
}

static enum err class_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
	case SQLITE_INTERRUPT:
		return RETRY;
	case SQLITE_READONLY:
		return rc == SQLITE_READONLY_DBMOVED ? INTERNAL : DENIED;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return DENIED;
	case SQLITE_TOOBIG:
		return INVALID;
	case SQLITE_CONSTRAINT:
		return class_of_constraint(rc);
	default: /* CORRUPT, NOTADB, MISUSE …: a bug or a broken file */
		return INTERNAL;
	}
}

enum err lite_classify(sqlite3 *db, int rc, const char *doing, struct reason *why)
{
	const char *text = sqlite3_errstr(rc);
	if (db && sqlite3_extended_errcode(db) == rc)
		text = sqlite3_errmsg(db);
	if ((rc & 0xff) == SQLITE_FULL)
		text = REASON_DISK_FULL;
	return fail(class_of(rc), why, "%s: %s", doing, text);
}

static void stick(struct lite *l, int rc, const char *doing)
{
	if (l->failed != OK)
		return;
	l->failed = lite_classify(l->db, rc, doing, &l->why);
	l->failed_depth = l->depth;
}

void lite_fail(struct lite *l, enum err e, const char *fmt, ...)
{
	if (l->failed != OK)
		return;
	va_list args;
	va_start(args, fmt);
	vsnprintf(l->why.text, sizeof l->why.text, fmt, args);
	va_end(args);
	l->failed = e;
	l->failed_depth = l->depth;
}

enum err lite_failed(const struct lite *l, struct reason *why)
{
	if (l->failed != OK && why)
		*why = l->why;
	return l->failed;
}

/* --- transactions --- */

static int control(struct lite *l, int which)
{
	int rc = sqlite3_step(l->control[which]);
	sqlite3_reset(l->control[which]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static bool in_transaction(const struct lite *l)
{
	return !sqlite3_get_autocommit(l->db);
}

void lite_begin(struct lite *l)
{
	if (l->failed != OK)
		return;
	l->depth = 0;
	int rc = SQLITE_OK;
	if (in_transaction(l)) /* an earlier rollback failed */
		rc = control(l, CONTROL_ROLLBACK);
	if (rc == SQLITE_OK)
		rc = control(l, CONTROL_BEGIN);
	if (rc != SQLITE_OK)
		stick(l, rc, "begin");
}

enum err lite_rollback(struct lite *l, struct reason *why)
{
	enum err e = lite_failed(l, why);
	if (in_transaction(l))
		control(l, CONTROL_ROLLBACK); /* if it fails, lite_begin() tries again */
	l->failed = OK;
	l->depth = 0;
	return e;
}

enum err lite_commit(struct lite *l, struct reason *why)
{
	if (l->failed != OK)
		return lite_rollback(l, why);
	l->depth = 0;
	int rc = control(l, CONTROL_COMMIT);
	if (rc == SQLITE_OK)
		return OK;
	struct reason cause;
	enum err e = lite_classify(l->db, rc, "commit", &cause);
	if (in_transaction(l))
		control(l, CONTROL_ROLLBACK);
	else if (l->writer)
		e = UNCERTAIN;
	return fail(e, why, "%s", cause.text);
}

/* A failure of an outer part keeps the inner ones from doing anything, ending included. */
static bool level_alive(const struct lite *l)
{
	return l->failed == OK || l->failed_depth >= l->depth;
}

void lite_savepoint(struct lite *l)
{
	assert(l->depth < LITE_NESTING);
	int which = CONTROL_SAVEPOINT + 3 * l->depth;
	if (l->failed == OK) {
		int rc = control(l, which);
		if (rc != SQLITE_OK)
			stick(l, rc, "savepoint");
	}
	l->depth++;
}

void lite_release(struct lite *l)
{
	assert(l->depth > 0);
	l->depth--;
	if (l->failed != OK) {
		if (l->failed_depth > l->depth)
			l->failed_depth = l->depth; /* not undone here: now the outer part's failure */
		return;
	}
	int rc = control(l, CONTROL_SAVEPOINT + 3 * l->depth + 1);
	if (rc != SQLITE_OK)
		stick(l, rc, "release");
}

void lite_savepoint_rollback(struct lite *l)
{
	assert(l->depth > 0);
	bool alive = level_alive(l);
	l->depth--;
	/* Some failures (disk full, I/O) end the whole transaction; then there is nothing to go back to. */
	if (!alive || !in_transaction(l)) {
		if (alive && l->failed == OK)
			lite_fail(l, INTERNAL, "the transaction ended within a savepoint");
		if (l->failed_depth > l->depth)
			l->failed_depth = l->depth;
		return;
	}
	l->failed = OK;
	int which = CONTROL_SAVEPOINT + 3 * l->depth;
	int rc = control(l, which + 2);
	if (rc == SQLITE_OK)
		rc = control(l, which + 1);
	if (rc != SQLITE_OK)
		stick(l, rc, "roll back to savepoint");
}

/*
 * SQLite itself would look for the file alone (SQLITE_FCNTL_HAS_MOVED).  A log that is replaced takes what is written with it, and an index that is
 * replaced leaves readers and the writer with one each.
 */
bool lite_moved(const struct lite *l)
{
	for (size_t i = 0; i < LITE_FILES; i++) {
		if (!l->name[i] || l->file[i].ino == 0)
			continue;
		struct lite_file now = lite_file_at(l->name[i]);
		if (now.dev != l->file[i].dev || now.ino != l->file[i].ino)
			return true;
	}
	return false;
}

/* --- statements --- */

static sqlite3_stmt *stmt_of(struct query q)
{
	return q.lite->stmt[q.id];
}

static void check_bind(struct query q, int rc)
{
	if (rc != SQLITE_OK)
		stick(q.lite, rc, q.lite->queries->name[q.id]);
}

struct query query_begin(struct lite *l, int id)
{
	assert(id >= 0 && (size_t)id < l->queries->n);
	struct query q = {.lite = l, .id = id};
	assert(!sqlite3_stmt_busy(stmt_of(q)));
	return q;
}

void query_i64(struct query q, int place, int64_t v)
{
	if (q.lite->failed == OK)
		check_bind(q, sqlite3_bind_int64(stmt_of(q), place, v));
}

void query_u64(struct query q, int place, uint64_t v)
{
	query_i64(q, place, (int64_t)v);
}

/* An empty span may have no address, which SQLite would take for NULL. */
static const char *address(struct span v)
{
	return v.len ? v.at : "";
}

void query_text(struct query q, int place, struct span v)
{
	if (q.lite->failed == OK)
		check_bind(q, sqlite3_bind_text64(
				      stmt_of(q), place, address(v), v.len, SQLITE_STATIC, SQLITE_UTF8));
}

void query_blob(struct query q, int place, struct span v)
{
	if (q.lite->failed == OK)
		check_bind(q, sqlite3_bind_blob64(stmt_of(q), place, address(v), v.len, SQLITE_STATIC));
}

void query_null(struct query q, int place)
{
	if (q.lite->failed == OK)
		check_bind(q, sqlite3_bind_null(stmt_of(q), place));
}

bool query_step(struct query q)
{
	if (q.lite->failed != OK)
		return false;
	int rc = sqlite3_step(stmt_of(q));
	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		stick(q.lite, rc, q.lite->queries->name[q.id]);
	return false;
}

void query_done(struct query q)
{
	sqlite3_reset(stmt_of(q)); /* repeats the step's failure, which sticks already */
	sqlite3_clear_bindings(stmt_of(q));
}

void query_run(struct query q)
{
	while (query_step(q)) {
	}
	query_done(q);
}

int64_t query_insert(struct query q)
{
	int64_t n = 0;
	if (q.lite->failed == OK) {
		int rc = sqlite3_step(stmt_of(q));
		if (rc != SQLITE_DONE && rc != SQLITE_CONSTRAINT_UNIQUE)
			stick(q.lite, rc, q.lite->queries->name[q.id]);
		n = query_changes(q);
	}
	query_done(q);
	return n;
}

int64_t query_col_i64(struct query q, int col)
{
	return sqlite3_column_int64(stmt_of(q), col);
}

uint64_t query_col_u64(struct query q, int col)
{
	return (uint64_t)sqlite3_column_int64(stmt_of(q), col);
}

/* A value that is there and cannot be had: no memory. */
static struct span column_span(struct query q, int col, const void *at)
{
	if (at)
		return (struct span){.at = at, .len = (size_t)sqlite3_column_bytes(stmt_of(q), col)};
	if (sqlite3_errcode(q.lite->db) == SQLITE_NOMEM)
		stick(q.lite, SQLITE_NOMEM, q.lite->queries->name[q.id]);
	return (struct span){.at = "", .len = 0};
}

struct span query_col_text(struct query q, int col)
{
	return column_span(q, col, sqlite3_column_text(stmt_of(q), col));
}

struct span query_col_blob(struct query q, int col)
{
	return column_span(q, col, sqlite3_column_blob(stmt_of(q), col));
}

bool query_col_null(struct query q, int col)
{
	return sqlite3_column_type(stmt_of(q), col) == SQLITE_NULL;
}

int64_t query_changes(struct query q)
{
	return q.lite->failed == OK ? sqlite3_changes64(q.lite->db) : 0;
}
