#include "local/replica_private.h"

#include "shared/page.h"

/* Within a write transaction. */
static void measure(struct replica *r)
{
	if (r->shelf.known)
		return;
	struct query q = query_begin(r->lite, SQL_LOCAL_REPLACED_SUM);
	if (query_step(q))
		r->shelf =
			(struct shelf){.known = true, .n = query_col_u64(q, 0), .bytes = query_col_u64(q, 1)};
	query_done(q);
}

/* Up to where somebody said to hold everything; beyond the log's end nobody can have meant this log. */
static uint64_t acknowledged(struct replica *r)
{
	uint64_t seq = known_newest(&r->known);
	return seq <= r->tx.head.seq ? seq : 0;
}

/* The oldest goes; false: it is acknowledged by nobody, and stays. */
static bool drop_oldest(struct replica *r, uint64_t held)
{
	uint64_t seq = 0, bytes = 0;
	struct query q = query_begin(r->lite, SQL_LOCAL_REPLACED_OLDEST);
	query_u64(q, 1, held);
	bool any = query_step(q);
	if (any) {
		seq = query_col_u64(q, 0);
		bytes = query_col_u64(q, 1);
	}
	query_done(q);
	if (!any)
		return false;
	q = query_begin(r->lite, SQL_LOCAL_REPLACED_DROP);
	query_u64(q, 1, seq);
	query_run(q);
	r->shelf.n--;
	r->shelf.bytes -= bytes;
	return true;
}

bool replaced_keep(struct replica *r, uint64_t seq, size_t bytes)
{
	struct shelf *s = &r->shelf;
	measure(r);
	while (s->n >= r->replaced_kept || s->bytes + bytes > REPLACED_BYTES)
		if (!drop_oldest(r, acknowledged(r)))
			return false;
	struct query q = query_begin(r->lite, SQL_LOCAL_REPLACED_ADD);
	query_u64(q, 1, seq);
	query_run(q);
	s->n++;
	s->bytes += bytes;
	return true;
}

enum err replica_replaced(
	struct replica *r, uint64_t after, unsigned limit, struct buf *out, struct reason *why)
{
	struct lite *l;
	struct log_state s;
	enum err e = reader_begin(r, &l, &s, why);
	if (e != OK)
		return e;
	unsigned n = 0;
	bool more = false;
	struct query rows = query_begin(l, SQL_LOCAL_REPLACED_AFTER);
	query_u64(rows, 1, after);
	query_i64(rows, 2, (int64_t)limit + 1);
	buf_text(out, "{\"records\":[");
	while (query_step(rows) && !(more = n == limit || out->len > PAGE_BYTES_MAX)) {
		struct record v;
		struct vector vv;
		row_read(rows, r, &v, &vv);
		buf_text(out, n++ ? "," : "");
		record_encode(&v, out);
		after = v.seq;
	}
	query_done(rows);
	if (more)
		buf_printf(out, "],\"next\":%llu}", (unsigned long long)after);
	else
		buf_text(out, "],\"next\":null}");
	return reader_end(r, l, out, why);
}
