/*
 * scheduler_private - what the parts of the scheduler share; only for scheduler*.c.
 */
#ifndef CENTRAL_SCHEDULER_PRIVATE_H
#define CENTRAL_SCHEDULER_PRIVATE_H

#include "central/applier.h"
#include "central/gather.h"
#include "central/retry.h"
#include "central/scheduler.h"
#include "central/slots.h"

#define WORKERS_MAX 16

struct scheduler {
	struct applier applier;
	struct transfer *transfer;
	const struct networks *allowed;
	const struct tls *tls;
	unsigned n_workers;
	struct worker {
		struct scheduler *scheduler;
		pthread_t thread;
		uint64_t turns, turns_seen; /* under the lock: things done; of scheduler_turns() */
	} workers[WORKERS_MAX];
	uint64_t transfer_turns_seen;
	pthread_mutex_t lock;
	pthread_cond_t news; /* of slots */
	/* under the lock: */
	bool stopping;
	int64_t watched_us; /* some worker wakes by then for what is due */
	struct slots slots;
	struct gather gather; /* of small answers */
	struct retry retry;   /* by the one worker that moved retry_due_us */
	int64_t retry_us, retry_due_us;
	int64_t room_due_us; /* while somebody waits for room: when it is looked who gives way */
};

/* A node that is not there yet.  Under the lock. */
struct slot *scheduler_insert(struct scheduler *s, const struct node_row *row);
/* Somebody set a flag of the slot: see that it is looked at soon.  Under the lock. */
void scheduler_nudge(struct scheduler *s, struct slot *slot, bool interrupt);

#endif
