/* sight - a node as it is seen now: what is in memory, and the few counts of the store that its sentences need. */
#ifndef CENTRAL_SIGHT_H
#define CENTRAL_SIGHT_H

#include "central/backlog.h"

struct sight {
	const struct node_view *view;
	struct backlog backlog;
	struct outlook_seen seen; /* but for store_ok */
};

/*
 * Which counts a node needs.  What a local rejected is not counted where both ends are proven equal, nor what waits where nothing
 * can: then there is nothing.
 */
unsigned sight_wants(const struct node *n, const struct node_run *run, enum node_state state);
/*
 * `v` is borrowed.  What the store cannot say is not known; *st is then NULL and not asked any more.  `counted`: what was counted
 * already, with that of many others; of what else is needed the store is asked.  NULL: of all.
 */
void sight_of(
	struct store **st, const struct node_view *v, const struct owner_counts *counted, struct sight *ret);

#endif
