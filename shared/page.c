#include "shared/page.h"

#include <assert.h>
#include <string.h>

#include "shared/clock.h"

/* --- the request --- */

void page_request_encode_basis(const struct page_request *q, struct buf *target)
{
	buf_text(target, "?centre=");
	buf_text(target, q->centre.hex);
	buf_text(target, "&request=");
	buf_text(target, q->request.hex);
	buf_text(target, "&protocol=");
	protocol_encode(protocol_ours(), target);
	buf_text(target, "&epoch=");
	buf_text(target, q->epoch.hex);
	buf_text(target, "&witness=");
	position_encode(q->witness, target);
}

void page_request_encode(const struct page_request *q, struct buf *target)
{
	buf_text(target, "/v1/changes");
	page_request_encode_basis(q, target);
	buf_printf(target, "&after=%llu&limit=%u&max_bytes=%u", (unsigned long long)q->after, q->limit,
		q->max_bytes);
	if (q->wait_ms > 0)
		buf_printf(target, "&wait=%lld", (long long)q->wait_ms);
	if (q->recount)
		buf_text(target, "&recount=1");
}

/* --- the first line --- */

enum begin_name { OF_NODE, OF_EPOCH, OF_REQUEST, OF_VERSION, OF_PROTOCOL, BEGIN_NAMES };

static const struct span begin_names[BEGIN_NAMES] = {
	[OF_NODE] = MEMBER("node"),
	[OF_EPOCH] = MEMBER("epoch"),
	[OF_REQUEST] = MEMBER("request"),
	[OF_VERSION] = MEMBER("version"),
	[OF_PROTOCOL] = MEMBER("protocol"),
};

void page_encode_begin(const struct page_begin *b, struct buf *out)
{
	buf_printf(out, "{\"node\":\"%s\",\"epoch\":\"%s\",\"request\":\"%s\",\"version\":", b->node,
		b->epoch.hex, b->request.hex);
	buf_json_text(out, span_of(b->version));
	buf_printf(out, ",\"protocol\":%u}\n", b->protocol);
}

static enum err take_id(const struct members *m, size_t i, struct epoch *ret, struct reason *why)
{
	struct span text;

	if (!members_has(m, i) || m->values[i].kind != JSON_TEXT || m->values[i].raw.len != 34)
		return members_refuse(m, i, why, "not 32 hex digits");
	text = (struct span){m->values[i].raw.at + 1, 32};
	return epoch_parse(text, ret) ? OK : members_refuse(m, i, why, "not 32 hex digits");
}

static enum err take_program(const struct members *m, struct page_begin *b, struct reason *why)
{
	struct span version;
	uint64_t protocol;
	enum err e;

	if (!members_has(m, OF_VERSION) || m->values[OF_VERSION].kind != JSON_TEXT)
		return members_refuse(m, OF_VERSION, why, "not a text");
	version = (struct span){m->values[OF_VERSION].raw.at + 1, m->values[OF_VERSION].raw.len - 2};
	if (version.len >= sizeof(b->version) || memchr(version.at, '\\', version.len) ||
		memchr(version.at, 0x7f, version.len)) /* which we would write with an escape */
		return members_refuse(m, OF_VERSION, why, "longer than 31 plain characters");
	memcpy(b->version, version.at, version.len);
	if ((e = members_u64(m, OF_PROTOCOL, &protocol, why)))
		return e;
	if (protocol > UINT32_MAX)
		return members_refuse(m, OF_PROTOCOL, why, "not a version");
	b->protocol = (unsigned)protocol;
	return OK;
}

enum err page_decode_begin(struct page_begin *ret, struct span body, struct reason *why)
{
	const char *stop = body.len > 0 ? memchr(body.at, '\n', body.len) : NULL;
	struct span line = {body.at, stop ? (size_t)(stop - body.at) : body.len};
	struct json_value values[BEGIN_NAMES] = {0};
	struct members m = {.names = begin_names, .values = values, .n = BEGIN_NAMES};
	struct page_begin b = {0};
	struct span node;
	enum err e;

