/*
 * lite_private - what lite.c (statements, transactions), lite_open.c (files), lite_copy.c and lite_vfs.c share.
 */
#ifndef SHARED_LITE_PRIVATE_H
#define SHARED_LITE_PRIVATE_H

#include <sqlite3.h>
#include <sys/types.h>

#include "shared/lite.h"

#define LITE_NESTING 2 /* savepoints within savepoints */

/* The statements of transactions, prepared like all others; savepoints take three a level. */
enum { CONTROL_BEGIN, CONTROL_COMMIT, CONTROL_ROLLBACK, CONTROL_SAVEPOINT };
#define LITE_CONTROLS (CONTROL_SAVEPOINT + 3 * LITE_NESTING)

/* The file that a name names; (0, 0): none. */
struct lite_file {
	dev_t dev;
	ino_t ino;
};
/* A database is four files: itself, its write-ahead log, the index of that, and the lock. */
#define LITE_FILES 4

struct lite {
	sqlite3 *db;
	char *name[LITE_FILES]; /* of a writer's file, in memory none; then what they named when it opened: */
	struct lite_file file[LITE_FILES];
	bool writer;
	bool memory;
	const struct statements *queries;
	sqlite3_stmt **stmt; /* one a query */
	sqlite3_stmt *control[LITE_CONTROLS];
	int64_t written; /* rows, when it was last asked whether it wrote */
	int depth;       /* of savepoints, 0 = none */
	enum err failed;
	int failed_depth; /* where the failure arose */
	struct reason why;
};

/* Lives in memory only: no lock, no write-ahead log, nothing that could be moved. */
bool lite_in_memory(const char *path);

struct lite_file lite_file_at(const char *name);

#define LITE_VFS "tidemark"
/* What sqlite3_open_v2() is to be told: lite_vfs.c.  Only for connections with synchronous=FULL, which is SQLite's default. */
const char *lite_vfs(void);

/* Classifies an SQLite code, and says why with the name of what was being done. */
enum err lite_classify(sqlite3 *db, int rc, const char *doing, struct reason *why);

#endif
