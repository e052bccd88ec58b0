#include "central/proof.h"

static const struct digest nothing;

static struct digest difference(struct digest a, struct digest b)
{
	return (struct digest){a.count - b.count, {a.lane[0] - b.lane[0], a.lane[1] - b.lane[1]}};
}

static void doubt(struct node_sync *s, uint64_t seq, struct digest local, struct digest centre)
{
	s->doubt_seq = seq;
	s->doubt_local = local;
	s->doubt_centre = centre;
}

bool proof_is_due(const struct node_sync *s, const struct page_end *end, bool to_push)
{
	return s->halt == HALT_NONE && !s->comparing && !to_push && !end->more &&
	       end->to.seq == end->head_seq && s->cursor == end->to.seq;
}

/* Remembered in the place of a doubt, as one without a difference: the local's counters are not to be
 * believed. */
static bool counters_lie(const struct node_sync *s)
{
	return node_sync_doubts(s) && digest_equal(s->doubt_local, s->doubt_centre);
}

static enum proof_verdict judge_equal(struct node_sync *s)
{
	s->reconciling = false;
	if (counters_lie(s))
		return PROOF_EQUAL;
	if (!s->recount)
		doubt(s, 0, nothing, nothing);
	s->recount = false;
	return PROOF_EQUAL;
}

/* `local` and `centre` are what is left to be compared of the two digests. */
static enum proof_verdict judge_unequal(
	struct node_sync *s, const struct page_end *end, struct digest local, struct digest centre)
{
	struct digest now = difference(local, centre);
	struct digest before = difference(s->doubt_local, s->doubt_centre);

	if (node_sync_doubts(s) && !s->recount) {
		struct digest any = digest_equal(local, nothing) ? centre : local;

		doubt(s, end->to.seq, any, any);
		s->recount = true;
		return PROOF_NONE;
	}
	if (node_sync_doubts(s) && digest_equal(now, before)) {
		s->halt = HALT_DIVERGED;
		return PROOF_DIVERGED;
	}
	doubt(s, end->to.seq, local, centre);
	sync_compare(s, &s->epoch, s->witness);
	s->recount = true;
	return PROOF_DOUBTED;
}

enum proof_verdict proof_judge(
	struct node_sync *sync, const struct page_end *end, const struct explained *ex, bool to_push)
{
	struct digest local, centre;

	if (!proof_is_due(sync, end, to_push))
		return PROOF_NONE;
	local = difference(end->digest, ex->local);
	centre = difference(sync->digest, ex->centre);
	if (digest_equal(local, centre))
		return judge_equal(sync);
	return judge_unequal(sync, end, local, centre);
}

static void move_to(struct node_sync *sync, const struct epoch *epoch, struct position witness)
{
	if (!epoch_equal(&sync->epoch, epoch)) {
		sync->recount = false;
		doubt(sync, 0, nothing, nothing);
	}
	sync->epoch = *epoch;
	sync->witness = witness;
	sync->resets++;
	sync->cursor = 0;
	sync->reconciling = true;
}

void sync_reset(struct node_sync *sync, const struct epoch *epoch, struct position witness)
{
	move_to(sync, epoch, witness);
	sync->comparing = false;
	sync->generation++;
	sync->swept = sync->digest.count == 0; /* nothing is there to be gone through */
	sync->sweep_after[0] = '\0';
}

void sync_compare(struct node_sync *sync, const struct epoch *epoch, struct position witness)
{
	if (sync->digest.count == 0) {
		sync_reset(sync, epoch, witness);
		return;
	}
	move_to(sync, epoch, witness);
	sync->comparing = true;
}
