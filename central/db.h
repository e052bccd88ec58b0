/*
 * db - one connection to the database beneath the store, whichever it is.
 *
 * Its statements (sql/central/) are prepared when it opens.  After the first failure within a transaction
 * every later call does nothing until db_commit() or db_rollback() reports and clears it, so that a
 * transaction is written as a straight line and checked once.  A connection belongs to one thread at a time.
 *
 * db_lite.c: SQLite.  db_postgres.c: PostgreSQL.  Statements have the same numbers (SQL_CENTRAL_…), parameters
 * and columns in both.
 */
#ifndef CENTRAL_DB_H
#define CENTRAL_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"

struct db;

void db_close(struct db *db); /* NULL is allowed */

/* A transaction that writes, on a connection opened as a writer; else one that reads one snapshot. */
void db_begin(struct db *db);
/* UNCERTAIN when the outcome is not known; otherwise a failed transaction has been rolled back. */
enum err db_commit(struct db *db, struct reason *why) MUST_USE;
/* Rolls back; returns the failure that was sticking, or OK. */
enum err db_rollback(struct db *db, struct reason *why);
/* The failure that sticks, or OK, without ending the transaction. */
enum err db_failed(const struct db *db, struct reason *why);
void db_fail(struct db *db, enum err e, const char *fmt, ...) PRINTF(3, 4);

/*
 * A part of a transaction that may be undone by itself; none within another.  It ends by one of the two: release
 * keeps what was done since, roll back undoes it and returns the failure that stuck within it, which is cleared
 * unless it ended the whole transaction.
 */
void db_savepoint(struct db *db);
void db_release(struct db *db);
enum err db_rollback_to(struct db *db, struct reason *why) MUST_USE;

/*
 * Within a transaction: may the content be another than this connection left?  An old copy may have been put
 * back under it, or a standby have taken over.  Said once.
 */
bool db_replaced(struct db *db);
/* After a commit, and from any thread: is it something nobody will see, a file that was deleted or replaced? */
bool db_lost(struct db *db);
/*
 * Nobody else in a transaction of this store holds any of these keys until this transaction ends.  Rising keys
 * only, so that nobody waits in a circle.  SQLite has one writer and need not.
 */
void db_lock(struct db *db, const uint64_t *keys, size_t n);

/* A running statement: bind 1…, then step.  One at a time. */
struct stmt {
	struct db *db;
	int id;
};
struct stmt stmt_begin(struct db *db, int id);
void stmt_i64(struct stmt q, int place, int64_t v);
void stmt_u64(struct stmt q, int place, uint64_t v);     /* stored as the int64 of the same bits */
void stmt_text(struct stmt q, int place, struct span v); /* borrowed until the statement is done */
void stmt_blob(struct stmt q, int place, struct span v);
void stmt_bytes(struct stmt q, int place, const struct buf *b); /* a blob; fails when it had no memory */
void stmt_null(struct stmt q, int place);
bool stmt_step(struct stmt q);                /* true: a row to read; false: the end or a failure */
void stmt_done(struct stmt q);                /* always */
void stmt_run(struct stmt q);                 /* step to the end and done: for statements without rows */
int64_t stmt_col_i64(struct stmt q, int col); /* columns from 0 */
uint64_t stmt_col_u64(struct stmt q, int col);
struct span stmt_col_text(struct stmt q, int col); /* until the next step */
struct span stmt_col_blob(struct stmt q, int col);
bool stmt_col_null(struct stmt q, int col);
int64_t stmt_changes(struct stmt q); /* rows changed by the last finished statement */

#endif
