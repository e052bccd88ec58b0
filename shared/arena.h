/*
 * arena - memory that is freed all at once: what a decoded page points into.
 * A zeroed struct is an empty arena.  One thread at a time.
 */
#ifndef SHARED_ARENA_H
#define SHARED_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *blocks;
};

void arena_done(struct arena *a);
/* Zeroed, aligned for any type; ends the program when there is no memory left (err_out_of_memory()). */
void *arena_alloc(struct arena *a, size_t bytes);
/* A NUL-terminated copy. */
char *arena_copy(struct arena *a, const char *bytes, size_t len);

#endif
