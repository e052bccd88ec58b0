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
 * `v` is borrowed.  What the store cannot say is not known; *st is then NULL and not asked any more.  What a local rejected is
 * not counted where both ends are proven equal: then there is nothing.  `conflicts`: how many, where that has been counted already;
 * NULL: the store is asked.
 */
void sight_of(struct store **st, const struct node_view *v, const struct outlook_count *conflicts,
	struct sight *ret);

#endif
