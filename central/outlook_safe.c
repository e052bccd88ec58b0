#include "central/outlook.h"

#define SAY(safety, pending, ...) \
	(buf_printf(out, __VA_ARGS__), (struct outlook_verdict){OUTLOOK_##safety, pending})

static unsigned long long llu(uint64_t n)
{
	return n;
}

/* Up to where the centre is known to hold everything; 0: nowhere. */
static unsigned long long covered(const struct outlook_seen *s)
{
	return llu(s->node->sync.cursor);
}

/* Nothing is asked of it, or it does not answer. */
static struct outlook_verdict judge_silent(
	const struct outlook_seen *s, const struct outlook_question *q, struct buf *out)
{
	const struct node_run *run = s->run;

	if (s->node->paused)
		return SAY(UNKNOWN, false,
			"it is paused: what it wrote after position %llu is not known to be at the centre; "
			"`tidemark node resume %s` first",
			covered(s), s->node->name);
	if (s->turn == OUTLOOK_STORE || run->store_failures > 0)
		return SAY(UNKNOWN, s->turn != OUTLOOK_STORE && run->failed_poll <= q->since,
			"the centre's own store does not take what the node has: %s",
			node_trouble(run)->last_reason.text);
	return SAY(UNKNOWN, run->failed_poll <= q->since,
		"it cannot be asked what it holds: %s; what it wrote after position %llu is not known to be "
		"at the centre",
		node_trouble(run)->last_reason.text, covered(s));
}

static struct outlook_verdict judge_halted(const struct outlook_seen *s, struct buf *out)
{
	if (s->node->sync.halt == HALT_IDENTITY)
		return SAY(UNSAFE, false,
			"two databases claim its name; what the one that answers wrote by itself is not at "
			"the "
			"centre");
	return SAY(UNSAFE, false,
		"both ends differ although everything was read: what differs of the node would be lost");
}

static bool in_repair(const struct node_sync *y)
{
	return !epoch_is_none(&y->rename_to) || !epoch_is_none(&y->probe) || y->reconciling;
}

/* It answers.  What is not at the centre yet? */
static struct outlook_verdict judge_progress(const struct outlook_seen *s, struct buf *out)
{
	const struct node_run *run = s->run;

	if (run->pull_backlog > 0)
		return SAY(UNSAFE, true,
			"%llu of its changes, after position %llu, are not at the centre yet and would be "
			"lost",
			llu(run->pull_backlog), covered(s));
	if (s->rejected.known && s->rejected.n > 0)
		return SAY(UNKNOWN, false,
			"there is no proof while it cannot hold %llu of the centre's records (`tidemark why "
			"%s`)",
			llu(s->rejected.n), s->node->name);
	if (run->push_failures > 0)
		return SAY(UNKNOWN, false, "there is no proof while records cannot be pushed to it: %s",
			node_trouble(run)->push_reason.text);
	return SAY(UNKNOWN, true, "it has not been proven equal since the question was asked");
}

static void put_not_covered(const struct outlook_seen *s, struct buf *out)
{
	if (s->quarantined.n > 0)
		buf_printf(out,
			". In quarantine: %llu, kept at the centre with every byte, but not pushed back by "
			"itself "
			"(`tidemark quarantine --node %s`)",
			llu(s->quarantined.n), s->node->name);
	buf_text(out, ". What is written to it later is not covered: keep what writes to it stopped");
}

static struct outlook_verdict judge_proof(
	const struct outlook_seen *s, const struct outlook_question *q, struct buf *out)
{
	const struct node_run *run = s->run;
	bool proven = run->proof.known && run->proof.equal && run->proof.poll > q->since && run->at_head &&
		      !run->to_push && run->proof.seq == run->head_seq;

	if (s->node->sync.comparing)
		return SAY(UNSAFE, true,
			"both ends are still compared: what the centre lacks of it could be lost");
	if (in_repair(&s->node->sync))
		return SAY(UNSAFE, true,
			"both ends are still compared: what has not been read of it (position %llu of %llu) "
			"could be "
			"lost",
			covered(s), llu(run->head_seq));
	if (!proven)
		return judge_progress(s, out);
	if (q->again && run->proof.seq != q->position)
		return SAY(UNSAFE, false,
			"something writes to it: its log went on from position %llu to %llu while it was "
			"watched. "
			"Stop what writes to it, and ask again; pausing the node does not stop it",
			llu(q->position), llu(run->proof.seq));
	if (!s->store_ok)
		return SAY(UNKNOWN, false,
			"both ends are equal, but the centre's own store cannot be written: see that it "
			"works "
			"before you rely on it");
	if (!s->quarantined.known)
		return SAY(UNKNOWN, true, "the centre's own store cannot say what is in quarantine");
	buf_printf(out, "all it held at ");
	buf_time(out, run->proof.at_us);
	buf_printf(out, ", up to position %llu, is at the centre and durable (%llu record%s)",
		llu(run->proof.seq), llu(run->proof.digest.count), run->proof.digest.count == 1 ? "" : "s");
	put_not_covered(s, out);
	return (struct outlook_verdict){OUTLOOK_SAFE, false};
}

struct outlook_verdict outlook_safe(
	const struct outlook_seen *s, const struct outlook_question *q, struct buf *out)
{
	const struct node_run *run = s->run;

	if (!s->node->paused && s->node->sync.halt != HALT_NONE)
		return judge_halted(s, out);
	if (s->node->paused || s->turn == OUTLOOK_STORE || run->store_failures > 0 || run->failures > 0)
		return judge_silent(s, q, out);
	if (!run->heard)
		return SAY(UNKNOWN, true, "it has not been asked yet since the centre started");
	return judge_proof(s, q, out);
}
