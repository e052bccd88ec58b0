/*
 * members - the wanted members of one JSON object, as spans: one pass, nothing allocated.
 *
 * A wanted name that comes twice is refused, however its letters are escaped; others are
 * passed over.  Pure; thread-safe.
 */
#ifndef SHARED_MEMBERS_H
#define SHARED_MEMBERS_H

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/err.h"
#include "shared/json_check.h"

#define MEMBER(name)                   \
	{                              \
		name, sizeof(name) - 1 \
	}

struct members {
	const struct span *names;  /* in the order they usually come */
	struct json_value *values; /* one for each name, zeroed; raw.at == NULL = absent */
	size_t n;
	unsigned frame;        /* levels around a body within a member (json_iter); 0 = none */
	const char *failed_at; /* out: near where the text is wrong; NULL = not known */
};

/* INVALID: not one JSON object, or a wanted member twice. */
enum err members_read(struct members *m, struct span object, struct reason *why) MUST_USE;

bool members_has(const struct members *m, size_t i);
bool members_null(const struct members *m, size_t i); /* absent or null */

/* Of the member i; INVALID "NAME: missing" or "NAME: not a …". */
enum err members_text(
	const struct members *m, size_t i, struct arena *a, struct span *ret, struct reason *why) MUST_USE;
enum err members_u64(const struct members *m, size_t i, uint64_t *ret, struct reason *why) MUST_USE;
enum err members_i64(const struct members *m, size_t i, int64_t *ret, struct reason *why) MUST_USE;
enum err members_bool(const struct members *m, size_t i, bool *ret, struct reason *why) MUST_USE;
/* INVALID "NAME: WHAT", or "NAME: missing" when it is absent. */
enum err members_refuse(const struct members *m, size_t i, struct reason *why, const char *what);

#endif