	if ((e = members_read(&m, line, why)))
		return e;
	if (!members_has(&m, OF_NODE) || values[OF_NODE].kind != JSON_TEXT)
		return members_refuse(&m, OF_NODE, why, "not a text");
	node = (struct span){values[OF_NODE].raw.at + 1, values[OF_NODE].raw.len - 2};
	if (!record_owner_ok(node))
		return members_refuse(&m, OF_NODE, why, RECORD_OWNER_RULE);
	memcpy(b.node, node.at, node.len);
	if ((e = take_id(&m, OF_EPOCH, &b.epoch, why)) || (e = take_id(&m, OF_REQUEST, &b.request, why)) ||
		(e = take_program(&m, &b, why)))
		return e;
	*ret = b;
	return OK;
}

/* --- the last line --- */

enum end_name {
	OF_END,
	OF_TO_SEQ,
	OF_TO_HEAD,
	OF_HEAD_SEQ,
	OF_MORE,
	OF_DIGEST,
	OF_OLDEST,
	OF_RECV,
	OF_SEND,
	OF_CLOCK_ERROR,
	OF_CHRONY,
	OF_DAMAGED,
	OF_UNWELL,
	OF_APPLIED,
	END_NAMES,
};

static const struct span end_names[END_NAMES] = {
	[OF_END] = MEMBER("end"),
	[OF_TO_SEQ] = MEMBER("to_seq"),
	[OF_TO_HEAD] = MEMBER("to_head"),
	[OF_HEAD_SEQ] = MEMBER("head_seq"),
	[OF_MORE] = MEMBER("more"),
	[OF_DIGEST] = MEMBER("digest"),
	[OF_OLDEST] = MEMBER("oldest_after"),
	[OF_RECV] = MEMBER("t_recv_us"),
	[OF_SEND] = MEMBER("t_send_us"),
	[OF_CLOCK_ERROR] = MEMBER("clock_error_us"),
	[OF_CHRONY] = MEMBER("chrony"),
	[OF_DAMAGED] = MEMBER("damaged"),
	[OF_UNWELL] = MEMBER("unwell"),
	[OF_APPLIED] = MEMBER("applied"),
};

void page_encode_end(const struct page_end *e, struct buf *out)
{
	char head[33];

	hash_hex(e->to.head, head);
	buf_printf(out,
		"{\"end\":true,\"to_seq\":%llu,\"to_head\":\"%s\",\"head_seq\":%llu,\"more\":%s,\"digest\":",
		(unsigned long long)e->to.seq, head, (unsigned long long)e->head_seq,
		e->more ? "true" : "false");
	digest_encode(e->digest, out);
	buf_text(out, ",\"oldest_after\":");
	if (e->oldest_after_us < 0) {
		buf_text(out, "null");
	} else {
		buf_char(out, '"');
		buf_time(out, e->oldest_after_us);
		buf_char(out, '"');
	}
	buf_printf(out, ",\"t_recv_us\":%lld,\"t_send_us\":%lld,\"clock_error_us\":", (long long)e->t_recv_us,
		(long long)e->t_send_us);
	if (e->clock_error_us < 0)
		buf_text(out, "null");
	else
		buf_i64(out, e->clock_error_us);
	if (e->chrony.state != CHRONY_UNKNOWN) {
		buf_text(out, ",\"chrony\":");
		chrony_put(&e->chrony, out);
	}
	if (e->damage.known) {
		buf_printf(out,
			",\"damaged\":{\"records\":%llu,\"first\":", (unsigned long long)e->damage.records);
		buf_json_text(out, span_of(e->damage.first));
		buf_char(out, '}');
	}
	if (e->unwell.kinds) {
		buf_text(out, ",\"unwell\":");
		ailments_put(&e->unwell, out);
	}
	if (e->brief) {
		buf_text(out, ",\"applied\":");
		buf_u64(out, e->applied);
	}
	buf_text(out, "}\n");
}

