#include "shared/clock.h"

#include <assert.h>
#include <stdatomic.h>
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

/*
 * The process's, as the clock is the machine's.  Two words that are not read at once: at worst a bound is taken
 * for one reading younger than it is.
 */
static atomic_int_fast64_t told_error_us = -1, told_at_us;

void clock_tell_error_us(int64_t error_us)
{
	atomic_store(&told_at_us, clock_mono_us());
	atomic_store(&told_error_us, error_us < ERROR_LIMIT_US ? error_us : -1);
}

static int64_t ask_kernel(void)
{
	struct timex t = {.modes = 0};
	/* The flag STA_UNSYNC is not asked: chronyd without `rtcsync` leaves it set while it keeps the bound
	 * true. */
	if (ntp_adjtime(&t) == -1 || t.maxerror < 0 || t.maxerror >= ERROR_LIMIT_US)
		return -1;
	return t.maxerror;
}

int64_t clock_error_us(void)
{
	int64_t error_us = atomic_load(&told_error_us);
	if (error_us < 0)
		return ask_kernel();
	int64_t age_us = clock_mono_us() - atomic_load(&told_at_us);
	return age_us > CLOCK_TOLD_KEPT_US ? ask_kernel() : error_us + age_us * CLOCK_WANDER_PPM / 1000000;
}
