/*
 * reaper - a deadline for each connection: past it the socket is shut down, which wakes
 * whoever waits for it.  Inactivity timers do not end a peer that drips bytes; this does.
 *
 * Thread-safe.  An entry belongs to the reaper between reaper_add() and reaper_drop(); its
 * descriptor may be closed only after the drop.
 */
#ifndef SHARED_REAPER_H
#define SHARED_REAPER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"

#define REAPER_NEVER INT64_MAX

struct reaper;

struct reaper_entry {
	struct reaper_entry *next, *prev;
	int fd;
	int64_t deadline_us; /* monotonic */
	bool busy;           /* between reaper_begin() and reaper_end() */
};

enum err reaper_open(struct reaper **ret, struct reason *why) MUST_USE;
void reaper_close(struct reaper *r); /* NULL is allowed; no entries may be left */

void reaper_add(struct reaper *r, struct reaper_entry *e, int fd, int64_t deadline_us);
void reaper_drop(struct reaper *r, struct reaper_entry *e);
void reaper_set(struct reaper *r, struct reaper_entry *e, int64_t deadline_us);
void reaper_extend(struct reaper *r, struct reaper_entry *e, int64_t by_us);

/*
 * The work for a whole request begins: no deadline until the next reaper_set().  False: it
 * must not any more.
 */
bool reaper_begin(struct reaper *r, struct reaper_entry *e) MUST_USE;
void reaper_end(
	struct reaper *r, struct reaper_entry *e, int64_t deadline_us); /* of a request, begun or not */

/*
 * Shuts down what is not busy and all that comes, then waits for the busy ones, at most until
 * the deadline.
 */
void reaper_drain(struct reaper *r, int64_t deadline_us);
bool reaper_draining(struct reaper *r);

#endif
