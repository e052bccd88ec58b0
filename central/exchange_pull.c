#include "central/exchange_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "central/settle.h"

enum err exchange_begin_pull(
	struct exchange *x, struct store *st, struct plan plan, const struct exchange_limits *limits)
{
	const struct node_sync *s = &x->basis;
	const struct page_request q = {
		.centre = store_centre_id(st),
		.request = x->request,
		.epoch = s->epoch,
		.after = s->cursor,
		.witness = s->witness,
		.limit = limits->pull_records,
		.max_bytes = limits->pull_bytes,
		.wait_ms = plan.delay_ms,
		.recount = s->recount,
	};

	x->method = HTTP_GET;
	x->parked_ms = plan.delay_ms;
	page_request_encode(&q, &x->target);
	return OK;
}

bool exchange_passes_any(struct page *page, struct outcome *out)
{
	if (page->n > 0 || page->n_refused < QUARANTINE_WHOLE_PAGE)
		return true;
	exchange_wrong(out, POLL_BAD_BODY,
		"none of its %zu records passes, so none is put in quarantine; the first, %.*s: %.120s",
		page->n_refused, (int)page->refused[0].claim.id.len, page->refused[0].claim.id.at,
		page->refused[0].why.text);
	page_done(page);
	return false;
}

bool exchange_decode_pull(
	const struct exchange *x, const struct answer *a, struct page *page, struct outcome *out)
{
	struct reason why = {""};

	if (page_decode(page, a->body, span_of(x->node), x->basis.cursor, &why) != OK) {
		exchange_wrong(out, POLL_BAD_BODY, "%s", why.text);
		return false;
	}
	if (!exchange_passes_any(page, out))
		return false;
	/* Claiming more and sending none, be it from place to place, it would be asked for, and answered, for ever. */
	if (!page->end.more || page->n + page->n_refused > 0)
		return true;
	exchange_wrong(out, POLL_BAD_BODY, "it says that more follows %" PRIu64 " and sends none of it",
		x->basis.cursor);
	page_done(page);
	return false;
}

void exchange_told_pull(const struct pull_apply *p, struct outcome *out)
{
	const struct page_end *end = &p->page->end;
	struct event events[SETTLE_EVENTS];
	bool reset = p->proof == PROOF_DOUBTED || p->proof == PROOF_DIVERGED;
	/* The rows were or are to be summed: the next proof is wanted now, and once. */
	bool proof_waits = p->basis->recount != p->sync.recount;

	out->sync = p->sync;
	out->sync_known = true;
	out->pulled = true;
	out->end = *end;
	(void)snprintf(out->version, sizeof out->version, "%s", p->page->begin.version);
	out->at_head = !end->more && !reset && !proof_waits;
	/* The proof after a comparison is wanted at once; only a push can come before it. */
	if (p->fetched)
		out->at_head = p->fetched->last && p->sync.cursor == end->head_seq && p->to_push;
	out->to_push = p->to_push;
	out->proof = p->proof;
	out->taken = p->taken;
	out->conflicts = p->conflicts;
	out->archived = p->archived;
	exchange_tell(out, events, settle_pull_events(p, events));
}
