/*
 * floor_postgres - what PostgreSQL alone takes for the same rows: two connections that each COPY a page to a
 * temporary table and merge it from there, a transaction a page, with nothing of Tidemark around it.
 *
 *	floor_postgres URL SETUP STAGE COPY MERGE PER SELECT DB...
 *
 * SETUP is run first, STAGE by each connection: it makes the temporary table `staged`, whose columns are those
 * that SELECT gives of the SQLite databases DB.  All pages are in memory, in COPY's binary format, before the
 * clock starts; each connection takes the next, of each database in turn.  The answer is one line of JSON.
 */
#include <libpq-fe.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS 2
#define COLUMNS_MAX 32

enum { BOOL = 16, BIGINT = 20 }; /* of pg_type; everything else goes as its bytes */

struct page {
	char *at;
	size_t len, room, rows;
};

struct source {
	struct page *pages;
	size_t n, taken;
};

static struct {
	char *url, *stage, *copy, *merge;
	struct source *sources;
	int n_sources, turn;
	pthread_mutex_t lock;
	pthread_barrier_t ready;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void die(const char *what)
{
	fprintf(stderr, "floor_postgres: %s\n", what);
	exit(1);
}

static double seconds(clockid_t which)
{
	struct timespec t;
	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- pages --- */

static void add(struct page *p, const void *at, size_t len)
{
	if (p->room - p->len < len) {
		p->room = 2 * (p->room + len);
		p->at = realloc(p->at, p->room);
	}
	memcpy(p->at + p->len, at, len);
	p->len += len;
}

static void add_int(struct page *p, uint64_t v, unsigned bytes)
{
	unsigned char at[8];
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (unsigned char)(v >> 8 * (bytes - 1 - i));
	add(p, at, bytes);
}

static void add_field(struct page *p, sqlite3_stmt *s, int i, Oid type)
{
	if (sqlite3_column_type(s, i) == SQLITE_NULL) {
		add_int(p, UINT32_MAX, 4);
	} else if (type == BOOL || type == BIGINT) {
		unsigned bytes = type == BOOL ? 1 : 8;
		add_int(p, bytes, 4);
		add_int(p, (uint64_t)sqlite3_column_int64(s, i), bytes);
	} else {
		const void *at = sqlite3_column_blob(s, i);
		add_int(p, (uint64_t)sqlite3_column_bytes(s, i), 4);
		add(p, at, (size_t)sqlite3_column_bytes(s, i));
	}
}

static struct page *page_begin(struct source *from)
{
	from->pages = realloc(from->pages, (from->n + 1) * sizeof *from->pages);
	struct page *p = &from->pages[from->n++];
	*p = (struct page){0};
	add(p, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
	return p;
}

static struct source load(const char *path, const char *select, const Oid *types, size_t per)
{
	sqlite3 *db;
	sqlite3_stmt *s;
	struct source from = {0};
	struct page *p = NULL;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db, select, -1, &s, NULL) != SQLITE_OK)
		die(sqlite3_errmsg(db));
	while (sqlite3_step(s) == SQLITE_ROW) {
		if (!p || p->rows == per)
			p = page_begin(&from);
		add_int(p, (uint64_t)sqlite3_column_count(s), 2);
		for (int i = 0; i < sqlite3_column_count(s); i++)
			add_field(p, s, i, types[i]);
		p->rows++;
	}
	for (size_t i = 0; i < from.n; i++)
		add_int(&from.pages[i], UINT16_MAX, 2);
	if (sqlite3_finalize(s) != SQLITE_OK)
		die(sqlite3_errmsg(db));
	sqlite3_close(db);
	return from;
}

/* --- the server --- */

static PGconn *dial(void)
{
	PGconn *conn = PQconnectdb(all.url);
	if (PQstatus(conn) != CONNECTION_OK)
		die(PQerrorMessage(conn));
	return conn;
}

static PGresult *run(PGconn *conn, const char *sql, ExecStatusType want)
{
	PGresult *r = PQexec(conn, sql);
	if (PQresultStatus(r) != want)
		die(PQerrorMessage(conn));
	return r;
}

static void command(PGconn *conn, const char *sql)
{
	PQclear(run(conn, sql, PGRES_COMMAND_OK));
}

/* Makes the schema, and looks how the fields are to be sent. */
static void prepare(const char *setup, Oid types[COLUMNS_MAX])
{
	PGconn *conn = dial();
	if (*setup)
		command(conn, setup);
	command(conn, all.stage);
	PGresult *r = run(conn, "TABLE staged", PGRES_TUPLES_OK);
	if (PQnfields(r) > COLUMNS_MAX)
		die("too many columns");
	for (int i = 0; i < PQnfields(r); i++)
		types[i] = PQftype(r, i);
	PQclear(r);
	PQfinish(conn);
}

static struct page *next_page(void)
{
	struct page *p = NULL;
	pthread_mutex_lock(&all.lock);
	for (int i = 0; i < all.n_sources && !p; i++) {
		struct source *from = &all.sources[all.turn++ % all.n_sources];
		if (from->taken < from->n)
			p = &from->pages[from->taken++];
	}
	pthread_mutex_unlock(&all.lock);
	return p;
}

static void write_page(PGconn *conn, const struct page *p)
{
	command(conn, "BEGIN");
	PQclear(run(conn, all.copy, PGRES_COPY_IN));
	if (PQputCopyData(conn, p->at, (int)p->len) != 1 || PQputCopyEnd(conn, NULL) != 1)
		die(PQerrorMessage(conn));
	PGresult *r = PQgetResult(conn);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		die(PQerrorMessage(conn));
	PQclear(r);
	PQclear(PQgetResult(conn)); /* the end of it */
	r = run(conn, all.merge, PGRES_COMMAND_OK);
	if ((size_t)atol(PQcmdTuples(r)) != p->rows)
		die("not every row of a page was written");
	PQclear(r);
	command(conn, "COMMIT");
}

static void *write_pages(void *ctx)
{
	PGconn *conn = dial();
	struct page *p;
	command(conn, all.stage);
	pthread_barrier_wait(&all.ready);
	while ((p = next_page()) != NULL)
		write_page(conn, p);
	pthread_barrier_wait(&all.ready);
	PQfinish(conn);
	return ctx;
}

static void measure(void)
{
	pthread_t threads[CONNECTIONS];
	size_t rows = 0;
	pthread_barrier_init(&all.ready, NULL, CONNECTIONS + 1);
	for (int i = 0; i < CONNECTIONS; i++)
		pthread_create(&threads[i], NULL, write_pages, NULL);
	pthread_barrier_wait(&all.ready);
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	pthread_barrier_wait(&all.ready);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	for (int i = 0; i < CONNECTIONS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < all.n_sources; i++)
		for (size_t k = 0; k < all.sources[i].n; k++)
			rows += all.sources[i].pages[k].rows;
	printf("{\"rows\":%zu,\"wall_s\":%.6f,\"cpu_s\":%.6f}\n", rows, wall, cpu);
}

int main(int argc, char **argv)
{
	Oid types[COLUMNS_MAX];
	if (argc < 9) {
		fputs("usage: floor_postgres URL SETUP STAGE COPY MERGE PER SELECT DB...\n", stderr);
		return 2;
	}
	all.url = argv[1], all.stage = argv[3], all.copy = argv[4], all.merge = argv[5];
	all.n_sources = argc - 8;
	all.sources = calloc((size_t)all.n_sources, sizeof *all.sources);
	prepare(argv[2], types);
	for (int i = 0; i < all.n_sources; i++)
		all.sources[i] = load(argv[8 + i], argv[7], types, (size_t)atol(argv[6]));
	measure();
	return 0;
}
