/*
 * retry - what is in quarantine is tried again, slowly: somebody may have removed the constraint that refused it.
 *
 * A few entries a round, in the order of their numbers, then from the first again.  One thread at a time.
 */
#ifndef CENTRAL_RETRY_H
#define CENTRAL_RETRY_H

#include "central/store.h"

#define RETRY_INTERVAL_MS (10 * 60 * 1000)
#define RETRY_ROUND 16 /* entries */

struct retry {
	uint64_t at; /* the last one that was tried; 0 = begin anew */
};
/* Called after a record of `owner` was taken. */
typedef void retry_taken_fn(void *ctx, const char *owner);
/* One round; ends early where the store does not answer. */
void retry_round(struct retry *r, struct store *st, retry_taken_fn *taken, void *ctx);

#endif