/* Only told: it decides nothing.  False: not to be read; then nothing is known. */
static bool take_damage(struct span raw, struct page_damage *ret)
{
	static const struct span names[] = {MEMBER("records"), MEMBER("first")};
	struct json_value values[2] = {0};
	struct members m = {.names = names, .values = values, .n = 2};
	struct page_damage d = {.known = true};

	if (members_read(&m, raw, NULL) || members_u64(&m, 0, &d.records, NULL))
		return false;
	if (d.records > 0 && values[1].kind == JSON_TEXT && values[1].raw.at) {
		struct span id = {values[1].raw.at + 1, values[1].raw.len - 2};

		if (record_id_ok(id))
			memcpy(d.first, id.at, id.len);
	}
	*ret = d;
	return true;
}

static enum err take_digest(const struct members *end, struct digest *ret, struct reason *why)
{
	static const struct span names[] = {MEMBER("count"), MEMBER("sum")};
	struct json_value values[2] = {0};
	struct members m = {.names = names, .values = values, .n = 2};
	struct reason inner = {0};
	struct digest d = {0};

	if (!members_has(end, OF_DIGEST) || end->values[OF_DIGEST].kind != JSON_OBJECT)
		return members_refuse(end, OF_DIGEST, why, "not an object");
	if (members_read(&m, end->values[OF_DIGEST].raw, &inner) || members_u64(&m, 0, &d.count, &inner))
		return members_refuse(end, OF_DIGEST, why, inner.text);
	if (!members_has(&m, 1) || values[1].kind != JSON_TEXT ||
		!digest_parse_sum((struct span){values[1].raw.at + 1, values[1].raw.len - 2}, d.lane))
		return members_refuse(end, OF_DIGEST, why, "sum: not 32 hex digits");
	*ret = d;
	return OK;
}

static enum err take_place(const struct members *m, struct page_end *end, struct reason *why)
{
	const struct json_value *head = &m->values[OF_TO_HEAD];
	enum err e;

	if ((e = members_u64(m, OF_TO_SEQ, &end->to.seq, why)) ||
		(e = members_u64(m, OF_HEAD_SEQ, &end->head_seq, why)) ||
		(e = members_bool(m, OF_MORE, &end->more, why)))
		return e;
	if (!members_has(m, OF_TO_HEAD) || head->kind != JSON_TEXT ||
		!hash_parse((struct span){head->raw.at + 1, head->raw.len - 2}, &end->to.head))
		return members_refuse(m, OF_TO_HEAD, why, "not 32 hex digits");
	if (end->to.seq == 0 && !hash_is_none(end->to.head))
		return members_refuse(m, OF_TO_HEAD, why, "not zero at seq 0");
	if (end->to.seq > end->head_seq)
		return members_refuse(m, OF_TO_SEQ, why, "past head_seq");
	if (end->more != (end->to.seq < end->head_seq))
		return members_refuse(m, OF_MORE, why, "does not fit to_seq and head_seq");
	return OK;
}

static enum err take_times(const struct members *m, struct page_end *end, struct reason *why)
{
	const struct json_value *oldest = &m->values[OF_OLDEST];
	uint64_t n;
	enum err e;

	end->oldest_after_us = -1;
	if (!members_null(m, OF_OLDEST)) {
		if (oldest->kind == JSON_TEXT)
			end->oldest_after_us = clock_parse(oldest->raw.at + 1, oldest->raw.len - 2);
		if (end->oldest_after_us < 0)
			return members_refuse(m, OF_OLDEST, why, "not a time");
	}
	if ((e = members_i64(m, OF_RECV, &end->t_recv_us, why)) ||
		(e = members_i64(m, OF_SEND, &end->t_send_us, why)))
		return e;
	/* Only for people: what cannot be read of it is no reason to leave the records where they are. */
	if (members_has(m, OF_CHRONY) && !chrony_take(m->values[OF_CHRONY].raw, &end->chrony))
		end->chrony.state = CHRONY_UNKNOWN;
	end->clock_error_us = -1;
	if (members_null(m, OF_CLOCK_ERROR))
		return OK;
	if ((e = members_u64(m, OF_CLOCK_ERROR, &n, why)))
		return e;
	end->clock_error_us = (int64_t)n;
	return OK;
}

