/* backlog - how much of a node waits to be pulled and pushed, since when, and for how long still.  Unknown is not 0.  Pure. */
#ifndef CENTRAL_BACKLOG_H
#define CENTRAL_BACKLOG_H

#include "central/centre.h"

/* One direction. */
struct backlog_way {
	bool known;
	uint64_t records;  /* to pull: at most; places of the log may have been written over */
	int64_t oldest_us; /* wall: since when the oldest of them waits; -1 = nothing waits, or not known */
	double pace;       /* of them a second, as they move now; 0: they do not */
};
struct backlog {
	struct backlog_way pull, push;
};

/* Does what the node last said of itself still hold?  One that is not asked or does not answer may have
 * written since. */
bool backlog_is_current(const struct node *n, const struct node_run *run);
/* What it last said is left to pull; `pace` is 0. */
struct backlog_way backlog_to_pull(const struct node *n, const struct node_run *run);
/* May something be left to push, so that its rows are to be counted (STORE_COUNT_PUSH)?  Else nothing is. */
bool backlog_counts_push(const struct node *n, const struct node_run *run);
/* The older of two times of which -1 is none. */
int64_t backlog_older(int64_t a_us, int64_t b_us);
/* How long until nothing of it waits, in seconds; -1 = not known. */
double backlog_left_s(const struct backlog_way *w);
/* Appends "backlog":{"pull":…,"push":…,"oldest_s":…,…} */
void backlog_put(struct buf *out, const struct backlog *b);

#endif
