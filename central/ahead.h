/*
 * ahead - the next page of a refill, read and encoded while the one before is on its way.
 *
 * A node has one exchange at a time; but what the sweep finds next is known while the local still applies what it found
 * last.  So a worker that has nothing else to do makes that page ready, and the next push is that page if nothing else
 * came between: ahead_take() judges it.  What was edited since it was read still differs, and is pushed later, as with
 * a page that was on its way meanwhile.
 *
 * Not locked: whoever owns the struct guards `busy`; the rest is the worker's that has set it, until it is cleared.
 */
#ifndef CENTRAL_AHEAD_H
#define CENTRAL_AHEAD_H

#include "central/exchange.h"

/* A zeroed struct is an empty one. */
struct ahead {
	bool wanted; /* something will follow the exchange that is to be sent, as far as is known */
	bool busy;   /* a worker makes it ready */
	struct ahead_page *next; /* where it is wanted */
};
void ahead_done(struct ahead *a);

/* Notes what follows `x`; returns `wanted`. */
bool ahead_plan(struct ahead *a, const struct exchange *x, const struct exchange_limits *limits);
void ahead_drop(struct ahead *a); /* nothing of it is wanted after all */
/* Reads and encodes the page; none if the store fails or the node has moved on. */
void ahead_read(struct ahead *a, struct store *st, const char *node);
/* True: the page is what the node is to be sent now, and `x` has been begun with it.  Empty afterwards. */
bool ahead_take(struct ahead *a, struct store *st, const struct node *n, const struct exchange_limits *limits,
	struct exchange *x);

#endif
