/* Sessions with PostgreSQL: where, when to try again, whose the database is, which schema it has. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/db_postgres_private.h"
#include "gen/sql_postgres_migrations.h"
#include "shared/backoff.h"
#include "shared/clock.h"
#include "shared/position.h"

#define RETRY_BASE_MS 250
#define PARAMETERS_MAX 64

struct postgres {
	char *url;
	struct epoch token;   /* which opening this is */
	pthread_mutex_t lock; /* one session is opened at a time; guards what follows */
	unsigned failures;    /* in a row */
	int64_t next_us;      /* monotonic: when the next attempt is due */
	struct reason last;
	pthread_mutex_t seeing; /* guards: */
	char content[64];       /* as it was seen last */
	atomic_bool replaced;   /* by another; not said yet */
};

/* --- parameters --- */

/* What libpq is told unless the URL says something else. */
static const struct {
	const char *key, *value;
} defaults[] = {
	{"application_name", "tidemark-central"},
	{"connect_timeout", "5"},
	{"keepalives_idle", "10"},
	{"keepalives_interval", "5"},
	{"keepalives_count", "3"},
	{"target_session_attrs", "read-write"},
	{"client_encoding", "UTF8"},
};

/*
 * All statements of ours find their rows by an index and in its order, also before a new table was analysed
 * and where the planner, which does not know a limit, would rather sort all rows of an owner.  Plans are made
 * once.  A transaction of a centre that was stopped must not hold its locks for ever, nor one whose machine lost
 * its power the database: by itself the server would notice after two hours.
 */
#define LOCK_TIMEOUT "'25s'"
static const char session[] = "SET search_path = tidemark_store;"
			      "SET client_min_messages = warning;"
			      "SET plan_cache_mode = force_generic_plan;"
			      "SET enable_seqscan = off;"
			      "SET enable_bitmapscan = off;"
			      "SET max_parallel_workers_per_gather = 0;"
			      "SET enable_hashjoin = off;"
			      "SET enable_mergejoin = off;"
			      "SET enable_sort = off;"
			      "SET jit = off;"
			      "SET lock_timeout = " LOCK_TIMEOUT ";"
			      "SET statement_timeout = 0;"
			      /* What was acknowledged is kept, whatever the server does for others. */
			      "SELECT set_config('synchronous_commit', 'on', false) "
			      "WHERE current_setting('synchronous_commit') = 'off';"
			      "SET tcp_keepalives_idle = 30;"
			      "SET tcp_keepalives_interval = 10;"
			      "SET tcp_keepalives_count = 3;"
			      "SET idle_in_transaction_session_timeout = '60s'";

/* How much of what libpq says can be shown: it quotes the URL, or a part of it, and a password is in there. */
static size_t showable(const char *message)
{
	const char *quoted = strstr(message, ": \"");

	if (quoted && strncmp(message, "invalid URI query parameter", 27) != 0)
		return (size_t)(quoted - message);
	return strcspn(message, "\n");
}

static enum err check_url(const char *url, struct reason *why)
{
	char *message = NULL;
	PQconninfoOption *o = PQconninfoParse(url, &message);
	enum err e = OK;

	if (!o && !message)
		e = fail(RETRY, why, "out of memory");
	else if (!o)
		e = fail(INVALID, why, "the store's URL: %.*s", (int)showable(message), message);
	PQfreemem(message);
	PQconninfoFree(o);
	return e;
}

static void ignore_notice(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static PGconn *dial(const char *url)
{
	const char *keys[PARAMETERS_MAX] = {NULL}, *values[PARAMETERS_MAX] = {NULL};
	size_t n = 0;
	PGconn *conn;

	/* Expanded first to last: what stands later in the list wins. */
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		keys[n] = defaults[i].key;
		values[n++] = defaults[i].value;
	}
	keys[n] = "dbname";
	values[n] = url;
	conn = PQconnectdbParams(keys, values, 1);
	if (!conn)
		err_out_of_memory();
	PQsetNoticeProcessor(conn, ignore_notice, NULL);
	return conn;
}

/* --- whose the database is --- */

#define LOCK_KEY "1415859523" /* "TdMC" */

/* One value of one row, or "". */
static enum err ask(PGconn *conn, const char *sql, char *ret, size_t size, struct reason *why)
{
	PGresult *r = postgres_run(conn, sql);
	enum err e = OK;

	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		snprintf(ret, size, "%s",
			PQntuples(r) == 1 && !PQgetisnull(r, 0, 0) ? PQgetvalue(r, 0, 0) : "");
	else
		e = postgres_classify(conn, r, "the store", why);
	PQclear(r);
	return e;
}

