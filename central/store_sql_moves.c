/* Decisions about a node that move no records: resets, renames, halts. */
#include "central/store_sql_private.h"

#include "central/settle.h"

static void bind_epoch(struct stmt q, const char *node, const struct epoch *epoch)
{
	stmt_text(q, 1, span_of(node));
	stmt_text(q, 2, span_of(epoch->hex));
}

static void remember_epochs(struct db *db, const char *node, const struct sync_change *change)
{
	unsigned char head[16];
	struct stmt q;

	if (change->abandon && !epoch_is_none(&change->abandoned)) {
		hash_to_bytes(change->abandoned_witness.head, head);
		q = stmt_begin(db, SQL_CENTRAL_ABANDONED_ADD);
		bind_epoch(q, node, &change->abandoned);
		stmt_u64(q, 3, change->abandoned_witness.seq);
		stmt_blob(q, 4, (struct span){(const char *)head, sizeof(head)});
		stmt_run(q);
	}
	if (!epoch_is_none(&change->forget)) {
		q = stmt_begin(db, SQL_CENTRAL_ABANDONED_FORGET);
		bind_epoch(q, node, &change->forget);
		stmt_run(q);
	}
}

static enum err move_node(struct store *st, struct db *db, const char *name, const struct node_sync *basis,
	const struct sync_change *change, struct reason *why)
{
	struct node_sync to = change->to;
	struct node n;

	store_lock_owner(st, db, span_of(name));
	if (!store_load_node(st, db, span_of(name), &n) || !n.there)
		return fail(GONE, why, "no node %s", name);
	if (!node_sync_same_basis(&n.sync, basis))
		return fail(CONFLICT, why, "node %s has moved on", name);
	settle_change(&n.sync, &to);
	if (!settle_same_sync(&n.sync, &to))
		store_save_sync(db, name, &to);
	remember_epochs(db, name, change);
	return OK;
}

enum err store_move_node(struct store *st, const char *node, const struct node_sync *basis,
	const struct sync_change *change, const struct event *ev, struct reason *why)
{
	struct db *db = store_write_begin(st);
	enum err e = move_node(st, db, node, basis, change, why);

	if (e == OK && ev)
		store_tell(st, db, ev);
	return store_write_end(st, db, e, why);
}

enum err store_abandoned(struct store *st, const char *node, const struct epoch *epoch,
	struct position *ret_witness, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_ABANDONED_GET);
	struct position witness = {0};
	bool found;
	enum err e;

	bind_epoch(q, node, epoch);
	found = stmt_step(q);
	if (found) {
		struct span head = stmt_col_blob(q, 1);

		witness.seq = stmt_col_u64(q, 0);
		if (head.len == 16)
			witness.head = hash_from_bytes((const unsigned char *)head.at);
		else
			db_fail(db, INTERNAL, "the witness of epoch %s is broken", epoch->hex);
	}
	stmt_done(q);
	e = store_read_end(st, db, OK, why);
	if (e == OK && !found)
		return fail(GONE, why, "epoch %s was never abandoned", epoch->hex);
	if (e == OK)
		*ret_witness = witness;
	return e;
}
