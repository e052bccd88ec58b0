/*
 * The centre's database in PostgreSQL: one a process, made at its first world and dropped when the process ends.  Its
 * schema stays from world to world; its rows are emptied to those of a new store.
 *
 * A copy is the rows of all tables, as COPY gives them: putting one back takes some milliseconds, where a database made
 * from a template takes fifty.  A centre notices either in the same way, by the row of "opening" that was written anew.
 */
#include <assert.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "central/store.h"
#include "shared/buf.h"
#include "tests/sim/database_private.h"

#define TABLES_MAX 16

/* What the process keeps. */
static struct {
	PGconn *conn;
	char name[64], url[512];
	char tables[TABLES_MAX][64];
	int n_tables;
	struct copy empty; /* a store that was opened once */
	pid_t owner;
} the;

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "sim: %s: %s\n", what, why);
	abort();
}

static PGconn *dial(const char *url)
{
	PGconn *conn = PQconnectdb(url);

	if (PQstatus(conn) != CONNECTION_OK)
		give_up("PostgreSQL", PQerrorMessage(conn));
	return conn;
}

static PGresult *run(PGconn *conn, const char *sql)
{
	PGresult *r = PQexec(conn, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK &&
		PQresultStatus(r) != PGRES_COPY_IN && PQresultStatus(r) != PGRES_COPY_OUT)
		give_up(sql, PQerrorMessage(conn));
	return r;
}

static void drop(void)
{
	char sql[128];
	PGconn *conn;

	if (the.owner != getpid())
		return;
	PQfinish(the.conn);
	conn = dial(getenv("TIDEMARK_TEST_POSTGRES"));
	snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", the.name);
	PQclear(run(conn, sql));
	PQfinish(conn);
}

/* The server's URL with another database in it. */
static void make(void)
{
	const char *server = getenv("TIDEMARK_TEST_POSTGRES");
	const char *after = strchr(server + strlen("postgresql://"), '/');
	const char *query = after != NULL ? strchr(after, '?') : NULL;
	int stem = after != NULL ? (int)(after - server) : (int)strlen(server);
	char sql[128];
	PGconn *conn = dial(server);

	the.owner = getpid();
	snprintf(the.name, sizeof the.name, "sim_%d", (int)the.owner);
	snprintf(the.url, sizeof the.url, "%.*s/%s%s", stem, server, the.name, query != NULL ? query : "");
	snprintf(sql, sizeof sql, "CREATE DATABASE %s", the.name);
	PQclear(run(conn, sql));
	PQfinish(conn);
	atexit(drop);
	the.conn = dial(the.url);
}

/* A store makes its schema itself. */
static void make_schema(void)
{
	struct store_config c = {.url = the.url};
	struct store *st;
	struct reason why;

	if (store_open(&st, &c, &why) != OK)
		give_up("a new store", why.text);
	store_close(st);
}

static void find_tables(void)
{
	PGresult *r = run(the.conn,
		"SELECT relname FROM pg_class WHERE relnamespace = 'tidemark_store'::regnamespace "
		"AND relkind = 'r' AND relname <> 'schema_version' ORDER BY relname");

	the.n_tables = PQntuples(r);
	assert(the.n_tables > 0 && the.n_tables <= TABLES_MAX);
	for (int i = 0; i < the.n_tables; i++)
		snprintf(the.tables[i], sizeof the.tables[i], "%s", PQgetvalue(r, i, 0));
	PQclear(r);
}

static void truncate_all(void)
{
	struct buf sql = {0};

	buf_text(&sql, "TRUNCATE ");
	for (int i = 0; i < the.n_tables; i++)
		buf_printf(&sql, "%s%s", i > 0 ? ", " : "", the.tables[i]);
	buf_char(&sql, '\0');
	PQclear(run(the.conn, sql.at));
	buf_done(&sql);
}

void postgres_database_open(struct database *d)
{
	static const char settings[] = "SET search_path = tidemark_store; SET synchronous_commit = off; "
				       "SET client_min_messages = warning; SET enable_seqscan = off";
	bool first = the.conn == NULL;

	if (first)
		make();
	d->pg = the.conn;
	snprintf(d->url, sizeof d->url, "%s", the.url);
	if (first) {
		make_schema();
		PQclear(run(the.conn, settings));
		find_tables();
		postgres_database_run(d, "DELETE FROM centre"); /* each world's makes its own id */
		postgres_copy_take(&the.empty, d);
	}
	truncate_all();
	postgres_copy_put_back(&the.empty, d);
}

/*
 * By the transactions that made the rows: also one that changed nothing shows.  Events and counters always come with
 * something else or alone as themselves; the last number stands for them.
 */
