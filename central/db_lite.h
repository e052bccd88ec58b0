/* db_lite - a connection to the embedded store (shared/lite.h). */
#ifndef CENTRAL_DB_LITE_H
#define CENTRAL_DB_LITE_H

#include "central/db.h"

#define DB_LITE_APPLICATION_ID 0x54644d43 /* "TdMC" */

/* The one writer creates and migrates; open it first.  Errors: lite_open(). */
enum err db_lite_open(struct db **ret, const char *path, bool writer, struct reason *why) MUST_USE;
bool db_lite_wrote(struct db *db); /* lite_wrote() */
void db_lite_rest(struct db *db);  /* lite_rest() */

#endif
