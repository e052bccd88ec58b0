#include "shared/entropy.h"

#include <stdlib.h>
#include <unistd.h>

#define ONCE_MAX 256 /* bytes that getentropy() gives at a time */

/* The kernel's, as libsodium would take them; its sodium_init() is not for us (hash.c). */
void entropy_bytes(void *at, size_t len)
{
	unsigned char *to = at;

	for (size_t n; len > 0; to += n, len -= n) {
		n = len < ONCE_MAX ? len : ONCE_MAX;
		if (getentropy(to, n) != 0)
			abort();
	}
}
