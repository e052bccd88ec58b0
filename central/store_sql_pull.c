#include "central/store_sql_private.h"

#include "central/settle.h"

/*
 * How the records of pages go in.  With PostgreSQL most pages hold only new records and go in unseen; a page
 * that does not undoes the transaction, which is begun again more carefully.  Sifting is for a page of which the
 * database refuses something.
 */
enum care { UNSEEN, LOOKING, SINGLY, SIFTING };

static atomic_bool *looks_first(struct store *st, const char *node)
{
	return &st->look_first[hash_of(span_of(node)).half[0] % 256];
}

static void meet_singly(struct meeting *m, const struct page *page)
{
	for (size_t i = 0; i < page->n && db_failed(m->db, NULL) == OK; i++)
		store_meet(m, &page->records[i]);
}

static void meet_many(struct meeting *m, const struct pull_apply *p, enum care care)
{
	atomic_bool *look = looks_first(m->st, p->node);
	bool any;

	if (care == UNSEEN && !p->fetched && !atomic_load(look)) {
		store_bulk_insert(m, p->page);
	} else {
		store_bulk_meet(m, p->page, &any);
		atomic_store(look, any);
	}
}

static void sift(struct meeting *m, const struct page *page)
{
	bool *refused = arena_alloc(&m->arena, page->n + 1);
	struct page_refused *found;
	size_t n;

	store_sift(m, page, refused, &found, &n);
	store_quarantine_settle(m, page, refused, found, n);
}

static void meet_all(struct pull_apply *p, struct meeting *m, enum care care)
{
	if (care == SIFTING) {
		sift(m, p->page);
	} else {
		if (m->st->postgres && care != SINGLY && p->page->n > 0)
			meet_many(m, p, care);
		else
			meet_singly(m, p->page);
		store_quarantine_settle(m, p->page, NULL, NULL, 0);
	}
	p->quarantine = m->quarantine;
	p->taken = m->taken;
	p->kept = m->kept;
	p->conflicts = m->conflicts;
	p->archived = m->archived;
	p->centre_restored = m->centre_restored;
	arena_done(&m->arena);
}

static enum proof_verdict judge(struct db *db, struct pull_apply *p, struct node_sync *sync)
{
	const struct page_end *end = &p->page->end;
	bool not_counted = sync->recount && !p->basis->recount; /* the wish came after the request */
	/* fetched: its digest is none of a pull's, which can ask for a count */
	bool blocked =
		p->to_push || p->fetched || not_counted || store_any(db, SQL_CENTRAL_PUSH_REFUSED, p->node);
	struct explained ex = {0};

	if (!proof_is_due(sync, end, blocked))
		return PROOF_NONE;
	if (sync->recount)
		store_sum_rows(db, p->node, &sync->digest);
	if (sync->quarantined > 0)
		store_quarantine_explained(db, p->node, &ex);
	return proof_judge(sync, end, &ex, blocked);
}

static void tell(struct store *st, struct db *db, const struct pull_apply *p)
{
	struct event events[SETTLE_EVENTS];
	unsigned n = settle_pull_events(p, events);

	store_tell_moves(st, db, p->node, events, n);
}

static void apply_page(struct store *st, struct db *db, struct pull_apply *p, enum care care)
{
	struct node n;
	struct meeting m = {.st = st, .db = db, .sync = &p->sync};

	if (!store_load_node(st, db, span_of(p->node), &n) || !n.url[0] || n.paused) {
		p->result = fail(CONFLICT, &p->why, "node %s was removed or paused", p->node);
		return;
	}
	p->sync = n.sync;
	if (!node_sync_same_basis(&n.sync, p->basis)) {
		p->result = fail(CONFLICT, &p->why, "node %s has moved on", p->node);
		return;
	}
	meet_all(p, &m, care);
	if (p->fetched) {
		store_note_missing(db, p);
		settle_fetched(&p->sync, p->fetched, &p->page->end);
	} else {
		settle_page(&p->sync, &p->page->end);
	}
	p->to_push = !p->sync.swept || store_any(db, SQL_CENTRAL_PUSH_DIFFERS, p->node);
	p->proof = judge(db, p, &p->sync);
	p->to_push = p->to_push || !p->sync.swept;
	if (!settle_same_sync(&n.sync, &p->sync))
		store_save_sync(db, p->node, &p->sync);
	if (p->fetched || p->page->n + p->page->n_refused > 0 || !settle_same_sync(&n.sync, &p->sync))
		store_touch_owner(st, span_of(p->node));
	store_note_proven(st, p);
	p->result = OK;
}

static enum err apply_all(
	struct store *st, struct pull_apply *pages, size_t n, enum care care, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct arena a = {0};
	struct span *owners = arena_alloc(&a, (n + 1) * sizeof(*owners));
	bool *again = arena_alloc(&a, (n + 1) * sizeof(*again));
	size_t n_owners = 0;

	for (size_t i = 0; i < n && db_failed(db, NULL) == OK; i++) {
		again[i] = store_prove_again(st, &pages[i]);
		if (!again[i])
			owners[n_owners++] = span_of(pages[i].node);
	}
	store_lock_owners_untouched(db, owners, n_owners);
	for (size_t i = 0; i < n && db_failed(db, NULL) == OK; i++)
		if (!again[i])
			apply_page(st, db, &pages[i], care);
	arena_done(&a);
	/* Last, since whoever gives an event its number holds up the others until it commits. */
	for (size_t i = 0; i < n && db_failed(db, NULL) == OK; i++)
		if (pages[i].result == OK)
			tell(st, db, &pages[i]);
	return store_write_end(st, db, OK, why);
}

enum err store_apply_pages(struct store *st, struct pull_apply *pages, size_t n, struct reason *why)
{
	enum err e = apply_all(st, pages, n, UNSEEN, why);

	if (e == CONFLICT)
		e = apply_all(st, pages, n, LOOKING, why);
	if (e == CONFLICT)
		e = apply_all(st, pages, n, SINGLY, why);
	if (e == INVALID && n == 1)
		e = apply_all(st, pages, n, SIFTING, why);
	return e;
}
