/*
 * words - what a message says, in short, for the trace and the oracle: read from the wire, not by the
 * program's own readers.
 */
#ifndef TESTS_SIM_WORDS_H
#define TESTS_SIM_WORDS_H

#include "shared/buf.h"
#include "tests/sim/oracle.h"

/* Texts live until the next call of the same function. */
const char *words_request(struct buf target, struct buf body);
const char *words_answer(struct buf body);

/* A member of the query as it stands there; empty when absent. */
struct span words_query(struct span target, const char *name);

/* Where the log stood at the end of a page or push; 0 when it does not say. */
uint64_t words_end(struct span body);

/* The versions an answer shows: lines of a page, and what the local holds where it refused a push. */
void words_told(struct span body, struct told *ret);

#endif
