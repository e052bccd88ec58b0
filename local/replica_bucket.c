#include "local/replica_private.h"

#include <assert.h>
#include <stdlib.h>

#include "shared/clock.h"

#define BITS_MAX 16

static void encode_bucket(uint32_t bucket, struct digest d, struct buf *out)
{
	buf_text(out, "{\"bucket\":");
	buf_u64(out, bucket);
	buf_text(out, ",\"count\":");
	buf_u64(out, d.count);
	buf_text(out, ",\"sum\":\"");
	buf_hex64(out, d.lane[0]);
	buf_hex64(out, d.lane[1]);
	buf_text(out, "\"}");
}

enum err replica_buckets(struct replica *r, unsigned bits, struct buf *out, struct reason *why)
{
	assert(bits <= BITS_MAX);
	size_t n = (size_t)1 << bits;
	struct digest *sums = calloc(n, sizeof *sums);
	if (!sums)
		return fail(RETRY, why, "out of memory");
	struct lite *l;
	struct log_state s;
	enum err e = reader_begin(r, &l, &s, why);
	if (e == OK) {
		struct query q = query_begin(l, SQL_LOCAL_RECORD_HASHES);
		while (query_step(q))
			digest_add(&sums[hash_bucket(query_col_text(q, 0), bits)],
				(struct hash){{query_col_u64(q, 1), query_col_u64(q, 2)}});
		query_done(q);
		buf_printf(out, "{\"epoch\":\"%s\",\"seq\":%llu,\"bits\":%u,\"buckets\":[", s.epoch.hex,
			(unsigned long long)s.head.seq, bits);
		bool first = true;
		for (uint32_t i = 0; i < n; i++) {
			if (sums[i].count == 0)
				continue;
			buf_text(out, first ? "" : ",");
			encode_bucket(i, sums[i], out);
			first = false;
		}
		buf_text(out, "]}");
		e = reader_end(r, l, out, why);
	}
	free(sums);
	return e;
}

enum err replica_fetch(struct replica *r, unsigned bits, const uint32_t *buckets, size_t n, struct buf *out,
	struct reason *why)
{
	assert(bits <= BITS_MAX);
	bool *wanted = calloc((size_t)1 << bits, sizeof *wanted);
	if (!wanted)
		return fail(RETRY, why, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (buckets[i] < (uint32_t)1 << bits)
			wanted[buckets[i]] = true;
	struct lite *l;
	struct log_state s;
	int64_t t_recv_us = clock_wall_us();
	enum err e = reader_begin(r, &l, &s, why);
	if (e == OK) {
		struct query q = query_begin(l, SQL_LOCAL_RECORD_AFTER);
		query_u64(q, 1, 0);
		query_i64(q, 2, INT64_MAX);
		while (query_step(q)) {
			if (out->len > PAGE_BYTES_MAX)
				lite_fail(l, INVALID,
					"these buckets hold more than %d bytes: fetch fewer, or smaller ones",
					PAGE_BYTES_MAX);
			if (!wanted[hash_bucket(row_id(q), bits)])
				continue;
			struct record v;
			struct vector vv;
			row_read(q, r, &v, &vv);
			record_encode(&v, out);
			buf_char(out, '\n');
		}
		query_done(q);
		struct page_end end = {.to = s.head,
			.head_seq = s.head.seq,
			.digest = s.digest,
			.oldest_after_us = -1,
			.t_recv_us = t_recv_us,
			.t_send_us = clock_wall_us(),
			.clock_error_us = clock_error_us()};
		page_encode_end(&end, out);
		e = reader_end(r, l, out, why);
	}
	free(wanted);
	return e;
}
