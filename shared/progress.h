/*
 * progress - how far something long is, for people, on standard error: on a terminal one line that is written
 * anew, elsewhere a line every ten seconds.  With a bar, a percentage and the time left where it is known how much
 * there is to do.  One thread.
 */
#ifndef SHARED_PROGRESS_H
#define SHARED_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"

/* What is counted; the first that is gives the rate. */
enum { PROGRESS_RECORDS = 1, PROGRESS_BYTES = 2 };

struct progress_point {
	const char *label; /* "data.csv" */
	unsigned counted;  /* PROGRESS_…; 0 = only the label is known */
	uint64_t records, bytes;
	uint64_t total; /* of the bytes where they are counted, else of the records; 0 = not known */
};

struct progress {
	bool quiet, terminal, shown;
	unsigned counted; /* when it was shown last */
	int64_t began_us, next_us;
};

void progress_begin(struct progress *p, bool quiet);
/* Shows it, unless it did a short while ago (and what is counted is the same). */
void progress_move(struct progress *p, const struct progress_point *at);
/* Takes the line away; returns the seconds since the beginning. */
double progress_end(struct progress *p);

/* The line itself, without a line end, `seconds` after the beginning.  Pure. */
void progress_line(struct buf *out, const struct progress_point *at, double seconds);

#endif
