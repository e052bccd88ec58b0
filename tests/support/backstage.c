#include "tests/support/backstage.h"

#include <assert.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const endings[] = {"", "-wal", "-shm", ".lock"};

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	abort();
}

/* --- PostgreSQL --- */

static const char *cluster(void)
{
	const char *url = getenv("TIDEMARK_TEST_POSTGRES");

	if (!url)
		give_up("TIDEMARK_TEST_POSTGRES is not set", "run this by tests/run, or see tests/README.md");
	return url;
}

static PGconn *dial(const char *url)
{
	PGconn *conn = PQconnectdb(url);

	if (PQstatus(conn) != CONNECTION_OK)
		give_up(url, PQerrorMessage(conn));
	return conn;
}

static const char *postgres_ask(struct stage *g, const char *url, const char *sql)
{
	PGconn *conn = dial(url);
	const char *value = "";
	PGresult *r;

	PQclear(PQexec(conn, "SET search_path = tidemark_store; SET client_min_messages = error; "
			     "SET default_transaction_read_only = off"));
	r = PQexec(conn, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		give_up(sql, PQerrorMessage(conn));
	if (PQntuples(r) > 0)
		value = arena_copy(&g->arena, PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0));
	PQclear(r);
	PQfinish(conn);
	return value;
}

/* One database for a whole program, emptied for each stage: making one takes longer than most tests. */
static void postgres_create(struct stage *g)
{
	static bool made;
	char sql[128];
	const char *after = strchr(cluster() + strlen("postgresql://"), '/');
	const char *query = after ? strchr(after, '?') : NULL;
	int stem = after ? (int)(after - cluster()) : (int)strlen(cluster());

	snprintf(sql, sizeof(sql), "CREATE DATABASE stage_%d", (int)getpid());
	if (!made)
		(void)postgres_ask(g, cluster(), sql);
	made = true;
	snprintf(g->url, sizeof(g->url), "%.*s/stage_%d%s", stem, cluster(), (int)getpid(),
		query ? query : "");
}

static void postgres_drop(struct stage *g)
{
	backstage_end_sessions(g);
	(void)postgres_ask(g, g->url, "DROP SCHEMA IF EXISTS tidemark CASCADE");
	(void)postgres_ask(g, g->url, "DROP SCHEMA tidemark_store CASCADE");
}

/* Every version of every row, and who locked it. */
static struct hash postgres_mark(struct stage *g)
{
	static const char *const tables[] = {"centre", "opening", "counters", "nodes", "abandoned", "records",
		"conflicts", "quarantine", "events"};
	struct hash_state s;
	char sql[256];

	hash_begin(&s);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		snprintf(sql, sizeof(sql),
			"SELECT coalesce(md5(string_agg(concat_ws(' ', ctid, xmin, xmax, t::text), ';' "
			"ORDER BY ctid)), '') FROM %s AS t",
			tables[i]);
		hash_field(&s, span_of(postgres_ask(g, g->url, sql)));
	}
	return hash_end(&s);
}

/* --- SQLite --- */

static const char *lite_ask(struct stage *g, const char *sql)
{
	const char *value = "";
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db;
	int rc = sqlite3_open_v2(strchr(g->url, ':') + 1, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db, 10000); /* the store may be at work */
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		give_up(sql, sqlite3_errmsg(db));
	if (rc == SQLITE_ROW)
		value = arena_copy(&g->arena, (const char *)sqlite3_column_text(stmt, 0),
			(size_t)sqlite3_column_bytes(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

static void lite_create(struct stage *g)
{
	static unsigned opened;

	if (g->kind == STAGE_MEMORY) {
		snprintf(g->url, sizeof(g->url), "sqlite:file:/stage-%d-%u?vfs=memdb", (int)getpid(),
			++opened);
		return;
	}
	snprintf(g->dir, sizeof(g->dir), "/tmp/tidemark-store.XXXXXX");
	if (!mkdtemp(g->dir))
		give_up("mkdtemp", g->dir);
	snprintf(g->url, sizeof(g->url), "sqlite:%s/centre.db", g->dir);
}

static void lite_drop(struct stage *g)
{
	char path[128];

	for (size_t i = 0; g->dir[0] && i < sizeof(endings) / sizeof(endings[0]); i++) {
		snprintf(path, sizeof(path), "%s/centre.db%s", g->dir, endings[i]);
		unlink(path);
	}
	if (g->dir[0])
		rmdir(g->dir);
}

static struct hash lite_mark(const struct stage *g)
{
	struct hash_state s;
	char path[128], bytes[65536];

	hash_begin(&s);
	for (size_t i = 0; i < 2; i++) {
		FILE *f;
		size_t n;

		snprintf(path, sizeof(path), "%s/centre.db%s", g->dir, endings[i]);
		f = fopen(path, "rb");
		while (f && (n = fread(bytes, 1, sizeof(bytes), f)) > 0)
			hash_bytes(&s, bytes, n);
		if (f)
			fclose(f);
	}
	return hash_end(&s);
}

/* --- either --- */

void backstage_create(struct stage *g)
{
	if (g->kind == STAGE_POSTGRES)
		postgres_create(g);
	else
		lite_create(g);
}

void backstage_drop(struct stage *g)
{
	if (g->kind == STAGE_POSTGRES)
		postgres_drop(g);
	else
		lite_drop(g);
}

const char *backstage_ask(struct stage *g, const char *sql)
{
	return g->kind == STAGE_POSTGRES ? postgres_ask(g, g->url, sql) : lite_ask(g, sql);
}

void backstage_run(struct stage *g, const char *sql)
{
	(void)backstage_ask(g, sql);
}

void backstage_replace(struct stage *g)
{
	if (g->kind == STAGE_POSTGRES) {
		backstage_run(g, "UPDATE opening SET token = token");
		backstage_end_sessions(g);
	} else {
		backstage_run(g, "INSERT INTO abandoned VALUES ('nobody', 'behind', 0, x'00')");
	}
}

void backstage_end_sessions(struct stage *g)
{
	backstage_run(g, "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
			 "WHERE datname = current_database() AND pid <> pg_backend_pid()");
}

struct hash backstage_mark(struct stage *g)
{
	return g->kind == STAGE_POSTGRES ? postgres_mark(g) : lite_mark(g);
}

/* --- a constraint of somebody's own --- */

static void change(struct stage *g, const char *sql)
{
	backstage_run(g, sql);
	if (store_ping(g->store, &g->why) != OK)
		give_up(sql, g->why.text);
}

void backstage_forbid(struct stage *g, const char *refused)
{
	static const char *const at[] = {"INSERT", "UPDATE"};
	char sql[512];

	if (g->kind == STAGE_POSTGRES) {
		snprintf(sql, sizeof(sql), "ALTER TABLE records ADD CONSTRAINT forbidden CHECK (NOT (%s))",
			refused);
		change(g, sql);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		snprintf(sql, sizeof(sql),
			"CREATE TRIGGER forbidden_%s BEFORE %s ON records WHEN (SELECT %s FROM (SELECT "
			"NEW.body AS "
			"body)) BEGIN SELECT RAISE(ABORT, 'forbidden'); END",
			at[i], at[i], refused);
		change(g, sql);
	}
}

void backstage_allow(struct stage *g)
{
	if (g->kind == STAGE_POSTGRES) {
		change(g, "ALTER TABLE records DROP CONSTRAINT forbidden");
		return;
	}
	change(g, "DROP TRIGGER forbidden_INSERT");
	change(g, "DROP TRIGGER forbidden_UPDATE");
}
