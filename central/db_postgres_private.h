/* db_postgres_private - libpq behind a deadline, and what a session of ours is. */
#ifndef CENTRAL_DB_POSTGRES_PRIVATE_H
#define CENTRAL_DB_POSTGRES_PRIVATE_H

#include <libpq-fe.h>

#include "central/db_postgres.h"

/* --- libpq that never waits for ever (db_postgres_wait.c) --- */

/* A server that says nothing for so long is given up. */
#define POSTGRES_SILENCE_MS 30000

/* The next result, NULL at the end; then also *lost tells whether the connection is. */
PGresult *postgres_result(PGconn *conn, bool *lost);
/* Sends what is queued.  False: the connection is lost. */
bool postgres_flush(PGconn *conn) MUST_USE;
/* Runs statements without parameters to their end; the last result, or the first that is an error; NULL: the
 * connection is lost. */
PGresult *postgres_run(PGconn *conn, const char *sql) MUST_USE;
/* The same where nothing is to be read. */
enum err postgres_do(PGconn *conn, const char *sql, struct reason *why) MUST_USE;

/* What a result that is an error means (SQLSTATE), and its text on one line; `r` NULL: the connection is lost. */
enum err postgres_classify(const PGconn *conn, const PGresult *r, const char *doing, struct reason *why);

/* --- sessions (db_postgres_session.c) --- */

/* A new session of this centre, its parameters set.  RETRY: also while an attempt is not due yet. */
enum err postgres_connect(struct postgres *p, PGconn **ret, struct reason *why) MUST_USE;
/* Did the latest of them find another content than the one before?  Said once. */
bool postgres_replaced(struct postgres *p);

#endif
