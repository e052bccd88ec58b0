#include "local/feed.h"

#include "local/basis.h"
#include "shared/log.h"

static bool read_request(const struct http_request *q, struct page_request *p, struct http_reply *r)
{
	uint64_t limit, max_bytes, wait = 0, recount = 0;

	if (!basis_read(q, p, r))
		return false;
	limit = p->limit;
	max_bytes = p->max_bytes;
	if (!basis_number(q, "after", INT64_MAX, &p->after, r) ||
		!basis_number(q, "limit", PAGE_LIMIT_MAX, &limit, r) ||
		!basis_number(q, "max_bytes", PAGE_BYTES_MAX, &max_bytes, r) ||
		!basis_number(q, "wait", PAGE_WAIT_MAX_MS, &wait, r) ||
		!basis_number(q, "recount", 1, &recount, r))
		return false;
	p->limit = (unsigned)limit;
	p->max_bytes = (unsigned)max_bytes;
	p->wait_ms = (int64_t)wait;
	p->recount = recount;
	return true;
}

/*
 * The centre holds everything up to `after`.  Its witness may be further: an answer to a push tells
 * a position past writes that were not pulled yet.
 */
static void acknowledge(struct local *l, const struct page_request *p)
{
	struct position held = p->witness;

	if (p->after < held.seq)
		held = (struct position){.seq = p->after};
	replica_acknowledge(l->replica, &p->centre, held);
}

static bool is_gone(const void *q)
{
	return http_is_gone(q);
}

/*
 * The page is made before the request is parked and made anew afterwards: a write that came
 * between the two is seen by replica_wait_news(), which compares with the log's end first.
 */
static enum err serve(struct local *l, const struct http_request *q, const struct page_request *p,
	struct feed_served *served, struct buf *out, struct reason *why)
{
	enum err e = replica_feed(l->replica, p, q->received_us, served, out, why);

	if (e != OK || served->verdict != FEED_SERVED)
		return e;
	acknowledge(l, p);
	if (served->records || p->limit == 0 || p->wait_ms == 0 || l->never_wait || !http_may_wait(q))
		return OK;
	replica_wait_news(l->replica, p->after, p->wait_ms, is_gone, q);
	if (!http_may_be_large(q, NULL))
		return OK; /* with the empty page, to nobody */
	buf_clear(out);
	return replica_feed(l->replica, p, q->received_us, served, out, why);
}

static void get(struct local *l, const struct http_request *q, struct http_reply *r)
{
	struct page_request p;
	struct feed_served served = {0};
	struct reason why;

	if (!read_request(q, &p, r) || !http_may_be_large(q, r))
		return;
	enum err e = serve(l, q, &p, &served, &r->body, &why);
	if (e != OK) {
		buf_clear(&r->body);
		local_problem(l, r, e, &why);
	} else if (served.verdict != FEED_SERVED) {
		basis_refuse(l, &p, &served, r);
	} else {
		const struct page_damage *bad = &served.end.damage;

		if (bad->records > 0)
			local_tell_damage(l, "%llu records do not fit their hash; one is %s",
				(unsigned long long)bad->records,
				bad->first[0] ? bad->first : "not even readable");
		if (served.records > 0)
			log_event(LOG_DEBUG, "served", "centre", p.centre.hex, "records",
				LOG_I64((int64_t)served.records), "seq", LOG_I64((int64_t)served.end.to.seq),
				NULL);
		r->status = 200;
		r->content_type = "application/x-ndjson";
	}
}

void feed_get(void *local, struct http_request *q, struct http_reply *r)
{
	get(local, q, r);
	basis_answer(q, r);
}
