/* access_private - what the files of access share. */
#ifndef CENTRAL_ACCESS_PRIVATE_H
#define CENTRAL_ACCESS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "central/access.h"

struct access {
	_Atomic(const char *) secret;
	struct keyring *keys;
	atomic_uint port;         /* where the centre listens; 0 = not known */
	atomic_bool loaded;       /* the tokens are known */
	atomic_bool stale;        /* a change of them has an unknown outcome: to be read again */
	pthread_mutex_t changing; /* one change of tokens at a time, in the store and then here */
	pthread_mutex_t lock;     /* of the throttle */
	struct throttle throttle;
};

#endif
