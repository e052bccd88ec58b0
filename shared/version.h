/*
 * version - who wrote what after what: dots and version vectors.
 *
 * A dot names one write: an actor (random per opening of a database by a
 * writing process) and a number that rises within it.  A version vector maps
 * actors to the highest number seen; it always covers its own version's dot.
 * While it holds nothing else it is left out, on the wire and on disk (n = 0).
 * Pure; thread-safe.
 */
#ifndef SHARED_VERSION_H
#define SHARED_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"

#define VECTOR_MAX 32
#define ACTOR_CENTRE_BIT (UINT64_C(1) << 62) /* marks a centre's actor; bit 63 is never set */

struct dot {
	uint64_t actor; /* 0 = none */
	uint64_t n;
};

/* Sorted by actor, no actor twice.  n = 0: only the version's own dot, which is then not repeated here. */
struct vector {
	unsigned n;
	struct dot at[VECTOR_MAX];
};

uint64_t actor_new(bool centre); /* a fresh one, never 0 */
bool actor_is_centre(uint64_t actor);

/* Does a version with (dot, vv) contain the write `d`? */
bool version_covers(struct dot dot, const struct vector *vv, struct dot d);
/* How far (dot, vv) knows `actor`; 0 = not at all. */
uint64_t version_known(struct dot dot, const struct vector *vv, uint64_t actor);
/* Does (dot_a, a) know a centre's actor further than (dot_b, b) does? */
bool version_knows_more_of_centre(
	struct dot dot_a, const struct vector *a, struct dot dot_b, const struct vector *b);

/*
 * The vector of a new version `own` that replaces the given one or two
 * (element-wise maximum, then the own dot).  Over VECTOR_MAX entries the
 * smallest n other than the own dot's are dropped: at worst a needless conflict.
 */
void vector_succeed(struct vector *ret, struct dot own, struct dot dot_a, const struct vector *a,
	struct dot dot_b, const struct vector *b);

/* On disk: 16 bytes an entry, actor then n, little-endian; nothing for n = 0. */
size_t vector_pack(const struct vector *v, unsigned char ret[16 * VECTOR_MAX]);
bool vector_unpack(struct vector *ret, const void *at, size_t len) MUST_USE;

/* On the wire: a dot is "<actor, 16 hex digits>.<n>"; a vector the array of its dots. */
void dot_encode(struct dot d, struct buf *out); /* without quotes */
bool dot_parse(struct span text, struct dot *ret) MUST_USE;
void vector_encode(const struct vector *v, struct buf *out);

#endif