enum err page_decode_end(struct page_end *ret, struct span line, struct reason *why)
{
	struct json_value values[END_NAMES] = {0};
	struct members m = {.names = end_names, .values = values, .n = END_NAMES};
	struct page_end end = {0};
	enum err e;

	if ((e = members_read(&m, line, why)))
		return e;
	if (values[OF_END].kind != JSON_TRUE)
		return fail(INVALID, why, "truncated: the page's end is missing");
	if ((e = take_place(&m, &end, why)) || (e = take_digest(&m, &end.digest, why)) ||
		(e = take_times(&m, &end, why)))
		return e;
	end.brief = members_has(&m, OF_APPLIED);
	if (end.brief && (e = members_u64(&m, OF_APPLIED, &end.applied, why)))
		return e;
	if (values[OF_DAMAGED].kind == JSON_OBJECT)
		(void)take_damage(values[OF_DAMAGED].raw, &end.damage);
	if (values[OF_UNWELL].kind == JSON_OBJECT && !ailments_take(values[OF_UNWELL].raw, &end.unwell))
		end.unwell.kinds = 0;
	*ret = end;
	return OK;
}

/* --- the whole --- */

static size_t count_lines(struct span body)
{
	size_t n = 0;

	for (const char *at = body.at, *end = at + body.len; at < end; n++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		at = stop ? stop + 1 : end;
	}
	return n;
}

enum err page_lines_split(
	struct page_lines *ret, struct span body, size_t max, struct arena *a, struct reason *why)
{
	const char *at = body.at;
	size_t n = body.len > 0 ? count_lines(body) : 0;

	if (n == 0)
		return fail(INVALID, why, "line 1: truncated: nothing came");
	if (body.at[body.len - 1] != '\n')
		return fail(INVALID, why, "line %zu: truncated: the line has no end", n);
	if (n < 2)
		return fail(INVALID, why, "line 2: truncated: the page's end is missing");
	if (n - 2 > max)
		return fail(INVALID, why, "line %zu: more than the %zu lines that are allowed here", max + 2,
			max);
	ret->n = n;
	ret->at = arena_alloc(a, n * sizeof(*ret->at));
	for (size_t i = 0; i < n; i++) {
		const char *stop = memchr(at, '\n', (size_t)(body.at + body.len - at));

		assert(stop);
		ret->at[i] = (struct span){at, (size_t)(stop - at)};
		at = stop + 1;
	}
	return OK;
}

enum err page_lines_fail(size_t line, struct reason *why, const struct reason *inner)
{
	return fail(INVALID, why, "line %zu: %s", line, inner->text);
}

enum err page_lines_frame(const struct page_lines *lines, struct span owner, struct page_begin *begin,
	struct page_end *end, struct reason *why)
{
	struct reason inner = {0};

	if (page_decode_begin(begin, lines->at[0], &inner))
		return page_lines_fail(1, why, &inner);
	if (!protocol_within(begin->protocol, protocol_ours()))
		return fail(INVALID, why, "line 1: protocol: not a version that was offered");
	if (owner.len > 0 && !span_is(owner, begin->node))
		return fail(INVALID, why, "line 1: node: this is %s, not %.*s", begin->node, (int)owner.len,
			owner.at);
	if (page_decode_end(end, lines->at[lines->n - 1], &inner))
		return page_lines_fail(lines->n, why, &inner);
	return OK;
}

/* Doubled when it is full: the arena keeps what was outgrown, which a local must not make large by short lines. */
static void refuse(
	struct page *p, struct span line, const struct record_claim *claim, const struct reason *why)
{
	if ((p->n_refused & (p->n_refused - 1)) == 0) {
		struct page_refused *more = arena_alloc(&p->arena, (2 * p->n_refused + 1) * sizeof(*more));

		if (p->n_refused > 0)
			memcpy(more, p->refused, p->n_refused * sizeof(*more));
		p->refused = more;
	}
	p->refused[p->n_refused++] = (struct page_refused){.claim = *claim, .line = line, .why = *why};
}

/* A line that is no record; *ret_seq: its place all the same. */
static enum err take_refused(
	struct page *p, struct span line, const struct reason *inner, uint64_t *ret_seq, struct reason *why)
{
	struct record_claim claim;

