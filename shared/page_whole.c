/* A whole page: its lines, and the records that they are. */
#include "shared/page.h"

#include <assert.h>
#include <string.h>

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
