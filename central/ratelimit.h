/* ratelimit - so many at once, then one in so long a time; what was not used comes back as slowly.  Pure. */
#ifndef CENTRAL_RATELIMIT_H
#define CENTRAL_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct rate_rule {
	unsigned at_once;
	int64_t every_us;
};

/* A zeroed struct has everything left. */
struct ratelimit {
	int64_t full_us; /* when all of it has come back; in the caller's time, which never goes back and is not negative */
};

/* False: not now, and nothing was used. */
static inline bool ratelimit_take(struct ratelimit *r, const struct rate_rule *rule, int64_t now_us)
{
	int64_t from_us = r->full_us > now_us ? r->full_us : now_us;
	if (from_us - now_us > (rule->at_once - 1) * rule->every_us)
		return false;
	r->full_us = from_us + rule->every_us;
	return true;
}

#endif
