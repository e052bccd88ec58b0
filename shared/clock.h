/*
 * clock - the only callers of the system's clocks; the simulation links its own.
 * Thread-safe.  A stand-in for clock.c defines the first three; clock_parse() is in clock_text.c.
 */
#ifndef SHARED_CLOCK_H
#define SHARED_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void);  /* since 1970 UTC; for people, never for a decision */
int64_t clock_mono_us(void);  /* never goes back; for timeouts and ages */
int64_t clock_error_us(void); /* the kernel's bound on the wall clock's error; -1 = not synchronised */

/* "2026-11-21T01:02:03.000004Z" (0-9 fractional digits, `Z` or +hh:mm) to µs since 1970; -1 = not a time, or
 * an earlier one. */
int64_t clock_parse(const char *text, unsigned long len);

#endif
