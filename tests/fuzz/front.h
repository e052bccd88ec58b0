/*
 * front - the whole HTTP front of a program: an input is the bytes of a connection, into the real server over loopback.
 *
 * In it "\n" is sent as CRLF until the first empty line, as is easier to write and to change; "Content-Length: @" becomes
 * the length of what follows that empty line.  An input that begins with "!" is sent as it stands behind that.
 *
 * Held: the connection ends, and is never still for FRONT_PATIENCE_MS; all that comes back is whole HTTP answers with what they announce, JSON
 * is JSON, nothing is 5xx, and where no answer is 2xx the state is as it was.  FUZZ_SHOW=1 prints both directions.
 */
#ifndef TESTS_FUZZ_FRONT_H
#define TESTS_FUZZ_FRONT_H

#include "shared/buf.h"
#include "shared/router.h"

#define FRONT_PATIENCE_MS 10000

/* Chance is the same for every input: epochs and actors are known to the corpus. */
void front_chance_anew(void);

struct front_answers {
	unsigned n;
	unsigned good; /* 2xx */
};
/* Serves `router` (once a process; it stays) and makes one connection with this input. */
void front_connect(const struct router *router, struct span input, struct front_answers *ret);

#endif
