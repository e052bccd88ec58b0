#include "central/exchange_private.h"

#include <assert.h>
#include <inttypes.h>

static const struct epoch no_epoch;
static const struct position empty_log;

/* --- decisions --- */

static void begin_decision(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	*ret = (struct sync_change){.to = *s};
	*ev = (struct event){.level = LOG_WARN};
}

static void abandon_present(const struct node_sync *s, struct sync_change *ret)
{
	ret->abandon = true;
	ret->abandoned = s->epoch;
	ret->abandoned_witness = s->witness;
}

bool exchange_decide_epoch_changed(const struct node_sync *s, const struct epoch *now,
	bool known_as_abandoned, struct sync_change *ret, struct event *ev)
{
	begin_decision(s, ret, ev);
	ret->to.rename_to = ret->to.probe = no_epoch;
	if (epoch_equal(now, &s->epoch))
		return !node_sync_same_basis(s, &ret->to);
	if (known_as_abandoned) {
		ret->to.probe = *now;
		return !node_sync_same_basis(s, &ret->to);
	}
	sync_reset(&ret->to, now, empty_log);
	if (epoch_is_none(&s->epoch)) { /* the first contact is no repair */
		ret->to.reconciling = false;
		return true;
	}
	abandon_present(s, ret);
	ev->kind = "WIPED";
	(void)fail(OK, &ev->text,
		"its database is new (epoch %.8s): the one before held up to position %" PRIu64
		"; what the centre has of it will be pushed back",
		now->hex, s->witness.seq);
	return true;
}

bool exchange_decide_rewound(
	const struct node_sync *s, const struct epoch *fresh, struct sync_change *ret, struct event *ev)
{
	begin_decision(s, ret, ev);
	if (!epoch_is_none(&s->rename_to)) /* the choice was made before: always the same one, or replies
					      could cross */
		return false;
	ret->to.rename_to = *fresh;
	ev->kind = "REWOUND";
	(void)fail(OK, &ev->text,
		"its database went back to an older state: position %" PRIu64
		" is no longer in its log; it gets a new epoch and both ends are compared",
		s->witness.seq);
	return true;
}

void exchange_decide_renamed(
	const struct node_sync *s, enum rename_result r, struct sync_change *ret, struct event *ev)
{
	assert(!epoch_is_none(&s->rename_to));
	begin_decision(s, ret, ev);
	ret->to.rename_to = no_epoch;
	switch (r) {
	case RENAME_NOT_REWOUND:
		return;
	case RENAME_DONE:
		abandon_present(s, ret);
		sync_reset(&ret->to, &s->rename_to, empty_log);
		return;
	}
}

void exchange_decide_probed(const struct node_sync *s, bool contains_witness,
	struct position abandoned_witness, const struct epoch *fresh, struct sync_change *ret,
	struct event *ev)
{
	assert(!epoch_is_none(&s->probe));
	begin_decision(s, ret, ev);
	if (contains_witness) { /* the probe stays: it is what an operator accepts */
		ret->to.halt = HALT_IDENTITY;
		ev->level = LOG_ERROR;
		ev->kind = "CLONED";
		(void)fail(OK, &ev->text,
			"a database that was left behind (epoch %.8s) answers again with all it had, up to "
			"position %" PRIu64
			": a clone or an older disk put back; nothing moves until an operator resumes it",
			s->probe.hex, abandoned_witness.seq);
		return;
	}
	abandon_present(s, ret);
	sync_reset(&ret->to, &s->probe, abandoned_witness);
	ret->to.probe = no_epoch;
	ret->to.rename_to = *fresh;
	ev->kind = "REWOUND";
	(void)fail(OK, &ev->text,
		"an older copy of its database was put back (epoch %.8s, without position %" PRIu64
		"); it gets a new epoch and both ends are compared",
		s->probe.hex, abandoned_witness.seq);
}

static void accept_other(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	struct epoch accepted = epoch_is_none(&s->probe) ? s->epoch : s->probe;

	if (!epoch_equal(&accepted, &s->epoch))
		abandon_present(s, ret);
	ret->forget = accepted;
	ret->to.probe = ret->to.rename_to = no_epoch;
	sync_reset(&ret->to, &accepted, empty_log);
	(void)fail(OK, &ev->text,
		"an operator accepted the database that answers now (epoch %.8s); both ends are compared",
		accepted.hex);
}

static void count_again(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	ret->to.doubt_seq = 0;
	ret->to.doubt_local = ret->to.doubt_centre = (struct digest){0};
	sync_reset(&ret->to, &s->epoch, s->witness);
	ret->to.recount = true;
	(void)fail(OK, &ev->text, "an operator resumed it; both ends are compared and counted again");
}

bool exchange_decide_resumed(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	begin_decision(s, ret, ev);
	ret->to.halt = HALT_NONE;
	switch (s->halt) {
	case HALT_NONE:
		return false;
	case HALT_IDENTITY:
		accept_other(s, ret, ev);
		break;
	case HALT_DIVERGED:
		count_again(s, ret, ev);
		break;
	}
	ev->level = LOG_INFO;
	ev->kind = "node.resumed";
	return true;
}

/* --- exchanges --- */

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

static enum err move(struct exchange *x, struct store *st, const struct sync_change *change,
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
	return move(x, st, &change, out, why);
}

enum err exchange_finish_rewound(
	struct exchange *x, struct store *st, struct outcome *out, struct reason *why)
{
	struct sync_change change;
	struct epoch fresh = epoch_new();

	if (x->basis.witness.seq == 0) {
		exchange_wrong(out, POLL_BAD_BODY,
			"it says that it does not hold the empty log, which every log holds");
		return OK;
	}
	out->result = POLL_EPOCH;
	(void)fail(OK, &out->why, "position %" PRIu64 " is no longer in its log", x->basis.witness.seq);
	if (!exchange_decide_rewound(&x->basis, &fresh, &change, &out->event))
		return OK;
	return move(x, st, &change, out, why);
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
	return move(x, st, &change, out, why);
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
	return move(x, st, &change, out, why);
}
