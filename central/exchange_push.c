#include "central/exchange_private.h"

#include <stdio.h>

#include "central/settle.h"
#include "shared/seal.h"

void exchange_encode_page(struct push_page *page, struct buf *body)
{
	(void)!buf_reserve(body, page->bytes);
	for (size_t i = 0; i < page->n; i++) {
		push_item_encode(&page->items[i], body);
		page->items[i].record.body = (struct span){0};
	}
	arena_done(&page->bodies);
	buf_fit(body);
}

static void encode_target(struct exchange *x, struct store *st)
{
	const struct push_request q = {
		.centre = store_centre_id(st),
		.request = x->request,
		.epoch = x->basis.epoch,
		.witness = x->basis.witness,
	};

	x->method = HTTP_POST;
	x->minimal = true;
	push_request_encode(&q, &x->target);
}

bool exchange_begin_page(
	struct exchange *x, struct store *st, const struct node *n, struct push_page *page, struct buf *body)
{
	*x = (struct exchange){.kind = PLAN_PUSH, .basis = n->sync, .request = epoch_new()};
	(void)snprintf(x->node, sizeof x->node, "%s", n->name);
	x->sent = *page;
	x->body = *body;
	*page = (struct push_page){0};
	*body = (struct buf){0};
	encode_target(x, st);
	seal_request(&x->target, buf_span(&x->body));
	if (!buf_failed(&x->target))
		return true;
	exchange_done(x);
	return false;
}

enum err exchange_begin_push(
	struct exchange *x, struct store *st, const struct exchange_limits *limits, struct reason *why)
{
	enum err e = store_push_page(
		st, x->node, &x->basis, limits->push_records, limits->push_bytes, &x->sent, why);

	if (e != OK)
		return e;
	if (x->sent.n == 0)
		return fail(GONE, why, "there is nothing to push");
	encode_target(x, st);
	exchange_encode_page(&x->sent, &x->body);
	return OK;
}

static const struct push_answer *first_rejection(const struct push_answers *answers)
{
	for (size_t i = 0; i < answers->n; i++)
		if (answers->answers[i].result == PUSH_REJECTED)
			return &answers->answers[i];
	return NULL;
}

/*
 * All went in, and the log's end is what was pushed: a pull would bring nothing, so the next page is pushed at once.
 * After the last one is pulled, since only a pull brings the proof.
 */
static bool may_push_on(const struct push_apply *p)
{
	return p->to_push && p->applied + p->already == p->sent->n &&
	       p->sync.cursor == p->answers->end.to.seq;
}

static void told_rejection(const struct push_answer *first, struct outcome *out)
{
	if (!first)
		return;
	if (record_id_ok(first->id))
		(void)snprintf(
			out->rejected_id, sizeof out->rejected_id, "%.*s", (int)first->id.len, first->id.at);
	(void)fail(OK, &out->rejected_why, "%.*s", (int)first->reason.len, first->reason.at);
}

static void told(const struct push_apply *p, const struct push_answers *answers, struct outcome *out)
{
	struct event events[SETTLE_EVENTS];

	out->sync = p->sync;
	out->sync_known = true;
	(void)snprintf(out->version, sizeof out->version, "%s", answers->begin.version);
	out->to_push = p->to_push;
	out->at_head = may_push_on(p);
	out->conflicts = p->conflicts;
	out->archived = p->archived;
	out->pushed = p->applied + p->already;
	out->refused = p->refused;
	out->rejected = p->rejected;
	told_rejection(first_rejection(answers), out);
	exchange_tell(out, events, settle_push_events(p, first_rejection(answers), events));
}

enum err exchange_finish_push(
	struct exchange *x, struct store *st, const struct answer *a, struct outcome *out, struct reason *why)
{
	struct push_answers answers = {0};
	struct reason text = {""};

	if (push_answers_decode(&answers, a->body, span_of(x->node), &text) != OK) {
		exchange_wrong(out, POLL_BAD_BODY, "%s", text.text);
		return OK;
	}
	struct push_apply p = {.node = x->node, .basis = &x->basis, .sent = &x->sent, .answers = &answers};
	enum err e = store_apply_push(st, &p, why);

	if (e == OK)
		told(&p, &answers, out);
	push_answers_done(&answers);
	return exchange_settle(e, out, why);
}
