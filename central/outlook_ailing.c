#include "central/outlook.h"

#define ALL_TOLD (AILMENT_BIT(AILMENTS_TOLD) - 1)

static bool is_damaged(const struct node_run *run)
{
	return run->counted.known && run->counted.damaged > 0;
}

/* A bit where it holds. */
static unsigned bit(enum ailment a, bool has)
{
	return has ? AILMENT_BIT(a) : 0;
}

/* A local that was just started has not yet asked who keeps its clock. */
static bool is_free(const struct node_run *run)
{
	return run->clock.told && run->clock.error_us < 0 && run->clock.kept != CHRONY_UNKNOWN;
}

unsigned outlook_ailing(const struct node *n, const struct node_run *run, int64_t now_us,
	const struct offset_claim *own_clock)
{
	struct offset_reading m;
	struct offset_claim claim = node_clock_claim(run);
	bool measured = offset_read(&run->clock.measured, now_us, &m);
	bool skewed = measured && offset_is_skewed(&m);

	return (node_trouble(run)->unwell.kinds & ALL_TOLD) | bit(AILMENT_DAMAGED, is_damaged(run)) |
	       bit(AILMENT_REJECTED, node_trouble(run)->rejected.any) |
	       bit(AILMENT_QUARANTINED, n->sync.quarantined > 0) |
	       bit(AILMENT_TOKEN_OLD, run->token == NODE_TOKEN_BEFORE) | bit(AILMENT_CLOCK_SKEWED, skewed) |
	       bit(AILMENT_CLOCK_DISAGREES, measured && !skewed && offset_disagrees(&m, &claim, own_clock)) |
	       bit(AILMENT_CLOCK_FREE, is_free(run));
}

static void say_damaged(const struct node_run *run, struct buf *out)
{
	const char *damaged = node_trouble(run)->damaged;

	if (is_damaged(run))
		buf_printf(out, "the bytes of %llu of its records no longer give their hash, one is %s",
			(unsigned long long)run->counted.damaged,
			damaged[0] ? damaged : "without an id that can be read");
	else
		buf_text(out, node_trouble(run)->unwell.text[AILMENT_DAMAGED]);
}

static void say_rejected(const struct node_run *run, struct buf *out)
{
	buf_printf(out, "it cannot hold records of the centre, one is %s: %s",
		node_trouble(run)->rejected.first[0] ? node_trouble(run)->rejected.first : "without an id",
		node_trouble(run)->rejected.why.text);
}

static void say_clock(const struct outlook_seen *s, struct buf *out)
{
	struct reason words;

	outlook_clock(s, &words);
	buf_text(out, words.text);
}

void outlook_say_ailment(const struct outlook_seen *s, enum ailment a, struct buf *out)
{
	switch (a) {
	case AILMENT_DAMAGED:
		say_damaged(s->run, out);
		return;
	case AILMENT_WRITES_FAIL:
	case AILMENT_DISK_FULL:
	case AILMENT_DISK_LOW:
	case AILMENT_CERTIFICATE:
		buf_text(out, node_trouble(s->run)->unwell.text[a]);
		return;
	case AILMENT_REJECTED:
		say_rejected(s->run, out);
		return;
	case AILMENT_QUARANTINED:
		buf_printf(out, "%llu of its records could not be applied and are kept apart",
			(unsigned long long)s->node->sync.quarantined);
		return;
	case AILMENT_TOKEN_OLD:
		buf_printf(out,
			"it still takes the token before its rotation; give it the new one: `tidemark node "
			"token "
			"%s` prints it",
			s->node->name);
		return;
	case AILMENT_CLOCK_SKEWED:
	case AILMENT_CLOCK_DISAGREES:
		say_clock(s, out);
		return;
	case AILMENT_CLOCK_FREE:
		buf_printf(out, "nothing keeps its clock: %s", chrony_state_words(s->run->clock.kept));
		return;
	}
}
