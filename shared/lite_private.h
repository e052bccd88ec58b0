/*
 * lite_private - what lite.c (statements, transactions) and lite_open.c (files) share.
 */
#ifndef SHARED_LITE_PRIVATE_H
#define SHARED_LITE_PRIVATE_H

#include <sqlite3.h>

#include "shared/lite.h"

#define LITE_NESTING 2 /* savepoints within savepoints */

/* The statements of transactions, prepared like all others; savepoints take three a level. */
enum { CONTROL_BEGIN, CONTROL_COMMIT, CONTROL_ROLLBACK, CONTROL_SAVEPOINT };
#define LITE_CONTROLS (CONTROL_SAVEPOINT + 3 * LITE_NESTING)

struct lite {
	sqlite3 *db;
	bool writer;
	bool memory;
	const struct statements *queries;
	sqlite3_stmt **stmt; /* one a query */
	sqlite3_stmt *control[LITE_CONTROLS];
	int depth; /* of savepoints, 0 = none */
	enum err failed;
	int failed_depth; /* where the failure arose */
	struct reason why;
};

/* Lives in memory only: no lock, no write-ahead log, nothing that could be moved. */
bool lite_in_memory(const char *path);

/* Classifies an SQLite code, and says why with the name of what was being done. */
enum err lite_classify(sqlite3 *db, int rc, const char *doing, struct reason *why);

#endif
