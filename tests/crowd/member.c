#include "tests/crowd/member.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/http.h"

/* The longest body, as JSON text. */
#define BODY_MOST 65536

static const char *body_text(void)
{
	static char text[BODY_MOST];
	if (!text[0])
		memset(text, '7', sizeof text); /* a number of so many digits */
	return text;
}

void member_init(struct member *m, const char *name, unsigned body_bytes)
{
	assert(body_bytes >= 1 && body_bytes <= BODY_MOST);
	*m = (struct member){.epoch = epoch_new(), .actor = (uint64_t)(uintptr_t)m, .body_bytes = body_bytes};
	snprintf(m->name, sizeof m->name, "%s", name);
}

void member_done(struct member *m)
{
	free(m->rows);
}

/* The record of a row; `id` outlives it. */
static struct record record_at(const struct member *m, uint64_t seq, char id[24])
{
	snprintf(id, 24, "r%llu", (unsigned long long)seq);
	struct record r = {.owner = span_of(m->name),
		.id = span_of(id),
		.type = span_of("reading"),
		.body = {body_text(), m->body_bytes},
		.dot = {m->actor, seq},
		.created_at_us = 1000000,
		.updated_at_us = 1000000,
		.clock_error_us = -1,
		.seq = seq};
	r.hash = seq <= m->n ? m->rows[seq - 1].hash : record_hash(&r);
	return r;
}

void member_write(struct member *m, int64_t now_us)
{
	char id[24];
	struct hash before = m->n ? m->rows[m->n - 1].head : (struct hash){{0}};
	struct record r = record_at(m, m->n + 1, id);
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 8;
		m->rows = realloc(m->rows, m->cap * sizeof *m->rows);
		assert(m->rows);
	}
	m->rows[m->n++] = (struct member_row){
		.hash = r.hash, .head = record_chain(before, r.seq, r.id, r.hash), .wrote_us = now_us};
	digest_add(&m->digest, r.hash);
}

static uint64_t number(const struct http_request *q, const char *name, uint64_t absent)
{
	uint64_t n = absent;
	return span_to_u64(http_query(q, name), INT64_MAX, &n) ? n : absent;
}

bool member_read(struct member *m, struct span target, struct page_request *ret, struct buf *problem)
{
	struct http_request q = {0};
	struct reason why = {""};
	const char *query = memchr(target.at, '?', target.len);
	size_t before = query ? (size_t)(query + 1 - target.at) : target.len;
	enum err e = http_query_parse(&q, (struct span){target.at + before, target.len - before}, &why);
	*ret = (struct page_request){.after = number(&q, "after", 0),
		.limit = (unsigned)number(&q, "limit", PAGE_LIMIT_DEFAULT),
		.max_bytes = (unsigned)number(&q, "max_bytes", PAGE_BYTES_DEFAULT),
		.wait_ms = (int64_t)number(&q, "wait", 0)};
	bool good = e == OK && epoch_parse(http_query(&q, "request"), &ret->request) &&
		    epoch_parse(http_query(&q, "epoch"), &ret->epoch);
	arena_done(&q.arena);
	if (good && epoch_equal(&ret->epoch, &m->epoch) && ret->after <= m->n)
		return true;
	buf_printf(problem,
		"{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\"detail\":\"another\","
		"\"code\":\"epoch_changed\",\"epoch\":\"%s\",\"node\":\"%s\",\"request\":\"%s\"}\n",
		m->epoch.hex, m->name, ret->request.hex);
	return false;
}

void member_answer(const struct member *m, const struct page_request *q, int64_t received_us, struct buf *out)
{
	struct page_begin begin = {.epoch = m->epoch,
		.request = q->request,
		.protocol = PROTOCOL_VERSION_MAX,
		.version = "crowd"};
	struct page_end end = {.digest = m->digest,
		.head_seq = m->n,
		.oldest_after_us = -1,
		.clock_error_us = -1,
		.t_recv_us = received_us};
	uint64_t seq = q->after;
	char id[24];
	snprintf(begin.node, sizeof begin.node, "%s", m->name);
	page_encode_begin(&begin, out);
	for (size_t start = out->len; seq < m->n && seq - q->after < q->limit; seq++) {
		struct record r = record_at(m, seq + 1, id);
		if (out->len > start && out->len - start + m->body_bytes > q->max_bytes)
			break;
		record_encode(&r, out);
		buf_char(out, '\n');
	}
	end.to.seq = seq;
	if (seq > 0)
		end.to.head = m->rows[seq - 1].head;
	end.more = seq < m->n;
	end.t_send_us = clock_wall_us();
	page_encode_end(&end, out);
}
