/*
 * slots - the scheduler's table of nodes and its two lists.  Everything happens under the scheduler's lock.
 */
#ifndef CENTRAL_SLOTS_H
#define CENTRAL_SLOTS_H

#include <pthread.h>

#include "central/slot.h"

struct slots {
	struct slot **at; /* by name */
	size_t n, cap;
	struct slot *ready, **ready_end; /* first in, first out */
	struct slot *waiting;            /* by due_us */
	pthread_cond_t *news;            /* signalled when one became ready, or the first wait ends earlier */
};

void slots_init(struct slots *s, pthread_cond_t *news);
void slots_done(struct slots *s); /* frees the slots as well */

struct slot *slots_find(const struct slots *s, const char *name); /* NULL: none */
void slots_insert(struct slots *s, struct slot *slot);            /* owns it from now on */
void slots_forget(struct slots *s, struct slot *slot);            /* frees it; it is in neither list */

/* Into a list, from none. */
void slots_make_ready(struct slots *s, struct slot *slot);
void slots_make_waiting(struct slots *s, struct slot *slot, int64_t due_us);
/* Out of a list. */
struct slot *slots_take_ready(struct slots *s); /* one must be ready; it is then SLOT_WORKING */
void slots_stop_waiting(struct slots *s, struct slot *slot);
void slots_wake_due(struct slots *s, int64_t now_us); /* from waiting to ready */

#endif
