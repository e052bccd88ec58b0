/*
 * eventually - waits for what no event tells of: asks every other millisecond, until a deadline that only a failure reaches.
 */
#ifndef TESTS_SUPPORT_EVENTUALLY_H
#define TESTS_SUPPORT_EVENTUALLY_H

#include <poll.h>
#include <stdbool.h>

#include "shared/clock.h"

/* true as soon as the expression, which is evaluated at least once, is; false: it was not within so many milliseconds. */
#define EVENTUALLY(ms, expression)                                                \
	({                                                                        \
		const int64_t until_us_ = clock_mono_us() + INT64_C(1000) * (ms); \
		bool holds_;                                                      \
		while (!(holds_ = (expression)) && clock_mono_us() < until_us_)   \
			(void)poll(NULL, 0, 2);                                   \
		holds_;                                                           \
	})

#endif
