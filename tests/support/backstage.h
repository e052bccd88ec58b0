/*
 * backstage - a stage's database behind the store's back: made, dropped, written to and looked at.
 *
 * Databases in PostgreSQL are made in the cluster of TIDEMARK_TEST_POSTGRES; a test that needs one and finds
 * none fails.
 */
#ifndef TESTS_SUPPORT_BACKSTAGE_H
#define TESTS_SUPPORT_BACKSTAGE_H

#include "tests/support/stage.h"

void backstage_create(struct stage *g); /* fills url */
void backstage_drop(struct stage *g);

/* Statements on the store's tables.  SQLite: only while the store is closed or as its one other user. */
void backstage_run(struct stage *g, const char *sql);
/* The one value that a query gives, in the stage's arena. */
const char *backstage_ask(struct stage *g, const char *sql);
/* As if somebody had added a constraint: rows of the records of which `refused` is true, in terms of `body`, are not
 * taken.  The store has noticed that its schema was changed. */
void backstage_forbid(struct stage *g, const char *refused);
void backstage_allow(struct stage *g);
/* Ends all sessions with PostgreSQL. */
void backstage_end_sessions(struct stage *g);
/* As when the content is put back under the running centre, by a file of SQLite's, a dump of PostgreSQL's. */
void backstage_replace(struct stage *g);
/* Two equal marks: nothing was written between. */
struct hash backstage_mark(struct stage *g);

#endif
