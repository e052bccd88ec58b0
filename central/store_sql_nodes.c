#include "central/store_sql_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/settle.h"
#include "shared/clock.h"

/* --- a row --- */

static void copy_text(char *to, size_t size, struct span s)
{
	size_t len = s.len < size ? s.len : size - 1;

	memset(to, 0, size);
	memcpy(to, s.at, len);
}
#define COPY_TEXT(field, span) copy_text((field), sizeof(field), (span))

static struct hash read_head(struct stmt q, int col)
{
	struct span s = stmt_col_blob(q, col);

	return s.len == 16 ? hash_from_bytes((const unsigned char *)s.at) : (struct hash){{0}};
}

static struct digest read_digest(struct stmt q, int col)
{
	struct digest d = {0};
	struct span s = stmt_col_blob(q, col);

	for (size_t i = 0; s.len == 24 && i < 24; i++) {
		uint64_t *part = i < 8 ? &d.count : &d.lane[i / 8 - 1];

		*part |= (uint64_t)(unsigned char)s.at[i] << (8 * (i % 8));
	}
	return d;
}

static void pack_digest(struct digest d, unsigned char ret[24])
{
	for (size_t i = 0; i < 24; i++)
		ret[i] = (unsigned char)((i < 8 ? d.count : d.lane[i / 8 - 1]) >> (8 * (i % 8)));
}

static void read_sync(struct stmt q, int col, struct node_sync *s)
{
	COPY_TEXT(s->epoch.hex, stmt_col_text(q, col));
	s->cursor = stmt_col_u64(q, col + 1);
	s->witness.seq = stmt_col_u64(q, col + 2);
	s->witness.head = read_head(q, col + 3);
	s->generation = stmt_col_u64(q, col + 4);
	s->resets = stmt_col_u64(q, col + 5);
	s->comparing = stmt_col_i64(q, col + 6);
	COPY_TEXT(s->rename_to.hex, stmt_col_text(q, col + 7));
	COPY_TEXT(s->probe.hex, stmt_col_text(q, col + 8));
	s->halt = (enum node_halt)stmt_col_i64(q, col + 9);
	s->reconciling = stmt_col_i64(q, col + 10);
	s->recount = stmt_col_i64(q, col + 11);
	s->swept = stmt_col_i64(q, col + 12);
	COPY_TEXT(s->sweep_after, stmt_col_text(q, col + 13));
	s->digest.count = stmt_col_u64(q, col + 14);
	s->digest.lane[0] = stmt_col_u64(q, col + 15);
	s->digest.lane[1] = stmt_col_u64(q, col + 16);
	s->doubt_seq = stmt_col_u64(q, col + 17);
	s->doubt_local = read_digest(q, col + 18);
	s->doubt_centre = read_digest(q, col + 19);
	s->quarantined = stmt_col_u64(q, col + 20);
}

void store_read_node(struct store *st, struct stmt q, int col, struct node *n)
{
	memset(n, 0, sizeof(*n));
	COPY_TEXT(n->name, stmt_col_text(q, col));
	n->there = stmt_col_text(q, col + 2).len > 0;
	n->paused = stmt_col_i64(q, col + 3);
	n->rotation = stmt_col_u64(q, col + 4);
	n->added_at_us = stmt_col_i64(q, col + 5);
	read_sync(q, col + 6, &n->sync);
	n->sync.life = atomic_load(&st->life);
}

static void read_row(struct store *st, struct stmt q, int col, struct node_row *r)
{
	store_read_node(st, q, col, &r->node);
	COPY_TEXT(r->title, stmt_col_text(q, col + 1));
	COPY_TEXT(r->url, stmt_col_text(q, col + 2));
}

/* False: there is none.  The statement is to be done in either case. */
static bool find_node(struct db *db, struct span name, struct stmt *ret)
{
	*ret = stmt_begin(db, SQL_CENTRAL_NODE_GET);
	stmt_text(*ret, 1, name);
	return stmt_step(*ret);
}

