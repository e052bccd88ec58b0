/*
 * database - a database that outlives the process which uses it: SQLite in memory, or one in PostgreSQL.
 *
 * The simulation keeps one connection of its own open to each, so that closing the
 * program's handles is a crash and nothing more; copies are made and put back through it.
 * Any failure here ends the run: it is the simulation's own.
 *
 * database.c: SQLite, and who is asked.  database_postgres.c: PostgreSQL.
 */
#ifndef TESTS_SIM_DATABASE_H
#define TESTS_SIM_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATABASE_QUERIES 8

struct copy {
	unsigned char *bytes; /* NULL: none */
	int64_t len;
};

struct sqlite3;
struct sqlite3_stmt;
struct pg_conn;
struct pg_result;

struct database {
	char name[24];
	char url[512]; /* for store_open() */
	char path[64]; /* SQLite's, for replica_open(): "file:/NAME?vfs=memdb" */
	/* SQLite */
	struct sqlite3 *db;
	struct sqlite3_stmt *version;
	struct sqlite3_stmt *query[DATABASE_QUERIES]; /* prepared at first use, by place */
	struct sqlite3_stmt *running;
	int64_t seen_version;
	/* PostgreSQL */
	struct pg_conn *pg; /* NULL: it is SQLite */
	struct pg_result *rows;
	int row;
	char seen_mark[64];
};

/* An empty one.  In PostgreSQL (at TIDEMARK_TEST_POSTGRES) it is made once a process and emptied for each world. */
void database_open(struct database *d, const char *name, bool postgres);
void database_close(struct database *d); /* the last connection: its content is gone */
void database_wipe(struct database *d);  /* SQLite only */
/* Has another connection written since the last call? */
bool database_written(struct database *d);
/* Statements without rows. */
void database_run(struct database *d, const char *sql);
/* What the program has open ends as if the server had; SQLite has nothing of the kind. */
void database_end_sessions(struct database *d);

/* One query at a time, to its last row; the text of a place never changes.  $1 is the number. */
void database_select(struct database *d, unsigned place, const char *sql, int64_t number);
bool database_next(struct database *d); /* false: there was none left */
int database_columns(const struct database *d);
bool database_null(const struct database *d, int col);
int64_t database_number(const struct database *d, int col); /* NULL is 0 */
/* As it is stored, until the next row; a text ends with a NUL behind it. */
const void *database_bytes(const struct database *d, int col, size_t *ret_len);
const char *database_text(const struct database *d, int col);

void copy_done(struct copy *c);
void copy_take(struct copy *c, struct database *d);
/* Nobody else may have it open (SQLite), or be within a transaction. */
void copy_put_back(const struct copy *c, struct database *d);

#endif
