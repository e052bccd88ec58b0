/* What is counted of nodes for those who look: by an index each, and of thousands at once. */
#include "central/store_sql_private.h"

#include "central/postgres_binary.h"
#include "gen/sql_postgres.h"

enum { KINDS = 3 };
static const unsigned kinds[KINDS] = {STORE_COUNT_PUSH, STORE_COUNT_REJECTED, STORE_COUNT_CONFLICTS};

static void forget(struct owner_counts *c)
{
	if (c->wanted & STORE_COUNT_PUSH) {
		c->to_push = 0;
		c->oldest_us = -1;
	}
	if (c->wanted & STORE_COUNT_REJECTED)
		c->rejected = 0;
	if (c->wanted & STORE_COUNT_CONFLICTS)
		c->conflicts = 0;
}

/* What waits comes in two parts: what differs, and what the sweep has left. */
static void add_waiting(struct owner_counts *c, uint64_t n, int64_t oldest_us)
{
	c->to_push += n;
	if (n > 0 && (c->oldest_us < 0 || oldest_us < c->oldest_us))
		c->oldest_us = oldest_us;
}

/* --- SQLite: a statement costs no more than a row of one --- */

static struct stmt begin_of(struct db *db, int statement, const char *owner)
{
	struct stmt q = stmt_begin(db, statement);

	stmt_text(q, 1, span_of(owner));
	return q;
}

static uint64_t count_of(struct db *db, int statement, const char *owner)
{
	struct stmt q = begin_of(db, statement, owner);
	uint64_t n = stmt_step(q) ? stmt_col_u64(q, 0) : 0;

	stmt_done(q);
	return n;
}

static void count_one(struct db *db, struct owner_counts *c)
{
	if (c->wanted & STORE_COUNT_PUSH) {
		struct stmt q = begin_of(db, SQL_CENTRAL_COUNTS_PUSH, c->owner);

		while (stmt_step(q))
			add_waiting(c, stmt_col_u64(q, 0), stmt_col_i64(q, 1));
		stmt_done(q);
	}
	if (c->wanted & STORE_COUNT_REJECTED)
		c->rejected = count_of(db, SQL_CENTRAL_COUNTS_REJECTED, c->owner);
	if (c->wanted & STORE_COUNT_CONFLICTS)
		c->conflicts = count_of(db, SQL_CENTRAL_CONFLICTS_COUNT_OF, c->owner);
}

/* --- PostgreSQL: one round trip for all --- */

struct asking {
	struct owner_counts **of[KINDS]; /* who is asked for what */
	size_t n[KINDS];
	struct buf names[KINDS];
	struct arena arena;
};

static void prepare(struct asking *a, struct owner_counts *counts, size_t n)
{
	for (int k = 0; k < KINDS; k++) {
		a->of[k] = arena_alloc(&a->arena, (n + 1) * sizeof(struct owner_counts *));
		for (size_t i = 0; i < n; i++)
			if (counts[i].wanted & kinds[k])
				a->of[k][a->n[k]++] = &counts[i];
		binary_array(&a->names[k], BINARY_TEXT, a->n[k]);
		for (size_t i = 0; i < a->n[k]; i++)
			binary_put_bytes(&a->names[k], span_of(a->of[k][i]->owner));
	}
}

static void take_row(const struct asking *a, struct stmt q)
{
	uint64_t kind = stmt_col_u64(q, 0), place = stmt_col_u64(q, 1) - 1, n = stmt_col_u64(q, 2);

	if (kind >= KINDS || place >= a->n[kind])
		return;
	if (kinds[kind] == STORE_COUNT_PUSH)
		add_waiting(a->of[kind][place], n, stmt_col_i64(q, 3));
	else if (kinds[kind] == STORE_COUNT_REJECTED)
		a->of[kind][place]->rejected = n;
	else
		a->of[kind][place]->conflicts = n;
}

static void count_all(struct db *db, struct owner_counts *counts, size_t n)
{
	struct asking a = {0};
	struct stmt q;

	prepare(&a, counts, n);
	q = stmt_begin(db, SQL_POSTGRES_BULK_COUNTS);
	for (int k = 0; k < KINDS; k++)
		stmt_bytes(q, k + 1, &a.names[k]);
	while (stmt_step(q))
		take_row(&a, q);
	stmt_done(q);
	for (int k = 0; k < KINDS; k++)
		buf_done(&a.names[k]);
	arena_done(&a.arena);
}

/* --- both --- */

static void count(struct store *st, struct db *db, struct owner_counts *counts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		forget(&counts[i]);
	if (st->postgres)
		count_all(db, counts, n);
	for (size_t i = 0; !st->postgres && i < n && db_failed(db, NULL) == OK; i++)
		count_one(db, &counts[i]);
}

enum err store_counts(struct store *st, struct owner_counts *counts, size_t n, struct reason *why)
{
	struct db *db;

	if (n == 0)
		return OK;
	db = store_read_begin(st);
	count(st, db, counts, n);
	return store_read_end(st, db, OK, why);
}

enum err store_push_backlog(
	struct store *st, const char *node, uint64_t *ret_records, int64_t *ret_oldest_us, struct reason *why)
{
	struct owner_counts c = {.owner = node, .wanted = STORE_COUNT_PUSH};
	struct db *db = store_read_begin(st);
	struct node n;
	enum err e = OK;

	if (store_load_node(st, db, span_of(node), &n))
		count(st, db, &c, 1);
	else
		e = fail(GONE, why, "no node %s", node);
	e = store_read_end(st, db, e, why);
	if (e == OK) {
		*ret_records = c.to_push;
		*ret_oldest_us = c.oldest_us;
	}
	return e;
}
