/*
 * offset - how far a node's clock is from the centre's: measured at every exchange, and said in words.
 *
 * Four timestamps, two a side: however long the local parked the request lies between its two and cancels
 * out; half of what remains is the bound of the error.  The quickest of the last eight knows best.  For people
 * only: nothing is decided by it.  Pure.
 */
#ifndef CENTRAL_OFFSET_H
#define CENTRAL_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"

/* A clock counts as skewed when it is farther off than this and the error of the measure together. */
#define OFFSET_SKEW_US 100000

#define OFFSET_KEPT 8
/* Exchanges in quick succession share a place: the eight reach back at least so many times this. */
#define OFFSET_PLACE_US 1000000

struct offset_sample {
	int64_t offset_us, rtt_us;
	int64_t mono_us; /* when */
};

/* A zeroed one is empty. */
struct offset {
	struct offset_sample last[OFFSET_KEPT]; /* newest first */
	unsigned n;
	int64_t begun_us; /* monotonic: the first of those that shared last[0] */
};

/* Wall clocks: sent and done are the centre's, received and answered the local's. */
struct offset_stamps {
	int64_t sent_us, received_us, answered_us, done_us;
};

/*
 * Stamps that cannot be true are passed over.  A measure that contradicts the best one shows that a clock was
 * set: it puts all older ones out.
 */
void offset_add(struct offset *o, const struct offset_stamps *t, int64_t now_us);

struct offset_reading {
	int64_t offset_us; /* the node's clock minus the centre's */
	int64_t error_us;  /* half the round trip, and what both clocks may have wandered since */
	int64_t rtt_us;
	int64_t age_us;
};
/* The best of them; false: nothing was measured yet. */
bool offset_read(const struct offset *o, int64_t now_us, struct offset_reading *ret);

bool offset_is_skewed(const struct offset_reading *r);

/* What an end says of its own clock. */
enum offset_kept { OFFSET_NOT_TOLD, OFFSET_FREE, OFFSET_SYNCHRONISED };
struct offset_claim {
	enum offset_kept kept;
	int64_t error_us; /* how far it may be off by its own account; -1 = it does not say */
};

/*
 * Is the measure more than all three errors away from what both ends claim?  Then one of the claims is not true, however
 * small the offset is: an end follows another time, or shows another clock than it keeps.  False where an end
 * claims nothing.
 */
bool offset_disagrees(
	const struct offset_reading *r, const struct offset_claim *node, const struct offset_claim *centre);

/*
 * A sentence for people, and for a clock that is skewed or disagrees what to do.  `r` NULL: not measured.
 */
void offset_describe(const struct offset_reading *r, const struct offset_claim *node,
	const struct offset_claim *centre, struct reason *ret);

#endif
