/* What a value that json_check.c accepted stands for. */
#include "shared/json_check.h"

#include <assert.h>
#include <string.h>

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static uint32_t hex4(const char *at)
{
	return (uint32_t)(hex_digit(at[0]) << 12 | hex_digit(at[1]) << 8 | hex_digit(at[2]) << 4 |
			  hex_digit(at[3]));
}

static size_t put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--, c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)((0xf0 << (4 - len)) | c);
	return len;
}

/* The escape at `at`, written to `*to`; gives what follows it. */
static const char *unescape(const char *at, char **to)
{
	static const char letters[] = "b\bf\fn\nr\rt\t";
	at++;
	if (*at != 'u') {
		const char *letter = strchr(letters, *at);
		*(*to)++ = letter ? letter[1] : *at;
		return at + 1;
	}
	uint32_t c = hex4(at + 1);
	at += 5;
	if (c >= 0xd800 && c <= 0xdbff) {
		c = 0x10000 + ((c - 0xd800) << 10) + (hex4(at + 2) - 0xdc00);
		at += 6;
	}
	*to += put_utf8(*to, c);
	return at;
}

struct span json_text(const struct json_value *v, struct arena *a)
{
	assert(v->kind == JSON_TEXT && v->raw.len >= 2);
	const char *at = v->raw.at + 1, *end = v->raw.at + v->raw.len - 1;
	const char *escape = memchr(at, '\\', (size_t)(end - at));
	if (!escape)
		return (struct span){at, (size_t)(end - at)};
	/* No escape is shorter than what it stands for. */
	char *ret = arena_alloc(a, (size_t)(end - at) + 1), *to = ret;
	while (escape) {
		memcpy(to, at, (size_t)(escape - at));
		to += escape - at;
		at = unescape(escape, &to);
		escape = memchr(at, '\\', (size_t)(end - at));
	}
	memcpy(to, at, (size_t)(end - at));
	to += end - at;
	return (struct span){ret, (size_t)(to - ret)};
}

bool json_key_is(struct span key, struct span name)
{
	const char *at = key.at, *end = key.at + key.len;

	if (!memchr(key.at, '\\', key.len))
		return span_equal(key, name);
	while (at < end) {
		char bytes[4] = {*at}, *to = bytes + 1;

		if (*at == '\\') {
			to = bytes;
			at = unescape(at, &to);
		} else {
			at++;
		}
		size_t len = (size_t)(to - bytes);
		if (name.len < len || memcmp(name.at, bytes, len) != 0)
			return false;
		name = (struct span){name.at + len, name.len - len};
	}
	return name.len == 0;
}

bool json_u64(const struct json_value *v, uint64_t *ret)
{
	return v->kind == JSON_NUMBER && span_to_u64(v->raw, INT64_MAX, ret);
}

bool json_i64(const struct json_value *v, int64_t *ret)
{
	if (v->kind != JSON_NUMBER)
		return false;
	bool negative = v->raw.at[0] == '-';
	struct span digits = {v->raw.at + negative, v->raw.len - negative};
	uint64_t n;
	if (!span_to_u64(digits, (uint64_t)INT64_MAX + negative, &n))
		return false;
	*ret = (int64_t)(negative ? -n : n);
	return true;
}

const char *json_find_close(const char *at, const char *end)
{
	size_t depth = 0;
	bool quoted = false;

	for (; at < end; at++) {
		if (quoted && *at == '\\' && at + 1 < end)
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (!quoted && (*at == '{' || *at == '['))
			depth++;
		else if (!quoted && (*at == '}' || *at == ']') && --depth == 0)
			return at + 1;
	}
	return NULL;
}

void json_put_on_one_line(struct span value, struct buf *out)
{
	size_t from = out->len;
	buf_put(out, value);
	if (buf_failed(out))
		return;
	for (char *at = out->at + from, *end = out->at + out->len; at < end; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
}
