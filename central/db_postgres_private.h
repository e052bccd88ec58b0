/* db_postgres_private - libpq behind a deadline, and what a session of ours is. */
#ifndef CENTRAL_DB_POSTGRES_PRIVATE_H
#define CENTRAL_DB_POSTGRES_PRIVATE_H

#include <libpq-fe.h>

#include "central/db_postgres.h"
#include "central/db_private.h"
#include "gen/sql_postgres.h"

/* --- libpq that never waits for ever (db_postgres_wait.c) --- */

/* A server that says nothing for so long is given up. */
#define POSTGRES_SILENCE_MS 30000
/* While it goes through all rows, to sum or to migrate them. */
#define POSTGRES_LONG_SILENCE_MS 3600000

/* The next result, NULL at the end; then also *lost tells whether the connection is. */
PGresult *postgres_result(PGconn *conn, int64_t silence_ms, bool *lost);
/* Sends what is queued.  False: the connection is lost. */
bool postgres_flush(PGconn *conn) MUST_USE;
/* Runs statements without parameters to their end; the last result, or the first that is an error; NULL: the
 * connection is lost. */
PGresult *postgres_run(PGconn *conn, const char *sql) MUST_USE;
/* The same where nothing is to be read. */
enum err postgres_do(PGconn *conn, const char *sql, struct reason *why) MUST_USE;
enum err postgres_do_long(PGconn *conn, const char *sql, struct reason *why) MUST_USE;

/* What a result that is an error means (SQLSTATE), and its text on one line; `r` NULL: the connection is lost. */
enum err postgres_classify(const PGconn *conn, const PGresult *r, const char *doing, struct reason *why);

/* --- sessions (db_postgres_session.c) --- */

/* A new session of this centre, its parameters set.  RETRY: also while an attempt is not due yet. */
enum err postgres_connect(struct postgres *p, PGconn **ret, struct reason *why) MUST_USE;
/* Begins a transaction that writes, and looks in the same round trip whether the content is still what it was. */
enum err postgres_begin(struct postgres *p, PGconn *conn, struct reason *why) MUST_USE;
/* Did the latest of all these find another content than the one before?  Said once. */
bool postgres_replaced(struct postgres *p);

/* --- statements (db_postgres_prepare.c) --- */

#define PLACES_MAX 24

/* The type of each parameter of a statement: how wide an integer goes. */
struct places {
	Oid types[PLACES_MAX];
	int n;
};
enum err postgres_prepare(PGconn *conn, struct places ret[SQL_POSTGRES_COUNT], struct reason *why) MUST_USE;
void postgres_statement_name(int id, char ret[16]);

/* --- a connection (db_postgres.c; rows by COPY: db_postgres_copy.c) --- */

struct connection {
	struct db db;
	struct postgres *server;
	bool writer;
	PGconn *conn; /* NULL: not opened yet, or lost */
	enum err failed;
	struct reason why;

	struct places places[SQL_POSTGRES_COUNT];

	/* The running statement. */
	int running; /* -1 = none */
	bool sent, ended;
	PGresult *rows; /* one, or all of them */
	int at;         /* the present one */
	int64_t changes;
	const char *values[PLACES_MAX];
	int lengths[PLACES_MAX], formats[PLACES_MAX];
	char scalars[PLACES_MAX][8];
};
/* Sticks a result that is an error, and clears it; NULL: the connection is lost. */
void connection_fail(struct connection *c, PGresult *r, const char *doing);

/* --- the answer to the running statement (db_postgres_answer.c) --- */

/* To its next row, sending it before the first; false: there is none, or the connection has failed. */
bool connection_step(struct connection *c) MUST_USE;
/* Reads what is left of the answer; then none runs. */
void connection_end_statement(struct connection *c);

#endif
