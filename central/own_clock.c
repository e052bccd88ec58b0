#include "central/own_clock.h"

#include "shared/chrony.h"
#include "shared/clock.h"

struct offset_claim own_clock_claim(void)
{
	struct chrony c;
	int64_t error_us = clock_error_us();

	if (error_us >= 0)
		return (struct offset_claim){OFFSET_SYNCHRONISED, error_us};
	chrony_now(&c);
	return (struct offset_claim){OFFSET_FREE, c.state == CHRONY_ALONE ? 0 : -1};
}
