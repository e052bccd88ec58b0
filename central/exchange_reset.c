#include "central/exchange_private.h"

#include <inttypes.h>

enum err exchange_begin_rename(struct exchange *x, struct store *st)
{
	const struct rename_request q = {
		.centre = store_centre_id(st),
		.request = x->request,
		.from = x->basis.epoch,
		.to = x->basis.rename_to,
		.witness = x->basis.witness,
	};

	x->method = HTTP_POST;
	buf_text(&x->target, "/v1/epoch");
	rename_request_encode(&q, &x->body);
	return OK;
}

/* Nothing but a question: is that epoch's witness in your log? */
enum err exchange_begin_probe(struct exchange *x, struct store *st, struct reason *why)
{
	struct page_request q = {
		.centre = store_centre_id(st), .request = x->request, .epoch = x->basis.probe};
	enum err e = store_abandoned(st, x->node, &x->basis.probe, &q.witness, why);

	if (e == GONE)
		return fail(INTERNAL, why, "epoch %.8s is to be probed and was never abandoned",
			x->basis.probe.hex);
	if (e != OK)
		return e;
	q.max_bytes = PAGE_BYTES_DEFAULT;
	x->method = HTTP_GET;
	page_request_encode(&q, &x->target);
	return OK;
}

enum err exchange_move(struct exchange *x, struct store *st, const struct sync_change *change,
	struct outcome *out, struct reason *why)
{
	out->event.node = x->node;
	enum err e =
		store_move_node(st, x->node, &x->basis, change, out->event.kind ? &out->event : NULL, why);

	if (e == OK) {
		out->sync = change->to;
		out->sync_known = true;
	} else {
		out->event = (struct event){0};
	}
	return exchange_settle(e, out, why);
}

enum err exchange_finish_epoch_changed(struct exchange *x, struct store *st, const struct epoch *now,
	struct outcome *out, struct reason *why)
{
	struct sync_change change;
	struct position witness;
	enum err e = store_abandoned(st, x->node, now, &witness, why);

	if (e != OK && e != GONE)
		return exchange_settle(e, out, why);
	out->result = POLL_EPOCH;
	(void)fail(OK, &out->why, "its database has another epoch (%.8s)", now->hex);
	if (!exchange_decide_epoch_changed(&x->basis, now, e == OK, &change, &out->event))
		return OK;
	return exchange_move(x, st, &change, out, why);
}

enum err exchange_finish_rewound(
	struct exchange *x, struct store *st, struct outcome *out, struct reason *why)
{
	struct sync_change change;
	struct epoch fresh = epoch_new();

	if (x->basis.witness.seq == 0) {
		exchange_wrong(out, POLL_BAD_BODY,
			"it says that it does not hold the empty log, which every log holds");
		return exchange_finish_failed(x, st, out, why);
	}
	out->result = POLL_EPOCH;
	(void)fail(OK, &out->why, "position %" PRIu64 " is no longer in its log", x->basis.witness.seq);
	if (!exchange_decide_rewound(&x->basis, &fresh, &change, &out->event))
		return OK;
	return exchange_move(x, st, &change, out, why);
}

enum err exchange_finish_renamed(
	struct exchange *x, struct store *st, const struct answer *a, struct outcome *out, struct reason *why)
{
	struct sync_change change;
	struct epoch now, request;
	enum rename_result r;
	struct reason text = {""};

	if (rename_answer_decode(&r, &now, &request, a->body, &text) != OK) {
		exchange_wrong(out, POLL_BAD_BODY, "%s", text.text);
		return OK;
	}
	const struct epoch *expected = r == RENAME_DONE ? &x->basis.rename_to : &x->basis.epoch;

	if (!epoch_equal(&request, &x->request) || !epoch_equal(&now, expected)) {
		exchange_wrong(out, POLL_BAD_BODY, "it answers another request than the one that was sent");
		return OK;
	}
	exchange_decide_renamed(&x->basis, r, &change, &out->event);
	return exchange_move(x, st, &change, out, why);
}

/* What is said there does not matter, but a halt is not decided on half an answer. */
bool exchange_decode_probe(const struct exchange *x, const struct answer *a, struct outcome *out)
{
	struct page page = {.n = 0};
	struct reason text = {""};

	if (page_decode(&page, a->body, span_of(x->node), 0, &text) != OK) {
		exchange_wrong(out, POLL_BAD_BODY, "%s", text.text);
		return false;
	}
	page_done(&page);
	return true;
}

enum err exchange_finish_probed(
	struct exchange *x, struct store *st, bool contains, struct outcome *out, struct reason *why)
{
	struct sync_change change;
	struct position witness;
	struct epoch fresh = epoch_new();
	enum err e = store_abandoned(st, x->node, &x->basis.probe, &witness, why);

	if (e != OK)
		return exchange_settle(e, out, why);
	exchange_decide_probed(&x->basis, contains, witness, &fresh, &change, &out->event);
	return exchange_move(x, st, &change, out, why);
}
