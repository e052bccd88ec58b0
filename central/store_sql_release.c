/* What is in quarantine: another try, the end of it, the list. */
#include "central/store_sql_private.h"

#include <stdio.h>
#include <string.h>

#include "central/listing.h"
#include "shared/clock.h"

struct kept {
	uint64_t number;
	char owner[RECORD_OWNER_MAX + 1];
	struct span id;
	struct hash hash;
	uint64_t generation;
	struct span line;
};

static bool load_kept(struct db *db, uint64_t number, struct kept *ret, struct arena *a)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_QUARANTINE_GET);
	bool found;

	stmt_u64(q, 1, number < INT64_MAX ? number : INT64_MAX);
	found = stmt_step(q);
	if (found) {
		struct span owner = stmt_col_text(q, 0), id = stmt_col_text(q, 1), line = stmt_col_blob(q, 5);

		ret->number = number;
		(void)snprintf(ret->owner, sizeof(ret->owner), "%.*s", (int)owner.len, owner.at);
		ret->id = (struct span){arena_copy(a, id.at, id.len), id.len};
		ret->hash = store_read_hash(q, 2);
		ret->generation = stmt_col_u64(q, 4);
		ret->line = (struct span){arena_copy(a, line.at, line.len), line.len};
	}
	stmt_done(q);
	return found;
}

/*
 * The record meets the store's as in a page.  Where the local does not hold this version any more, what it holds is
 * known as before: so what is in the store from now on is pushed to it.
 */
static void meet_kept(struct meeting *m, const struct record *l, bool held)
{
	struct standing before;
	struct known known = {.generation = m->sync->generation};

	store_look(m->db, l->owner, l->id, &before);
	if (before.present) {
		known = store_known(&before.known, &before.record, m->sync);
		store_meet_present(m, l, &before);
	} else {
		store_meet(m, l);
	}
	if (!held && db_failed(m->db, NULL) == OK)
		store_note_known(m->db, l, &known, false);
}

static enum err try_kept(struct meeting *m, const struct kept *k, bool held, struct reason *why)
{
	const struct record_decode how = {.owner = span_of(k->owner)};
	struct node_sync sync = *m->sync;
	struct record l;
	enum err e = record_decode(&l, k->line, &how, &m->arena, why);

	if (e != OK)
		return e;
	db_savepoint(m->db);
	meet_kept(m, &l, held);
	if (db_failed(m->db, NULL) == OK) {
		db_release(m->db);
		return db_failed(m->db, why);
	}
	*m->sync = sync;
	return db_rollback_to(m->db, why);
}

static void note_tried(struct db *db, const struct kept *k, const struct reason *why)
{
	struct reason text = *why;
	struct stmt q = stmt_begin(db, SQL_CENTRAL_QUARANTINE_TRIED);

	store_quarantine_plain(text.text);
	stmt_i64(q, 1, clock_wall_us());
	stmt_text(q, 2, span_of(text.text));
	stmt_u64(q, 3, k->number);
	stmt_run(q);
}

static void put_kept(struct buf *end, const struct kept *k)
{
	char hex[33];

	hash_hex(k->hash, hex);
	audit_number(end, "quarantine", k->number);
	audit_text(end, "id", k->id);
	audit_text(end, "hash", span_of(hex));
	audit_end(end);
}

/* `now`: the record as the store has it; NULL: what was in quarantine is no more. */
static void tell_released(struct meeting *m, const struct author *by, const struct kept *k,
	const struct record *now, const char *how)
{
	struct audit change = {0};
	struct event ev = {
		.level = LOG_INFO, .kind = "released", .node = k->owner, .by = by, .audit = &change};

	put_kept(&change.before, k);
	audit_record(&change, NULL, now);
	(void)fail(OK, &ev.text, "record %.*s %s", (int)k->id.len, k->id.at, how);
	store_tell(m->st, m->db, &ev);
	audit_done(&change);
}

/* Locks the owner and reads the entry again under the lock.  False: it is gone. */
static bool open_kept(struct meeting *m, uint64_t number, struct kept *k, struct node *n)
{
	return load_kept(m->db, number, k, &m->arena) &&
	       (store_lock_owner(m->st, m->db, span_of(k->owner)), load_kept(m->db, number, k, &m->arena)) &&
	       store_load_node(m->st, m->db, span_of(k->owner), n);
}

static enum err retry(
	struct meeting *m, const struct author *by, const struct kept *k, struct node *n, struct reason *why)
{
	struct record now;
	bool there;
	enum err e;

