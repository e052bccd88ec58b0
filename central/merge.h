/*
 * merge - COMPARE (PROTOCOL 5): the one place where two versions of a record meet.  Pure.
 *
 *   c absent: take l        l absent: keep c        equal hashes: nothing
 *   only c is covered by l  → take l (l knows a centre's actor further than c: the centre was restored,
 *                             c is archived)
 *   only l is covered by c  → keep c, push it (l is archived unless it was known or archived already)
 *   both or none            → conflict: winner by policy, an edit beats a delete; the loser is archived;
 *                             a new version of the centre carries the winner's content and both vectors
 */
#ifndef CENTRAL_MERGE_H
#define CENTRAL_MERGE_H

#include "shared/record.h"

enum merge_policy { POLICY_OWNER, POLICY_CENTRE };

enum merge_verdict {
	MERGE_NOTHING, /* equal */
	MERGE_TAKE,    /* the local's becomes the centre's */
	MERGE_KEEP,    /* the centre's stays and will be pushed */
	MERGE_CONFLICT_LOCAL_WINS,
	MERGE_CONFLICT_CENTRE_WINS,
};

struct merge {
	enum merge_verdict verdict;
	bool archive_local, archive_centre;
	bool centre_was_restored;
};

/* NULL = absent (never both).  `local_is_known`: l is what the centre last knew the local to hold, or is
 * archived already. */
struct merge merge_compare(
	const struct record *l, const struct record *c, bool local_is_known, enum merge_policy policy);

/*
 * For a conflict: the new version, with the winner's content and spans, `own` as its dot and both vectors in
 * *vv; times are the caller's `now_us`; created_at is the winner's.
 */
struct record merge_successor(const struct record *winner, const struct record *loser, struct dot own,
	int64_t now_us, int64_t clock_error_us, struct vector *vv);

#endif
