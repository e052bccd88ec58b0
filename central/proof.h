/*
 * proof - do both ends hold the same records?  Judged at the head with nothing to push.  Pure.
 *
 *   settled ── unequal ──────────────────────► doubted: both ends are compared by buckets (the witness stays);
 *                                                       the next proof sums the rows at both ends
 *   doubted ── equal ────────────────────────► mended:  one proof by the counters must still follow
 *           ── unequal by the same difference ► diverged: a stop
 *           ── unequal by another ────────────► doubted anew
 *   mended ─── equal ────────────────────────► settled
 *           ── unequal ───────────────────────► the local's counters lie: no reset; from now on, in this
 *                                               epoch, every proof sums the rows
 *
 * The difference of the two digests, not the digests themselves: it stays the same while both ends replicate
 * further writes, so a busy node that has diverged does not compare for ever, and on a quiet one at most two
 * resets follow each other.  Equal rows never stop a node: only a difference that survived a comparison does.
 */
#ifndef CENTRAL_PROOF_H
#define CENTRAL_PROOF_H

#include "central/node.h"
#include "shared/page.h"

enum proof_verdict { PROOF_NONE, PROOF_EQUAL, PROOF_DOUBTED, PROOF_DIVERGED };

/*
 * What both digests count and is no difference to be mended: versions of the local that are kept in quarantine,
 * and the centre's records of the same ids.
 */
struct explained {
	struct digest local, centre;
};

/*
 * `sync` is as after the page was applied (cursor at page end, digest counted, or summed from the rows if
 * sync->recount); it is changed where the verdict asks, and only there.
 */
enum proof_verdict proof_judge(
	struct node_sync *sync, const struct page_end *end, const struct explained *ex, bool to_push);

/* Will proof_judge() give a verdict?  So that rows are summed only then. */
bool proof_is_due(const struct node_sync *sync, const struct page_end *end, bool to_push);

/*
 * The start of every reset, to another or the same epoch: cursor 0.  Doubts end with their epoch; a pending
 * rename, probe or halt is left to the caller.
 *
 * sync_reset() believes nothing any more: generation + 1, the sweep anew, the whole feed is read again.
 * sync_compare() goes on believing what the local holds until buckets of it turn out to be wrong, and asks for
 * these first; where the centre has nothing of the node, there is nothing to compare, and it is a sync_reset().
 */
void sync_reset(struct node_sync *sync, const struct epoch *epoch, struct position witness);
void sync_compare(struct node_sync *sync, const struct epoch *epoch, struct position witness);

#endif
