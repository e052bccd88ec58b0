/*
 * reaper_private - the books as reaper.c and reaper_crowd.c share them.
 */
#ifndef SHARED_REAPER_PRIVATE_H
#define SHARED_REAPER_PRIVATE_H

#include <pthread.h>

#include "shared/reaper.h"

#define REAPER_KEY_BYTES 16

struct reaper_address {
	struct reaper_address *next;
	unsigned char key[REAPER_KEY_BYTES];
	unsigned entries; /* with those that are closing */
};

struct reaper {
	pthread_mutex_t lock;
	pthread_cond_t earlier; /* a deadline came before wake_us, or it is over */
	pthread_cond_t idle;    /* `busy` fell to 0 */
	pthread_cond_t turn;    /* fewer make large answers */
	pthread_t thread;
	struct reaper_limits limits;
	struct reaper_entry *entries;
	struct reaper_address *addresses;
	unsigned n, busy;
	int64_t wake_us;
	bool draining, over;
	struct reaper_figures figures;
};

void reaper_wait_until(
	pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_us); /* monotonic, or REAPER_NEVER */

/* All of these under the lock. */

void reaper_end_locked(struct reaper *r, struct reaper_entry *e, enum reaper_reason why);

/* What those of an address are at, or all where it is NULL; those that are closing do not count. */
struct reaper_tally {
	unsigned open, reading, waiting, large;
	uint64_t body, reply;
};
struct reaper_tally reaper_count(const struct reaper *r, const struct reaper_address *from);

/* NULL: no memory. */
struct reaper_address *reaper_address_take(struct reaper *r, const struct sockaddr *from);
void reaper_address_leave(struct reaper *r, struct reaper_address *a);
void reaper_turn_over(
	struct reaper *r, struct reaper_entry *e);        /* it makes no large answer any more, if it did */
void reaper_look(struct reaper_entry *e, int64_t now_us); /* from here on its progress counts */
/* Ends whom another's place is taken from. */
void reaper_make_room(struct reaper *r, const struct reaper_address *from, int64_t now_us);

#endif
