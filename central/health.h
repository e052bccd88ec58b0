/*
 * health - what is known of the centre's own store: whether it answers, whose answers it could not take, when to
 * try it again.
 *
 * A store that cannot even be read is tried by one node at a time, so that hundreds do not queue up before it; and so are their
 * changes of state where it takes no writes, of which each may wait for seconds: the workers are there for answers.
 * A store that cannot be written (a full disk) is known by what is owed to it: answers of nodes, changes of their
 * states.  It works again when the last of them has been taken or is no longer wanted, not when somebody else's
 * idle poll went through.
 * Pure but for the backoff's chance; not locked: whoever owns the struct locks.
 */
#ifndef CENTRAL_HEALTH_H
#define CENTRAL_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"

#define HEALTH_RETRY_LEAST_MS 250
#define HEALTH_RETRY_MOST_MS 5000

struct health {
	bool failed;       /* as last told */
	unsigned refusing; /* nodes whose last answer could not be stored */
	unsigned untold;   /* nodes whose change of state could not be stored as an event */
	unsigned lost;     /* reads that failed, in a row */
	int64_t retry_us;  /* monotonic: not to be asked before, while lost > 0 */
	unsigned telling;  /* events that failed to be stored, in a row */
	int64_t tell_us;   /* monotonic: none is to be tried before, while telling > 0, */
	bool trying;       /* nor while somebody is at it */
	struct reason why; /* of the last failure */
};

/* Is this failure one of the whole store (down, full), not of what it was given? */
bool health_concerns(enum err e);

/* May it be asked?  If so while it is lost, the next one may only after a while; if not, *ret_retry_us says when. */
bool health_may_ask(struct health *h, int64_t now_us, int64_t *ret_retry_us);
/* A read failed, or worked. */
void health_read(struct health *h, bool worked, const struct reason *why, int64_t now_us);
/* A node's answer could not be stored, and the last one could; or the reverse; or no other will come: it was removed,
 * paused or halted. */
void health_refused(struct health *h, const struct reason *why);
void health_taken(struct health *h);
/* The same of the event of its change of state; or the state is again the one that was stored last. */
void health_untold(struct health *h, const struct reason *why);
void health_told(struct health *h);
/* May changes of state be stored now?  If so they are to be tried, and while that fails nobody else may until that is over. */
bool health_may_tell(struct health *h, int64_t now_us);
/* They were stored, or not. */
void health_tried_to_tell(struct health *h, bool worked, int64_t now_us);

/* Has what is to be told changed?  Then h->failed is new. */
bool health_changed(struct health *h);

#endif
