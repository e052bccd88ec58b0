#include "central/plan.h"

#include "shared/page.h"

/* How long the local may park a pull: only when nothing else is to be done and nothing went wrong. */
static int64_t park_ms(const struct node_run *run, int64_t interval_ms)
{
	if (!run->at_head || run->to_push || run->asked || run->failures > 0)
		return 0;
	return interval_ms < PAGE_WAIT_MAX_MS ? interval_ms : PAGE_WAIT_MAX_MS;
}

struct plan plan_next(const struct node *n, const struct node_run *run, int64_t now_us, int64_t interval_ms)
{
	const struct node_sync *s = &n->sync;

	if (n->paused || s->halt != HALT_NONE)
		return (struct plan){PLAN_REST, 0};
	/* rounded up: not a moment early, so no empty turn */
	if (!run->asked && run->next_attempt_us > now_us)
		return (struct plan){PLAN_WAIT, (run->next_attempt_us - now_us + 999) / 1000};
	if (!epoch_is_none(&s->rename_to))
		return (struct plan){PLAN_RENAME, 0};
	if (!epoch_is_none(&s->probe))
		return (struct plan){PLAN_PROBE, 0};
	if (run->at_head && run->to_push)
		return (struct plan){PLAN_PUSH, 0};
	return (struct plan){PLAN_PULL, park_ms(run, interval_ms)};
}
