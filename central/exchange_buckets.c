/* A comparison by buckets: the local's digests, then the records of those buckets that differ. */
#include "central/exchange_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/settle.h"

bool exchange_compares(const struct exchange *x)
{
	return x->kind == PLAN_DIGEST || x->kind == PLAN_FETCH;
}

static void begin(struct exchange *x, struct plan plan, const struct exchange_limits *limits)
{
	x->compare.limits = (struct apart_limits){
		.records = limits->pull_records,
		.bytes = limits->pull_bytes,
		.bucket_records = limits->bucket_records,
	};
	x->compare.failures = plan.failures;
}

static struct page_request request_of(const struct exchange *x, struct store *st)
{
	return (struct page_request){
		.centre = store_centre_id(st),
		.request = x->request,
		.epoch = x->basis.epoch,
		.witness = x->basis.witness,
		.max_bytes = x->compare.limits.bytes,
	};
}

enum err exchange_begin_digest(
	struct exchange *x, struct store *st, struct plan plan, const struct exchange_limits *limits)
{
	begin(x, plan, limits);
	struct page_request q = request_of(x, st);
	unsigned most = apart_bits(UINT64_MAX, &x->compare.limits);

	x->compare.bits =
		plan.apart ? plan.apart->bits : apart_bits(x->basis.digest.count, &x->compare.limits);
	if (x->compare.bits > most) /* there is less room by now */
		x->compare.bits = most;
	x->method = HTTP_GET;
	bucket_request_encode(&q, x->compare.bits, &x->target);
	return OK;
}

enum err exchange_begin_fetch(
	struct exchange *x, struct store *st, struct plan plan, const struct exchange_limits *limits)
{
	const struct apart *apart = plan.apart;

	assert(apart && apart->n > 0);
	begin(x, plan, limits);
	struct page_request q = request_of(x, st);
	unsigned n = apart_share(apart, &x->compare.limits);

	x->compare.buckets = calloc(n, sizeof x->compare.buckets[0]);
	if (!x->compare.buckets)
		err_out_of_memory();
	memcpy(x->compare.buckets, apart->buckets, n * sizeof x->compare.buckets[0]);
	x->compare.fetched = (struct fetched){
		.buckets = {.bits = apart->bits, .at = x->compare.buckets, .n = n},
		.last = n == apart->n,
		.cursor = apart->seq,
	};
	x->method = HTTP_POST;
	fetch_request_encode(&q, &x->compare.fetched.buckets, &x->target, &x->body);
	return OK;
}

static void told(const struct digest_apply *p, struct outcome *out)
{
	out->sync = p->sync;
	out->sync_known = true;
	out->compared = true;
	out->apart = p->apart;
	out->end = p->told->end;
	(void)snprintf(out->version, sizeof out->version, "%s", p->told->begin.version);
	settle_digest_event(p, &out->event);
}

enum err exchange_finish_digest(
	struct exchange *x, struct store *st, const struct answer *a, struct outcome *out, struct reason *why)
{
	struct buckets b = {.n = 0};
	struct reason text = {""};
	enum err e = buckets_decode(&b, a->body, span_of(x->node), x->compare.bits, &text);

	if (e == OK && b.end.to.seq < x->basis.witness.seq)
		e = fail(INVALID, &text, "its log ends before a position that it says it holds");
	if (e != OK) {
		buckets_done(&b);
		exchange_wrong(out, POLL_BAD_BODY, "%s", text.text);
		return exchange_finish_failed(x, st, out, why);
	}
	struct digest_apply p = {
		.node = x->node, .basis = &x->basis, .told = &b, .limits = &x->compare.limits};

	e = store_apply_digest(st, &p, why);
	if (e == OK)
		told(&p, out);
	buckets_done(&b);
	return exchange_settle(e, out, why);
}

bool exchange_decode_fetch(
	const struct exchange *x, const struct answer *a, struct page *page, struct outcome *out)
{
	struct reason why = {""};

	if (page_decode(page, a->body, span_of(x->node), 0, &why) != OK) {
		exchange_wrong(out, POLL_BAD_BODY, "%s", why.text);
		return false;
	}
	if (fetch_check(page, &x->compare.fetched.buckets, &why) == OK &&
		page->end.to.seq < x->compare.fetched.cursor)
		(void)fail(INVALID, &why, "its log ends before the position that its digests were of");
	if (!why.text[0])
		return exchange_passes_any(page, out);
	exchange_wrong(out, POLL_BAD_BODY, "%s", why.text);
	page_done(page);
	return false;
}

/* Everything is read again instead. */
static enum err give_up(struct exchange *x, struct store *st, struct outcome *out, struct reason *why)
{
	struct sync_change change;

	exchange_decide_reread(&x->basis, &out->why, &change, &out->event);
	return exchange_move(x, st, &change, out, why);
}

enum err exchange_finish_unable(
	struct exchange *x, struct store *st, const struct answer *a, struct outcome *out, struct reason *why)
{
	out->result = POLL_OK;
	out->too_large = a->status == 413 && x->compare.fetched.buckets.n > 1;
	return out->too_large ? OK : give_up(x, st, out, why);
}

/* A node that is down is not to be read as a whole for it; an answer that never comes whole may be too much. */
bool exchange_speaks_against(const struct exchange *x, enum poll_result r)
{
	if (!exchange_compares(x))
		return false;
	return r == POLL_TIMEOUT || r == POLL_NETWORK || r == POLL_HTTP || r == POLL_BAD_BODY;
}

enum err exchange_finish_failed(struct exchange *x, struct store *st, struct outcome *out, struct reason *why)
{
	if (!exchange_speaks_against(x, out->result) || x->compare.failures + 1 < EXCHANGE_COMPARE_TRIES)
		return OK;
	return give_up(x, st, out, why);
}
