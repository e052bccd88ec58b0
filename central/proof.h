/*
 * proof - do both ends hold the same records?  Judged at the head with nothing to push.  Pure.
 *
 * Unequal once: a reset of the same epoch (generation + 1, cursor 0, the witness stays), digests summed from the
 * rows at both ends at the next proof.  Unequal again with no write between: diverged, a stop, never a loop.
 */
#ifndef CENTRAL_PROOF_H
#define CENTRAL_PROOF_H

#include "central/node.h"
#include "shared/page.h"

enum proof_verdict { PROOF_NONE, PROOF_EQUAL, PROOF_DOUBTED, PROOF_DIVERGED };

/* `sync` is as after the page was applied (cursor at page end, digest counted); it is changed where the verdict asks. */
enum proof_verdict proof_judge(struct node_sync *sync, const struct page_end *end, bool to_push);

/* The start of every reset: another or the same epoch, generation + 1, cursor 0, the sweep anew. */
void sync_reset(struct node_sync *sync, const struct epoch *epoch, struct position witness);

#endif
