/*
 * spawn - runs another program once, for what it prints: the one door to other programs.
 *
 * It gets a process group of its own, signals as usual, the environment that is given and none of our descriptors.
 * What is left of the group when it ends, when its time is up or when we are to stop is killed: nothing it started
 * outlives the call.  Any thread may call.
 */
#ifndef SHARED_SPAWN_H
#define SHARED_SPAWN_H

#include "shared/buf.h"

struct spawn {
	const char *program;            /* sought in our PATH if it has no slash */
	const char *const *arguments;   /* the first is its own name; a NULL at the end, as in the next */
	const char *const *environment; /* all of it */
	struct span input;              /* its standard input; what it does not read is forgotten */
	bool errors;                    /* its standard error is output, too; else it goes nowhere */
	size_t most;                    /* bytes of output */
	bool cut;                       /* what is more is read and forgotten; else it is TOO_LONG */
	int64_t timeout_ms;
	int stop_fd; /* readable: end now */
};

enum spawn_end {
	SPAWN_ENDED,    /* by itself: *ret_status as of waitpid() */
	SPAWN_LATE,     /* killed after timeout_ms */
	SPAWN_TOO_LONG, /* killed because of its output */
	SPAWN_STOPPED,  /* killed because of stop_fd */
	SPAWN_NEVER,    /* could not be started: *ret_status is an errno */
};

/* Appends its output to `out`. */
enum spawn_end spawn_run(const struct spawn *s, struct buf *out, int *ret_status);

#endif
