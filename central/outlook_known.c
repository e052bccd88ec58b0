#include "central/outlook.h"

/* Nothing appended: there is nothing to say. */
typedef void sentence_fn(const struct outlook_seen *s, struct buf *out);

static unsigned long long llu(uint64_t n)
{
	return n;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void put_ago(struct buf *out, int64_t us)
{
	outlook_put_age(out, us);
	buf_text(out, " ago");
}

static void say_exchange(const struct outlook_seen *s, struct buf *out)
{
	const struct node_run *run = s->run;

	if (!run->heard) {
		buf_text(out, "no exchange worked since the centre started");
		if (epoch_is_none(&s->node->sync.epoch))
			buf_text(out, ", and none ever did before");
	} else {
		buf_text(out, "the last that worked ended ");
		put_ago(out, s->now_us - run->heard_mono_us);
		buf_text(out, ", at ");
		buf_time(out, run->heard_at_us);
	}
	buf_printf(out, "; %llu worked and %llu failed since the centre started", llu(run->polls_ok),
		llu(run->polls_failed));
}

static void say_failures(const struct outlook_seen *s, struct buf *out)
{
	const struct node_run *run = s->run;

	if (run->failures > 0)
		buf_printf(out, "%u in a row failed, the last: %s (%s)", run->failures,
			node_trouble(run)->last_reason.text, poll_result_name(run->last_result));
	else if (run->store_failures > 0)
		buf_printf(out, "the centre's own store did not take %u answer%s in a row: %s",
			run->store_failures, plural(run->store_failures),
			node_trouble(run)->last_reason.text);
	else if (run->push_failures > 0)
		buf_printf(out, "%u push%s in a row failed, the last: %s", run->push_failures,
			run->push_failures == 1 ? "" : "es", node_trouble(run)->push_reason.text);
	if (run->polls_failed == 0)
		return;
	buf_text(out, out->len ? "; in all" : "in all");
	for (int i = 0; i < POLL_RESULTS; i++)
		if (i != POLL_OK && i != POLL_EPOCH && i != POLL_STALE && s->results[i] > 0)
			buf_printf(
				out, " %s %llu", poll_result_name((enum poll_result)i), llu(s->results[i]));
}

static void say_position(const struct outlook_seen *s, struct buf *out)
{
	const struct node_sync *y = &s->node->sync;

	if (epoch_is_none(&y->epoch)) {
		buf_text(out, "nothing of its database is known");
		return;
	}
	buf_printf(out, "its database is epoch %.8s; its log is read ", y->epoch.hex);
	if (y->comparing) /* until then the cursor is nowhere, and nothing is known of the end */
		buf_text(out, "on when both ends have been compared");
	else if (!s->run->heard)
		buf_printf(out, "up to position %llu; where it ends is not known", llu(y->cursor));
	else
		buf_printf(out, "up to position %llu of %llu, %s", llu(y->cursor), llu(s->run->head_seq),
			s->current ? "its end" : "where it ended when the node was last heard");
	buf_printf(out, "; the centre holds %llu of its records", llu(y->digest.count));
}

static void say_waiting(const struct outlook_seen *s, struct buf *out)
{
	if (s->current)
		buf_printf(out, "to pull %llu", llu(s->run->pull_backlog));
	else
		buf_text(out, "to pull: not known, since it is not heard");
	if (s->push.known)
		buf_printf(out, ", to push %llu", llu(s->push.n));
	else
		buf_text(out, ", to push: not known, since the centre's own store cannot say");
}

static void say_proof(const struct outlook_seen *s, struct buf *out)
{
	const struct node_run *run = s->run;

	if (!run->proof.known) {
		buf_text(out, "none since the centre started: whether both ends are equal is not known");
		return;
	}
	if (run->proof.equal)
		buf_printf(out, "both ends were equal, %llu record%s, ", llu(run->proof.digest.count),
			plural(run->proof.digest.count));
	else
		buf_text(out, "both ends were not equal ");
	put_ago(out, s->now_us - run->proof.mono_us);
	buf_printf(out, ", at position %llu", llu(run->proof.seq));
	if (run->head_seq > run->proof.seq)
		buf_printf(out, "; its log went on to %llu since", llu(run->head_seq));
}

static void say_damaged(const struct outlook_seen *s, struct buf *out)
{
	const char *damaged = node_trouble(s->run)->damaged;

	if (!s->run->counted.known || s->run->counted.damaged == 0)
		return;
	buf_printf(out,
		"the bytes of %llu of its records no longer give their hash at the node, one is %s; "
		"found when "
		"its rows were last summed, ",
		llu(s->run->counted.damaged), damaged[0] ? damaged : "without an id that can be read");
	buf_time(out, s->run->counted.at_us);
}

static void say_repair(const struct outlook_seen *s, struct buf *out)
{
	const struct node_sync *y = &s->node->sync;
	bool doubted = y->doubt_seq > 0 || y->doubt_local.count > 0 || y->doubt_centre.count > 0;

	if (!epoch_is_none(&y->rename_to))
		buf_printf(out, "its database went back to an older state and becomes epoch %.8s",
			y->rename_to.hex);
	else if (!epoch_is_none(&y->probe))
		buf_printf(out, "what answers is epoch %.8s, which the centre had given up", y->probe.hex);
	else if (y->reconciling && s->current)
		buf_printf(out, "both ends are compared record by record: position %llu of %llu is read",
			llu(y->cursor), llu(s->run->head_seq));
	else if (y->reconciling)
		buf_printf(out, "both ends are compared record by record: position %llu is read",
			llu(y->cursor));
	if (y->reconciling && y->sweep_after[0])
		buf_printf(out, "; what it lacks is looked for, by id, after %s", y->sweep_after);
	if (y->recount)
		buf_printf(
			out, "%sthe next proof sums the rows themselves at both ends", out->len ? "; " : "");
	if (doubted)
		buf_printf(out, "%sa proof at position %llu was not equal", out->len ? "; " : "",
			llu(y->doubt_seq));
}

static void say_kept(struct buf *out, const struct outlook_count *c, const char *what)
{
	if (c->known && c->n > 0)
		buf_printf(out, "%llu %s", llu(c->n), what);
	else if (!c->known)
		buf_text(out, "not known, since the centre's own store cannot say");
}

static void say_quarantined(const struct outlook_seen *s, struct buf *out)
{
	say_kept(out, &s->quarantined,
		"of its records could not be applied; they are kept with their bytes and left out of the "
		"proof");
}

static void say_rejected(const struct outlook_seen *s, struct buf *out)
{
	say_kept(out, &s->rejected, "of the centre's records it could not hold; no proof is made meanwhile");
}

static void say_conflicts(const struct outlook_seen *s, struct buf *out)
{
	say_kept(out, &s->conflicts, "of its versions lost a conflict, or were put aside, and are kept");
}

void outlook_clock(const struct outlook_seen *s, struct reason *ret)
{
	const struct node_run *run = s->run;
	struct offset_reading m;
	bool known = offset_read(&run->clock.measured, s->now_us, &m);
	struct offset_claim node = node_clock_claim(run);

	offset_describe(known ? &m : NULL, &node, &s->clock, ret);
}

static void say_clock(const struct outlook_seen *s, struct buf *out)
{
	struct reason words;

	outlook_clock(s, &words);
	buf_printf(out, "%s (shown only: nothing depends on it)", words.text);
}

/* What the node says of itself; the rest has sentences of its own. */
static void say_unwell(const struct outlook_seen *s, struct buf *out)
{
	unsigned kinds = node_trouble(s->run)->unwell.kinds;

	if (s->run->counted.damaged > 0) /* say_damaged() says more */
		kinds &= ~AILMENT_BIT(AILMENT_DAMAGED);
	for (int a = 0; a < AILMENTS_TOLD; a++) {
		if (!(kinds & AILMENT_BIT(a)))
			continue;
		buf_text(out, out->len ? "; " : "");
		outlook_say_ailment(s, (enum ailment)a, out);
	}
}

static const struct {
	const char *topic;
	sentence_fn *say;
} sentences[] = {
	{"exchange", say_exchange},
	{"failures", say_failures},
	{"position", say_position},
	{"waiting", say_waiting},
	{"proof", say_proof},
	{"unwell", say_unwell},
	{"damaged", say_damaged},
	{"repair", say_repair},
	{"quarantined", say_quarantined},
	{"rejected", say_rejected},
	{"conflicts", say_conflicts},
	{"clock", say_clock},
};

void outlook_known(const struct outlook_seen *s, outlook_fact_fn *each, void *ctx)
{
	struct buf text = {0};

	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++) {
		buf_clear(&text);
		sentences[i].say(s, &text);
		if (text.len > 0)
			each(ctx, sentences[i].topic, buf_span(&text));
	}
	buf_done(&text);
}
