/*
 * db_postgres - connections to a store in PostgreSQL (libpq).
 *
 * A session that was lost is opened again at the next db_begin(); db_replaced() says when the server was
 * restarted meanwhile: it may have been put back to an older state, or be a standby that took over.  While the
 * server cannot be reached, db_begin() fails at once (RETRY) but for one attempt now and then (backoff.h).  No
 * call waits longer than half a minute for a server that says nothing; an hour while it sums or migrates all
 * rows.
 *
 * One centre has a database: every connection holds an advisory lock with all others of its centre.
 */
#ifndef CENTRAL_DB_POSTGRES_H
#define CENTRAL_DB_POSTGRES_H

#include "central/db.h"

/* What the connections share: where the database is, whether it answers, whose it is.  INVALID: not a URL. */
struct postgres;
enum err postgres_open(struct postgres **ret, const char *url, struct reason *why) MUST_USE;
void postgres_hurry(struct postgres *p); /* the next attempt is due at once */
void postgres_close(struct postgres *p); /* after its connections; NULL is allowed */

/*
 * Connects when it is first used.  The first session of a centre creates or migrates the schema
 * (tidemark_store).  What sticks then - RETRY: not to be reached; DENIED: another centre uses the database;
 * INVALID: a newer schema, or not a database of UTF-8.
 */
struct db *db_postgres_new(struct postgres *p, bool writer);

/*
 * Rows into a table, within a transaction of a writer: copy_begin(), then per row copy_row() with its fields
 * put into `copy.row` (postgres_binary.h) and copy_row_end(), at last copy_end(), always.  A failure sticks to
 * the connection; CONFLICT: a row with that key is there already, or a trigger left rows out.
 */
struct copy {
	struct db *db;
	struct buf row;
	uint64_t rows;
	uint64_t
		failed_row; /* after copy_end(): the one (from 1) that the server names as refused; 0 = none known */
};
struct copy copy_begin(struct db *db, int statement); /* SQL_POSTGRES_COPY_… */
void copy_row(struct copy *c, unsigned fields);
void copy_row_end(struct copy *c);
void copy_end(struct copy *c);

#endif
