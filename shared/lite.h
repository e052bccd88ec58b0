/*
 * lite - SQLite's door: one connection, its statements prepared at opening, transactions with a sticky error.
 *
 * WAL, synchronous=FULL, foreign_keys, trusted_schema off.  After the first failure every
 * later call does nothing until lite_commit() or lite_rollback() reports and clears it;
 * so a transaction is written as a straight line and checked once.  A connection belongs to
 * one thread at a time.  Of the connections to one file only one writes and checkpoints.  What is written or read in a
 * row goes to the kernel, and comes from it, in few calls (lite_vfs.c).
 */
#ifndef SHARED_LITE_H
#define SHARED_LITE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/statements.h"

struct lite;

struct lite_config {
	const char *path; /* a file, or an SQLite URI ("file:/x?vfs=memdb" in the simulation) */
	bool writer;      /* creates and migrates; else read-only */
	const struct statements *queries;
	const struct statements *migrations; /* applied in order, one transaction each; PRAGMA user_version */
	int autocheckpoint_pages;            /* writer only; 0 = SQLite's default */
	int32_t application_id; /* told from other SQLite files; a file of another kind is refused */
};

/* INVALID: not a database, another application's, or a newer schema (the reason says which); then no byte of it was
 * changed. */
enum err lite_open(struct lite **ret, const struct lite_config *c, struct reason *why) MUST_USE;
void lite_close(struct lite *l);
/* Between transactions. */
bool lite_wrote(struct lite *l); /* since it was last asked, or opened */
void lite_rest(struct lite *l);  /* gives back the memory of the pages that are kept of the file */

/* Takes FILE.lock for this process until lite_unlock(); DENIED when another holds it.  -1 for an in-memory
 * URI. */
enum err lite_lock(const char *path, int *ret_fd, struct reason *why) MUST_USE;
void lite_unlock(int fd);

/* False: give up. */
typedef bool lite_go_on_fn(void *ctx);
/*
 * Writes the content of the database `from` as it is at one moment into the empty or absent file `to`, which becomes a
 * database by itself, in one file, and is checked.  May take long; whoever reads and writes `from` meanwhile is not kept
 * from it, only its log grows.  RETRY: `go_on` said so, or the disk is full.
 */
enum err lite_copy(
	const char *from, const char *to, lite_go_on_fn *go_on, void *ctx, struct reason *why) MUST_USE;

/* BEGIN IMMEDIATE on a writer, BEGIN (one snapshot) on a reader. */
void lite_begin(struct lite *l);
/* UNCERTAIN when the outcome is not known; otherwise a failed transaction has been rolled back. */
enum err lite_commit(struct lite *l, struct reason *why) MUST_USE;
/* Rolls back; returns the failure that was sticking, or OK. */
enum err lite_rollback(struct lite *l, struct reason *why);
/* The failure that sticks, or OK, without ending the transaction. */
enum err lite_failed(const struct lite *l, struct reason *why);
void lite_fail(struct lite *l, enum err e, const char *fmt, ...) PRINTF(3, 4);
/* A nested part: release keeps it, rollback undoes just it (and clears a failure that arose within it). */
void lite_savepoint(struct lite *l);
void lite_release(struct lite *l);
void lite_savepoint_rollback(struct lite *l);
/* Has a writer's file, or what belongs to it, been deleted or replaced under us?  Ask before acknowledging.  Any thread. */
bool lite_moved(const struct lite *l);

/* Room for a write-ahead log as it is before its checkpoint, and for what that moves into the file. */
#define LITE_ROOM_BYTES ((int64_t)8 << 20)
/* Free bytes where the file lies; -1: not known, as in memory. */
int64_t lite_disk_free(const char *path);

/* A running statement: bind 1…, then step.  At most one run of each statement at a time. */
struct query {
	struct lite *lite;
	int id;
};
struct query query_begin(struct lite *l, int id);
void query_i64(struct query q, int place, int64_t v);
void query_u64(struct query q, int place, uint64_t v);     /* stored as the int64 of the same bits */
void query_text(struct query q, int place, struct span v); /* borrowed until the query is done */
void query_blob(struct query q, int place, struct span v);
void query_null(struct query q, int place);
bool query_step(struct query q); /* true: a row to read; false: the end or a failure */
void query_done(struct query q); /* always; resets the statement */
void query_run(struct query q);  /* step to the end and done: for statements without rows */
/* The same for an INSERT OR FAIL: how many rows went in before the first whose key is taken, which is no failure. */
int64_t query_insert(struct query q);
int64_t query_col_i64(struct query q, int col); /* columns from 0 */
uint64_t query_col_u64(struct query q, int col);
struct span query_col_text(struct query q, int col); /* until the next step */
struct span query_col_blob(struct query q, int col);
bool query_col_null(struct query q, int col);
int64_t query_changes(struct query q); /* rows changed by the last finished statement */

#endif
