/*
 * seal - a check over all bytes of a replication call or its answer (PROTOCOL 7.7).
 *
 * A record's hash says nothing of its times, of where a page ends, or of what a push expects; and a hash that does not
 * fit may come from the other end's disk as well as from the way.  The seal tells the two apart: with it broken nothing of
 * the message is believed, and it is asked for or sent again.  It keeps nobody out: that is what tokens are for.
 */
#ifndef SHARED_SEAL_H
#define SHARED_SEAL_H

#include "shared/buf.h"

/* Adds `check` as the last member of the object that ends `body`: an answer's only one, or its last line. */
void seal_answer(struct buf *body);
/* Adds `check` as the last name of the query: over the query before it and the body. */
void seal_request(struct buf *target, struct span body);

/* False: some byte is not as it was sent.  What carries no check holds. */
bool seal_holds(struct span answer) MUST_USE;
bool seal_request_holds(struct span target, struct span body) MUST_USE;

#endif