bool postgres_database_written(struct database *d)
{
	static const char sql[] =
		"SELECT concat(sum(hashtextextended(concat(t.at, '/', t.of), 1)), '/', max(t.event)) FROM "
		"(SELECT ctid AS at, xmin AS of, 0 AS event FROM nodes UNION ALL SELECT ctid, xmin, 1 FROM "
		"records "
		"UNION ALL SELECT ctid, xmin, 2 FROM abandoned UNION ALL SELECT ctid, xmin, 3 FROM conflicts "
		"UNION ALL SELECT ctid, xmin, event FROM counters UNION ALL SELECT ctid, xmin, 4 FROM "
		"centre UNION ALL SELECT ctid, xmin, 5 FROM quarantine) AS t";
	PGresult *r = run(d->pg, sql);
	bool written = strcmp(d->seen_mark, PQgetvalue(r, 0, 0)) != 0;

	snprintf(d->seen_mark, sizeof d->seen_mark, "%s", PQgetvalue(r, 0, 0));
	PQclear(r);
	return written;
}

void postgres_database_run(struct database *d, const char *sql)
{
	PQclear(run(d->pg, sql));
}

void postgres_database_end_sessions(struct database *d)
{
	PQclear(run(d->pg, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
			   "WHERE datname = current_database() AND pid <> pg_backend_pid() "
			   "AND backend_type = 'client backend'"));
}

/* --- rows --- */

void postgres_database_select(struct database *d, const char *sql, int64_t number)
{
	char text[24];
	const char *value = text;
	Oid type = 20; /* bigint */

	snprintf(text, sizeof text, "%lld", (long long)number);
	d->rows = PQexecParams(d->pg, sql, strstr(sql, "$1") != NULL, &type, &value, NULL, NULL, 1);
	d->row = -1;
	if (PQresultStatus(d->rows) != PGRES_TUPLES_OK)
		give_up(sql, PQerrorMessage(d->pg));
}

bool postgres_database_next(struct database *d)
{
	if (++d->row < PQntuples(d->rows))
		return true;
	PQclear(d->rows);
	d->rows = NULL;
	return false;
}

int postgres_database_columns(const struct database *d)
{
	return PQnfields(d->rows);
}

bool postgres_database_null(const struct database *d, int col)
{
	return PQgetisnull(d->rows, d->row, col);
}

const void *postgres_database_bytes(const struct database *d, int col, size_t *ret_len)
{
	*ret_len = (size_t)PQgetlength(d->rows, d->row, col);
	return PQgetvalue(d->rows, d->row, col);
}

/* Integers of two, four or eight bytes, and booleans of one. */
int64_t postgres_database_number(const struct database *d, int col)
{
	size_t len;
	const unsigned char *at = postgres_database_bytes(d, col, &len);
	uint64_t n = len > 0 && (at[0] & 0x80) != 0 ? UINT64_MAX : 0;

	assert(len <= 8);
	while (len-- > 0)
		n = n << 8 | *at++;
	return (int64_t)n;
}

/* --- copies: for each table its rows' length in bytes, a line end, the rows --- */

static void take_table(struct buf *rows, const char *table)
{
	char sql[128], *at;
	int n;

	snprintf(sql, sizeof sql, "COPY %s TO STDOUT", table);
	PQclear(run(the.conn, sql));
	while ((n = PQgetCopyData(the.conn, &at, 0)) > 0) {
		buf_put(rows, (struct span){at, (size_t)n});
		PQfreemem(at);
	}
	assert(n == -1);
	PQclear(PQgetResult(the.conn));
	assert(PQgetResult(the.conn) == NULL);
}

void postgres_copy_take(struct copy *c, struct database *d)
{
	struct buf all = {0}, rows = {0};

	postgres_database_run(d, "BEGIN ISOLATION LEVEL REPEATABLE READ");
	for (int i = 0; i < the.n_tables; i++) {
		buf_clear(&rows);
		take_table(&rows, the.tables[i]);
		buf_printf(&all, "%zu\n", rows.len);
		buf_put(&all, buf_span(&rows));
	}
	postgres_database_run(d, "COMMIT");
	c->len = (int64_t)all.len;
	c->bytes = sqlite3_malloc64(all.len);
	assert(c->bytes != NULL && !buf_failed(&all) && !buf_failed(&rows));
	memcpy(c->bytes, all.at, all.len);
	buf_done(&all);
	buf_done(&rows);
}

static void put_back_table(const char *table, const char *at, size_t len)
{
	char sql[128];
	PGresult *r;

	snprintf(sql, sizeof sql, "DELETE FROM %s", table);
	PQclear(run(the.conn, sql));
	snprintf(sql, sizeof sql, "COPY %s FROM STDIN", table);
	PQclear(run(the.conn, sql));
	if ((len > 0 && PQputCopyData(the.conn, at, (int)len) != 1) || PQputCopyEnd(the.conn, NULL) != 1)
		give_up(table, PQerrorMessage(the.conn));
	r = PQgetResult(the.conn);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		give_up(table, PQerrorMessage(the.conn));
	PQclear(r);
	assert(PQgetResult(the.conn) == NULL);
}

void postgres_copy_put_back(const struct copy *c, struct database *d)
{
	const char *at = (const char *)c->bytes;

	postgres_database_run(d, "BEGIN");
	for (int i = 0; i < the.n_tables; i++) {
		char *rows;
		size_t len = strtoull(at, &rows, 10);

		put_back_table(the.tables[i], rows + 1, len);
		at = rows + 1 + len;
	}
	postgres_database_run(d, "COMMIT");
}