bool store_load_row(struct store *st, struct db *db, struct span name, struct node_row *ret)
{
	struct stmt q;
	bool found = find_node(db, name, &q);

	if (found)
		read_row(st, q, 0, ret);
	stmt_done(q);
	return found;
}

bool store_load_node(struct store *st, struct db *db, struct span name, struct node *ret)
{
	struct stmt q;
	bool found = find_node(db, name, &q);

	if (found)
		store_read_node(st, q, 0, ret);
	stmt_done(q);
	return found;
}

enum err store_check_basis(struct store *st, struct db *db, const char *name, const struct node_sync *basis,
	struct node *n, struct reason *why)
{
	if (!store_load_node(st, db, span_of(name), n) || !n->there || n->paused)
		return fail(CONFLICT, why, "node %s was removed or paused", name);
	if (!node_sync_same_basis(&n->sync, basis))
		return fail(CONFLICT, why, "node %s has moved on", name);
	return OK;
}

static void bind_digest(struct stmt q, int place, struct digest d, unsigned char packed[24])
{
	pack_digest(d, packed);
	stmt_blob(q, place, (struct span){(const char *)packed, 24});
}

void store_save_sync(struct db *db, const char *name, const struct node_sync *s)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NODE_SYNC);
	unsigned char head[16], local[24], centre[24];

	hash_to_bytes(s->witness.head, head);
	stmt_text(q, 1, span_of(s->epoch.hex));
	stmt_u64(q, 2, s->cursor);
	stmt_u64(q, 3, s->witness.seq);
	stmt_blob(q, 4, (struct span){(const char *)head, sizeof(head)});
	stmt_u64(q, 5, s->generation);
	stmt_u64(q, 6, s->resets);
	stmt_i64(q, 7, s->comparing);
	stmt_text(q, 8, span_of(s->rename_to.hex));
	stmt_text(q, 9, span_of(s->probe.hex));
	stmt_i64(q, 10, s->halt);
	stmt_i64(q, 11, s->reconciling);
	stmt_i64(q, 12, s->recount);
	stmt_i64(q, 13, s->swept);
	stmt_text(q, 14, span_of(s->sweep_after));
	stmt_u64(q, 15, s->digest.count);
	stmt_u64(q, 16, s->digest.lane[0]);
	stmt_u64(q, 17, s->digest.lane[1]);
	stmt_u64(q, 18, s->doubt_seq);
	bind_digest(q, 19, s->doubt_local, local);
	bind_digest(q, 20, s->doubt_centre, centre);
	stmt_u64(q, 21, s->quarantined);
	stmt_text(q, 22, span_of(name));
	stmt_run(q);
}

/* --- reading --- */

void nodes_done(struct nodes *ns)
{
	free(ns->at);
	*ns = (struct nodes){0};
}

enum err store_nodes(struct store *st, struct nodes *ret, struct reason *why)
{
	struct nodes ns = {0};
	size_t room = 0;
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NODES_ALL);
	enum err e;

	while (stmt_step(q)) {
		if (ns.n == room) {
			room = room ? 2 * room : 16;
			ns.at = realloc(ns.at, room * sizeof(*ns.at));
			if (!ns.at)
				err_out_of_memory();
		}
		read_row(st, q, 0, &ns.at[ns.n++]);
	}
	stmt_done(q);
	e = store_read_end(st, db, OK, why);
	if (e == OK)
		*ret = ns;
	else
		nodes_done(&ns);
	return e;
}

enum err store_node(struct store *st, const char *name, struct node *ret, struct reason *why)
{
	struct node_row r;
	enum err e = store_node_row(st, name, &r, why);

	if (e == OK)
		*ret = r.node;
	return e;
}

enum err store_node_row(struct store *st, const char *name, struct node_row *ret, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct node_row r;
	bool there = store_load_row(st, db, span_of(name), &r) && r.node.there;
	enum err e = store_read_end(st, db, OK, why);

	if (e != OK)
		return e;
	if (!there)
		return fail(GONE, why, "no node %s", name);
	*ret = r;
	return OK;
}
