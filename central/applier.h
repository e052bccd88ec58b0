/*
 * applier - what a worker does with a node: apply its answer, tell what happened, prepare the next request.
 *
 * Linear functions that block on the store; the scheduler calls them from its workers and owns the queues.
 * A slot given here is SLOT_WORKING: nobody else touches its exchange and call.
 */
#ifndef CENTRAL_APPLIER_H
#define CENTRAL_APPLIER_H

#include <pthread.h>

#include "central/slot.h"

#define APPLIER_BATCH_MAX 64

struct applier {
	struct store *store;
	int64_t interval_ms;
	struct exchange_limits limits;
	struct span secret;    /* empty: nodes are asked without a token */
	pthread_mutex_t *lock; /* of the scheduler: guards what slot.h says, and what follows */
	bool store_failed;     /* as last logged */
	struct rate pulled, pushed;
	struct histogram applied;
};

/* Applies the slots' answers, their pages in one transaction; notes, logs and stores what came of it. */
void applier_finish(struct applier *a, struct slot *const *slots, size_t n);

enum applier_next {
	APPLIER_SEND, /* the slot's call is ready to be started */
	APPLIER_WAIT, /* until *ret_due_us, monotonic */
	APPLIER_REST, /* until somebody changes something */
	APPLIER_GONE, /* the node was removed */
};
enum applier_next applier_next(struct applier *a, struct slot *s, int64_t *ret_due_us);

#endif
