/* watch - a command again every second: on a terminal in the same place, elsewhere one picture after the other. */
#ifndef CENTRAL_TOOL_WATCH_H
#define CENTRAL_TOOL_WATCH_H

#include "central/tool/tool.h"

/*
 * EXIT_OK once it is interrupted, or nobody reads any more.  Otherwise what the command failed with: at once, but on a
 * terminal only the first time; later the last picture stays, under what is wrong.
 */
int watch_command(struct tool *t, int (*command)(struct tool *t));

#endif
