#include "central/db.h"

#include <stdarg.h>
#include <stdio.h>

#include "central/db_private.h"

void db_close(struct db *db)
{
	if (db)
		db->ops->close(db);
}

void db_begin(struct db *db)
{
	db->ops->begin(db);
}

enum err db_commit(struct db *db, struct reason *why)
{
	return db->ops->commit(db, why);
}

enum err db_rollback(struct db *db, struct reason *why)
{
	return db->ops->rollback(db, why);
}

enum err db_failed(const struct db *db, struct reason *why)
{
	return db->ops->failed(db, why);
}

void db_fail(struct db *db, enum err e, const char *fmt, ...)
{
	struct reason text;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	db->ops->stick(db, e, text.text);
}

void db_savepoint(struct db *db)
{
	db->ops->savepoint(db);
}

void db_release(struct db *db)
{
	db->ops->release(db);
}

enum err db_rollback_to(struct db *db, struct reason *why)
{
	return db->ops->rollback_to(db, why);
}

bool db_replaced(struct db *db)
{
	return db->ops->replaced(db);
}

bool db_lost(struct db *db)
{
	return db->ops->lost(db);
}

void db_lock(struct db *db, const uint64_t *keys, size_t n)
{
	if (n > 0)
		db->ops->lock(db, keys, n);
}

struct stmt stmt_begin(struct db *db, int id)
{
	db->ops->start(db, id);
	return (struct stmt){.db = db, .id = id};
}

void stmt_i64(struct stmt q, int place, int64_t v)
{
	q.db->ops->bind_i64(q.db, q.id, place, v);
}

void stmt_u64(struct stmt q, int place, uint64_t v)
{
	stmt_i64(q, place, (int64_t)v);
}

void stmt_text(struct stmt q, int place, struct span v)
{
	q.db->ops->bind_text(q.db, q.id, place, v);
}

void stmt_blob(struct stmt q, int place, struct span v)
{
	q.db->ops->bind_blob(q.db, q.id, place, v);
}

void stmt_bytes(struct stmt q, int place, const struct buf *b)
{
	if (buf_failed(b))
		db_fail(q.db, RETRY, "out of memory");
	else
		stmt_blob(q, place, buf_span(b));
}

void stmt_null(struct stmt q, int place)
{
	q.db->ops->bind_null(q.db, q.id, place);
}

bool stmt_step(struct stmt q)
{
	return q.db->ops->step(q.db, q.id);
}

void stmt_done(struct stmt q)
{
	q.db->ops->done(q.db, q.id);
}

void stmt_run(struct stmt q)
{
	while (stmt_step(q)) {
	}
	stmt_done(q);
}

int64_t stmt_col_i64(struct stmt q, int col)
{
	return q.db->ops->col_i64(q.db, q.id, col);
}

uint64_t stmt_col_u64(struct stmt q, int col)
{
	return (uint64_t)stmt_col_i64(q, col);
}

struct span stmt_col_text(struct stmt q, int col)
{
	return q.db->ops->col_text(q.db, q.id, col);
}

struct span stmt_col_blob(struct stmt q, int col)
{
	return q.db->ops->col_blob(q.db, q.id, col);
}

bool stmt_col_null(struct stmt q, int col)
{
	return q.db->ops->col_null(q.db, q.id, col);
}

int64_t stmt_changes(struct stmt q)
{
	return q.db->ops->changes(q.db, q.id);
}
