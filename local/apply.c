#include "local/apply.h"

#include <stdio.h>

#include "local/basis.h"
#include "local/decoder.h"
#include "shared/build.h"
#include "shared/clock.h"
#include "shared/log.h"

struct apply_job {
	const struct page_request *basis;
	struct decoder *decoder;
	struct feed_served served; /* the verdict, and where the log stands afterwards */
	struct buf *out;           /* the answer, for when it is committed */
	bool brief;                /* without lines for what was applied */
	size_t applied, conflicts, rejected;
	size_t told; /* bytes of versions that stand against pushed ones */
	struct arena arena;
};

static void encode_begin(const struct apply_job *j, const struct replica *r)
{
	struct page_begin begin = {.epoch = j->served.epoch,
		.request = j->basis->request,
		.version = TIDEMARK_VERSION,
		.protocol = j->basis->protocol};

	snprintf(begin.node, sizeof(begin.node), "%s", replica_node(r));
	buf_clear(j->out);
	page_encode_begin(&begin, j->out);
}

/* All or nothing: a centre that is told so little pulls first, and pushes smaller pages. */
static enum err check_told(struct apply_job *j, const struct push_answer *a, struct reason *why)
{
	j->told += a->has_record ? a->record.body.len : 0;
	if (j->told <= PAGE_BYTES_MAX)
		return OK;
	return fail(INVALID, why,
		"the versions that stand against the pushed ones take more than %d bytes; pull first",
		PAGE_BYTES_MAX);
}

/* Its answer is written while the bytes of its id are still near the processor. */
static enum err apply_item(
	struct apply_job *j, struct replica *r, const struct push_item *item, struct reason *why)
{
	struct push_answer a;
	enum err e = replica_apply(r, item, &a, &j->arena, why);

	if (e == OK)
		e = check_told(j, &a, why);
	if (e != OK)
		return e;
	j->applied += a.result == PUSH_APPLIED;
	j->conflicts += a.result == PUSH_CONFLICT;
	j->rejected += a.result == PUSH_REJECTED;
	if (!j->brief || a.result != PUSH_APPLIED)
		push_answer_encode(&a, j->out);
	return OK;
}

/* The first of `n` in a row, or several; *done: so many. */
static enum err apply_some(struct apply_job *j, struct replica *r, const struct push_item *items, size_t n,
	size_t *done, struct reason *why)
{
	size_t added = replica_apply_new(r, items, n);

	*done = added > 0 ? added : 1;
	if (added == 0)
		return apply_item(j, r, items, why);
	j->applied += added;
	for (size_t i = 0; i < added && !j->brief; i++)
		push_answer_encode(&(struct push_answer){.id = items[i].record.id,
					   .result = PUSH_APPLIED,
					   .hash = items[i].record.hash},
			j->out);
	return OK;
}

static enum err apply_items(void *ctx, struct replica *r, struct reason *why)
{
	struct apply_job *j = ctx;
	enum err e = replica_check_basis(
		r, &j->basis->epoch, j->basis->witness, &j->served.verdict, &j->served.epoch, why);

	if (e != OK)
		return e;
	if (j->served.verdict != FEED_SERVED)
		return fail(CONFLICT, why, "the basis is not this database's");
	const struct push_item *items;
	encode_begin(j, r);
	for (size_t i = 0, n, done; e == OK && (items = decoder_items(j->decoder, i, &n)); i += done)
		e = apply_some(j, r, items, n, &done, why);
	if (e == OK) {
		replica_position(r, &j->served.end.to, &j->served.end.digest);
		j->served.end.head_seq = j->served.end.to.seq;
	}
	return e;
}

static void encode_rest(struct apply_job *j, int64_t t_recv_us)
{
	struct page_end end = j->served.end;
	const struct push *push = decoder_push(j->decoder);

	for (size_t i = 0; i < push->n_bad; i++) {
		const struct push_bad *bad = &push->bad[i];
		struct push_answer a = {.id = bad->id,
			.result = PUSH_REJECTED,
			.reason = span_of(bad->why.text),
			.line = bad->line};

		push_answer_encode(&a, j->out);
	}
	j->rejected += push->n_bad;
	end.brief = j->brief;
	end.applied = j->applied;
	end.oldest_after_us = -1;
	end.t_recv_us = t_recv_us;
	end.t_send_us = clock_wall_us();
	end.clock_error_us = clock_error_us();
	page_encode_end(&end, j->out);
}

