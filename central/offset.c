#include "central/offset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

/* No clock of a peer is believed outside the years 1970 to 9999. */
#define TIME_MAX_US INT64_C(253402300800000000)
/* Two measures that are farther apart than their errors and this: a clock was set between them. */
#define SLACK_US 1000

static bool time_is_sane(int64_t us)
{
	return us >= 0 && us < TIME_MAX_US;
}

static int64_t error_of(const struct offset_sample *s, int64_t now_us)
{
	return (s->rtt_us + 1) / 2 + (now_us - s->mono_us) * CLOCK_WANDER_PPM / 1000000;
}

static unsigned best_of(const struct offset *o, int64_t now_us)
{
	unsigned best = 0;
	for (unsigned i = 1; i < o->n; i++)
		if (error_of(&o->last[i], now_us) < error_of(&o->last[best], now_us))
			best = i;
	return best;
}

static bool contradict(const struct offset_sample *a, const struct offset_sample *b, int64_t now_us)
{
	return llabs(a->offset_us - b->offset_us) > error_of(a, now_us) + error_of(b, now_us) + SLACK_US;
}

void offset_add(struct offset *o, const struct offset_stamps *t, int64_t now_us)
{
	struct offset_sample s = {.mono_us = now_us};

	if (!time_is_sane(t->received_us) || !time_is_sane(t->answered_us) || t->answered_us < t->received_us)
		return;
	s.rtt_us = (t->done_us - t->sent_us) - (t->answered_us - t->received_us);
	if (s.rtt_us < 0) /* one of the clocks was set meanwhile */
		return;
	s.offset_us = ((t->received_us - t->sent_us) + (t->answered_us - t->done_us)) / 2;
	if (o->n > 0 && contradict(&s, &o->last[best_of(o, now_us)], now_us))
		o->n = 0;
	if (o->n > 0 && now_us - o->begun_us < OFFSET_PLACE_US) {
		if (s.rtt_us <= o->last[0].rtt_us)
			o->last[0] = s;
		return;
	}
	if (o->n < OFFSET_KEPT)
		o->n++;
	memmove(&o->last[1], &o->last[0], (o->n - 1) * sizeof o->last[0]);
	o->last[0] = s;
	o->begun_us = now_us;
}

bool offset_read(const struct offset *o, int64_t now_us, struct offset_reading *ret)
{
	if (o->n == 0)
		return false;
	const struct offset_sample *s = &o->last[best_of(o, now_us)];
	*ret = (struct offset_reading){
		.offset_us = s->offset_us,
		.error_us = error_of(s, now_us),
		.rtt_us = s->rtt_us,
		.age_us = now_us - s->mono_us,
	};
	return true;
}

bool offset_is_skewed(const struct offset_reading *r)
{
	return llabs(r->offset_us) > r->error_us + OFFSET_SKEW_US;
}

bool offset_disagrees(
	const struct offset_reading *r, const struct offset_claim *node, const struct offset_claim *centre)
{
	if (node->error_us < 0 || centre->error_us < 0)
		return false;
	return llabs(r->offset_us) > r->error_us + SLACK_US + node->error_us + centre->error_us;
}

/* --- in words --- */

struct words {
	char text[32];
};

static struct words say_span(int64_t us)
{
	struct words w;
	double s = (double)us / 1e6;
	if (us < 1000)
		(void)snprintf(w.text, sizeof w.text, "%d us", (int)us);
	else if (us < 1000000)
		(void)snprintf(w.text, sizeof w.text, "%.1f ms", s * 1e3);
	else if (s < 7200)
		(void)snprintf(w.text, sizeof w.text, "%.3f s", s);
	else if (s < 172800)
		(void)snprintf(w.text, sizeof w.text, "%.1f hours", s / 3600);
	else
		(void)snprintf(w.text, sizeof w.text, "%.1f days", s / 86400);
	return w;
}

static const char *advise(enum offset_kept node, enum offset_kept centre)
{
	if (node == OFFSET_FREE && centre == OFFSET_FREE)
		return "neither clock is synchronised: let chronyd keep both";
	if (node == OFFSET_FREE)
		return "the node's is not synchronised: let chronyd keep it";
	if (centre == OFFSET_FREE)
		return "the centre's own is not synchronised and may be the wrong one: let chronyd keep it";
	if (node == OFFSET_NOT_TOLD || centre == OFFSET_NOT_TOLD)
		return "see that chronyd keeps both";
	return "both say they are synchronised: do they follow the same time?";
}

/* What both claim, and what to look at where that cannot be. */
static void dispute(const struct offset_claim *node, const struct offset_claim *centre, struct reason *ret)
{
	struct words there = say_span(node->error_us), here = say_span(centre->error_us);
	size_t from = strlen(ret->text);
	const char *ask = centre->kept == OFFSET_FREE
				  ? "the centre serves its own time: does the node follow that?"
				  : "do both follow the same time?";

	if (centre->error_us > 0)
		(void)snprintf(ret->text + from, sizeof ret->text - from,
			"; yet the node claims to be right to within %s, the centre to within %s: %s",
			there.text, here.text, ask);
	else
		(void)snprintf(ret->text + from, sizeof ret->text - from,
			"; yet the node claims to be right to within %s: %s", there.text, ask);
}

void offset_describe(const struct offset_reading *r, const struct offset_claim *node,
	const struct offset_claim *centre, struct reason *ret)
{
	if (!r) {
		(void)snprintf(ret->text, sizeof ret->text, "not measured yet");
		return;
	}
	struct words off = say_span(llabs(r->offset_us)), error = say_span(r->error_us);
	bool skewed = offset_is_skewed(r);
	bool disagrees = offset_disagrees(r, node, centre);
	(void)snprintf(ret->text, sizeof ret->text, "%s %s the centre's clock, measured to within %s%s%s",
		off.text, r->offset_us < 0 ? "behind" : "ahead of", error.text,
		skewed && !disagrees ? "; " : "",
		skewed && !disagrees ? advise(node->kept, centre->kept) : "");
	if (disagrees)
		dispute(node, centre, ret);
}
