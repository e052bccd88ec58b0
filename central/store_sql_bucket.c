/*
 * Both ends compared by buckets of ids: what the owner is believed to hold against what it says to hold.
 *
 * Believed is the version last known there (local_hash, of this generation), not the version that the centre
 * holds: what is still to be pushed differs from it and stays to be pushed.  So where a bucket is equal, nothing need
 * be written.  BLAKE2b is not in SQL; the ids stream by, and only sums are kept.
 */
#include "central/store_sql_private.h"

#include <stdlib.h>
#include <string.h>

#include "central/settle.h"

#define PAST_ALL_IDS "~"

static struct stmt begin_believed(struct db *db, const char *owner, const struct node_sync *sync)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORDS_BELIEVED);

	stmt_text(q, 1, span_of(owner));
	stmt_u64(q, 2, sync->generation);
	stmt_text(q, 3, span_of(sync->swept ? PAST_ALL_IDS : sync->sweep_after));
	return q;
}

/* The one place that says what a bucket is believed to hold. */
static void sum_believed(
	struct db *db, const char *owner, const struct node_sync *sync, unsigned bits, struct digest *sums)
{
	struct stmt q = begin_believed(db, owner, sync);

	while (stmt_step(q))
		digest_add(&sums[hash_bucket(stmt_col_text(q, 0), bits)],
			(struct hash){{stmt_col_u64(q, 1), stmt_col_u64(q, 2)}});
	stmt_done(q);
}

/* A wiped local holds nothing: every bucket differs, and a look at a million ids would only keep it waiting. */
static void differ_all(unsigned bits, struct digest *sums)
{
	for (size_t i = 0; i < (size_t)1 << bits; i++)
		sums[i].count = 1;
}

/* In a transaction that reads: it may take a second for a million records, and keeps nobody waiting. */
static enum err judge(struct store *st, struct digest_apply *p, struct digest *sums, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct node n;
	enum err e = store_check_basis(st, db, p->node, p->basis, &n, why);

	if (e == OK && p->told->n == 0 && n.sync.digest.count > 0)
		differ_all(p->told->bits, sums);
	else if (e == OK)
		sum_believed(db, p->node, &n.sync, p->told->bits, sums);
	e = store_read_end(st, db, e, why);
	if (e == OK)
		p->verdict = apart_judge(sums, p->told, p->limits, &p->apart);
	return e;
}

/* What is believed moves only with the basis, which is looked at again. */
static enum err settle(struct store *st, struct digest_apply *p, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct event ev;
	struct node n;
	enum err e;

	store_lock_owner(st, db, span_of(p->node));
	e = store_check_basis(st, db, p->node, p->basis, &n, why);
	if (e == OK) {
		p->sync = n.sync;
		settle_digest(&p->sync, p->verdict, &p->told->end);
		if (!settle_same_sync(&n.sync, &p->sync))
			store_save_sync(db, p->node, &p->sync);
		if (!p->sync.comparing)
			store_unrefuse(db, p->node);
		settle_digest_event(p, &ev);
		store_tell_moves(st, db, p->node, &ev, 1);
	}
	return store_write_end(st, db, e, why);
}

enum err store_apply_digest(struct store *st, struct digest_apply *p, struct reason *why)
{
	struct digest *sums = calloc((size_t)1 << p->told->bits, sizeof(*sums));
	enum err e;

	if (!sums)
		return fail(RETRY, why, "no memory left to compare by buckets");
	e = judge(st, p, sums, why);
	free(sums);
	return e == OK ? settle(st, p, why) : e;
}

void store_unrefuse(struct db *db, const char *owner)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORDS_UNREFUSE_OF);

	stmt_text(q, 1, span_of(owner));
	stmt_run(q);
}

/* --- what a fetch did not bring --- */

static int compare_ids(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->at, y->at, len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

struct ids {
	struct span *at;
	size_t n, room;
};

static void add_id(struct ids *s, struct span id)
{
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->at = realloc(s->at, s->room * sizeof(*s->at));
		if (!s->at)
			err_out_of_memory();
	}
	s->at[s->n++] = id;
}

static struct ids ids_of(const struct page *p)
{
	struct ids s = {0};

	for (size_t i = 0; i < p->n; i++)
		add_id(&s, p->records[i].id);
	for (size_t i = 0; i < p->n_refused; i++)
		add_id(&s, p->refused[i].claim.id);
	if (s.n > 0)
		qsort(s.at, s.n, sizeof(*s.at), compare_ids);
	return s;
}

static bool has_id(const struct ids *s, struct span id)
{
	return s->n > 0 && bsearch(&id, s->at, s->n, sizeof(*s->at), compare_ids);
}

static void find_missing(struct db *db, const struct pull_apply *p, struct ids *ret, struct arena *a)
{
	struct ids there = ids_of(p->page);
	struct stmt q = begin_believed(db, p->node, &p->sync);

	while (stmt_step(q)) {
		struct span id = stmt_col_text(q, 0);

		if (bucket_set_has(&p->fetched->buckets, id) && !has_id(&there, id))
			add_id(ret, (struct span){arena_copy(a, id.at, id.len), id.len});
	}
	stmt_done(q);
	free(there.at);
}

void store_note_missing(struct db *db, const struct pull_apply *p)
{
	const struct known nothing = {.generation = p->sync.generation};
	struct arena a = {0};
	struct ids missing = {0};

	if (db_failed(db, NULL) == OK)
		find_missing(db, p, &missing, &a);
	for (size_t i = 0; i < missing.n && db_failed(db, NULL) == OK; i++) {
		const struct record r = {.owner = span_of(p->node), .id = missing.at[i]};

		store_note_known(db, &r, &nothing, false);
		if (p->sync.quarantined > 0)
			store_quarantine_unheld(db, r.owner, r.id, p->sync.generation);
	}
	free(missing.at);
	arena_done(&a);
	if (p->fetched->last)
		store_unrefuse(db, p->node);
}
