/*
 * clocks - how a clock is shown: the centre's own, and a node's against it.
 */
#ifndef CENTRAL_TOOL_CLOCKS_H
#define CENTRAL_TOOL_CLOCKS_H

#include "central/tool/tool.h"

/* Does the centre say that something is wrong with this node's clock?  NULL, or the word for it.  The thresholds are the
 * centre's. */
const char *clocks_alarm(const struct json_doc *node);

/* "2.500 s ±93 us SKEWED": how far off, how well that is known, and what is to be said of it; "-" = not measured. */
void clocks_put(struct buf *out, const struct json_doc *node);

void clocks_print_own(const struct json_doc *status); /* a line */

#endif
