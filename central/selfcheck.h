/*
 * selfcheck - what is wrong with the centre itself: its store, its disk, its clock.  Looked at now and then by one thread;
 * shown by any.
 */
#ifndef CENTRAL_SELFCHECK_H
#define CENTRAL_SELFCHECK_H

#include <pthread.h>

#include "central/store.h"
#include "shared/ailment.h"

struct selfcheck {
	pthread_mutex_t lock; /* of what follows */
	unsigned now;         /* AILMENT_BIT() of each */
	int64_t since_us[AILMENTS];
	struct reason text[AILMENTS];
	/* Not yet stored as events: that it began, that it is over (only the looking thread's). */
	unsigned begun, over;
	bool clock_seen;
};

struct selfcheck_seen {
	bool store_failed;
	const struct reason *store_why;
	int64_t free_bytes;               /* where the embedded store lies; -1: not known */
	const struct reason *certificate; /* that an own one ends; NULL: they hold, or there is none */
	bool clock_kept;
	bool clock_asked;        /* else not yet: then it is not known to be kept by nobody */
	const char *clock_words; /* why not */
	int64_t wall_us;
};

void selfcheck_init(struct selfcheck *s);
void selfcheck_done(struct selfcheck *s);

/* Follows what is seen, logs what has changed, and stores it as events as soon as the store takes any. */
void selfcheck_look(struct selfcheck *s, const struct selfcheck_seen *seen, struct store *st);

typedef void selfcheck_each_fn(void *ctx, enum ailment a, int64_t since_us, struct span text);
/* Those there are, the worst first; `each` is called under the lock. */
void selfcheck_each(struct selfcheck *s, selfcheck_each_fn *each, void *ctx);

#endif
