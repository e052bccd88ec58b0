/*
 * database - an SQLite database in memory that outlives the process which uses it.
 *
 * The simulation keeps one connection of its own open to each, so that closing the
 * program's handles is a crash and nothing more; copies are made and put back through it.
 * Any failure here ends the run: it is the simulation's own.
 */
#ifndef TESTS_SIM_DATABASE_H
#define TESTS_SIM_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define DATABASE_QUERIES 6

struct database {
	char name[24];
	char uri[64]; /* "file:/NAME?vfs=memdb" */
	sqlite3 *db;
	sqlite3_stmt *version;
	sqlite3_stmt *query[DATABASE_QUERIES]; /* prepared at first use, by place */
	int64_t seen_version;
};

/* An empty one. */
void database_open(struct database *d, const char *name);
void database_close(struct database *d); /* the last connection: its content is gone */
void database_wipe(struct database *d);
/* Has another connection written since the last call? */
bool database_written(struct database *d);
/* Ready to step from the first row; the text of a place never changes.  Reset it after the last. */
sqlite3_stmt *database_query(struct database *d, unsigned place, const char *sql);
void database_run(struct database *d, const char *sql);

struct copy {
	unsigned char *bytes; /* NULL: none */
	int64_t len;
};
void copy_done(struct copy *c);
void copy_take(struct copy *c, struct database *d);
/* Nobody else may have it open. */
void copy_put_back(const struct copy *c, struct database *d);

#endif
