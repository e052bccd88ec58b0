/* Decisions about a node that move no records: resets, renames, halts. */
#include "central/store_sqlite_private.h"

#include "central/settle.h"

static void bind_epoch(struct query q, const char *node, const struct epoch *epoch)
{
	query_text(q, 1, span_of(node));
	query_text(q, 2, span_of(epoch->hex));
}

static void remember_epochs(struct lite *l, const char *node, const struct sync_change *change)
{
	unsigned char head[16];
	struct query q;

	if (change->abandon && !epoch_is_none(&change->abandoned)) {
		hash_to_bytes(change->abandoned_witness.head, head);
		q = query_begin(l, SQL_CENTRAL_ABANDONED_ADD);
		bind_epoch(q, node, &change->abandoned);
		query_u64(q, 3, change->abandoned_witness.seq);
		query_blob(q, 4, (struct span){(const char *)head, sizeof(head)});
		query_run(q);
	}
	if (!epoch_is_none(&change->forget)) {
		q = query_begin(l, SQL_CENTRAL_ABANDONED_FORGET);
		bind_epoch(q, node, &change->forget);
		query_run(q);
	}
}

static enum err move_node(struct store *st, const char *name, const struct node_sync *basis,
	const struct sync_change *change, struct reason *why)
{
	struct lite *l = st->writer;
	struct node_sync to = change->to;
	struct node n;

	if (!store_load_node(st, l, span_of(name), &n) || !n.url[0])
		return fail(GONE, why, "no node %s", name);
	if (!node_sync_same_basis(&n.sync, basis))
		return fail(CONFLICT, why, "node %s has moved on", name);
	settle_change(&n.sync, &to);
	if (!settle_same_sync(&n.sync, &to))
		store_save_sync(l, name, &to);
	remember_epochs(l, name, change);
	return OK;
}

enum err store_move_node(struct store *st, const char *node, const struct node_sync *basis,
	const struct sync_change *change, const struct event *ev, struct reason *why)
{
	struct lite *l = store_write_begin(st);
	enum err e = move_node(st, node, basis, change, why);

	if (e == OK && ev)
		store_tell(l, ev);
	return store_write_end(st, e, why);
}

enum err store_abandoned(struct store *st, const char *node, const struct epoch *epoch,
	struct position *ret_witness, struct reason *why)
{
	struct lite *l = store_read_begin(st);
	struct query q = query_begin(l, SQL_CENTRAL_ABANDONED_GET);
	struct position witness = {0};
	bool found;
	enum err e;

	bind_epoch(q, node, epoch);
	found = query_step(q);
	if (found) {
		struct span head = query_col_blob(q, 1);

		witness.seq = query_col_u64(q, 0);
		if (head.len == 16)
			witness.head = hash_from_bytes((const unsigned char *)head.at);
		else
			lite_fail(l, INTERNAL, "the witness of epoch %s is broken", epoch->hex);
	}
	query_done(q);
	e = store_read_end(st, l, OK, why);
	if (e == OK && !found)
		return fail(GONE, why, "epoch %s was never abandoned", epoch->hex);
	if (e == OK)
		*ret_witness = witness;
	return e;
}