/* What moved; in the log of a quiet level it would drown what matters. */
static void log_applied(const struct apply_job *j)
{
	if (j->applied + j->conflicts + j->rejected > 0)
		log_event(LOG_DEBUG, "applied", "centre", j->basis->centre.hex, "records",
			LOG_I64((int64_t)j->applied), "conflicts", LOG_I64((int64_t)j->conflicts), "rejected",
			LOG_I64((int64_t)j->rejected), "seq", LOG_I64((int64_t)j->served.end.to.seq), NULL);
}

static void answer(struct local *l, enum err e, struct apply_job *j, const struct reason *why,
	const struct http_request *q, struct http_reply *r)
{
	if (e != OK)
		buf_clear(&r->body);
	if (e == CONFLICT) {
		basis_refuse(l, j->basis, &j->served, r);
		return;
	}
	if (e == INVALID) {
		http_problem(r, "body_too_large", "%s", why->text);
		return;
	}
	if (e != OK) {
		local_problem(l, r, e, why);
		return;
	}
	encode_rest(j, q->received_us);
	log_applied(j);
	r->status = 200;
	r->content_type = "application/x-ndjson";
}

static void post(struct local *l, const struct http_request *q, struct http_reply *r)
{
	struct page_request basis;
	struct decoder *decoder;
	struct reason why;

	if (!basis_read(q, &basis, r))
		return;
	if (decoder_start(&decoder, q->body, span_of(replica_node(l->replica)), &why) != OK) {
		http_problem(r, "bad_request", "%s", why.text);
		return;
	}
	struct apply_job j = {
		.basis = &basis, .decoder = decoder, .out = &r->body, .brief = http_prefers_minimal(q)};
	enum err e = local_write(l, apply_items, &j, &why);
	answer(l, e, &j, &why, q, r);
	/* Parked requests of a centre that has gone on must not outlive it. */
	replica_wake(l->replica, false);
	arena_done(&j.arena);
	decoder_free(decoder);
}

void apply_post(void *local, struct http_request *q, struct http_reply *r)
{
	post(local, q, r);
	basis_answer(q, r);
}

struct epoch_job {
	const struct rename_request *request;
	enum rename_result result;
	struct epoch now;
};

static enum err rename_epoch(void *ctx, struct replica *r, struct reason *why)
{
	struct epoch_job *j = ctx;

	return replica_rename_epoch(r, j->request, &j->result, &j->now, why);
}

static void rename_to(struct local *l, const struct http_request *q, struct http_reply *r)
{
	struct rename_request request;
	unsigned version; /* all say the same here */
	struct reason why;

	if (!basis_intact(q, r))
		return;
	if (rename_request_decode(&request, q->body, &why) != OK) {
		http_problem(r, "bad_request", "%s", why.text);
		return;
	}
	if (!basis_protocol(request.protocol, &version, r))
		return;
	struct epoch_job j = {.request = &request};
	enum err e = local_write(l, rename_epoch, &j, &why);
	if (e == CONFLICT) {
		struct page_request basis = {.request = request.request};
		struct feed_served served = {.verdict = FEED_EPOCH_CHANGED, .epoch = j.now};

		basis_refuse(l, &basis, &served, r);
	} else if (e != OK) {
		local_problem(l, r, e, &why);
	} else {
		if (j.result == RENAME_DONE)
			log_event(LOG_WARN, "epoch.renamed", "from", request.from.hex, "to", request.to.hex,
				"centre", request.centre.hex, NULL);
		rename_answer_encode(j.result, &j.now, &request.request, &r->body);
		r->status = 200;
		replica_wake(l->replica, false);
	}
}

void apply_epoch(void *local, struct http_request *q, struct http_reply *r)
{
	rename_to(local, q, r);
	basis_answer(q, r);
}
