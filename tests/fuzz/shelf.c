#include "tests/fuzz/shelf.h"

#include "central/settle.h"
#include "tests/fuzz/fuzz.h"

static const struct epoch centre = {"cccccccccccccccccccccccccccccccc"};

struct shelf_node *shelf_node(struct store *st, const char *name)
{
	for (unsigned i = 0; i < SHELF_NODES; i++)
		if (strcmp(st->nodes[i].name, name) == 0)
			return &st->nodes[i];
	MUST(!"the store is asked of a node that nobody spoke of");
	return NULL;
}

const struct digest *shelf_buckets(const struct node_sync *s)
{
	static struct digest buckets[1 << BUCKET_BITS_MAX];

	buckets[0] = s->digest;
	return buckets;
}

struct epoch store_centre_id(const struct store *st)
{
	(void)st;
	return centre;
}

static enum err failing(struct store *st, struct reason *why)
{
	enum err e = st->fails;

	st->fails = OK;
	return e == OK ? OK : fail(e, why, "the store says no");
}

/* --- pages --- */

/* What page_decode() promises whoever applies it. */
static void check_page(const struct pull_apply *p)
{
	const struct page *page = p->page;
	uint64_t last = p->fetched ? 0 : p->basis->cursor;

	MUST(strcmp(page->begin.node, p->node) == 0);
	for (size_t i = 0; i < page->n; i++) {
		MUST(span_is(page->records[i].owner, p->node));
		MUST(page->records[i].seq > last && page->records[i].seq <= page->end.to.seq);
		last = page->records[i].seq;
	}
	MUST(page->n_refused <= PAGE_REFUSED_MAX);
}

static void apply_page(struct store *st, struct pull_apply *p)
{
	static const struct explained nothing;
	struct shelf_node *n = shelf_node(st, p->node);

	check_page(p);
	if (!node_sync_same_basis(p->basis, &n->sync)) {
		p->result = fail(CONFLICT, &p->why, "moved");
		return;
	}
	if (p->fetched)
		settle_fetched(&n->sync, p->fetched, &p->page->end);
	else
		settle_page(&n->sync, &p->page->end);
	p->taken = p->page->n;
	p->to_push = n->to_push > 0;
	p->proof = p->fetched || (n->sync.recount && !p->basis->recount)
			   ? PROOF_NONE
			   : proof_judge(&n->sync, &p->page->end, &nothing, p->to_push);
	p->sync = n->sync;
	p->result = OK;
}

enum err store_apply_pages(struct store *st, struct pull_apply *pages, size_t n, struct reason *why)
{
	enum err e = failing(st, why);

	for (size_t i = 0; i < n && e == OK; i++)
		apply_page(st, &pages[i]);
	return e;
}

/* --- digests --- */

enum err store_apply_digest(struct store *st, struct digest_apply *p, struct reason *why)
{
	struct shelf_node *n = shelf_node(st, p->node);
	enum err e = failing(st, why);

	if (e == OK && !node_sync_same_basis(p->basis, &n->sync))
		e = fail(CONFLICT, why, "moved");
	if (e != OK)
		return e;
	MUST(p->told->bits <= BUCKET_BITS_MAX && strcmp(p->told->begin.node, p->node) == 0);
	p->verdict = apart_judge(shelf_buckets(&n->sync), p->told, p->limits, &p->apart);
	settle_digest(&n->sync, p->verdict, &p->told->end);
	p->sync = n->sync;
	return OK;
}

/* --- pushes --- */

