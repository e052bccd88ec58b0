/*
 * json_check - a strict RFC 8259 scanner that gives spans and allocates nothing.
 *
 * Beyond the grammar it refuses invalid UTF-8, `\u0000`, lone surrogates, a
 * depth over the limit and anything after the value.  Numbers of any size and
 * duplicate keys inside a body are kept as they are.  Pure; thread-safe.
 */
#ifndef SHARED_JSON_CHECK_H
#define SHARED_JSON_CHECK_H

#include <stdbool.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/err.h"

#define JSON_DEPTH_MAX 64
/* What a message may have around a value of that depth: a list, its item, a record in it. */
#define JSON_FRAME_MAX 3

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_kind kind;
	struct span raw; /* its bytes, without the blanks around it; a text with its quotes */
};

/* Exactly one JSON value with nothing but blanks around it.  INVALID with the byte's place and the cause. */
enum err json_check(struct span text, struct json_value *ret, struct reason *why) MUST_USE;

/*
 * A walk over the members of an object or array that json_check() accepted as a whole, or,
 * with json_open(), over one not yet checked: then every step checks what it passes and
 * json_next() ends with false and it->failed when the text is wrong.
 */
struct json_iter {
	const char *begin, *at, *end;
	enum json_kind kind; /* JSON_ARRAY or JSON_OBJECT */
	bool first, closed, failed;
	unsigned
		frame; /* 0, or set after json_open(): how many levels deeper a member may be, JSON_FRAME_MAX at most */
	struct reason why;
};

bool json_open(struct json_iter *it, struct span text) MUST_USE; /* text starts (after blanks) with { or [ */
/* The next member; `key` (may be NULL) is the raw text between the quotes, escapes and all: see json_key_is(). */
bool json_next(struct json_iter *it, struct span *key, struct json_value *ret) MUST_USE;
/*
 * The same for an object's member that is expected next.  False: it is not, or not written with just this key and without blanks
 * around it, and the walk stands where it stood; or its value is wrong, as of json_next().
 */
bool json_next_is(struct json_iter *it, struct span name, struct json_value *ret) MUST_USE;
/* After json_next() gave false: was the value closed, and is there nothing but blanks behind it? */
bool json_ended(const struct json_iter *it) MUST_USE;

/* The text a JSON_TEXT value stands for; copied into the arena only if it has escapes. */
struct span json_text(const struct json_value *v, struct arena *a);
/* Does a key, raw as json_next() gives it, stand for this name?  `"\u0069d"` is `id`. */
bool json_key_is(struct span key, struct span name) MUST_USE;
/* An integer of digits only, 0 … 2^63-1. */
bool json_u64(const struct json_value *v, uint64_t *ret) MUST_USE;
bool json_i64(const struct json_value *v, int64_t *ret) MUST_USE;

/*
 * Behind the bracket that closes the one at `at`; NULL: none before `end` does.  Only cuts out: what lies between is
 * not checked.
 */
const char *json_find_close(const char *at, const char *end);

/*
 * Copies a checked value with each CR and LF between tokens replaced by a space (inside a
 * text neither can stand raw), so that it fits on one line; all other bytes stay.
 */
void json_put_on_one_line(struct span value, struct buf *out);

#endif
