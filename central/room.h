/*
 * room - how many bytes of pages the centre may hold at once, whoever they are from.
 *
 * When the store is slow or away, pages that have come wait for it; without a bound they would be one page a node.
 * A taker enters before it asks for a page and leaves when the page is applied or did not come.  The more
 * takers there are, the smaller is the share of each, so that a slow line keeps nobody waiting for long.  While
 * anybody waits, who comes or comes again waits as well: whoever keeps them in line admits the first.
 * Pure; not locked: whoever owns the structs locks.
 */
#ifndef CENTRAL_ROOM_H
#define CENTRAL_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/err.h"

struct room {
	size_t bytes; /* all of it */
	size_t taken;
	unsigned takers;  /* in it, or waiting for it */
	unsigned waiting; /* of these */
};

/* A zeroed struct is no taker. */
struct room_ticket {
	size_t taken;
	size_t wanted; /* waiting: 0 = not */
	bool admitted; /* `taken` is kept for it until it enters */
};

/* What a taker may ask for now: `most`, or less when there are many; never less than `least`. */
size_t room_share(const struct room *r, const struct room_ticket *t, size_t least, size_t most);
/*
 * Leaves, and enters again.  How much it has got: all, or what was kept for it when it was admitted; 0: no room, it
 * waits from now on.  Whoever is alone always enters.
 */
size_t room_enter(struct room *r, struct room_ticket *t, size_t bytes) MUST_USE;
/* If there is room for one that waits, it is kept for it: it may enter. */
bool room_admit(struct room *r, struct room_ticket *t) MUST_USE;
/* It needs no more than this after all. */
void room_trim(struct room *r, struct room_ticket *t, size_t bytes);
/* Again, or without having entered, is harmless. */
void room_leave(struct room *r, struct room_ticket *t);

#endif
