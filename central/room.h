/*
 * room - how many bytes of pages the centre may hold at once, whoever they are from.
 *
 * When the store is slow or away, pages that have come wait for it; without a bound they would be one page a node.
 * A taker enters before it asks for a page and leaves when the page is applied or did not come.  The more
 * takers there are, the smaller is the share of each, so that a slow line keeps nobody waiting for long.
 * Pure; not locked: whoever owns the structs locks.
 */
#ifndef CENTRAL_ROOM_H
#define CENTRAL_ROOM_H

#include <stdbool.h>
#include <stddef.h>

struct room {
	size_t bytes; /* all of it */
	size_t taken;
	unsigned takers; /* in it, or waiting for it */
};

/* A zeroed struct is no taker. */
struct room_ticket {
	size_t taken;
	size_t wanted; /* waiting: 0 = not */
};

/* What a taker may ask for now: `most`, or less when there are many; never less than `least`. */
size_t room_share(const struct room *r, const struct room_ticket *t, size_t least, size_t most);
/* False: no room; it waits from now on, until it enters or leaves.  Whoever is alone always enters. */
bool room_enter(struct room *r, struct room_ticket *t, size_t bytes);
/* It waits, and could enter now. */
bool room_fits(const struct room *r, const struct room_ticket *t);
/* It needs no more than this after all. */
void room_trim(struct room *r, struct room_ticket *t, size_t bytes);
/* Again, or without having entered, is harmless. */
void room_leave(struct room *r, struct room_ticket *t);

#endif
