/*
 * position - where one stands in a local's log: the database's epoch, a seq and the chained head there.
 * Pure, but that epoch_new() takes chance; thread-safe.
 */
#ifndef SHARED_POSITION_H
#define SHARED_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/hash.h"

struct epoch {
	char hex[33]; /* 32 lower-case hex digits; "" = none */
};

/* seq 0 with the zero head = the empty log, which every log contains. */
struct position {
	uint64_t seq;
	struct hash head;
};

bool epoch_is_none(const struct epoch *e);
bool epoch_equal(const struct epoch *a, const struct epoch *b);
bool epoch_parse(struct span text, struct epoch *ret) MUST_USE; /* 32 hex digits, or empty = none */
struct epoch epoch_new(void);

bool position_equal(struct position a, struct position b);
void position_encode(struct position p, struct buf *out); /* "12.<32 hex digits>" */
bool position_parse(struct span text, struct position *ret) MUST_USE;

#endif
