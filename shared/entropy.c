#include "shared/entropy.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static void start(void)
{
	if (sodium_init() < 0)
		abort();
}

void entropy_bytes(void *at, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, start);
	randombytes_buf(at, len);
}
