/*
 * backoff - how long to wait after the n-th failure in a row: full jitter, doubling, capped.  Pure but
 * for chance.
 */
#ifndef SHARED_BACKOFF_H
#define SHARED_BACKOFF_H

#include <stdint.h>

#define BACKOFF_CAP_MS 60000

/* failures ≥ 1: uniform in [base/2, min(cap, base · 2^failures)]. */
int64_t backoff_ms(unsigned failures, int64_t base_ms);

#endif
