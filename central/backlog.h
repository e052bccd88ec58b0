/* backlog - how much of a node waits to be pulled and pushed, and since when.  Unknown is not 0. */
#ifndef CENTRAL_BACKLOG_H
#define CENTRAL_BACKLOG_H

#include "central/centre.h"

struct backlog {
	bool pull_known, push_known;
	uint64_t pull, push;
	int64_t oldest_us; /* wall: when the oldest of both was written; -1 = nothing waits, or not known */
};

/* Does what the node last said of itself still hold?  One that is not asked or does not answer may have
 * written since. */
bool backlog_is_current(const struct node_view *v);
/*
 * Counts rows when something may be left to push.  Where the store cannot say, *st becomes NULL, so that one
 * request does not wait for it once a node; with NULL it is not asked, and that is not known.
 */
void backlog_of(struct store **st, const struct node_view *v, struct backlog *ret);
/* Appends "backlog":{"pull":…,"push":…,"oldest_s":…} */
void backlog_put(struct buf *out, const struct backlog *b);

#endif
