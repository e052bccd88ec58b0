#include "local/buckets.h"

#include "local/basis.h"
#include "shared/log.h"

static void answer(struct local *l, enum err e, const struct page_request *p,
	const struct feed_served *served, const struct reason *why, struct http_reply *r)
{
	if (e != OK)
		buf_clear(&r->body);
	if (e == INVALID) {
		http_problem(r, "body_too_large", "%s", why->text);
	} else if (e != OK) {
		local_problem(l, r, e, why);
	} else if (served->verdict != FEED_SERVED) {
		basis_refuse(l, p, served, r);
	} else {
		r->status = 200;
		r->content_type = "application/x-ndjson";
	}
}

static void get(struct local *l, const struct http_request *q, struct http_reply *r)
{
	struct page_request p;
	struct feed_served served = {0};
	uint64_t bits = 0;
	struct reason why;

	if (!basis_read(q, &p, r) || !basis_number(q, "bits", BUCKET_BITS_MAX, &bits, r))
		return;
	if (!http_may_be_large(q, r))
		return;
	enum err e = replica_buckets(l->replica, &p, (unsigned)bits, q->received_us, &served, &r->body, &why);
	answer(l, e, &p, &served, &why, r);
	if (r->status == 200)
		log_event(LOG_DEBUG, "compared", "centre", p.centre.hex, "bits", LOG_I64((int64_t)bits),
			"seq", LOG_I64((int64_t)served.end.to.seq), NULL);
}

static void fetch(struct local *l, struct http_request *q, struct http_reply *r)
{
	struct page_request p;
	struct bucket_set wanted;
	struct feed_served served = {0};
	uint64_t max_bytes = PAGE_BYTES_MAX;
	struct reason why;

	if (!basis_read(q, &p, r) || !basis_number(q, "max_bytes", PAGE_BYTES_MAX, &max_bytes, r))
		return;
	p.max_bytes = (unsigned)max_bytes;
	if (fetch_request_decode(&wanted, q->body, &q->arena, &why) != OK) {
		http_problem(r, "bad_request", "%s", why.text);
		return;
	}
	if (!http_may_be_large(q, r))
		return;
	enum err e = replica_fetch(l->replica, &p, &wanted, q->received_us, &served, &r->body, &why);
	answer(l, e, &p, &served, &why, r);
	if (r->status == 200)
		log_event(LOG_DEBUG, "fetched", "centre", p.centre.hex, "records",
			LOG_I64((int64_t)served.records), "seq", LOG_I64((int64_t)served.end.to.seq), NULL);
}

void buckets_get(void *local, struct http_request *q, struct http_reply *r)
{
	get(local, q, r);
	basis_answer(q, r);
}

void buckets_fetch(void *local, struct http_request *q, struct http_reply *r)
{
	fetch(local, q, r);
	basis_answer(q, r);
}
