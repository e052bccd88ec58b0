/*
 * bar - how far something is, on one line of a terminal that is written anew: a bar, what is done, the rate and
 * the time left.  Only on standard error, and only where that is a terminal.
 */
#ifndef CENTRAL_TOOL_BAR_H
#define CENTRAL_TOOL_BAR_H

#include "shared/buf.h"

struct bar {
	const char *unit; /* "records", "bytes" */
	int64_t began_us; /* monotonic; 0 = at the first look */
	bool shown;
};

/* The line itself, without control characters.  `total` 0 = not known: then there is no bar. */
void bar_line(
	struct buf *out, const char *label, const char *unit, uint64_t done, uint64_t total, double seconds);

void bar_show(struct bar *b, const char *label, uint64_t done, uint64_t total);
void bar_end(struct bar *b); /* takes the line away */

#endif