	if (!record_claim(line, &claim, &p->arena))
		return fail(INVALID, why, "%s", inner->text);
	if (p->n_refused == PAGE_REFUSED_MAX)
		return fail(INVALID, why, "more than %d lines are no records; this one: %.120s",
			PAGE_REFUSED_MAX, inner->text);
	*ret_seq = claim.seq;
	refuse(p, line, &claim, inner);
	return OK;
}

/* Which lines the records are of that are decoded behind the first p->n. */
struct unproven {
	size_t line[HASH_LANES];
	size_t n;
};

/* Those whose hash fits join the first p->n. */
static enum err prove(struct page *p, const struct page_lines *lines, struct unproven *u, struct reason *why)
{
	const struct record *records[HASH_LANES] = {NULL};
	bool fits[HASH_LANES];
	struct reason inner = {0}, wrong = {"hash: " RECORD_HASH_RULE};
	uint64_t seq;

	for (size_t i = 0; i < u->n; i++)
		records[i] = &p->records[p->n + i];
	record_prove(records, u->n, fits);
	for (size_t i = 0; i < u->n; i++) {
		if (fits[i])
			p->records[p->n++] = *records[i];
		else if (take_refused(p, lines->at[u->line[i]], &wrong, &seq, &inner))
			return page_lines_fail(u->line[i] + 1, why, &inner);
	}
	u->n = 0;
	return OK;
}

/* *ret_seq: its place, whatever it is. */
static enum err take_line(struct page *p, const struct page_lines *lines, size_t i, struct span owner,
	struct unproven *u, uint64_t *ret_seq, struct reason *why)
{
	const struct record_decode how = {.owner = owner, .unproven = true};
	struct record *r = &p->records[p->n + u->n];
	struct reason wrong = {0}, inner = {0};
	enum err e;

	if (record_decode(r, lines->at[i], &how, &p->arena, &wrong) == OK) {
		*ret_seq = r->seq;
		u->line[u->n++] = i;
		return u->n < HASH_LANES ? OK : prove(p, lines, u, why);
	}
	e = prove(p, lines, u, why);
	if (e == OK && (e = take_refused(p, lines->at[i], &wrong, ret_seq, &inner)))
		return page_lines_fail(i + 1, why, &inner);
	return e;
}

static enum err take_records(
	struct page *p, const struct page_lines *lines, struct span owner, uint64_t after, struct reason *why)
{
	struct unproven unproven = {.n = 0};
	uint64_t last = after, seq = 0;
	enum err e;

	p->records = arena_alloc(&p->arena, (lines->n - 2) * sizeof(*p->records));
	for (size_t i = 1; i + 1 < lines->n; i++) {
		if ((e = take_line(p, lines, i, owner, &unproven, &seq, why)))
			return e;
		if (seq <= last || seq > p->end.to.seq)
			return fail(INVALID, why,
				"line %zu: seq: %llu, where one from %llu to %llu was expected", i + 1,
				(unsigned long long)seq, (unsigned long long)last + 1,
				(unsigned long long)p->end.to.seq);
		last = seq;
	}
	return prove(p, lines, &unproven, why);
}

static enum err decode(
	struct page *p, struct span body, struct span owner, uint64_t after, struct reason *why)
{
	struct page_lines lines;
	enum err e;

	if ((e = page_lines_split(&lines, body, PAGE_LIMIT_MAX, &p->arena, why)) ||
		(e = page_lines_frame(&lines, owner, &p->begin, &p->end, why)))
		return e;
	if (p->end.to.seq < after)
		return fail(INVALID, why, "line %zu: to_seq: before the %llu that was asked for", lines.n,
			(unsigned long long)after);
	return take_records(p, &lines, owner, after, why);
}

enum err page_decode(
	struct page *ret, struct span body, struct span owner, uint64_t after, struct reason *why)
{
	struct page p = {0};
	enum err e = decode(&p, body, owner, after, why);

	if (e)
		page_done(&p);
	else
		*ret = p;
	return e;
}

void page_done(struct page *p)
{
	arena_done(&p->arena);
	*p = (struct page){0};
}
