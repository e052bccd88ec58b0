/*
 * supervisor - what systemd, or whoever keeps this program running, is told: sd_notify's protocol, spoken by hand.
 *
 * A datagram of NAME=VALUE lines to the socket that $NOTIFY_SOCKET names, a path or (with '@') an abstract one.  Without one
 * every call does nothing.  Nobody ever waits for the other end: a datagram that it does not take is dropped, but for READY=1
 * and the status, which go out again with the next supervisor_status().
 * One thread at a time (main's).
 */
#ifndef SHARED_SUPERVISOR_H
#define SHARED_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"

/*
 * Before any thread: takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child speaks in
 * our name.  A socket that cannot be is as none.
 */
void supervisor_init(void);
bool supervisor_listens(void);

void supervisor_ready(void); /* it serves; also at the end of a reload */
/* A sentence about how it goes, shown by `systemctl status`.  Sent when it is another than the last one. */
void supervisor_status(const char *fmt, ...) PRINTF(1, 2);
void supervisor_starting(int64_t more_ms); /* not ready yet: the limit on the start is so far from now */
void supervisor_reloading(void);
void supervisor_stopping(void);

/* How often supervisor_alive() is wanted, a quarter of the time after which the program is ended for its silence; -1: never. */
int64_t supervisor_alive_ms(void);
/* Is it wanted now?  True at most so often. */
bool supervisor_wants_alive(void);
/* How long a loop that looks for that each time round may wait: `most_ms`, or less. */
int64_t supervisor_wait_ms(int64_t most_ms);
void supervisor_alive(void);

#endif
