#include "central/store_sqlite_private.h"

#include "central/settle.h"

static void meet_all(struct pull_apply *p, struct meeting *m)
{
	for (size_t i = 0; i < p->page->n && lite_failed(m->l, NULL) == OK; i++)
		store_meet(m, &p->page->records[i]);
	p->taken = m->taken;
	p->kept = m->kept;
	p->conflicts = m->conflicts;
	p->archived = m->archived;
	p->centre_restored = m->centre_restored;
	arena_done(&m->arena);
}

static enum proof_verdict judge(struct lite *l, struct pull_apply *p, struct node_sync *sync)
{
	const struct page_end *end = &p->page->end;
	bool not_counted = sync->recount && !p->basis->recount; /* the wish came after the request */
	bool blocked = p->to_push || not_counted || store_any(l, SQL_CENTRAL_PUSH_REFUSED, p->node);

	if (sync->recount && proof_is_due(sync, end, blocked))
		store_sum_rows(l, p->node, &sync->digest);
	return proof_judge(sync, end, blocked);
}

static void tell(struct lite *l, const struct pull_apply *p)
{
	struct event events[SETTLE_EVENTS];
	unsigned n = settle_pull_events(p, events);

	for (unsigned i = 0; i < n; i++)
		store_tell(l, &events[i]);
}

static void apply_page(struct store *st, struct lite *l, struct pull_apply *p)
{
	struct node n;
	struct meeting m = {.st = st, .l = l, .sync = &p->sync};

	if (!store_load_node(st, l, span_of(p->node), &n) || !n.url[0] || n.paused) {
		p->result = fail(CONFLICT, &p->why, "node %s was removed or paused", p->node);
		return;
	}
	p->sync = n.sync;
	if (!node_sync_same_basis(&n.sync, p->basis)) {
		p->result = fail(CONFLICT, &p->why, "node %s has moved on", p->node);
		return;
	}
	meet_all(p, &m);
	settle_page(&p->sync, &p->page->end);
	p->to_push = !p->sync.swept || store_any(l, SQL_CENTRAL_PUSH_DIFFERS, p->node);
	p->proof = judge(l, p, &p->sync);
	p->to_push = p->to_push || !p->sync.swept;
	if (!settle_same_sync(&n.sync, &p->sync))
		store_save_sync(l, p->node, &p->sync);
	tell(l, p);
	p->result = OK;
}

enum err store_apply_pages(struct store *st, struct pull_apply *pages, size_t n, struct reason *why)
{
	struct lite *l = store_write_begin(st);

	for (size_t i = 0; i < n && lite_failed(l, NULL) == OK; i++)
		apply_page(st, l, &pages[i]);
	return store_write_end(st, OK, why);
}
