#include "shared/push.h"

#include <string.h>

/* --- the request --- */

void push_request_encode(const struct push_request *q, struct buf *target)
{
	const struct page_request basis = {
		.centre = q->centre, .request = q->request, .epoch = q->epoch, .witness = q->witness};

	buf_text(target, "/v1/apply");
	page_request_encode_basis(&basis, target);
}

static void encode_hash(struct hash h, struct buf *out)
{
	char hex[33];

	hash_hex(h, hex);
	buf_char(out, '"');
	buf_text(out, hex);
	buf_char(out, '"');
}

void push_item_encode(const struct push_item *item, struct buf *out)
{
	record_encode_open(&item->record, out);
	buf_text(out, ",\"expected\":");
	if (hash_is_none(item->expected))
		buf_text(out, "null");
	else
		encode_hash(item->expected, out);
	buf_text(out, "}\n");
}

static enum err decode_item(
	struct push_item *ret, struct span line, struct span owner, struct arena *a, struct reason *why)
{
	struct json_value x = {.raw = {NULL, 0}};
	const struct record_decode how = {.owner = owner, .expected = &x, .unproven = true};
	struct push_item item = {0};
	enum err e = record_decode(&item.record, line, &how, a, why);

	if (e)
		return e;
	if (!x.raw.at)
		return fail(INVALID, why, "expected: missing");
	if (x.kind != JSON_NULL) {
		if (x.raw.len != 34 || !hash_parse((struct span){x.raw.at + 1, 32}, &item.expected) ||
			hash_is_none(item.expected))
			return fail(INVALID, why, "expected: neither null nor 32 hex digits");
	}
	*ret = item;
	return OK;
}

/*
 * The id of a line that is no good otherwise, so that the answer can name it; empty when it
 * cannot be read.
 */
static struct span find_id(struct span line)
{
	struct json_iter it;
	struct json_value value;
	struct span key, id;

	if (!json_open(&it, line) || it.kind != JSON_OBJECT)
		return (struct span){0};
	while (json_next(&it, &key, &value)) {
		if (value.kind != JSON_TEXT || !json_key_is(key, span_of("id")))
			continue;
		id = (struct span){value.raw.at + 1, value.raw.len - 2};
		return record_id_ok(id) ? id : (struct span){0};
	}
	return (struct span){0};
}

static struct span next_line(const char **at, const char *end)
{
	const char *stop = memchr(*at, '\n', (size_t)(end - *at));
	struct span line = {*at, (size_t)((stop ? stop : end) - *at)};

	*at = stop ? stop + 1 : end;
	return line;
}

static size_t count_lines(struct span body)
{
	const char *at = body.at, *end = at + body.len;
	size_t n = 0;

	for (; at < end; n++)
		(void)next_line(&at, end);
	return n;
}

static void add_bad(struct push *p, struct span id, const struct reason *why)
{
	if ((p->n_bad & (p->n_bad - 1)) == 0) { /* few, if any */
		struct push_bad *more = arena_alloc(&p->arena, (2 * p->n_bad + 1) * sizeof(*more));

		if (p->n_bad > 0)
			memcpy(more, p->bad, p->n_bad * sizeof(*more));
		p->bad = more;
	}
	p->bad[p->n_bad] = (struct push_bad){.line = p->n + p->n_bad + 1, .id = id, .why = *why};
	p->n_bad++;
}

enum err push_begin(struct push *ret, struct span body, struct span owner, struct reason *why)
{
	if (body.len == 0)
		body.at = ""; /* no pointer may be added to NULL */
	size_t lines = count_lines(body);

	if (lines > PUSH_LIMIT_MAX)
		return fail(INVALID, why, "%zu records, where at most %d are allowed", lines, PUSH_LIMIT_MAX);
	*ret = (struct push){.lines = lines, .owner = owner, .rest = body};
	ret->items = arena_alloc(&ret->arena, lines * sizeof(*ret->items));
	return OK;
}

