/*
 * honest - a local that tells the truth: what its database answers to any request of the centre.
 *
 * Of its log it knows one position and the end; of records it holds what the centre holds.
 */
#ifndef TESTS_FUZZ_HONEST_H
#define TESTS_FUZZ_HONEST_H

#include "central/exchange.h"

struct honest {
	struct epoch epoch;
	struct position before, end;
};

/*
 * The answer to `x` into `body`; returns its status.  witness: as the request has it.  sync: of the node, whose records it
 * holds.  A rename that was asked for is done.
 */
int honest_answer(struct honest *h, const struct exchange *x, const struct node_sync *sync,
	struct position witness, struct buf *body);

#endif
