/*
 * stop - SIGTERM and SIGINT as something a program can wait for; SIGPIPE and SIGXFSZ are ignored.
 */
#ifndef SHARED_STOP_H
#define SHARED_STOP_H

#include <stdbool.h>
#include <stdint.h>

void stop_init(void);               /* before any thread: blocks the signals for all of them */
bool stop_wait(int64_t timeout_ms); /* true: stop now; -1 waits for ever */
void stop_request(void);            /* from any thread */

#endif
