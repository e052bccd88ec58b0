/*
 * backup - a consistent copy of the embedded store, to be read from a descriptor.
 *
 * It is made in a file beside the store that loses its name at once, so that nothing is left when the
 * process ends.  One at a time, until backup_done(): a copy takes as much room as the store.
 */
#ifndef CENTRAL_BACKUP_H
#define CENTRAL_BACKUP_H

#include <stdatomic.h>

#include "shared/hash.h"

struct backup_turn {
	atomic_bool taken;
	atomic_bool stopping; /* set by whoever wants to end the program: copies under way give up */
};

struct backup {
	struct backup_turn *turn;
	int fd; /* at its beginning */
	uint64_t bytes;
	struct hash hash; /* of all of them */
};

/*
 * Blocks until it is made; polling and the API go on.  `path` is the store's file.  CONFLICT: one is being made or
 * fetched; RETRY: no room (REASON_DISK_FULL), or stopping; INTERNAL: the store is damaged.
 */
enum err backup_make(
	struct backup_turn *turn, const char *path, struct backup *ret, struct reason *why) MUST_USE;
void backup_done(struct backup *b);

/* Removes what a process that was killed while it made one has left.  The store's lock must be held. */
void backup_tidy(const char *path);

#endif