	m->sync = &n->sync;
	e = try_kept(m, k, k->generation == n->sync.generation, why);
	if (e == INVALID) {
		note_tried(m->db, k, why);
		return INVALID;
	}
	if (e != OK) {
		db_fail(m->db, e, "%s", why->text);
		return e;
	}
	store_quarantine_forget(m->db, &n->sync, k->number);
	store_save_sync(m->db, k->owner, &n->sync);
	there = by && store_load_record(m->db, span_of(k->owner), k->id, &now, &m->arena);
	tell_released(m, by, k, there ? &now : NULL, "was in quarantine and has been taken after all");
	return OK;
}

enum err store_quarantine_retry(struct store *st, const struct author *by, uint64_t id,
	char ret_owner[RECORD_OWNER_MAX + 1], struct reason *why)
{
	struct meeting m = {.st = st, .db = store_write_begin(st)};
	struct reason refusal = {""};
	struct kept k = {0};
	struct node n;
	enum err refused = OK, e = OK;

	if (!open_kept(&m, id, &k, &n))
		e = fail(GONE, why, "nothing in quarantine has the number %llu", (unsigned long long)id);
	else
		refused = retry(&m, by, &k, &n, &refusal);
	memcpy(ret_owner, k.owner, sizeof(k.owner));
	/* A refusal is written down, too. */
	e = store_write_end(st, m.db, e, why);
	if (e == OK && refused != OK)
		e = fail(refused, why, "%s", refusal.text);
	arena_done(&m.arena);
	return e;
}

enum err store_quarantine_drop(struct store *st, const struct author *by, uint64_t id,
	char ret_owner[RECORD_OWNER_MAX + 1], struct reason *why)
{
	struct meeting m = {.st = st, .db = store_write_begin(st)};
	struct kept k = {0};
	struct node n;
	enum err e = OK;

	if (!open_kept(&m, id, &k, &n)) {
		e = fail(GONE, why, "nothing in quarantine has the number %llu", (unsigned long long)id);
	} else if (n.there && k.generation == n.sync.generation) {
		e = fail(CONFLICT, why,
			"%s still holds this version of %.*s, and would bring it again: write the record "
			"anew there",
			k.owner, (int)k.id.len, k.id.at);
	} else {
		store_quarantine_forget(m.db, &n.sync, k.number);
		store_save_sync(m.db, k.owner, &n.sync);
		tell_released(&m, by, &k, NULL, "was in quarantine and has been dropped by an operator");
	}
	memcpy(ret_owner, k.owner, sizeof(k.owner));
	e = store_write_end(st, m.db, e, why);
	arena_done(&m.arena);
	return e;
}

enum err store_quarantine_next(struct store *st, uint64_t *id, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_QUARANTINE_NEXT);
	uint64_t next = 0;
	enum err e;

	stmt_u64(q, 1, *id);
	if (stmt_step(q))
		next = stmt_col_u64(q, 0);
	stmt_done(q);
	e = store_read_end(st, db, OK, why);
	if (e == OK && next == 0)
		e = fail(GONE, why, "no more in quarantine");
	if (e == OK)
		*id = next;
	return e;
}

/* --- lists --- */

enum err store_quarantine(struct store *st, const char *owner, uint64_t after, unsigned limit,
	struct buf *out, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, owner ? SQL_CENTRAL_QUARANTINE_LIST_OF : SQL_CENTRAL_QUARANTINE_LIST);
	struct listed_quarantine row = {0};
	struct listing g;
	int place = 2;

	stmt_u64(q, 1, after < INT64_MAX ? after : INT64_MAX);
	if (owner)
		stmt_text(q, place++, span_of(owner));
	stmt_i64(q, place, (int64_t)limit + 1);
	listing_begin(&g, "quarantine", limit, out);
	while (stmt_step(q) && listing_room(&g)) {
		row = (struct listed_quarantine){
			.id = stmt_col_u64(q, 0),
			.at_us = stmt_col_i64(q, 1),
			.owner = stmt_col_text(q, 2),
			.record_id = stmt_col_text(q, 3),
			.hash = store_read_hash(q, 4),
			.seq = stmt_col_u64(q, 6),
			.line = stmt_col_blob(q, 7),
			.why = stmt_col_text(q, 8),
			.attempts = stmt_col_u64(q, 9),
			.tried_us = stmt_col_null(q, 10) ? -1 : stmt_col_i64(q, 10),
			.held = stmt_col_i64(q, 11) != 0,
		};
		listing_quarantine(&g, &row);
	}
	listing_end_number(&g, row.id);
	stmt_done(q);
	return store_read_end(st, db, OK, why);
}

enum err store_quarantine_count(struct store *st, const char *owner, uint64_t *ret, struct reason *why)
{
	return store_count(
		st, SQL_CENTRAL_QUARANTINE_COUNT, SQL_CENTRAL_QUARANTINE_COUNT_OF, owner, ret, why);
}
