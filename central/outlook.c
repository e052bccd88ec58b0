#include "central/outlook.h"

#define MINUTE_US INT64_C(60000000)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

void outlook_put_age(struct buf *out, int64_t us)
{
	if (us < 0)
		us = 0;
	if (us < 2 * MINUTE_US)
		buf_printf(out, "%lld s", (long long)(us / 1000000));
	else if (us < 2 * HOUR_US)
		buf_printf(out, "%lld min", (long long)(us / MINUTE_US));
	else if (us < 2 * DAY_US)
		buf_printf(out, "%lld h", (long long)(us / HOUR_US));
	else
		buf_printf(out, "%lld days", (long long)(us / DAY_US));
}

static void put_step(struct buf *out, const struct outlook_seen *s, enum plan_step step)
{
	const struct node_run *run = s->run;

	switch (step) {
	case PLAN_RENAME:
		buf_text(out, "its database, which went back to an older state, gets a new epoch");
		return;
	case PLAN_PROBE:
		buf_text(out, "the database that answers is asked whether it holds all that was known of it");
		return;
	case PLAN_DIGEST:
		buf_text(out, "both ends are compared by the digests of buckets of records");
		return;
	case PLAN_FETCH:
		buf_text(out, "the buckets that differ are read");
		return;
	case PLAN_PUSH:
		buf_text(out, "a push of what it lacks");
		return;
	case PLAN_PULL:
		if (run->heard && run->at_head && !run->to_push)
			buf_text(out, "a pull: what is new, or else a proof that nothing is");
		else if (run->heard && run->at_head)
			buf_text(out, "a pull, until what is to be pushed may be tried again");
		else
			buf_printf(out, "a pull of what its log holds after position %llu",
				(unsigned long long)s->node->sync.cursor);
		return;
	case PLAN_REST:
	case PLAN_WAIT:
		break;
	}
	buf_text(out, "nothing");
}

static void put_under_way(struct buf *out, const struct outlook_seen *s)
{
	if (s->plan.step == PLAN_PULL && s->plan.delay_ms > 0) {
		buf_printf(out,
			"a pull waits at the node for news; it is answered at once when there is some, else "
			"within %.1f s by a proof that there is none",
			(double)s->plan.delay_ms / 1000);
		return;
	}
	buf_text(out, "under way: ");
	put_step(out, s, s->plan.step);
}

static void put_wait(struct buf *out, const struct outlook_seen *s)
{
	int64_t wait_us = s->due_us >= 0 ? s->due_us - s->wall_us : s->plan.delay_ms * 1000;

	buf_text(out, "in ");
	outlook_put_age(out, wait_us + 999999); /* not "in 0 s" */
	buf_text(out, " (");
	buf_time(out, s->wall_us + wait_us);
	buf_text(out, "): ");
	put_step(out, s, s->then.step);
}

static void put_rest(struct buf *out, const struct outlook_seen *s)
{
	if (s->node->paused)
		buf_text(out, "nothing: it is paused, and is asked nothing until it is resumed");
	else
		buf_text(out, "nothing: it is asked nothing, and records move in neither direction, until "
			      "an operator has decided");
}

void outlook_next(const struct outlook_seen *s, struct buf *out)
{
	if (s->plan.step == PLAN_REST) {
		put_rest(out, s);
		return;
	}
	switch (s->turn) {
	case OUTLOOK_UNDER_WAY:
		put_under_way(out, s);
		return;
	case OUTLOOK_STORE:
		buf_text(out, "as soon as the centre's own store can be read: ");
		put_step(out, s, s->plan.step == PLAN_WAIT ? s->then.step : s->plan.step);
		return;
	case OUTLOOK_HELD:
		buf_text(out, "as soon as pages of other nodes leave room: ");
		put_step(out, s, s->plan.step);
		return;
	case OUTLOOK_PLANNED:
		break;
	}
	if (s->plan.step == PLAN_WAIT || s->due_us >= 0) {
		put_wait(out, s);
		return;
	}
	buf_text(out, "now: ");
	put_step(out, s, s->plan.step);
}