static enum err ask_whether(PGconn *conn, const char *sql, bool *ret, struct reason *why)
{
	char got[8] = "";
	enum err e = ask(conn, sql, got, sizeof(got), why);

	if (e == OK)
		*ret = got[0] == 't';
	return e;
}

static enum err migrate_to(PGconn *conn, size_t i, struct reason *why)
{
	char sql[160];
	enum err e = postgres_do(conn, "BEGIN", why);

	if (e == OK)
		e = postgres_do_long(conn, sql_postgres_migrations.text[i], why);
	snprintf(sql, sizeof(sql), "INSERT INTO schema_version (version) VALUES (%zu)", i + 1);
	if (e == OK)
		e = postgres_do(conn, sql, why);
	if (e == OK)
		return postgres_do(conn, "COMMIT", why);
	/* The session is given up, and the transaction with it. */
	return fail(e == INVALID ? INTERNAL : e, why, "migration %s: %.180s", sql_postgres_migrations.name[i],
		why->text);
}

static enum err migrate(PGconn *conn, struct reason *why)
{
	char text[16] = "";
	bool foreign = false;
	size_t known = sql_postgres_migrations.n, version;
	enum err e = ask_whether(conn,
		"SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('tidemark_store')) "
		"AND to_regclass('tidemark_store.schema_version') IS NULL",
		&foreign, why);

	if (e == OK && foreign)
		return fail(INVALID, why,
			"the schema tidemark_store of the database holds something else: give Tidemark a "
			"database "
			"of its own");
	if (e == OK)
		e = postgres_do(conn,
			"CREATE SCHEMA IF NOT EXISTS tidemark_store;"
			"CREATE TABLE IF NOT EXISTS schema_version "
			"(version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
			why);

	if (e == OK)
		e = ask(conn, "SELECT max(version) FROM schema_version", text, sizeof(text), why);
	version = strtoul(text, NULL, 10);
	if (e == OK && version > known)
		return fail(INVALID, why,
			"the store has schema %zu and this program knows up to %zu: use a newer "
			"tidemark-central",
			version, known);
	for (; e == OK && version < known; version++)
		e = migrate_to(conn, version, why);
	return e;
}

/* Under the exclusive lock: nobody else is connected. */
static enum err take_over(PGconn *conn, const struct postgres *p, struct reason *why)
{
	char sql[200];
	enum err e = migrate(conn, why);

	snprintf(sql, sizeof(sql),
		"INSERT INTO opening (one, token) VALUES (1, '%s') "
		"ON CONFLICT (one) DO UPDATE SET token = excluded.token",
		p->token.hex);
	return e == OK ? postgres_do(conn, sql, why) : e;
}

static enum err is_ours(PGconn *conn, const struct postgres *p, bool *ret, struct reason *why)
{
	char token[40] = "";
	bool there = false;
	enum err e =
		ask_whether(conn, "SELECT to_regclass('tidemark_store.opening') IS NOT NULL", &there, why);

	if (e == OK && there)
		e = ask(conn, "SELECT token FROM opening", token, sizeof(token), why);
	if (e == OK)
		*ret = strcmp(token, p->token.hex) == 0;
	return e;
}

/* The sessions of a centre that has just ended may take a moment to notice. */
static enum err wait_until_alone(PGconn *conn, struct reason *why)
{
	struct reason cause;
	enum err e = postgres_do(conn, "SET lock_timeout = '5s'", why);

	if (e == OK && postgres_do(conn, "SELECT pg_advisory_lock(" LOCK_KEY ")", &cause) != OK)
		e = PQstatus(conn) == CONNECTION_BAD
			    ? fail(RETRY, why, "%s", cause.text)
			    : fail(DENIED, why, "the store is in use by another tidemark-central");
	return e == OK ? postgres_do(conn, "SET lock_timeout = " LOCK_TIMEOUT, why) : e;
}

/*
 * A session may stay if the last to open the database was this centre.  Else, if nobody is connected, the
 * database is new, or closed, or was put back to an older state: it becomes ours.
 */
static enum err claim(PGconn *conn, const struct postgres *p, struct reason *why)
{
	bool shared = false, ours = false;
	enum err e = ask_whether(conn, "SELECT pg_try_advisory_lock_shared(" LOCK_KEY ")", &shared, why);

	if (e == OK && shared)
		e = is_ours(conn, p, &ours, why);
	if (e != OK || ours)
		return e;
	if (shared)
		e = postgres_do(conn, "SELECT pg_advisory_unlock_shared(" LOCK_KEY ")", why);
	if (e == OK)
		e = wait_until_alone(conn, why);
	if (e == OK)
		e = take_over(conn, p, why);
	if (e == OK)
		e = postgres_do(conn,
			"SELECT pg_advisory_lock_shared(" LOCK_KEY "), pg_advisory_unlock(" LOCK_KEY ")",
			why);
	return e;
}

