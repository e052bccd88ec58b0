#include <errno.h>
#include <poll.h>
#include <string.h>

#include "central/db_postgres_private.h"
#include "shared/clock.h"

static bool wait_for(PGconn *conn, short events, int64_t silence_ms)
{
	int64_t until = clock_mono_us() + silence_ms * 1000;
	struct pollfd p = {.fd = PQsocket(conn), .events = events};

	if (p.fd < 0)
		return false;
	for (;;) {
		int64_t left = (until - clock_mono_us()) / 1000;
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

bool postgres_flush(PGconn *conn)
{
	int more;

	while ((more = PQflush(conn)) > 0)
		if (!wait_for(conn, POLLIN | POLLOUT, POSTGRES_SILENCE_MS) || !PQconsumeInput(conn))
			return false;
	return more == 0;
}

PGresult *postgres_result(PGconn *conn, int64_t silence_ms, bool *lost)
{
	*lost = !postgres_flush(conn);
	while (!*lost && PQisBusy(conn))
		*lost = !wait_for(conn, POLLIN, silence_ms) || !PQconsumeInput(conn);
	return *lost ? NULL : PQgetResult(conn);
}

static bool is_error(const PGresult *r)
{
	ExecStatusType s = PQresultStatus(r);

	return s == PGRES_FATAL_ERROR || s == PGRES_BAD_RESPONSE;
}

static PGresult *run(PGconn *conn, const char *sql, int64_t silence_ms)
{
	PGresult *last = NULL, *r;
	bool lost = !PQsendQuery(conn, sql);

	while (!lost && (r = postgres_result(conn, silence_ms, &lost)) != NULL) {
		if (PQresultStatus(r) == PGRES_COPY_IN)
			return r; /* it goes on with the rows */
		if (last && is_error(last)) {
			PQclear(r);
			continue;
		}
		PQclear(last);
		last = r;
	}
	if (lost || PQstatus(conn) == CONNECTION_BAD) {
		PQclear(last);
		return NULL;
	}
	return last;
}

PGresult *postgres_run(PGconn *conn, const char *sql)
{
	return run(conn, sql, POSTGRES_SILENCE_MS);
}

static enum err do_within(PGconn *conn, const char *sql, int64_t silence_ms, struct reason *why)
{
	PGresult *r = run(conn, sql, silence_ms);
	enum err e = r && !is_error(r) ? OK : postgres_classify(conn, r, "the store", why);

	PQclear(r);
	return e;
}

enum err postgres_do(PGconn *conn, const char *sql, struct reason *why)
{
	return do_within(conn, sql, POSTGRES_SILENCE_MS, why);
}

enum err postgres_do_long(PGconn *conn, const char *sql, struct reason *why)
{
	return do_within(conn, sql, POSTGRES_LONG_SILENCE_MS, why);
}

/* --- what errors mean --- */

static bool in_class(const char *state, const char *class)
{
	return strncmp(state, class, strlen(class)) == 0;
}

static enum err class_of(const char *state)
{
	static const struct {
		const char *class;
		enum err e;
	} table[] = {
		{"08", RETRY},    /* the connection */
		{"25006", RETRY}, /* a standby: it may be promoted, or the primary come back */
		{"25P03", RETRY}, /* idle too long within a transaction: we were stopped */
		{"40", RETRY},    /* deadlock, serialisation */
		{"53", RETRY},    /* resources: disk, memory, connections */
		{"55", RETRY},    /* a lock, or not in the right state */
		{"57", RETRY},    /* shut down, cancelled */
		{"58", RETRY},    /* the system below it */
		{"23505", CONFLICT},
		{"21", INVALID}, /* the data */
		{"22", INVALID},
		{"23", INVALID},
		{"54", INVALID},    /* too large for an index that somebody added */
		{"P0001", INVALID}, /* a trigger that somebody added */
		{"28", DENIED},
		{"42501", DENIED},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (in_class(state, table[i].class))
			return table[i].e;
	return INTERNAL;
}

/* The first line that says something. */
static struct span first_line(const char *text)
{
	size_t len;

	while (*text == '\n' || *text == ' ')
		text++;
	len = strcspn(text, "\n");
	return (struct span){text, len};
}

/* A key that is there twice is ours to deal with, but for one that somebody added to the records. */
static bool is_added_key_twice(const PGresult *r, const char *state)
{
	const char *table = PQresultErrorField(r, PG_DIAG_TABLE_NAME);
	const char *constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);

	return strcmp(state, "23505") == 0 && table && constraint && strcmp(table, "records") == 0 &&
	       strcmp(constraint, "records_pkey") != 0;
}

enum err postgres_classify(const PGconn *conn, const PGresult *r, const char *doing, struct reason *why)
{
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	const char *text = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	struct span line = first_line(text ? text : PQerrorMessage(conn));

	if (!state && PQstatus(conn) != CONNECTION_BAD && line.len == 0)
		return fail(RETRY, why, "%s: PostgreSQL has said nothing for too long", doing);
	if (!state)
		return fail(RETRY, why, "%s: PostgreSQL: %.*s", doing, (int)line.len, line.at);
	if (strcmp(state, "53100") == 0)
		return fail(RETRY, why, "%s: %s", doing, REASON_DISK_FULL);
	return fail(is_added_key_twice(r, state) ? INVALID : class_of(state), why, "%s: PostgreSQL %s: %.*s",
		doing, state, (int)line.len, line.at);
}
