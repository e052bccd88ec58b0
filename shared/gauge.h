/*
 * gauge - the progress of something long, for people, on standard error: on a terminal one line that is written
 * anew, else a line every ten seconds.  One thread.
 */
#ifndef SHARED_GAUGE_H
#define SHARED_GAUGE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"

struct gauge {
	const char *what; /* "data.csv" */
	bool quiet, terminal, shown;
	int64_t total_bytes; /* -1 = not known */
	int64_t began_us, last_us;
};

void gauge_begin(struct gauge *g, const char *what, int64_t total_bytes, bool quiet);
/* Says so, unless it did a short while ago. */
void gauge_move(struct gauge *g, uint64_t records, uint64_t bytes);
/* Takes the line away; returns the seconds since the beginning. */
double gauge_end(struct gauge *g);

/* One line of it, without a line end: records, bytes of how many, rate, time left.  Pure. */
void gauge_line(struct buf *out, const char *what, uint64_t records, uint64_t bytes, int64_t total_bytes,
	double seconds);

#endif
