#include "central/scheduler_private.h"

#include "shared/clock.h"

/* One that waits for its time, or is parked until then, by the interval that was. */
static void hurry(struct scheduler *s, struct slot *slot, int64_t now_us, int64_t most_us)
{
	if (slot->run.failures > 0 || slot->run.store_failures > 0)
		return;
	if (slot->run.next_attempt_us > now_us + most_us)
		slot->run.next_attempt_us = now_us + most_us;
	if (slot->place == SLOT_WAITING || slot->place == SLOT_TRANSFER)
		scheduler_nudge(s, slot, slot_interrupt(slot, now_us));
}

void scheduler_set_interval(struct scheduler *s, int64_t interval_ms)
{
	pthread_mutex_lock(&s->lock);
	int64_t now = clock_mono_us(), before_ms = s->applier.interval_ms;
	s->applier.interval_ms = interval_ms;
	for (size_t i = 0; interval_ms < before_ms && i < s->slots.n; i++)
		hurry(s, s->slots.at[i], now, interval_ms * 1000);
	pthread_mutex_unlock(&s->lock);
}

/* What kept a node away may be over: it is asked now, whatever it waits for. */
static void ask_failing(struct scheduler *s)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->slots.n; i++) {
		struct slot *slot = s->slots.at[i];
		if (slot->run.failures == 0)
			continue;
		slot->asked = true;
		scheduler_nudge(s, slot, false);
	}
	pthread_mutex_unlock(&s->lock);
}

void scheduler_set_secret(struct scheduler *s, const char *secret)
{
	s->applier.secret = secret;
	ask_failing(s);
}

void scheduler_set_compress(struct scheduler *s, enum coding_use compress)
{
	s->applier.compress = compress;
}

void scheduler_set_networks(struct scheduler *s, const struct networks *allowed)
{
	transfer_set_networks(s->transfer, allowed);
	ask_failing(s);
}

void scheduler_set_tls(struct scheduler *s, const struct tls *tls)
{
	transfer_set_tls(s->transfer, tls);
	ask_failing(s);
}

bool scheduler_turns(struct scheduler *s)
{
	uint64_t carried = transfer_turns(s->transfer);
	bool all = carried != s->transfer_turns_seen;
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->n_workers; i++)
		all = all && s->workers[i].turns != s->workers[i].turns_seen;
	for (unsigned i = 0; all && i < s->n_workers; i++)
		s->workers[i].turns_seen = s->workers[i].turns;
	pthread_cond_broadcast(&s->news);
	pthread_mutex_unlock(&s->lock);
	if (all)
		s->transfer_turns_seen = carried;
	transfer_wake(s->transfer);
	return all;
}
