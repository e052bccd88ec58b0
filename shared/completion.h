/*
 * completion - what may stand where a command line is being typed, out of the tables that --help prints: the options, to
 * which commands their help says they belong, and the commands' usage.  Pure; names that only the centre knows are
 * asked for by who calls.
 */
#ifndef SHARED_COMPLETION_H
#define SHARED_COMPLETION_H

#include "shared/arena.h"
#include "shared/options_commands.h"

/* A program asked `PROGRAM COMPLETION_WORD LINE` prints what completes LINE, as the shells' scripts read it. */
#define COMPLETION_WORD "__complete"
#define COMPLETION_FILES ":files" /* the line by which they are told to look for files themselves */

struct completion {
	const struct options *options;
	option_commands *command; /* NULL: the program has none */
};

enum {
	COMPLETION_NODES = 1, /* the names of nodes */
	COMPLETION_OWNERS =
		2, /* the same, each with a slash behind it, as something goes on there: OWNER/ID */
};

struct completed {
	struct buf words;  /* a line each: WORD, a tab, what it means */
	unsigned wants;    /* COMPLETION_…, to be added */
	const char *typed; /* of the word at the end; behind the "=" of an option */
	char **before;     /* the whole words before it, the program first: what options_read() takes */
	int n_before;
	struct arena memory;
};

void completion_read(const struct completion *c, const char *line, struct completed *ret);
/* Adds a word if it begins with what was typed. */
void completion_add(struct completed *r, struct span word, const char *help);
void completed_done(struct completed *r);

#endif
