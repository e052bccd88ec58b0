#include "local/replica_private.h"

#include <string.h>

#include "shared/build.h"
#include "shared/clock.h"

/* Appends records until the page is full; *ret_to is the last one's place. */
static size_t encode_rows(struct replica *r, struct lite *l, const struct page_request *q, struct buf *out,
	struct position *ret_to)
{
	size_t begin = out->len, n = 0;
	struct query rows = query_begin(l, SQL_LOCAL_RECORD_AFTER);
	query_u64(rows, 1, q->after);
	query_i64(rows, 2, q->limit);
	while (query_step(rows)) {
		struct record v;
		struct vector vv;
		size_t before = out->len;
		row_read(rows, r, &v, &vv);
		record_encode(&v, out);
		buf_char(out, '\n');
		if (n > 0 && out->len - begin > q->max_bytes && !buf_failed(out)) {
			out->len = before;
			out->at[before] = '\0';
			break;
		}
		*ret_to = (struct position){.seq = v.seq, .head = row_head(rows)};
		n++;
	}
	query_done(rows);
	return n;
}

/* Where a page without records ends: where it began.  (0, none) when that place is no longer known. */
static struct position begin_of(struct lite *l, uint64_t after)
{
	struct position p = {.seq = after, .head = {{0, 0}}};
	if (after > 0)
		(void)position_find(l, after, &p.head);
	return p;
}

/* The sum of the hashes as they stand, and whose bytes do not give theirs. */
static struct digest recount(struct replica *r, struct lite *l, struct page_damage *ret)
{
	struct digest d = {0};
	*ret = (struct page_damage){.known = true};
	struct query rows = query_begin(l, SQL_LOCAL_RECORD_AFTER);
	query_u64(rows, 1, 0);
	query_i64(rows, 2, INT64_MAX);
	while (query_step(rows)) {
		struct record v;
		struct vector vv;
		bool whole = row_is_whole(rows, r, &v, &vv);
		digest_add(&d, v.hash);
		if (whole || ret->records++ > 0)
			continue;
		if (record_id_ok(v.id)) /* anything may stand there */
			memcpy(ret->first, v.id.at, v.id.len);
	}
	query_done(rows);
	return d;
}

void frame_begin(
	const struct replica *r, const struct log_state *s, const struct page_request *q, struct buf *out)
{
	struct page_begin begin = {.epoch = s->epoch,
		.request = q->request,
		.version = TIDEMARK_VERSION,
		.protocol = q->protocol};
	for (size_t i = 0; r->node[i]; i++)
		begin.node[i] = r->node[i];
	page_encode_begin(&begin, out);
}

void frame_end(struct replica *r, struct page_end *end, struct buf *out)
{
	replica_ailments(r, &end->unwell);
	end->clock_error_us = clock_error_us();
	chrony_now(&end->chrony);
	end->t_send_us = clock_wall_us(); /* last: what comes after it blurs the centre's measure */
	page_encode_end(end, out);
}

enum err served_end(struct replica *r, const struct page_request *q, const struct feed_served *served,
	struct feed_served *ret, struct reason *why)
{
	if (served->verdict == FEED_REWOUND && !served->ahead)
		known_contradict(&r->known, &served->epoch, q->witness);
	if (replica_is_lost(r)) /* what nobody will find again is not served */
		return replica_refuse(why);
	/* A place that is no longer known is none that the log could lose. */
	bool vouched = served->end.to.seq == 0 || !hash_is_none(served->end.to.head);
	if (served->verdict == FEED_SERVED && vouched)
		known_serve(&r->known, &served->epoch, served->end.to);
	*ret = *served;
	return OK;
}

static void serve(struct replica *r, struct lite *l, const struct log_state *s, const struct page_request *q,
	struct feed_served *ret, struct buf *out)
{
	frame_begin(r, s, q, out);
	if (q->limit > 0)
		ret->records = encode_rows(r, l, q, out, &ret->end.to);
	if (ret->records == 0)
		ret->end.to = begin_of(l, q->after);
	struct page_end *end = &ret->end;
	end->oldest_after_us = end->to.seq < s->head.seq ? reader_updated_after(l, end->to.seq) : -1;
	/*
	 * With no row behind it the page is the last, even if the newest row was lost: the
	 * digest tells that.
	 */
	if (end->oldest_after_us < 0)
		end->to = s->head;
	end->head_seq = s->head.seq;
	end->more = end->to.seq < s->head.seq;
	/* Only a page that ends at the head is a proof: no scan of all rows for each page on the way there. */
	end->digest = q->recount && !end->more ? recount(r, l, &end->damage) : s->digest;
	frame_end(r, end, out);
}

enum err replica_feed(struct replica *r, const struct page_request *q, int64_t t_recv_us,
	struct feed_served *ret, struct buf *out, struct reason *why)
{
	struct lite *l;
	struct log_state s;
	enum err e = reader_begin(r, &l, &s, why);
	if (e != OK)
		return e;
	struct feed_served served = {.epoch = s.epoch, .end = {.t_recv_us = t_recv_us}};
	served.verdict = position_verdict(l, &s, &q->epoch, q->witness);
	if (served.verdict == FEED_SERVED && q->after > s.head.seq) {
		served.verdict = FEED_REWOUND;
		served.ahead = true;
	}
	if (served.verdict == FEED_SERVED)
		serve(r, l, &s, q, &served, out);
	e = reader_end(r, l, out, why);
	return e == OK ? served_end(r, q, &served, ret, why) : e;
}
