#include "shared/entropy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONCE_MAX 256 /* bytes that getentropy() gives at a time */
#define ID_BYTES 16

/* The kernel's, as libsodium would take them; its sodium_init() is not for us (hash.c). */
static void take(void *at, size_t len)
{
	unsigned char *to = at;

	for (size_t n; len > 0; to += n, len -= n) {
		n = len < ONCE_MAX ? len : ONCE_MAX;
		if (getentropy(to, n) != 0)
			abort();
	}
}

/* An id takes a few bytes, and thousands of requests a second have one: so the kernel is asked for many at a time.  What was given away is nowhere else. */
void entropy_bytes(void *at, size_t len)
{
	static _Thread_local struct {
		unsigned char bytes[ONCE_MAX];
		size_t left;
	} ahead;

	if (len > ID_BYTES) {
		take(at, len);
		return;
	}
	if (ahead.left < len) {
		take(ahead.bytes, sizeof ahead.bytes);
		ahead.left = sizeof ahead.bytes;
	}
	ahead.left -= len;
	memcpy(at, ahead.bytes + ahead.left, len);
	explicit_bzero(ahead.bytes + ahead.left, len);
}