/* So many behind the first p->n are decoded: those whose hash fits join them. */
static void prove(struct push *p, size_t n)
{
	struct push_item *items = p->items + p->n;
	const struct record *records[HASH_LANES] = {NULL};
	bool fits[HASH_LANES];

	for (size_t i = 0; i < n; i++)
		records[i] = &items[i].record;
	record_prove(records, n, fits);
	for (size_t i = 0; i < n; i++) {
		if (fits[i])
			p->items[p->n++] = items[i];
		else
			add_bad(p, items[i].record.id, &(struct reason){"hash: " RECORD_HASH_RULE});
	}
}

bool push_more(struct push *p, size_t lines)
{
	const char *at = p->rest.at, *end = at + p->rest.len;
	size_t unproven = 0;
	struct reason wrong; /* large: once, not for each line */

	for (size_t i = 0; i < lines && at < end; i++) {
		struct span text = next_line(&at, end);
		bool good = decode_item(&p->items[p->n + unproven], text, p->owner, &p->arena, &wrong) == OK;

		unproven += good;
		if (good && unproven < HASH_LANES)
			continue;
		prove(p, unproven);
		unproven = 0;
		if (!good)
			add_bad(p, find_id(text), &wrong);
	}
	prove(p, unproven);
	p->rest = (struct span){at, (size_t)(end - at)};
	return at < end;
}

enum err push_decode(struct push *ret, struct span body, struct span owner, struct reason *why)
{
	enum err e = push_begin(ret, body, owner, why);

	if (e == OK)
		(void)push_more(ret, ret->lines);
	return e;
}

void push_done(struct push *p)
{
	arena_done(&p->arena);
	*p = (struct push){0};
}

/* --- the answer --- */

static const char *const results[] = {
	[PUSH_APPLIED] = "applied",
	[PUSH_ALREADY] = "already",
	[PUSH_CONFLICT] = "conflict",
	[PUSH_REJECTED] = "rejected",
};

void push_answer_encode(const struct push_answer *a, struct buf *out)
{
	buf_text(out, "{\"id\":");
	if (record_id_ok(a->id)) { /* needs no escapes */
		buf_char(out, '"');
		buf_put(out, a->id);
		buf_char(out, '"');
	} else {
		buf_json_text(out, a->id);
	}
	buf_text(out, ",\"result\":\"");
	buf_text(out, results[a->result]);
	buf_char(out, '"');
	switch (a->result) {
	case PUSH_APPLIED:
	case PUSH_ALREADY:
		buf_text(out, ",\"hash\":");
		encode_hash(a->hash, out);
		break;
	case PUSH_CONFLICT:
		buf_text(out, ",\"record\":");
		if (a->has_record)
			record_encode(&a->record, out);
		else
			buf_text(out, "null");
		break;
	case PUSH_REJECTED:
		buf_text(out, ",\"reason\":");
		buf_json_text(out, a->reason);
		if (a->id.len == 0 && a->line > 0) {
			buf_text(out, ",\"line\":");
			buf_u64(out, a->line);
		}
		break;
	}
	buf_text(out, "}\n");
}

enum name { OF_ID, OF_RESULT, OF_HASH, OF_RECORD, OF_REASON, OF_LINE, NAMES };

static const struct span names[NAMES] = {
	[OF_ID] = MEMBER("id"),
	[OF_RESULT] = MEMBER("result"),
	[OF_HASH] = MEMBER("hash"),
	[OF_RECORD] = MEMBER("record"),
	[OF_REASON] = MEMBER("reason"),
	[OF_LINE] = MEMBER("line"),
};

static enum err take_hash(const struct members *m, struct hash *ret, struct reason *why)
{
	const struct json_value *v = &m->values[OF_HASH];

	if (!members_has(m, OF_HASH) || v->kind != JSON_TEXT ||
		!hash_parse((struct span){v->raw.at + 1, v->raw.len - 2}, ret))
		return members_refuse(m, OF_HASH, why, "not 32 hex digits");
	return OK;
}

