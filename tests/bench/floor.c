/*
 * floor - what SQLite alone takes for the same rows, with nothing of Tidemark around it.
 *
 *	floor read SELECT DB...                          steps through the rows of each database
 *	floor copy TARGET SETUP INSERT PER SELECT DB...  inserts them all, PER rows a transaction
 *	floor each TARGET SETUP INSERT PER SELECT THREADS DB...  those of each into a TARGET of its own
 *
 * `copy` holds the rows in memory before the clock starts, and takes a transaction's worth of each
 * database in turn, as pages of several nodes come in.  `each` holds them too, and fills TARGET0, TARGET1 and
 * so on, THREADS of them at a time.  The answer is one line of JSON.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MANY 64 /* databases */

struct cell {
	int type;
	sqlite3_int64 n; /* the number, or the bytes' length */
	char *at;
};

struct table {
	struct cell *cells;
	size_t rows, room, taken;
	int columns;
};

static void check(sqlite3 *db, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
		return;
	fprintf(stderr, "floor: %s\n", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
	exit(1);
}

static sqlite3 *open_db(const char *path)
{
	sqlite3 *db;
	check(NULL, sqlite3_open_v2(path, &db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
	return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;
	check(db, sqlite3_prepare_v2(db, sql, -1, &s, NULL));
	return s;
}

static double seconds(clockid_t which)
{
	struct timespec t;
	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double wall_from, cpu_from;

static void start(void)
{
	wall_from = seconds(CLOCK_MONOTONIC);
	cpu_from = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void tell(size_t rows)
{
	printf("{\"rows\":%zu,\"wall_s\":%.6f,\"cpu_s\":%.6f}\n", rows, seconds(CLOCK_MONOTONIC) - wall_from,
		seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_from);
}

/* Touches every value, as a reader must. */
static size_t read_all(const char *path, const char *select)
{
	sqlite3 *db = open_db(path);
	sqlite3_stmt *s = prepare(db, select);
	size_t rows = 0;
	volatile sqlite3_int64 seen = 0;
	for (; sqlite3_step(s) == SQLITE_ROW; rows++)
		for (int i = 0; i < sqlite3_column_count(s); i++)
			seen += sqlite3_column_type(s, i) == SQLITE_INTEGER ? sqlite3_column_int64(s, i)
									    : sqlite3_column_bytes(s, i);
	check(db, sqlite3_finalize(s));
	sqlite3_close(db);
	return rows;
}

static void keep_cell(sqlite3_stmt *s, int i, struct cell *c)
{
	c->type = sqlite3_column_type(s, i);
	if (c->type == SQLITE_INTEGER) {
		c->n = sqlite3_column_int64(s, i);
	} else if (c->type != SQLITE_NULL) {
		const void *at = sqlite3_column_blob(s, i);
		c->n = sqlite3_column_bytes(s, i);
		c->at = malloc((size_t)c->n + 1);
		memcpy(c->at, at, (size_t)c->n);
	}
}

static struct table load(const char *path, const char *select)
{
	sqlite3 *db = open_db(path);
	sqlite3_stmt *s = prepare(db, select);
	struct table t = {.columns = sqlite3_column_count(s)};
	for (; sqlite3_step(s) == SQLITE_ROW; t.rows++) {
		if (t.rows == t.room) {
			t.room = t.room ? 2 * t.room : 1024;
			t.cells = realloc(t.cells, t.room * (size_t)t.columns * sizeof *t.cells);
		}
		for (int i = 0; i < t.columns; i++)
			keep_cell(s, i, &t.cells[t.rows * (size_t)t.columns + (size_t)i]);
	}
	check(db, sqlite3_finalize(s));
	sqlite3_close(db);
	return t;
}

static void insert_row(sqlite3 *db, sqlite3_stmt *s, const struct cell *c, int columns)
{
	for (int i = 0; i < columns; i++, c++) {
		if (c->type == SQLITE_INTEGER)
			check(db, sqlite3_bind_int64(s, i + 1, c->n));
		else if (c->type == SQLITE_TEXT)
			check(db, sqlite3_bind_text(s, i + 1, c->at, (int)c->n, SQLITE_STATIC));
		else if (c->type == SQLITE_BLOB)
			check(db, sqlite3_bind_blob(s, i + 1, c->at, (int)c->n, SQLITE_STATIC));
		else
			check(db, sqlite3_bind_null(s, i + 1));
	}
	check(db, sqlite3_step(s));
	check(db, sqlite3_reset(s));
}

static size_t insert_some(sqlite3 *db, sqlite3_stmt *s, struct table *t, size_t per)
{
	size_t n = t->rows - t->taken < per ? t->rows - t->taken : per;
	if (n == 0)
		return 0;
	check(db, sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	for (size_t i = 0; i < n; i++)
		insert_row(db, s, &t->cells[t->taken++ * (size_t)t->columns], t->columns);
	check(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
	return n;
}

static void copy(char **arg, char **paths, int n_paths)
{
	struct table *tables = calloc((size_t)n_paths, sizeof *tables);
	size_t rows = 0, before;
	for (int i = 0; i < n_paths; i++)
		tables[i] = load(paths[i], arg[4]);
	sqlite3 *db = open_db(arg[0]);
	check(db, sqlite3_exec(db, arg[1], NULL, NULL, NULL));
	sqlite3_stmt *s = prepare(db, arg[2]);
	start();
	do {
		before = rows;
		for (int i = 0; i < n_paths; i++)
			rows += insert_some(db, s, &tables[i], (size_t)atol(arg[3]));
	} while (rows > before);
	tell(rows);
	sqlite3_finalize(s);
	sqlite3_close(db);
}

/* --- each --- */

struct filling {
	char **arg;
	struct table tables[MANY];
	sqlite3 *targets[MANY];
	int n, next;
	pthread_mutex_t lock;
};

static int take_next(struct filling *f)
{
	pthread_mutex_lock(&f->lock);
	int i = f->next < f->n ? f->next++ : -1;
	pthread_mutex_unlock(&f->lock);
	return i;
}

static void *fill_some(void *filling)
{
	struct filling *f = filling;
	for (int i; (i = take_next(f)) >= 0;) {
		sqlite3_stmt *s = prepare(f->targets[i], f->arg[2]);
		while (insert_some(f->targets[i], s, &f->tables[i], (size_t)atol(f->arg[3])) > 0)
			;
		sqlite3_finalize(s);
	}
	return NULL;
}

static void each(char **arg, char **paths, int n_paths)
{
	static struct filling f = {.lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t threads[MANY];
	int n_threads = atoi(arg[5]);
	size_t rows = 0;
	f.arg = arg;
	f.n = n_paths;
	for (int i = 0; i < n_paths; i++) {
		char target[4096];
		snprintf(target, sizeof target, "%s%d", arg[0], i);
		f.tables[i] = load(paths[i], arg[4]);
		f.targets[i] = open_db(target);
		check(f.targets[i], sqlite3_exec(f.targets[i], arg[1], NULL, NULL, NULL));
		rows += f.tables[i].rows;
	}
	start();
	for (int i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, fill_some, &f) != 0)
			exit(1);
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	tell(rows);
	for (int i = 0; i < n_paths; i++)
		sqlite3_close(f.targets[i]);
}

int main(int argc, char **argv)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* as the programs do: no lock at each allocation */
	if (argc > 3 && !strcmp(argv[1], "read")) {
		size_t rows = 0;
		start();
		for (int i = 3; i < argc; i++)
			rows += read_all(argv[i], argv[2]);
		tell(rows);
	} else if (argc > 7 && !strcmp(argv[1], "copy")) {
		copy(argv + 2, argv + 7, argc - 7);
	} else if (argc > 8 && argc <= 8 + MANY && !strcmp(argv[1], "each")) {
		each(argv + 2, argv + 8, argc - 8);
	} else {
		fputs("usage: floor read SELECT DB... | floor copy TARGET SETUP INSERT PER SELECT DB... | "
		      "floor each TARGET SETUP INSERT PER SELECT THREADS DB...\n",
			stderr);
		return 2;
	}
	return 0;
}
