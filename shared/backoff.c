#include "shared/backoff.h"

#include <assert.h>

#include "shared/entropy.h"

int64_t backoff_ms(unsigned failures, int64_t base_ms)
{
	assert(failures >= 1 && base_ms >= 1);
	int64_t most = base_ms;
	for (; failures > 0 && most < BACKOFF_CAP_MS; failures--)
		most *= 2;
	if (most > BACKOFF_CAP_MS)
		most = BACKOFF_CAP_MS;
	int64_t least = base_ms / 2 < most ? base_ms / 2 : most;
	return least + (int64_t)entropy_below((uint64_t)(most - least) + 1);
}
