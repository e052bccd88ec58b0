#include "shared/clock.h"

#include <assert.h>
#include <sys/timex.h>
#include <time.h>

/* The kernel's own limit: beyond it a clock counts as not synchronised, whatever its flags say. */
#define ERROR_LIMIT_US 16000000

static int64_t read_clock(clockid_t id)
{
	struct timespec t;
	int r = clock_gettime(id, &t);
	assert(r == 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_error_us(void)
{
	struct timex t = {.modes = 0};
	/* The flag STA_UNSYNC is not asked: chronyd without `rtcsync` leaves it set while it keeps the bound
	 * true. */
	if (ntp_adjtime(&t) == -1 || t.maxerror < 0 || t.maxerror >= ERROR_LIMIT_US)
		return -1;
	return t.maxerror;
}
