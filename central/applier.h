/*
 * applier - what a worker does with a node: apply its answer, tell what happened, prepare the next request.
 *
 * Linear functions that block on the store; the scheduler calls them from its workers and owns the queues.
 * A slot given here is SLOT_WORKING: nobody else touches its exchange and call.  applier_next.c prepares, applier_tell.c
 * says what happened.
 *
 * A whole page is only asked of a node that has just said that it has more, and only when there is room for it;
 * every other answer is asked to be small.  So what waits for a slow store is bounded, and neither a node that does
 * not answer nor one that has nothing to say takes room from others.  Small answers, and what comes beyond what was asked for,
 * have a budget of their own (transfer.h).
 */
#ifndef CENTRAL_APPLIER_H
#define CENTRAL_APPLIER_H

#include <pthread.h>

#include "central/health.h"
#include "central/slot.h"

/* Of one transaction; each takes a lock of PostgreSQL's table of locks, which holds some thousands for all sessions. */
#define APPLIER_BATCH_MAX 640
/* Of those that wait for each other: who brings nothing finds room beside them. */
#define APPLIER_GATHERED_MAX 512
#define APPLIER_BATCH_BYTES (8 * 1024 * 1024) /* of one transaction, when it has more than one page */
#define APPLIER_ROOM_BYTES (32 * 1024 * 1024)
#define APPLIER_ANSWERS_BYTES \
	(32 * 1024 * 1024) /* of answers: of small ones all, of pages what they have beyond their room */
#define APPLIER_SMALL_BYTES (64 * 1024)

struct applier {
	struct store *store;
	_Atomic int64_t interval_ms;
	_Atomic(enum coding_use) compress;
	_Atomic(const char *) secret; /* NULL or "": nodes are asked without a token */
	pthread_mutex_t *lock;        /* of the scheduler: guards what slot.h says, and what follows */
	struct room room;
	struct transfer_budget answers; /* what they take beyond their room */
	struct health health;
	bool healed;     /* an answer was stored where the one before was not: others may try as well */
	unsigned shrink; /* pages are halved this often: the store is slow */
	struct rate pulled, pushed, read; /* records; places of logs */
	struct histogram applied;
	struct traffic traffic;
	pthread_cond_t read_ahead; /* a slot's `ahead` is no longer busy */
};
void applier_init(struct applier *a, struct store *store, pthread_mutex_t *lock);
void applier_done(struct applier *a);

/* Applies the slots' answers, their pages in one transaction; notes, logs and stores what came of it. */
void applier_finish(struct applier *a, struct slot *const *slots, size_t n);

enum applier_next {
	APPLIER_SEND, /* the slot's call is ready to be started */
	APPLIER_WAIT, /* until *ret_due_us, monotonic */
	APPLIER_HOLD, /* until there is room */
	APPLIER_REST, /* until somebody changes something */
	APPLIER_GONE, /* the node was removed */
};
/* `told`: applier_finish() was, just now. */
enum applier_next applier_next(struct applier *a, struct slot *s, bool told, int64_t *ret_due_us);

/* Makes ready what follows the exchange that is on its way.  The slot's `ahead` is busy, and not any more afterwards. */
void applier_read_ahead(struct applier *a, struct slot *s);

#endif
