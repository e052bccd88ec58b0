#include "shared/bucket.h"

#include "shared/members.h"

/* --- digests --- */

void bucket_request_encode(const struct page_request *q, unsigned bits, struct buf *target)
{
	buf_text(target, "/v1/digest");
	page_request_encode_basis(q, target);
	buf_printf(target, "&bits=%u", bits);
}

void bucket_encode(const struct bucket *b, struct buf *out)
{
	buf_text(out, "{\"bucket\":");
	buf_u64(out, b->number);
	buf_text(out, ",\"count\":");
	buf_u64(out, b->digest.count);
	buf_text(out, ",\"sum\":\"");
	buf_hex64(out, b->digest.lane[0]);
	buf_hex64(out, b->digest.lane[1]);
	buf_text(out, "\"}\n");
}

enum bucket_name { OF_BUCKET, OF_COUNT, OF_SUM, BUCKET_NAMES };

static const struct span bucket_names[BUCKET_NAMES] = {
	[OF_BUCKET] = MEMBER("bucket"),
	[OF_COUNT] = MEMBER("count"),
	[OF_SUM] = MEMBER("sum"),
};

/* `least`: the lowest number that may come now. */
static enum err decode_line(
	struct bucket *ret, struct span line, uint64_t least, unsigned bits, struct reason *why)
{
	struct json_value values[BUCKET_NAMES] = {0};
	struct members m = {.names = bucket_names, .values = values, .n = BUCKET_NAMES};
	struct span sum = {0};
	uint64_t number;
	enum err e;

	if ((e = members_read(&m, line, why)) || (e = members_u64(&m, OF_BUCKET, &number, why)) ||
		(e = members_u64(&m, OF_COUNT, &ret->digest.count, why)))
		return e;
	if (number < least)
		return members_refuse(&m, OF_BUCKET, why, "not above the one before");
	if (number >> bits)
		return members_refuse(&m, OF_BUCKET, why, "none of the depth that was asked for");
	if (ret->digest.count == 0)
		return members_refuse(&m, OF_COUNT, why, "an empty bucket");
	if (members_has(&m, OF_SUM) && values[OF_SUM].kind == JSON_TEXT)
		sum = (struct span){values[OF_SUM].raw.at + 1, values[OF_SUM].raw.len - 2};
	if (!digest_parse_sum(sum, ret->digest.lane))
		return members_refuse(&m, OF_SUM, why, "not 32 hex digits");
	ret->number = (uint16_t)number;
	return OK;
}

static enum err take_lines(struct buckets *b, const struct page_lines *lines, struct reason *why)
{
	struct reason inner = {0};
	uint64_t least = 0, left = b->end.head_seq; /* each record has a place of its own in the log */

	b->at = arena_alloc(&b->arena, (lines->n - 1) * sizeof(*b->at));
	for (; b->n < lines->n - 2; b->n++) {
		struct bucket *to = &b->at[b->n];

		if (decode_line(to, lines->at[b->n + 1], least, b->bits, &inner))
			return page_lines_fail(b->n + 2, why, &inner);
		if (to->digest.count > left)
			return fail(INVALID, why, "line %zu: count: more records than its log has places",
				b->n + 2);
		left -= to->digest.count;
		least = (uint64_t)to->number + 1;
	}
	return OK;
}

static enum err decode(struct buckets *b, struct span body, struct span owner, struct reason *why)
{
	struct page_lines lines;
	enum err e;

	if ((e = page_lines_split(&lines, body, (size_t)1 << b->bits, &b->arena, why)) ||
		(e = page_lines_frame(&lines, owner, &b->begin, &b->end, why)))
		return e;
	if (b->end.more)
		return fail(INVALID, why, "line %zu: more: digests are of the whole log", lines.n);
	return take_lines(b, &lines, why);
}

enum err buckets_decode(
	struct buckets *ret, struct span body, struct span owner, unsigned bits, struct reason *why)
{
	struct buckets b = {.bits = bits};
	enum err e = decode(&b, body, owner, why);

	if (e)
		buckets_done(&b);
	else
		*ret = b;
	return e;
}

void buckets_done(struct buckets *b)
{
	arena_done(&b->arena);
	*b = (struct buckets){0};
}

/* --- the records of some --- */

bool bucket_set_has(const struct bucket_set *s, struct span id)
{
	uint32_t number = hash_bucket(id, s->bits);
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->at[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n && s->at[low] == number;
}

void fetch_request_encode(
	const struct page_request *q, const struct bucket_set *wanted, struct buf *target, struct buf *body)
{
	buf_text(target, "/v1/fetch");
	page_request_encode_basis(q, target);
	buf_printf(target, "&max_bytes=%u", q->max_bytes);
	buf_printf(body, "{\"bits\":%u,\"buckets\":[", wanted->bits);
	for (size_t i = 0; i < wanted->n; i++) {
		if (i > 0)
			buf_char(body, ',');
		buf_u64(body, wanted->at[i]);
	}
	buf_text(body, "]}");
}

static enum err take_numbers(struct bucket_set *ret, struct span array, struct arena *a, struct reason *why)
{
	/* a member takes two bytes at least */
	uint16_t *at = arena_alloc(a, (array.len / 2 + 1) * sizeof(*at));
	struct json_iter it;
	struct json_value v;
	uint64_t number;

	if (!json_open(&it, array))
		return fail(INVALID, why, "buckets: not an array");
	for (ret->n = 0; json_next(&it, NULL, &v); ret->n++) {
		if (!json_u64(&v, &number) || number >> ret->bits)
			return fail(INVALID, why, "buckets: %.*s is no bucket at %u bits",
				(int)(v.raw.len < 40 ? v.raw.len : 40), v.raw.at, ret->bits);
		if (ret->n > 0 && number <= at[ret->n - 1])
			return fail(INVALID, why, "buckets: %llu does not rise above the one before",
				(unsigned long long)number);
		at[ret->n] = (uint16_t)number;
	}
	ret->at = at;
	return OK;
}

enum err fetch_request_decode(struct bucket_set *ret, struct span body, struct arena *a, struct reason *why)
{
	static const struct span names[] = {MEMBER("bits"), MEMBER("buckets")};
	struct json_value values[2] = {0};
	struct members m = {.names = names, .values = values, .n = 2};
	struct bucket_set s = {0};
	uint64_t bits;
	enum err e;

	if ((e = members_read(&m, body, why)) || (e = members_u64(&m, 0, &bits, why)))
		return e;
	if (bits > BUCKET_BITS_MAX)
		return members_refuse(&m, 0, why, "not a whole number from 0 to 16");
	if (!members_has(&m, 1) || values[1].kind != JSON_ARRAY)
		return members_refuse(&m, 1, why, "not an array");
	s.bits = (unsigned)bits;
	e = take_numbers(&s, values[1].raw, a, why);
	if (e == OK)
		*ret = s;
	return e;
}

enum err fetch_check(const struct page *p, const struct bucket_set *wanted, struct reason *why)
{
	if (p->end.more)
		return fail(INVALID, why, "more: these buckets' records are all that was asked for");
	for (size_t i = 0; i < p->n + p->n_refused; i++) {
		struct span id = i < p->n ? p->records[i].id : p->refused[i - p->n].claim.id;

		if (!bucket_set_has(wanted, id))
			return fail(INVALID, why, "id: %.*s is in none of the buckets asked for", (int)id.len,
				id.at);
	}
	return OK;
}
