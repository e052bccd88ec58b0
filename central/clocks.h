/*
 * clocks - a node's clock against the centre's as handlers show it: what was measured, what each end claims, who keeps it.
 *
 * For people only: nothing is decided by it.  Any thread.
 */
#ifndef CENTRAL_CLOCKS_H
#define CENTRAL_CLOCKS_H

#include "central/node.h"

/* 1: the measure is more than both claims allow; 0: it is not; -1: nothing was measured, or an end claims nothing. */
int clocks_disagree(const struct node_run *run);

/* The member "clock" of a node, with the comma before it. */
void clocks_put(struct buf *out, const struct node_run *run);

#endif
