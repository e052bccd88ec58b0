/* event - one of what happened, printed; and how those are asked for that somebody wants to see. */
#ifndef CENTRAL_TOOL_EVENT_H
#define CENTRAL_TOOL_EVENT_H

#include "central/tool/tool.h"

/* A line for people, or with --json the event as it came.  Returns its id; 0 = this is no event, and nothing is printed. */
uint64_t event_print(const struct tool *t, struct span event);
/* Those of a page of /v1/events.  Returns the last one's id; 0 = none. */
uint64_t event_print_page(const struct tool *t, struct span page);
/* &level=…&node=…&audit=…&who=…, as the options of these names say. */
void event_put_wish(const struct tool *t, struct buf *target);

/* Prints this page and what happens behind it, until a signal or nobody reads any more: EXIT_OK. */
int event_follow(struct tool *t, struct span page);

#endif
