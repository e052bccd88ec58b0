/* The rows of several nodes in one transaction: PostgreSQL does them in one statement, SQLite each in one. */
#include "central/store_sql_private.h"

#include "central/postgres_binary.h"
#include "central/settle.h"
#include "gen/sql_postgres.h"

static struct stmt begin_with_names(
	struct db *db, int statement, const char *const *names, size_t n, struct buf *array)
{
	struct stmt q = stmt_begin(db, statement);

	binary_array(array, BINARY_TEXT, n);
	for (size_t i = 0; i < n; i++)
		binary_put_bytes(array, span_of(names[i]));
	stmt_bytes(q, 1, array);
	return q;
}

/* The place of the row that was stepped to among the names; false: the end. */
static bool next_place(struct stmt q, size_t n, size_t *ret)
{
	uint64_t place;

	if (!stmt_step(q))
		return false;
	place = stmt_col_u64(q, 0) - 1;
	*ret = (size_t)place;
	return place < n;
}

void store_load_nodes(struct store *st, struct db *db, const char *const *names, size_t n, struct node *ret,
	struct row_place *places)
{
	struct buf array = {0};
	struct stmt q;
	size_t i;

	if (!st->postgres) {
		for (i = 0; i < n; i++)
			if (!store_load_node(st, db, span_of(names[i]), &ret[i]))
				ret[i].name[0] = '\0';
		return;
	}
	for (i = 0; i < n; i++)
		ret[i].name[0] = '\0';
	if (n == 0)
		return;
	q = begin_with_names(db, SQL_POSTGRES_MANY_NODES, names, n, &array);
	while (next_place(q, n, &i)) {
		if (places)
			store_read_place(q, 1, &places[i]);
		store_read_node(st, q, 2, &ret[i]);
	}
	stmt_done(q);
	buf_done(&array);
}

void store_pushable(struct store *st, struct db *db, const char *const *names, size_t n, struct pushable *ret)
{
	struct buf array = {0};
	struct stmt q;
	size_t i;

	for (i = 0; i < n; i++)
		ret[i] = (struct pushable){0};
	if (n == 0)
		return;
	if (!st->postgres) {
		for (i = 0; i < n; i++) {
			ret[i].differs = store_any(db, SQL_CENTRAL_PUSH_DIFFERS, names[i]);
			ret[i].refused = store_any(db, SQL_CENTRAL_PUSH_REFUSED, names[i]);
		}
		return;
	}
	q = begin_with_names(db, SQL_POSTGRES_MANY_DIFFER, names, n, &array);
	while (next_place(q, n, &i)) {
		ret[i].differs = stmt_col_i64(q, 1);
		ret[i].refused = stmt_col_i64(q, 2);
	}
	stmt_done(q);
	buf_done(&array);
}

/* --- positions --- */

enum { AT, NAME, CURSOR, WITNESS_SEQ, WITNESS_HEAD, COUNT, LANE0, LANE1, COLUMNS };
static const enum binary_element types[COLUMNS] = {BINARY_TID, BINARY_TEXT, BINARY_BIGINT, BINARY_BIGINT,
	BINARY_BYTEA, BINARY_BIGINT, BINARY_BIGINT, BINARY_BIGINT};

static void put_move(struct buf arrays[COLUMNS], const struct sync_move *m)
{
	const struct node_sync *s = m->to;
	unsigned char head[16];

	hash_to_bytes(s->witness.head, head);
	binary_put_bytes(&arrays[AT], (struct span){m->at->bytes, sizeof(m->at->bytes)});
	binary_put_bytes(&arrays[NAME], span_of(m->node));
	binary_put_u64(&arrays[CURSOR], s->cursor);
	binary_put_u64(&arrays[WITNESS_SEQ], s->witness.seq);
	binary_put_bytes(&arrays[WITNESS_HEAD], (struct span){(const char *)head, sizeof(head)});
	binary_put_u64(&arrays[COUNT], s->digest.count);
	binary_put_u64(&arrays[LANE0], s->digest.lane[0]);
	binary_put_u64(&arrays[LANE1], s->digest.lane[1]);
}

static void save_moved(struct db *db, const struct sync_move *const *moved, size_t n)
{
	struct buf arrays[COLUMNS] = {{0}};
	struct stmt q = stmt_begin(db, SQL_POSTGRES_MANY_MOVED);

	for (size_t k = 0; k < COLUMNS; k++)
		binary_array(&arrays[k], types[k], n);
	for (size_t i = 0; i < n; i++)
		put_move(arrays, moved[i]);
	for (int k = 0; k < COLUMNS; k++)
		stmt_bytes(q, k + 1, &arrays[k]);
	stmt_run(q);
	if (stmt_changes(q) != (int64_t)n)
		db_fail(db, CONFLICT, "somebody else wrote the rows of nodes meanwhile");
	for (size_t k = 0; k < COLUMNS; k++)
		buf_done(&arrays[k]);
}

void store_save_syncs(struct store *st, struct db *db, const struct sync_move *moves, size_t n)
{
	struct arena a = {0};
	const struct sync_move **moved = arena_alloc(&a, (n + 1) * sizeof(*moved));
	size_t n_moved = 0;

	for (size_t i = 0; i < n; i++) {
		if (settle_same_sync(moves[i].from, moves[i].to))
			continue;
		if (st->postgres && settle_only_moved(moves[i].from, moves[i].to))
			moved[n_moved++] = &moves[i];
		else
			store_save_sync(db, moves[i].node, moves[i].to);
	}
	if (n_moved > 0)
		save_moved(db, moved, n_moved);
	arena_done(&a);
}