/* As in a page: a broken record that says which it is holds up no other. */
static enum err take_broken(const struct members *m, struct arena *a, struct push_answer *ret,
	const struct reason *broken, struct reason *why)
{
	struct page_refused r = {.line = m->values[OF_RECORD].raw, .why = *broken};
	struct page_refused *kept;

	if (!record_claim(r.line, &r.claim, a) || !span_equal(r.claim.id, ret->id))
		return members_refuse(m, OF_RECORD, why, broken->text);
	kept = arena_alloc(a, sizeof(*kept));
	*kept = r;
	ret->broken = kept;
	return OK;
}

static enum err take_record(const struct members *m, struct span owner, struct arena *a,
	struct push_answer *ret, struct reason *why)
{
	const struct record_decode how = {.owner = owner};
	struct reason inner = {0};

	if (!members_has(m, OF_RECORD))
		return members_refuse(m, OF_RECORD, why, "");
	if (m->values[OF_RECORD].kind == JSON_NULL)
		return OK;
	if (record_decode(&ret->record, m->values[OF_RECORD].raw, &how, a, &inner))
		return take_broken(m, a, ret, &inner, why);
	if (!span_equal(ret->record.id, ret->id))
		return members_refuse(m, OF_RECORD, why, "of another id");
	ret->has_record = true;
	return OK;
}

static enum err take_result(const struct members *m, enum push_result *ret, struct reason *why)
{
	const struct json_value *v = &m->values[OF_RESULT];

	if (members_has(m, OF_RESULT) && v->kind == JSON_TEXT)
		for (unsigned i = 0; i < sizeof(results) / sizeof(results[0]); i++)
			if (span_is((struct span){v->raw.at + 1, v->raw.len - 2}, results[i])) {
				*ret = (enum push_result)i;
				return OK;
			}
	return members_refuse(m, OF_RESULT, why, "not applied, already, conflict or rejected");
}

static enum err take_rejection(
	const struct members *m, struct arena *a, struct push_answer *ret, struct reason *why)
{
	uint64_t line = 0;
	enum err e = members_text(m, OF_REASON, a, &ret->reason, why);

	if (e == OK && members_has(m, OF_LINE))
		e = members_u64(m, OF_LINE, &line, why);
	ret->line = line;
	return e;
}

static enum err decode_answer(
	struct push_answer *ret, struct span line, struct span owner, struct arena *a, struct reason *why)
{
	struct json_value values[NAMES] = {0};
	struct members m = {.names = names, .values = values, .n = NAMES, .frame = 1}; /* a record in it */
	enum err e;

	if ((e = members_read(&m, line, why)) || (e = members_text(&m, OF_ID, a, &ret->id, why)) ||
		(e = take_result(&m, &ret->result, why)))
		return e;
	switch (ret->result) {
	case PUSH_APPLIED:
	case PUSH_ALREADY:
		return take_hash(&m, &ret->hash, why);
	case PUSH_CONFLICT:
		return take_record(&m, owner, a, ret, why);
	case PUSH_REJECTED:
		return take_rejection(&m, a, ret, why);
	}
	return INTERNAL;
}

static enum err decode_answers(
	struct push_answers *p, struct span body, struct span owner, struct reason *why)
{
	struct page_lines lines;
	struct reason inner = {0};
	enum err e;

	if ((e = page_lines_split(&lines, body, PUSH_LIMIT_MAX, &p->arena, why)) ||
		(e = page_lines_frame(&lines, owner, &p->begin, &p->end, why)))
		return e;
	p->answers = arena_alloc(&p->arena, (lines.n - 2) * sizeof(*p->answers));
	for (; p->n < lines.n - 2; p->n++)
		if (decode_answer(&p->answers[p->n], lines.at[p->n + 1], owner, &p->arena, &inner))
			return page_lines_fail(p->n + 2, why, &inner);
	return OK;
}

enum err push_answers_decode(
	struct push_answers *ret, struct span body, struct span owner, struct reason *why)
{
	struct push_answers p = {0};
	enum err e = decode_answers(&p, body, owner, why);

	if (e)
		push_answers_done(&p);
	else
		*ret = p;
	return e;
}

void push_answers_done(struct push_answers *p)
{
	arena_done(&p->arena);
	*p = (struct push_answers){0};
}
