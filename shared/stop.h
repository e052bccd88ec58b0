/*
 * stop - SIGTERM and SIGINT as something a program can wait for, and SIGHUP as the wish that it reads its settings anew,
 * unless it comes from a terminal that was closed: that is a stop.  SIGPIPE and SIGXFSZ are ignored.
 */
#ifndef SHARED_STOP_H
#define SHARED_STOP_H

#include <stdbool.h>
#include <stdint.h>

void stop_init(void); /* before any thread: blocks the signals for all of them */
/* True: stop now.  -1 waits for ever.  A SIGHUP ends the wait early (false); several before the next wait are one. */
bool stop_wait(int64_t timeout_ms);
bool stop_take_reload(void); /* true once after a wait that saw SIGHUP */
void stop_request(void);     /* from any thread */

#endif
