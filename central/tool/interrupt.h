/* interrupt - Ctrl-C as the end of what goes on for ever, and no failure.  For one thread. */
#ifndef CENTRAL_TOOL_INTERRUPT_H
#define CENTRAL_TOOL_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

/* From here on SIGINT and SIGTERM only wake what waits; what is being written goes on. */
void interrupt_take(void);
bool interrupt_came(void);
/* Or until one comes. */
void interrupt_pause(int64_t ms);
/* Who read standard output is gone, or it cannot be written.  `head` shows so at the next write only, which may be far. */
bool interrupt_nobody_reads(void);

#endif
