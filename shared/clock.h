/*
 * clock - the only callers of the system's clocks; the simulation links its own.
 * Thread-safe.  A stand-in for clock.c defines all but clock_parse(), which is in clock_text.c.
 */
#ifndef SHARED_CLOCK_H
#define SHARED_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void); /* since 1970 UTC; for people, never for a decision */
int64_t clock_mono_us(void); /* never goes back; for timeouts and ages */

/*
 * The bound on the wall clock's error; -1 = not synchronised.  It is what clock_tell_error_us() was last told,
 * growing by CLOCK_WANDER_PPM since; without that, or when that is over a minute old, the kernel's.
 */
int64_t clock_error_us(void);
/* By the one that knows better than the kernel (chrony.h); -1 takes it back. */
void clock_tell_error_us(int64_t error_us);

/* How fast a clock that was right may go wrong: what NTP assumes of any (RFC 5905's PHI). */
#define CLOCK_WANDER_PPM 15
#define CLOCK_TOLD_KEPT_US INT64_C(60000000) /* how long a reading of the clock's keeper counts */

/* "2026-11-21T01:02:03.000004Z" (0-9 fractional digits, `Z` or +hh:mm) to µs since 1970; -1 = not a time, or
 * an earlier one. */
int64_t clock_parse(const char *text, unsigned long len);

#endif
