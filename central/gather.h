/*
 * gather - how long a small answer waits for others, to share a transaction with them.
 *
 * A transaction costs the same for one record as for a hundred, some half a millisecond of a database server, so that a few hundred of
 * them a second take more of it than thousands of records do.  A node that writes now and then is applied at once; the more nodes
 * bring something in a second, the longer their answers wait, GATHER_MOST_US at most.  Whoever comes back at once, again and
 * again, counts for less: waiting brings him no company.
 *
 * Pure.  A zeroed struct has seen nothing yet.
 */
#ifndef CENTRAL_GATHER_H
#define CENTRAL_GATHER_H

#include <stdint.h>

#define GATHER_MOST_US 90000 /* with what it takes itself, a transaction in a tenth of a second */
/* Answers a second from which on they wait, and at which they wait longest. */
#define GATHER_FROM_PER_S 100.0
#define GATHER_FULL_PER_S 1000.0

struct gather {
	double per_s; /* lately */
	int64_t at_us;
};

/* A small answer came `took_us` after its request. */
void gather_note(struct gather *g, int64_t now_us, int64_t took_us);
/* How long it may wait; 0: not at all. */
int64_t gather_wait_us(const struct gather *g);

#endif
