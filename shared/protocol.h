/*
 * protocol - the versions of the replication protocol: which are spoken here, and which one two ends share.
 * Pure; thread-safe.
 */
#ifndef SHARED_PROTOCOL_H
#define SHARED_PROTOCOL_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/err.h"

#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX 1

struct protocol_range {
	unsigned min, max;
};

struct protocol_range protocol_ours(void);

/* "1", or "1-3" from the lower to the higher. */
bool protocol_parse(struct span text, struct protocol_range *ret) MUST_USE;
void protocol_encode(struct protocol_range r, struct buf *out);

bool protocol_within(unsigned version, struct protocol_range r);
/* The highest version that both know; 0 = there is none. */
unsigned protocol_shared(struct protocol_range a, struct protocol_range b);

/*
 * For two ends that share none: who speaks what, and which end must be upgraded to what.  The names of the
 * programs' versions may be NULL.
 */
void protocol_say(struct protocol_range local, const char *local_version, struct protocol_range centre,
	const char *centre_version, struct reason *ret);

#endif
