/*
 * Equal again.  At thousands of nodes nearly every page is the one before: nothing new, at the same place, with the same digest.
 * The rows that it is judged by are the same too while nobody has locked their owner, whose lock whoever writes them holds.
 */
#include "central/settle.h"
#include "central/store_sql_private.h"

static atomic_uint_fast64_t *place_of(struct store *st, struct span owner)
{
	return &st->touched[hash_of(owner).half[1] % STORE_MARKS];
}

void store_touch_owner(struct store *st, struct span owner)
{
	atomic_fetch_add(place_of(st, owner), 1);
}

uint64_t store_mark_of(struct store *st, struct span owner)
{
	return atomic_load(place_of(st, owner));
}

bool store_prove_again(struct store *st, struct pull_apply *p)
{
	const struct page *page = p->page;
	const struct explained nothing = {0};
	struct node_sync sync = *p->basis;

	if (sync.proven == 0 || p->fetched || page->n + page->n_refused > 0)
		return false;
	if (sync.proven != store_mark_of(st, span_of(p->node)) || sync.life != atomic_load(&st->life))
		return false;
	settle_page(&sync, &page->end);
	if (proof_judge(&sync, &page->end, &nothing, false) != PROOF_EQUAL ||
		!settle_same_sync(&sync, p->basis))
		return false;
	p->sync = sync;
	p->to_push = false;
	p->proof = PROOF_EQUAL;
	p->result = OK;
	return true;
}

void store_note_proven(struct store *st, struct pull_apply *p)
{
	bool plain = !p->fetched && !p->to_push && !p->sync.recount && p->sync.quarantined == 0;

	p->sync.proven = p->proof == PROOF_EQUAL && plain ? store_mark_of(st, span_of(p->node)) : 0;
}
