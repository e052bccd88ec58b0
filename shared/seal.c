#include "shared/seal.h"

#include <stdint.h>
#include <string.h>

#include <xxhash.h>

#define MEMBER_BEGIN ",\"check\":\""
#define MEMBER_END "\"}"
#define NAME "check="
#define HEX 16

/* Not the hash of the records: that one costs as much as all else that is done to a byte, and this one has no enemies. */
static uint64_t check_of(struct span bytes, uint64_t seed)
{
	return XXH64(bytes.at, bytes.len, seed);
}

static bool says(const char *hex, uint64_t h)
{
	for (int i = HEX - 1; i >= 0; i--, h >>= 4)
		if (hex[i] != "0123456789abcdef"[h & 15])
			return false;
	return true;
}

/* --- answers --- */

/* Without the LF that ends a last line. */
static struct span without_lf(struct span body)
{
	if (body.len > 0 && body.at[body.len - 1] == '\n')
		body.len--;
	return body;
}

void seal_answer(struct buf *body)
{
	struct span all = without_lf(buf_span(body));
	bool line = all.len < body->len;

	if (buf_failed(body) || all.len == 0 || all.at[all.len - 1] != '}')
		return;
	body->len = --all.len;
	uint64_t h = check_of(all, 0);
	buf_text(body, MEMBER_BEGIN);
	buf_hex64(body, h);
	buf_text(body, line ? MEMBER_END "\n" : MEMBER_END);
}

bool seal_holds(struct span answer)
{
	const size_t begin = strlen(MEMBER_BEGIN), size = begin + HEX + strlen(MEMBER_END);
	struct span all = without_lf(answer);

	if (all.len < size || memcmp(all.at + all.len - size, MEMBER_BEGIN, begin) != 0)
		return true;
	all.len -= size;
	return says(all.at + all.len + begin, check_of(all, 0));
}

/* --- requests --- */

/* Whatever path a proxy put before it. */
static struct span query_of(struct span target)
{
	const char *mark = target.len > 0 ? memchr(target.at, '?', target.len) : NULL;
	size_t before = mark ? (size_t)(mark + 1 - target.at) : target.len;

	return (struct span){target.at + before, target.len - before};
}

void seal_request(struct buf *target, struct span body)
{
	struct span query = query_of(buf_span(target));

	if (buf_failed(target))
		return;
	uint64_t h = check_of(body, check_of(query, 0));
	buf_text(target, query.len > 0 ? "&" NAME : "?" NAME);
	buf_hex64(target, h);
}

bool seal_request_holds(struct span target, struct span body)
{
	const size_t size = strlen(NAME) + HEX;
	struct span query = query_of(target);

	if (query.len < size || memcmp(query.at + query.len - size, NAME, strlen(NAME)) != 0)
		return true;
	query.len -= size;
	const char *hex = query.at + query.len + strlen(NAME);
	if (query.len > 0 && query.at[--query.len] != '&')
		return true; /* the end of another name */
	return says(hex, check_of(body, check_of(query, 0)));
}
