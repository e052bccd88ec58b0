/*
 * buf - growable bytes with a sticky failure, and spans of bytes somebody else owns.
 *
 * After an allocation fails or the limit is passed, every later call does nothing;
 * check buf_failed() once at the end.  The bytes are always followed by a NUL that
 * is not counted.  A zeroed struct is an empty buffer without a limit.
 */
#ifndef SHARED_BUF_H
#define SHARED_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"

/* Bytes borrowed from an owner named by the function that hands them out; not NUL-terminated. */
struct span {
	const char *at;
	size_t len;
};

struct span span_of(const char *text); /* a NUL-terminated text; NULL is the empty span */
bool span_equal(struct span a, struct span b);
bool span_is(struct span a, const char *text);
struct span span_trimmed(struct span s); /* without the blanks and tabs around it, as in heads of HTTP */
size_t span_width(struct span text);     /* characters of UTF-8 */
/* Decimal digits only, no sign, at most `max`; false leaves *ret alone. */
bool span_to_u64(struct span s, uint64_t max, uint64_t *ret) MUST_USE;

struct buf {
	char *at;
	size_t len;
	size_t cap;
	size_t max; /* 0: no limit */
	bool failed;
};

void buf_done(struct buf *b);  /* frees; leaves an empty buffer */
void buf_clear(struct buf *b); /* empties, keeps the memory, forgets a failure */
bool buf_failed(const struct buf *b);
struct span buf_span(const struct buf *b);

/*
 * Where somebody else writes at most `len` bytes, of which buf_wrote() then tells how many there are; nothing may be added in
 * between.  NULL: the buffer failed.
 */
char *buf_reserve(struct buf *b, size_t len) MUST_USE;
void buf_wrote(struct buf *b, size_t len);
void buf_fit(struct buf
		*b); /* keeps no more memory than its bytes take: for one that stays as it is for a while */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_text(struct buf *b, const char *text);
void buf_put(struct buf *b, struct span s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_u64(struct buf *b, uint64_t n);
void buf_i64(struct buf *b, int64_t n);
void buf_hex64(struct buf *b, uint64_t n);        /* 16 lower-case digits */
void buf_json_text(struct buf *b, struct span s); /* "s" with quotes and escapes; s is valid UTF-8 */
void buf_time(struct buf *b, int64_t us);         /* 2026-11-21T01:02:03.000004Z, without quotes */
void buf_json_time(struct buf *b, int64_t us);    /* the same in quotes; null for a negative one */
void buf_percent(struct buf *b, struct span s); /* percent-encoded for a URL's path segment or query value */

#endif
