/*
 * slots - the scheduler's table of nodes, and those of them that are ready, wait for their time, or are held for
 * want of room.  Everything happens under the scheduler's lock.
 */
#ifndef CENTRAL_SLOTS_H
#define CENTRAL_SLOTS_H

#include <pthread.h>

#include "central/slot.h"

struct slot_list { /* first in, first out */
	struct slot *first, **end;
};

struct slot_gathering {
	struct slot_list list;
	size_t n;
	int64_t due_us; /* while there are any */
};

struct slots {
	struct slot **at; /* by name */
	size_t n, cap;
	struct slot_list ready, held;
	/* Ready, but in no hurry: gathered, to be looked at together.  Those that bring nothing; those that bring a little. */
	struct slot_gathering quiet, small;
	struct slot **waiting; /* a heap by due_us, as large as `at` */
	size_t n_waiting;
	pthread_cond_t *news; /* signalled when one became ready, or the first wait ends earlier */
};

void slots_init(struct slots *s, pthread_cond_t *news);
void slots_done(struct slots *s); /* frees the slots as well */

struct slot *slots_find(const struct slots *s, const char *name); /* NULL: none */
size_t slots_after(const struct slots *s, const char *name); /* where those begin whose names are greater */
void slots_insert(struct slots *s, struct slot *slot);       /* owns it from now on */
void slots_forget(struct slots *s, struct slot *slot);       /* frees it; it is in no list */

/* Into a list, from none. */
void slots_make_ready(struct slots *s, struct slot *slot);
/*
 * Ready with the next one, or, where none are gathered below, in a 500th of the time that it was parked for, SLOTS_QUIET_US to
 * SLOTS_QUIET_MOST_US: at thousands of nodes most answers bring nothing, and to wake up for each costs more than to look at it.
 */
void slots_make_ready_soon(struct slots *s, struct slot *slot, int64_t now_us);
#define SLOTS_QUIET_US 3000
#define SLOTS_QUIET_MOST_US 50000
/* Ready within the least `wait_us` of them, or when they are `most`: their answers go into one transaction (gather.h). */
void slots_gather(struct slots *s, struct slot *slot, int64_t now_us, int64_t wait_us, size_t most);
void slots_make_waiting(struct slots *s, struct slot *slot, int64_t due_us);
void slots_hold(struct slots *s, struct slot *slot);
/* Out of a list. */
struct slot *slots_take_ready(struct slots *s); /* one must be ready; it is then SLOT_WORKING */
void slots_stop_waiting(struct slots *s, struct slot *slot);
void slots_release(struct slots *s, struct slot *slot); /* no longer held */
void slots_wake_due(struct slots *s, int64_t now_us);   /* from waiting to ready */
int64_t slots_next_due_us(const struct slots *s);       /* -1: none waits */

/* Nodes that could all be asked at once are asked one after the other, within an interval at most: */
/* all that are idle, at the start; */
void slots_begin(struct slots *s, int64_t interval_ms);
/* those whose answers the store refused, when it takes answers again: they do not wait for their time. */
void slots_hurry_refused(struct slots *s, int64_t interval_ms);
/* Makes those that are held ready, in turn, as long as there is room for the next one. */
void slots_admit(struct slots *s, struct room *r);

#endif
