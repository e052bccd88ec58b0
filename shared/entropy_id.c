/* Apart from entropy.c, so that a program with a chance of its own still links this. */
#include "shared/entropy.h"

#include <assert.h>

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

void entropy_uuid7(char ret[37])
{
	unsigned char bytes[16];
	entropy_bytes(bytes, sizeof bytes);
	uint64_t ms = (uint64_t)clock_wall_us() / 1000;
	for (int i = 0; i < 6; i++)
		bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
	bytes[6] = (unsigned char)(0x70 | (bytes[6] & 0x0f));
	bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));

	char text[33];
	hex(text, bytes, sizeof bytes);
	char *to = ret;
	for (int i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*to++ = '-';
		*to++ = text[i];
	}
	*to = '\0';
}
