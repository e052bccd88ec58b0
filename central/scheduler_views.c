/* How nodes are seen from outside: one whole, or all in passing. */
#include "central/scheduler_private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"

/*
 * So many while the lock is held, about a fifth of a millisecond; then polls have their turn.  A lock that is taken again at once
 * would be taken before who waits for it is awake, so there is a pause.
 */
#define AT_ONCE 256
#define PAUSE_NS 1000

static void view_slot(struct scheduler *s, struct slot *slot, struct node_view *ret)
{
	int64_t now = clock_mono_us(), wait = slot->due_us - now;
	struct reason why;
	struct slot_flow none = {.read.begun = 0}, *flow = slot->flow ? slot->flow : &none;
	slot_settle(slot, s->applier.interval_ms, &why);
	*ret = (struct node_view){.node = slot->node,
		.run = slot->run,
		.state = slot->state,
		.since_us = slot->since_us,
		.trouble = *node_trouble(&slot->run),
		.reason = why,
		.next_attempt_us = -1,
		.next = slot_plan(slot, now, s->applier.interval_ms),
		.ailing = slot->ailing.now,
		.pull_s = rate_per_s(&flow->pulled, now),
		.push_s = rate_per_s(&flow->pushed, now),
		.pull_pace = rate_pace(&flow->read, now),
		.push_pace = rate_pace(&flow->pushed, now)};
	(void)snprintf(ret->title, sizeof ret->title, "%s", slot->title);
	(void)snprintf(ret->url, sizeof ret->url, "%s", slot->url);
	if (ret->run.trouble)
		ret->run.trouble = &ret->trouble;
	ret->chrony = node_chrony(&slot->run);
	if (ret->run.clock.chrony)
		ret->run.clock.chrony = &ret->chrony;
	ret->next.plan.apart = ret->next.then.apart = NULL; /* the slot's */
	if (slot->ailing.now)
		memcpy(ret->ailing_since_us, slot->ailing.since_us, sizeof ret->ailing_since_us);
	if (s->applier.health.lost > 0 && ret->next.turn != OUTLOOK_UNDER_WAY)
		ret->next.turn = OUTLOOK_STORE;
	if (slot->place == SLOT_WAITING && wait > 0)
		ret->next_attempt_us = clock_wall_us() + wait;
	memcpy(ret->results, slot->results, sizeof ret->results);
}

bool scheduler_view(struct scheduler *s, const char *name, struct node_view *ret, struct history *history)
{
	pthread_mutex_lock(&s->lock);
	struct slot *slot = slots_find(&s->slots, name);
	bool found = slot && !slot->gone;
	if (found) {
		view_slot(s, slot, ret);
		if (history)
			history_copy(&slot->history, history);
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Some of those after *name, which moves on; false: that was the last. */
static bool look_at_some(
	struct scheduler *s, char name[RECORD_OWNER_MAX + 1], scheduler_look_fn *look, void *ctx)
{
	pthread_mutex_lock(&s->lock);
	struct slot_moment now = slot_moment(s->applier.interval_ms);
	size_t first = slots_after(&s->slots, name), left = s->slots.n - first,
	       n = left < AT_ONCE ? left : AT_ONCE;
	for (size_t i = first; i < first + n; i++) {
		struct slot *slot = s->slots.at[i];
		if (slot->gone)
			continue;
		slot_settle_word(slot, &now);
		look(ctx, &(struct node_glance){&slot->node, slot->title, &slot->run, slot->results,
				  slot->state, slot->ailing.now});
	}
	if (n > 0)
		memcpy(name, s->slots.at[first + n - 1]->node.name, RECORD_OWNER_MAX + 1);
	pthread_mutex_unlock(&s->lock);
	return left > n;
}

void scheduler_each(struct scheduler *s, scheduler_look_fn *look, void *ctx)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};
	char name[RECORD_OWNER_MAX + 1] = "";
	while (look_at_some(s, name, look, ctx))
		(void)nanosleep(&pause, NULL);
}

static void count_state(void *ctx, const struct node_glance *g)
{
	((unsigned *)ctx)[g->state]++;
}

void scheduler_states(struct scheduler *s, unsigned ret[NODE_STATES])
{
	memset(ret, 0, NODE_STATES * sizeof *ret);
	scheduler_each(s, count_state, ret);
}

struct scheduler_totals scheduler_totals(struct scheduler *s)
{
	pthread_mutex_lock(&s->lock);
	int64_t now = clock_mono_us();
	struct scheduler_totals t = {.pulled_per_s = rate_per_s(&s->applier.pulled, now),
		.pushed_per_s = rate_per_s(&s->applier.pushed, now),
		.pull_pace = rate_pace(&s->applier.read, now),
		.push_pace = rate_pace(&s->applier.pushed, now),
		.applied = s->applier.applied,
		.traffic = s->applier.traffic,
		.store_failed = s->applier.health.failed,
		.store_why = s->applier.health.why};
	pthread_mutex_unlock(&s->lock);
	return t;
}