enum err store_push_page(struct store *st, const char *node, const struct node_sync *basis, unsigned limit,
	size_t max_bytes, struct push_page *ret, struct reason *why)
{
	static const char *const ids[SHELF_ITEMS] = {"p1", "p2"};
	struct shelf_node *n = shelf_node(st, node);

	MUST(limit >= SHELF_ITEMS && max_bytes >= 1000);
	if (!node_sync_same_basis(basis, &n->sync))
		return fail(CONFLICT, why, "moved");
	*ret = (struct push_page){.n = n->to_push, .differing = n->to_push};
	ret->items = arena_alloc(&ret->arena, sizeof *ret->items * SHELF_ITEMS);
	for (unsigned i = 0; i < n->to_push; i++) {
		struct record *r = &ret->items[i].record;

		*r = (struct record){.owner = span_of(n->name),
			.id = span_of(ids[SHELF_ITEMS - n->to_push + i]),
			.type = span_of("t"),
			.body = span_of("7"),
			.dot = {5, i + 1},
			.clock_error_us = -1};
		r->hash = record_hash(r);
	}
	return OK;
}

void push_page_done(struct push_page *p)
{
	arena_done(&p->arena);
	*p = (struct push_page){.n = 0};
}

static void count_answers(struct push_apply *p, const struct push_answer *const *by_item)
{
	for (size_t i = 0; i < p->sent->n; i++)
		switch (by_item[i] ? by_item[i]->result : PUSH_REJECTED) {
		case PUSH_APPLIED:
			p->applied++;
			break;
		case PUSH_ALREADY:
			p->already++;
			break;
		case PUSH_CONFLICT:
			p->refused++;
			break;
		case PUSH_REJECTED:
			p->rejected++;
			break;
		}
}

enum err store_apply_push(struct store *st, struct push_apply *p, struct reason *why)
{
	struct shelf_node *n = shelf_node(st, p->node);
	const struct push_answer *by_item[SHELF_ITEMS];
	enum err e = settle_match(p->sent, p->answers, by_item, why);

	if (e == OK)
		e = failing(st, why);
	if (e == OK && !node_sync_same_basis(p->basis, &n->sync))
		e = fail(CONFLICT, why, "moved");
	if (e != OK)
		return e;
	count_answers(p, by_item);
	settle_own(&n->sync, p->sent, by_item, &p->answers->end);
	settle_push(&n->sync, p->sent, &p->answers->end);
	n->to_push -= (unsigned)(p->applied + p->already);
	p->to_push = n->to_push > 0;
	p->sync = n->sync;
	return OK;
}

/* --- decisions --- */

static unsigned place_of(const struct shelf_node *n, const struct epoch *epoch)
{
	unsigned i = 0;

	while (i < n->n_abandoned && !epoch_equal(&n->abandoned[i].epoch, epoch))
		i++;
	return i;
}

static void remember(struct shelf_node *n, const struct sync_change *change)
{
	unsigned i = place_of(n, &change->forget);

	if (!epoch_is_none(&change->forget) && i < n->n_abandoned)
		n->abandoned[i] = n->abandoned[--n->n_abandoned];
	if (!change->abandon || place_of(n, &change->abandoned) < n->n_abandoned)
		return;
	MUST(n->n_abandoned < SHELF_ABANDONED && !epoch_is_none(&change->abandoned));
	n->abandoned[n->n_abandoned].epoch = change->abandoned;
	n->abandoned[n->n_abandoned++].witness = change->abandoned_witness;
}

enum err store_move_node(struct store *st, const char *node, const struct node_sync *basis,
	const struct sync_change *change, const struct event *ev, struct reason *why)
{
	struct shelf_node *n = shelf_node(st, node);
	enum err e = failing(st, why);

	if (e == OK && !node_sync_same_basis(basis, &n->sync))
		e = fail(CONFLICT, why, "moved");
	if (e != OK)
		return e;
	MUST(!ev || (strcmp(ev->node, node) == 0 && ev->text.text[0]));
	struct node_sync to = change->to;

	settle_change(&n->sync, &to);
	remember(n, change);
	n->sync = to;
	return OK;
}

enum err store_abandoned(struct store *st, const char *node, const struct epoch *epoch,
	struct position *ret_witness, struct reason *why)
{
	struct shelf_node *n = shelf_node(st, node);
	unsigned i = place_of(n, epoch);

	if (i == n->n_abandoned)
		return fail(GONE, why, "never abandoned");
	*ret_witness = n->abandoned[i].witness;
	return OK;
}
