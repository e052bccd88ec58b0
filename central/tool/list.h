/* list - one of the centre's lists, all of its pages as one. */
#ifndef CENTRAL_TOOL_LIST_H
#define CENTRAL_TOOL_LIST_H

#include "central/tool/tool.h"

/* An item's JSON as it came; borrowed for the call. */
typedef void list_item_fn(void *ctx, struct span item);

/*
 * Calls `each` for every item of the list `name` at `target`, which has a query already ("/v1/nodes?limit=1000").
 * A failure in the middle has been told and ends it.
 */
int list_each(struct tool *t, const char *target, const char *name, list_item_fn *each, void *ctx) MUST_USE;
/* What --json asks for: {"NAME":[…],"next":null}, printed as it comes. */
int list_print(struct tool *t, const char *target, const char *name) MUST_USE;

#endif
