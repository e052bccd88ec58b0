#include "central/exchange_private.h"

#include <inttypes.h>
#include <stdio.h>

enum err exchange_begin_push(
	struct exchange *x, struct store *st, const struct exchange_limits *limits, struct reason *why)
{
	const struct push_request q = {
		.centre = store_centre_id(st),
		.request = x->request,
		.epoch = x->basis.epoch,
		.witness = x->basis.witness,
	};
	enum err e = store_push_page(
		st, x->node, &x->basis, limits->push_records, limits->push_bytes, &x->sent, why);

	if (e != OK)
		return e;
	if (x->sent.n == 0)
		return fail(GONE, why, "there is nothing to push");
	x->method = HTTP_POST;
	push_request_encode(&q, &x->target);
	for (size_t i = 0; i < x->sent.n; i++)
		push_item_encode(&x->sent.items[i], &x->body);
	return OK;
}

static void told(const struct push_apply *p, const struct push_answers *answers, struct outcome *out)
{
	out->sync = p->sync;
	out->sync_known = true;
	(void)snprintf(out->version, sizeof out->version, "%s", answers->begin.version);
	out->to_push = p->to_push;
	out->conflicts = p->conflicts;
	out->archived = p->archived;
	out->pushed = p->applied + p->already;
	out->refused = p->refused;
	out->rejected = p->rejected;
	if (p->rejected > 0) {
		out->event.level = LOG_WARN;
		out->event.kind = "pushed";
		(void)fail(OK, &out->event.text,
			"%" PRIu64 " pushed, %" PRIu64 " refused, %" PRIu64 " the node cannot hold",
			p->applied, p->refused, p->rejected);
	} else if (p->applied > 0 || p->refused > 0) {
		out->event.level = LOG_INFO;
		out->event.kind = "pushed";
		(void)fail(OK, &out->event.text, "%" PRIu64 " pushed, %" PRIu64 " refused", p->applied,
			p->refused);
	}
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
