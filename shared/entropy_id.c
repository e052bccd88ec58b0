/* Apart from entropy.c, so that a program with a chance of its own still links this. */
#include "shared/entropy.h"

#include <assert.h>
#include <stdbool.h>

#include "shared/clock.h"

static const char digits[] = "0123456789abcdef";

uint64_t entropy_u64(void)
{
	uint64_t n;
	entropy_bytes(&n, sizeof n);
	return n;
}

uint64_t entropy_below(uint64_t bound)
{
	assert(bound > 0);
	/* The first (2^64 mod bound) values would make their remainders likelier than the others. */
	uint64_t least = -bound % bound, n;
	do
		n = entropy_u64();
	while (n < least);
	return n % bound;
}

static void hex(char *ret, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * len] = '\0';
}

void entropy_hex(char ret[33])
{
	unsigned char bytes[16];
	entropy_bytes(bytes, sizeof bytes);
	hex(ret, bytes, sizeof bytes);
}

#define UUID_LOW_BITS 62
#define UUID_LOW_MASK ((UINT64_C(1) << UUID_LOW_BITS) - 1)
#define UUID_HIGH_MASK UINT64_C(0xfff)

static uint64_t take_step(struct uuid7 *u)
{
	if (u->n_steps == 0) {
		entropy_bytes(u->steps, sizeof u->steps);
		u->n_steps = sizeof u->steps / sizeof u->steps[0];
	}
	return u->steps[--u->n_steps];
}

/* False: there is none above it in this millisecond. */
static bool step_up(struct uuid7 *u)
{
	uint64_t low = u->low + 1 + take_step(u);

	u->high += low >> UUID_LOW_BITS;
	u->low = low & UUID_LOW_MASK;
	return u->high <= UUID_HIGH_MASK;
}

void entropy_uuid7(struct uuid7 *last, char ret[37])
{
	uint64_t ms = (uint64_t)clock_wall_us() / 1000;

	if (ms != last->ms || !step_up(last)) {
		last->ms = ms;
		last->high = entropy_u64() & UUID_HIGH_MASK;
		last->low = entropy_u64() & UUID_LOW_MASK;
	}
	const uint64_t first = ms << 16 | 0x7000 | last->high;
	const uint64_t second = UINT64_C(2) << UUID_LOW_BITS | last->low;
	char *to = ret;

	for (int i = 0; i < 32; i++) {
		uint64_t half = i < 16 ? first : second;
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*to++ = '-';
		*to++ = digits[half >> (60 - 4 * (i % 16)) & 15];
	}
	*to = '\0';
}