/* --- sessions --- */

/*
 * Nobody puts another content into a database without a restart of the server (an older copy of its files, a
 * standby) or without writing this row anew (a dump).  A dump may be read back beneath sessions that go on.
 */
#define CONTENT "SELECT concat(extract(epoch FROM pg_postmaster_start_time()), '/', xmin) FROM opening"

static void saw_content(struct postgres *p, const char *content)
{
	pthread_mutex_lock(&p->seeing);
	if (p->content[0] && strcmp(p->content, content) != 0)
		atomic_store(&p->replaced, true);
	snprintf(p->content, sizeof(p->content), "%s", content);
	pthread_mutex_unlock(&p->seeing);
}

static enum err look_at_content(PGconn *conn, struct postgres *p, const char *sql, struct reason *why)
{
	char now[64];
	enum err e = ask(conn, sql, now, sizeof(now), why);

	if (e == OK)
		saw_content(p, now);
	return e;
}

enum err postgres_begin(struct postgres *p, PGconn *conn, struct reason *why)
{
	return look_at_content(conn, p, "BEGIN; " CONTENT, why);
}

bool postgres_replaced(struct postgres *p)
{
	return atomic_exchange(&p->replaced, false);
}

static enum err set_up(PGconn *conn, struct postgres *p, struct reason *why)
{
	const char *encoding = PQparameterStatus(conn, "server_encoding");
	enum err e = postgres_do(conn, session, why);

	if (e == OK && (!encoding || strcmp(encoding, "UTF8") != 0))
		e = fail(INVALID, why,
			"the database's encoding is %s: make one with ENCODING 'UTF8' TEMPLATE template0",
			encoding ? encoding : "not known");
	if (e == OK)
		e = claim(conn, p, why);
	return e == OK ? look_at_content(conn, p, CONTENT, why) : e;
}

static enum err not_due(const struct postgres *p, struct reason *why)
{
	int64_t left = p->next_us - clock_mono_us();

	if (left <= 0)
		return OK;
	return fail(RETRY, why, "%.160s; next attempt in %lld.%lld s", p->last.text,
		(long long)(left / 1000000), (long long)(left / 100000 % 10));
}

/* What libpq finds wrong before it asks anybody, it says in these words. */
static enum err not_connected(PGconn *conn, struct reason *why)
{
	enum err e = postgres_classify(conn, NULL, "the store", why);

	return strncmp(PQerrorMessage(conn), "invalid ", strlen("invalid ")) == 0 ? INVALID : e;
}

static enum err connect_now(struct postgres *p, PGconn **ret, struct reason *why)
{
	PGconn *conn = dial(p->url);
	enum err e = PQstatus(conn) == CONNECTION_OK ? set_up(conn, p, why) : not_connected(conn, why);

	if (e == OK && PQsetnonblocking(conn, 1) != 0)
		e = fail(RETRY, why, "out of memory");
	if (e == OK)
		*ret = conn;
	else
		PQfinish(conn);
	return e;
}

enum err postgres_connect(struct postgres *p, PGconn **ret, struct reason *why)
{
	enum err e;

	pthread_mutex_lock(&p->lock);
	e = not_due(p, why);
	if (e == OK) {
		e = connect_now(p, ret, why);
		p->failures = e == OK ? 0 : p->failures + 1;
		p->next_us = e == OK ? 0 : clock_mono_us() + 1000 * backoff_ms(p->failures, RETRY_BASE_MS);
		if (e != OK)
			p->last = *why;
	}
	pthread_mutex_unlock(&p->lock);
	return e;
}

enum err postgres_open(struct postgres **ret, const char *url, struct reason *why)
{
	struct postgres *p;
	enum err e = check_url(url, why);

	if (e != OK)
		return e;
	p = calloc(1, sizeof(*p));
	if (!p)
		err_out_of_memory();
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->seeing, NULL);
	p->url = strdup(url);
	if (!p->url)
		err_out_of_memory();
	p->token = epoch_new();
	*ret = p;
	return OK;
}

void postgres_hurry(struct postgres *p)
{
	if (pthread_mutex_trylock(&p->lock) != 0)
		return; /* an attempt is being made */
	p->next_us = 0;
	pthread_mutex_unlock(&p->lock);
}

void postgres_close(struct postgres *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->seeing);
	pthread_mutex_destroy(&p->lock);
	free(p->url);
	free(p);
}
