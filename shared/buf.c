#include "shared/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 128

static const char digits16[] = "0123456789abcdef";

struct span span_of(const char *text)
{
	return (struct span){text, text ? strlen(text) : 0};
}

bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool span_is(struct span a, const char *text)
{
	return span_equal(a, span_of(text));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trimmed(struct span s)
{
	for (; s.len > 0 && is_blank(s.at[0]); s.at++)
		s.len--;
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

size_t span_width(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) /* continuation bytes do not count */
		n += ((unsigned char)text.at[i] & 0xc0) != 0x80;
	return n;
}

bool span_to_u64(struct span s, uint64_t max, uint64_t *ret)
{
	if (s.len == 0)
		return false;
	uint64_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned char)s.at[i] - (unsigned)'0';
		if (digit > 9 || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n))
			return false;
	}
	if (n > max)
		return false;
	*ret = n;
	return true;
}

void buf_done(struct buf *b)
{
	free(b->at);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->at)
		b->at[0] = '\0';
}

bool buf_failed(const struct buf *b)
{
	return b->failed;
}

struct span buf_span(const struct buf *b)
{
	return (struct span){b->at, b->len};
}

static __attribute__((noinline)) bool grow(struct buf *b, size_t more)
{
	size_t need;
	if (__builtin_add_overflow(b->len, more, &need) || need > SIZE_MAX / 4 ||
		(b->max > 0 && need > b->max)) {
		b->failed = true;
		return false;
	}
	size_t cap = b->cap > 0 ? b->cap : FIRST_BYTES;
	while (cap <= need)
		cap *= 2;
	char *at = realloc(b->at, cap);
	if (!at) {
		b->failed = true;
		return false;
	}
	b->at = at;
	b->cap = cap;
	return true;
}

/* Room for `more` bytes and the NUL, or a failed buffer.  The capacity may lie above the limit, the length
 * never. */
static inline bool room(struct buf *b, size_t more)
{
	if (__builtin_expect(b->failed, false))
		return false;
	if (__builtin_expect(b->cap - b->len > more && (b->max == 0 || more <= b->max - b->len), true))
		return true;
	return grow(b, more);
}

static inline void add(struct buf *b, const void *bytes, size_t len)
{
	if (!room(b, len))
		return;
	if (len > 0)
		memcpy(b->at + b->len, bytes, len);
	b->len += len;
	b->at[b->len] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
	return room(b, len) ? b->at + b->len : NULL;
}

void buf_wrote(struct buf *b, size_t len)
{
	assert(!b->failed && len < b->cap - b->len);
	b->len += len;
	b->at[b->len] = '\0';
}

void buf_fit(struct buf *b)
{
	char *at = b->failed || !b->at ? NULL : realloc(b->at, b->len + 1);
	if (!at)
		return;
	b->at = at;
	b->cap = b->len + 1;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	add(b, bytes, len);
}

void buf_text(struct buf *b, const char *text)
{
	add(b, text, strlen(text));
}

void buf_put(struct buf *b, struct span s)
{
	add(b, s.at, s.len);
}

void buf_char(struct buf *b, char c)
{
	add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	char small[256];
	int len = vsnprintf(small, sizeof small, fmt, args);
	va_end(args);
	assert(len >= 0);
	if ((size_t)len < sizeof small) {
		add(b, small, (size_t)len);
	} else if (room(b, (size_t)len)) {
		vsnprintf(b->at + b->len, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
	}
	va_end(again);
}

void buf_u64(struct buf *b, uint64_t n)
{
	char text[20];
	char *at = text + sizeof text;
	do
		*--at = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	add(b, at, (size_t)(text + sizeof text - at));
}

void buf_i64(struct buf *b, int64_t n)
{
	if (n < 0)
		buf_char(b, '-');
	buf_u64(b, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void buf_hex64(struct buf *b, uint64_t n)
{
	char text[16];
	for (int i = 15; i >= 0; i--, n >>= 4)
		text[i] = digits16[n & 15];
	add(b, text, sizeof text);
}

static void add_json_escape(struct buf *b, unsigned char c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	for (size_t i = 0; i + 1 < sizeof letters; i += 2)
		if ((unsigned char)letters[i] == c) {
			add(b, (const char[]){'\\', letters[i + 1]}, 2);
			return;
		}
	add(b, (const char[]){'\\', 'u', '0', '0', digits16[c >> 4], digits16[c & 15]}, 6);
}

void buf_json_text(struct buf *b, struct span s)
{
	buf_char(b, '"');
	size_t from = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		if (__builtin_expect(c >= 0x20 && c != '"' && c != '\\' && c != 0x7f, true))
			continue;
		add(b, s.at + from, i - from);
		add_json_escape(b, c);
		from = i + 1;
	}
	if (from < s.len)
		add(b, s.at + from, s.len - from);
	buf_char(b, '"');
}

/* Two digits at once: times are in every line of a feed. */
static inline void put_pair(char *at, unsigned n)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
				    "2021222324252627282930313233343536373839"
				    "4041424344454647484950515253545556575859"
				    "6061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	memcpy(at, pairs + 2 * n, 2);
}

#define DAY_US (INT64_C(86400) * 1000000)
#define LAST_TIME_US (INT64_C(253402300800) * 1000000 - 1) /* 9999-12-31T23:59:59.999999Z */

void buf_time(struct buf *b, int64_t us)
{
	/* What RFC 3339 and clock_parse() cannot say becomes the nearest they can. */
	us = us < 0 ? 0 : us > LAST_TIME_US ? LAST_TIME_US : us;
	/* Gregorian dates by years that begin in March, so that the leap day is a year's last. */
	unsigned days = (unsigned)(us / DAY_US) + 719468;
	unsigned era = days / 146097, day_of_era = days % 146097;
	unsigned year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
	unsigned march_month = (5 * day_of_year + 2) / 153;
	unsigned day = day_of_year - (153 * march_month + 2) / 5 + 1;
	unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
	year += era * 400 + (month <= 2);

	unsigned second = (unsigned)(us % DAY_US / 1000000);
	char text[] = "0000-00-00T00:00:00.000000Z";
	unsigned micro = (unsigned)(us % 1000000);
	put_pair(text, year / 100);
	put_pair(text + 2, year % 100);
	put_pair(text + 5, month);
	put_pair(text + 8, day);
	put_pair(text + 11, second / 3600);
	put_pair(text + 14, second / 60 % 60);
	put_pair(text + 17, second % 60);
	put_pair(text + 20, micro / 10000);
	put_pair(text + 22, micro / 100 % 100);
	put_pair(text + 24, micro % 100);
	add(b, text, sizeof text - 1);
}

void buf_json_time(struct buf *b, int64_t us)
{
	if (us < 0) {
		buf_text(b, "null");
		return;
	}
	buf_char(b, '"');
	buf_time(b, us);
	buf_char(b, '"');
}

void buf_percent(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c && strchr("-._~", c)))
			buf_char(b, (char)c);
		else
			add(b, (const char[]){'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]},
				3);
	}
}
