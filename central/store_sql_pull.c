#include "central/store_sql_private.h"

#include "central/settle.h"

/*
 * How the records of pages go in.  With PostgreSQL most pages hold only new records and go in unseen; a page
 * that does not undoes the transaction, which is begun again more carefully.  Sifting is for a page of which the
 * database refuses something.
 */
enum care { UNSEEN, LOOKING, SINGLY, SIFTING };

/*
 * After a page with something that was there already, so many are looked at first, or up to a large one that is all new: a small page
 * that is says little of the next.
 */
#define LOOKS 64

static atomic_uchar *looks_first(struct store *st, const char *node)
{
	return &st->look_first[hash_of(span_of(node)).half[0] % 256];
}

/* `passed`: how many looks fewer are left after a page that was all new. */
static void note_looked(atomic_uchar *looks, bool any_present, unsigned char passed)
{
	unsigned char left = atomic_load(looks);

	atomic_store(looks, any_present ? LOOKS : left > passed ? left - passed : 0);
}

static void meet_singly(struct meeting *m, const struct page *page)
{
	for (size_t i = 0; i < page->n && db_failed(m->db, NULL) == OK; i++)
		store_meet(m, &page->records[i]);
}

static void meet_many(struct meeting *m, const struct pull_apply *p, enum care care)
{
	atomic_uchar *look = looks_first(m->st, p->node);
	bool any;

	if (care == UNSEEN && !p->fetched && atomic_load(look) == 0) {
		store_bulk_insert(m, p->page);
	} else {
		store_bulk_meet(m, p->page, &any);
		note_looked(look, any, LOOKS);
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

/* A page on its way in. */
struct landing {
	struct pull_apply *p;
	const struct node *node;    /* as it was before, */
	const struct row_place *at; /* and where */
	struct meeting m;
	struct pushable pushable;
};

static void meet_alone(struct landing *l, enum care care)
{
	struct meeting *m = &l->m;
	const struct page *page = l->p->page;

	if (care == SIFTING) {
		sift(m, page);
		return;
	}
	if (m->st->postgres && care != SINGLY && page->n > 0)
		meet_many(m, l->p, care);
	else
		meet_singly(m, page);
	store_quarantine_settle(m, page, NULL, NULL, 0);
}

/* Those of small pages together: each by itself would be several statements. */
static bool goes_with_others(const struct landing *l, enum care care)
{
	return l->m.st->postgres && care <= LOOKING && l->p->page->n > 0 && store_is_small(l->p->page);
}

static void meet_together(struct store *st, struct db *db, struct landing *ls, size_t n, enum care care)
{
	struct arena a = {0};
	struct small_page *pages = arena_alloc(&a, (n + 1) * sizeof(*pages));
	size_t n_pages = 0;

	for (size_t i = 0; i < n; i++) {
		const struct pull_apply *p = ls[i].p;

		if (!goes_with_others(&ls[i], care))
			continue;
		pages[n_pages++] = (struct small_page){
			.m = &ls[i].m,
			.page = p->page,
			.look = care == LOOKING || p->fetched || p->sync.reconciling ||
				atomic_load(looks_first(st, p->node)) > 0,
		};
	}
	if (n_pages > 0)
		store_small_meet(db, pages, n_pages);
	for (size_t i = 0; i < n_pages; i++) {
		store_quarantine_settle(pages[i].m, pages[i].page, NULL, NULL, 0);
		note_looked(looks_first(st, pages[i].page->begin.node), pages[i].any_present, 1);
	}
	arena_done(&a);
}

static void count(struct landing *l)
{
	struct pull_apply *p = l->p;
	const struct meeting *m = &l->m;

	p->quarantine = m->quarantine;
	p->taken = m->taken;
	p->kept = m->kept;
	p->conflicts = m->conflicts;
	p->archived = m->archived;
	p->centre_restored = m->centre_restored;
	arena_done(&l->m.arena);
}

static void meet_all(struct store *st, struct db *db, struct landing *ls, size_t n, enum care care)
{
	meet_together(st, db, ls, n, care);
	for (size_t i = 0; i < n; i++) {
		if (db_failed(db, NULL) == OK && !goes_with_others(&ls[i], care))
			meet_alone(&ls[i], care);
		count(&ls[i]);
	}
}

static enum proof_verdict judge(struct db *db, struct pull_apply *p, const struct pushable *pushable)
{
	struct node_sync *sync = &p->sync;
	const struct page_end *end = &p->page->end;
	bool not_counted = sync->recount && !p->basis->recount; /* the wish came after the request */
	/* fetched: its digest is none of a pull's, which can ask for a count */
	bool blocked = p->to_push || p->fetched || not_counted || pushable->refused;
	struct explained ex = {0};

	if (!proof_is_due(sync, end, blocked))
		return PROOF_NONE;
	if (sync->recount)
		store_sum_rows(db, p->node, &sync->digest);
	if (sync->quarantined > 0)
		store_quarantine_explained(db, p->node, &ex);
	return proof_judge(sync, end, &ex, blocked);
}

/* False: the page is stale. */
static bool may_land(struct pull_apply *p, const struct node *n)
{
	if (!n->name[0] || !n->there || n->paused)
		p->result = fail(CONFLICT, &p->why, "node %s was removed or paused", p->node);
	else if (!node_sync_same_basis(&n->sync, p->basis))
		p->result = fail(CONFLICT, &p->why, "node %s has moved on", p->node);
	else
		p->result = OK;
	return p->result == OK;
}

static void settle(struct db *db, struct landing *l)
{
	struct pull_apply *p = l->p;

	if (p->fetched) {
		store_note_missing(db, p);
		settle_fetched(&p->sync, p->fetched, &p->page->end);
	} else {
		settle_page(&p->sync, &p->page->end);
	}
}

static void prove(struct db *db, struct landing *l)
{
	struct pull_apply *p = l->p;

	p->to_push = !p->sync.swept || l->pushable.differs;
	p->proof = judge(db, p, &l->pushable);
	p->to_push = p->to_push || !p->sync.swept;
}

static bool writes(const struct landing *l)
{
	const struct pull_apply *p = l->p;

	return p->fetched || p->page->n + p->page->n_refused > 0 ||
	       !settle_same_sync(&l->node->sync, &p->sync);
}

/* All that may land, whatever it takes: step by step, each for all nodes. */
static void land(
	struct store *st, struct db *db, struct landing *ls, size_t n, enum care care, struct arena *a)
{
	const char **names = arena_alloc(a, (n + 1) * sizeof(*names));
	struct pushable *pushable = arena_alloc(a, (n + 1) * sizeof(*pushable));
	struct sync_move *moves = arena_alloc(a, (n + 1) * sizeof(*moves));

	meet_all(st, db, ls, n, care);
	for (size_t i = 0; i < n && db_failed(db, NULL) == OK; i++)
		settle(db, &ls[i]);
	for (size_t i = 0; i < n; i++)
		names[i] = ls[i].p->node;
	store_pushable(st, db, names, n, pushable);
	for (size_t i = 0; i < n && db_failed(db, NULL) == OK; i++) {
		ls[i].pushable = pushable[i];
		prove(db, &ls[i]);
		moves[i] = (struct sync_move){ls[i].p->node, ls[i].at, &ls[i].node->sync, &ls[i].p->sync};
	}
	if (db_failed(db, NULL) == OK)
		store_save_syncs(st, db, moves, n);
	for (size_t i = 0; i < n; i++)
		if (writes(&ls[i]))
			store_touch_owner(st, span_of(names[i]));
	for (size_t i = 0; i < n; i++)
		store_note_proven(st, ls[i].p);
}

static void tell(struct store *st, struct db *db, const struct pull_apply *pages, size_t n)
{
	struct event events[SETTLE_EVENTS];
	struct told t = {0};

	for (size_t i = 0; i < n; i++)
		if (pages[i].result == OK)
			store_gather_moves(
				st, pages[i].node, events, settle_pull_events(&pages[i], events), &t);
	store_tell_all(st, db, t.at, t.n);
	store_told_done(&t);
}

/* Those that are not what was proven before: their nodes, locked and read.  Returns how many may land. */
static size_t approach(struct store *st, struct db *db, struct pull_apply *pages, size_t n,
	struct landing *ls, struct arena *a)
{
	struct pull_apply **rest = arena_alloc(a, (n + 1) * sizeof(struct pull_apply *));
	struct span *owners = arena_alloc(a, (n + 1) * sizeof(*owners));
	const char **names = arena_alloc(a, (n + 1) * sizeof(*names));
	struct node *nodes = arena_alloc(a, (n + 1) * sizeof(*nodes));
	struct row_place *places = arena_alloc(a, (n + 1) * sizeof(*places));
	size_t n_rest = 0, n_landing = 0;

	for (size_t i = 0; i < n && db_failed(db, NULL) == OK; i++) {
		if (store_prove_again(st, &pages[i]))
			continue;
		names[n_rest] = pages[i].node;
		owners[n_rest] = span_of(pages[i].node);
		rest[n_rest++] = &pages[i];
	}
	store_lock_owners_untouched(db, owners, n_rest);
	store_load_nodes(st, db, names, n_rest, nodes, places);
	for (size_t i = 0; i < n_rest && db_failed(db, NULL) == OK; i++) {
		struct pull_apply *p = rest[i];

		if (!may_land(p, &nodes[i]))
			continue;
		p->sync = nodes[i].sync;
		ls[n_landing++] = (struct landing){.p = p,
			.node = &nodes[i],
			.at = &places[i],
			.m = {.st = st, .db = db, .sync = &p->sync}};
	}
	return n_landing;
}

static enum err apply_all(
	struct store *st, struct pull_apply *pages, size_t n, enum care care, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct arena a = {0};
	struct landing *ls = arena_alloc(&a, (n + 1) * sizeof(*ls));
	size_t n_landing = approach(st, db, pages, n, ls, &a);

	if (n_landing > 0)
		land(st, db, ls, n_landing, care, &a);
	/* Last, since whoever gives an event its number holds up the others until it commits. */
	if (db_failed(db, NULL) == OK)
		tell(st, db, pages, n);
	arena_done(&a);
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
