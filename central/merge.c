#include "central/merge.h"

#include <assert.h>
#include <stddef.h>

static struct merge conflict(const struct record *l, const struct record *c, enum merge_policy policy)
{
	bool local_wins = policy == POLICY_OWNER;

	if (l->deleted != c->deleted)
		local_wins = c->deleted;
	return (struct merge){
		.verdict = local_wins ? MERGE_CONFLICT_LOCAL_WINS : MERGE_CONFLICT_CENTRE_WINS,
		.archive_local = !local_wins,
		.archive_centre = local_wins,
	};
}

struct merge merge_compare(
	const struct record *l, const struct record *c, bool local_is_known, enum merge_policy policy)
{
	bool l_in_c, c_in_l, restored;

	assert(l || c);
	if (!c)
		return (struct merge){.verdict = MERGE_TAKE};
	if (!l)
		return (struct merge){.verdict = MERGE_KEEP};
	if (hash_equal(l->hash, c->hash))
		return (struct merge){.verdict = MERGE_NOTHING};
	l_in_c = version_covers(c->dot, c->vv, l->dot);
	c_in_l = version_covers(l->dot, l->vv, c->dot);
	if (l_in_c == c_in_l)
		return conflict(l, c, policy);
	if (l_in_c)
		return (struct merge){.verdict = MERGE_KEEP, .archive_local = !local_is_known};
	/*
	 * An edit of ours that we do not remember: what we hold now may have been written after the
	 * restore.
	 */
	restored = version_knows_more_of_centre(l->dot, l->vv, c->dot, c->vv);
	return (struct merge){
		.verdict = MERGE_TAKE, .archive_centre = restored, .centre_was_restored = restored};
}

struct record merge_successor(const struct record *winner, const struct record *loser, struct dot own,
	int64_t now_us, int64_t clock_error_us, struct vector *vv)
{
	struct record r = *winner;

	vector_succeed(vv, own, winner->dot, winner->vv, loser->dot, loser->vv);
	r.dot = own;
	r.vv = vv->n > 0 ? vv : NULL;
	r.updated_at_us = now_us;
	r.clock_error_us = clock_error_us;
	r.seq = 0;
	r.hash = record_hash(&r);
	return r;
}
