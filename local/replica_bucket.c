#include "local/replica_private.h"

#include <assert.h>
#include <stdlib.h>

/* Reads in one transaction what stands on the request's basis; `answer` appends the lines between first and last. */
struct look {
	struct replica *replica;
	const struct page_request *request;
	void (*answer)(struct look *k, struct lite *l, struct buf *out);
	/* of the one or the other: */
	unsigned bits;
	const struct bucket_set *wanted;
	size_t records;
};

static void answer_look(struct look *k, struct lite *l, const struct log_state *s, int64_t t_recv_us,
	struct feed_served *ret, struct buf *out)
{
	ret->end = (struct page_end){.to = s->head,
		.head_seq = s->head.seq,
		.digest = s->digest,
		.oldest_after_us = -1,
		.t_recv_us = t_recv_us};
	frame_begin(k->replica, s, k->request, out);
	k->answer(k, l, out);
	ret->records = k->records;
	frame_end(k->replica, &ret->end, out);
}

static enum err look(
	struct look *k, int64_t t_recv_us, struct feed_served *ret, struct buf *out, struct reason *why)
{
	const struct page_request *q = k->request;
	struct lite *l;
	struct log_state s;
	enum err e = reader_begin(k->replica, &l, &s, why);
	if (e != OK)
		return e;
	struct feed_served served = {.epoch = s.epoch};
	served.verdict = position_verdict(l, &s, &q->epoch, q->witness);
	if (served.verdict == FEED_SERVED)
		answer_look(k, l, &s, t_recv_us, &served, out);
	e = reader_end(k->replica, l, out, why);
	return e == OK ? served_end(k->replica, q, &served, ret, why) : e;
}

/* --- digests --- */

static void sum_rows(struct lite *l, unsigned bits, struct digest *sums)
{
	struct query q = query_begin(l, SQL_LOCAL_RECORD_HASHES);
	while (query_step(q))
		digest_add(&sums[hash_bucket(query_col_text(q, 0), bits)],
			(struct hash){{query_col_u64(q, 1), query_col_u64(q, 2)}});
	query_done(q);
}

static void answer_digests(struct look *k, struct lite *l, struct buf *out)
{
	size_t n = (size_t)1 << k->bits;
	struct digest *sums = calloc(n, sizeof *sums);
	if (!sums) {
		lite_fail(l, RETRY, "out of memory");
		return;
	}
	sum_rows(l, k->bits, sums);
	for (size_t i = 0; i < n; i++)
		if (sums[i].count > 0)
			bucket_encode(&(struct bucket){(uint16_t)i, sums[i]}, out);
	free(sums);
}

enum err replica_buckets(struct replica *r, const struct page_request *q, unsigned bits, int64_t t_recv_us,
	struct feed_served *ret, struct buf *out, struct reason *why)
{
	assert(bits <= BUCKET_BITS_MAX);
	struct look k = {.replica = r, .request = q, .answer = answer_digests, .bits = bits};
	return look(&k, t_recv_us, ret, out, why);
}

/* --- records --- */

struct places {
	uint64_t at[PAGE_LIMIT_MAX];
	size_t n;
};

static int compare_places(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Where the wanted buckets' records stand in the log, rising. */
static void find_places(struct lite *l, const struct bucket_set *wanted, struct places *ret)
{
	struct query q = query_begin(l, SQL_LOCAL_RECORD_IDS);
	while (query_step(q)) {
		if (!bucket_set_has(wanted, query_col_text(q, 1)))
			continue;
		if (ret->n == PAGE_LIMIT_MAX) {
			lite_fail(l, INVALID,
				"these buckets hold more than %d records: fetch fewer, or smaller ones",
				PAGE_LIMIT_MAX);
			break;
		}
		ret->at[ret->n++] = query_col_u64(q, 0);
	}
	query_done(q);
	qsort(ret->at, ret->n, sizeof ret->at[0], compare_places);
}

static void put_record_at(struct look *k, struct lite *l, uint64_t seq, struct buf *out)
{
	struct query q = query_begin(l, SQL_LOCAL_RECORD_AT);
	query_u64(q, 1, seq);
	if (query_step(q)) {
		struct record v;
		struct vector vv;
		row_read(q, k->replica, &v, &vv);
		record_encode(&v, out);
		buf_char(out, '\n');
		k->records++;
	}
	query_done(q);
}

static void answer_records(struct look *k, struct lite *l, struct buf *out)
{
	size_t begin = out->len;
	struct places *p = calloc(1, sizeof *p);
	if (!p) {
		lite_fail(l, RETRY, "out of memory");
		return;
	}
	find_places(l, k->wanted, p);
	for (size_t i = 0; i < p->n && lite_failed(l, NULL) == OK; i++) {
		put_record_at(k, l, p->at[i], out);
		if (out->len - begin > k->request->max_bytes)
			lite_fail(l, INVALID,
				"these buckets hold more than %u bytes: fetch fewer, or smaller ones",
				k->request->max_bytes);
	}
	free(p);
}

enum err replica_fetch(struct replica *r, const struct page_request *q, const struct bucket_set *wanted,
	int64_t t_recv_us, struct feed_served *ret, struct buf *out, struct reason *why)
{
	struct look k = {.replica = r, .request = q, .answer = answer_records, .wanted = wanted};
	return look(&k, t_recv_us, ret, out, why);
}
