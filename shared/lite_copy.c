/* A consistent copy of a database that is in use. */
#include "shared/lite_private.h"

#include <stdio.h>
#include <string.h>

#define STEP_PAGES 1024
#define PROGRESS_OPS 100000
#define BUSY_MS 100

/* Both ends of a copy, and whoever may end it. */
struct copy {
	sqlite3 *from, *to;
	lite_go_on_fn *go_on;
	void *ctx;
};

static enum err run(sqlite3 *db, const char *sql, struct reason *why)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? OK : lite_classify(db, rc, sql, why);
}

static enum err open_one(const char *path, int flags, sqlite3 **ret, struct reason *why)
{
	flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(path, ret, flags, NULL);
	if (rc != SQLITE_OK)
		return lite_classify(*ret, rc, path, why);
	sqlite3_busy_timeout(*ret, BUSY_MS);
	return OK;
}

/* The reader's transaction stays open until the end: so every step sees the same moment. */
static enum err open_both(struct copy *c, const char *from, const char *to, struct reason *why)
{
	enum err e = open_one(from, SQLITE_OPEN_READONLY, &c->from, why);
	if (e == OK)
		e = open_one(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &c->to, why);
	if (e == OK)
		e = run(c->from, "BEGIN; SELECT count(*) FROM sqlite_schema", why);
	if (e == OK) /* half of a copy is thrown away, and its reader makes it durable */
		e = run(c->to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", why);
	return e;
}

static enum err copy_pages(struct copy *c, struct reason *why)
{
	sqlite3_backup *b = sqlite3_backup_init(c->to, "main", c->from, "main");
	if (!b)
		return lite_classify(c->to, sqlite3_extended_errcode(c->to), "copy", why);
	int rc = SQLITE_OK;
	while (rc == SQLITE_OK && c->go_on(c->ctx))
		rc = sqlite3_backup_step(b, STEP_PAGES);
	int end = sqlite3_backup_finish(b);
	if (rc == SQLITE_OK)
		return fail(RETRY, why, "stopped in the middle of a copy");
	if (rc == SQLITE_DONE)
		rc = end;
	return rc == SQLITE_OK ? OK : lite_classify(c->to, rc, "copy", why);
}

static int interrupt(void *copy)
{
	const struct copy *c = copy;
	return c->go_on(c->ctx) ? 0 : 1;
}

/* A backup that cannot be put back is none: better told now. */
static enum err check_copy(struct copy *c, struct reason *why)
{
	sqlite3_stmt *s = NULL;
	sqlite3_progress_handler(c->to, PROGRESS_OPS, interrupt, c);
	int rc = sqlite3_prepare_v2(c->to, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	enum err e = OK;
	const char *said = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (rc != SQLITE_ROW)
		e = lite_classify(c->to, rc, "quick_check", why);
	else if (!said || strcmp(said, "ok") != 0)
		e = fail(INTERNAL, why, "the database is damaged: %.160s", said ? said : "?");
	sqlite3_finalize(s);
	sqlite3_progress_handler(c->to, 0, NULL, NULL);
	return e;
}

enum err lite_copy(const char *from, const char *to, lite_go_on_fn *go_on, void *ctx, struct reason *why)
{
	struct copy c = {.go_on = go_on, .ctx = ctx};
	enum err e = open_both(&c, from, to, why);
	if (e == OK)
		e = copy_pages(&c, why);
	sqlite3_close(c.from); /* from here on the log of the original may shrink again */
	if (e == OK)           /* one file, without a log beside it */
		e = run(c.to, "PRAGMA journal_mode=DELETE", why);
	if (e == OK)
		e = check_copy(&c, why);
	sqlite3_close(c.to);
	return e;
}
