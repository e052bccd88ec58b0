#include "tests/fuzz/honest.h"

#include "shared/bucket.h"
#include "shared/seal.h"
#include "tests/fuzz/fuzz.h"

static int moved(const struct honest *h, const struct exchange *x, const char *code, struct buf *body)
{
	buf_printf(body,
		"{\"status\":409,\"code\":\"%s\",\"node\":\"%s\",\"epoch\":\"%s\",\"request\":\"%s\"}", code,
		x->node, h->epoch.hex, x->request.hex);
	return 409;
}

static bool holds(const struct honest *h, struct position witness)
{
	return witness.seq == 0 || position_equal(witness, h->before) || position_equal(witness, h->end);
}

static int renamed(struct honest *h, const struct exchange *x, struct position witness, struct buf *body)
{
	enum rename_result r = RENAME_DONE;

	if (epoch_equal(&h->epoch, &x->basis.epoch)) {
		r = holds(h, witness) ? RENAME_NOT_REWOUND : RENAME_DONE;
		if (r == RENAME_DONE)
			h->epoch = x->basis.rename_to;
	} else if (!epoch_equal(&h->epoch, &x->basis.rename_to)) {
		return moved(h, x, "epoch_changed", body);
	}
	rename_answer_encode(r, &h->epoch, &x->request, body);
	return 200;
}

static void put_lines(const struct exchange *x, const struct node_sync *sync, struct buf *body)
{
	if (x->kind == PLAN_DIGEST && sync->digest.count > 0)
		bucket_encode(&(struct bucket){.number = 0, .digest = sync->digest}, body);
	for (size_t i = 0; x->kind == PLAN_PUSH && i < x->sent.n; i++) {
		const struct record *r = &x->sent.items[i].record;

		push_answer_encode(
			&(struct push_answer){.id = r->id, .result = PUSH_ALREADY, .hash = r->hash}, body);
	}
}

static int serve(
	const struct honest *h, const struct exchange *x, const struct node_sync *sync, struct buf *body)
{
	struct page_begin b = {.epoch = h->epoch, .request = x->request, .version = "9.9", .protocol = 1};
	const struct page_end e = {.to = h->end,
		.head_seq = h->end.seq,
		.digest = sync->digest,
		.oldest_after_us = -1,
		.t_recv_us = 10,
		.t_send_us = 20,
		.clock_error_us = -1};

	(void)snprintf(b.node, sizeof b.node, "%s", x->node);
	page_encode_begin(&b, body);
	put_lines(x, sync, body);
	page_encode_end(&e, body);
	return 200;
}

int honest_answer(struct honest *h, const struct exchange *x, const struct node_sync *sync,
	struct position witness, struct buf *body)
{
	const struct epoch *asked = x->kind == PLAN_PROBE ? &x->basis.probe : &x->basis.epoch;
	int status;

	if (x->kind == PLAN_RENAME)
		status = renamed(h, x, witness, body);
	else if (!epoch_equal(asked, &h->epoch))
		status = moved(h, x, "epoch_changed", body);
	else if (!holds(h, witness))
		status = moved(h, x, "rewound", body);
	else
		status = serve(h, x, sync, body);
	seal_answer(body);
	MUST(!buf_failed(body));
	return status;
}
