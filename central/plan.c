#include "central/plan.h"

#include "shared/page.h"

/* rounded up: not a moment early, so no empty turn */
static int64_t wait_ms(int64_t until_us, int64_t now_us)
{
	return until_us > now_us ? (until_us - now_us + 999) / 1000 : 0;
}

/* How long the local may park a pull: only when nothing else is to be done and nothing went wrong. */
static int64_t park_ms(const struct node_run *run, int64_t now_us, int64_t interval_ms)
{
	int64_t most = interval_ms < PAGE_WAIT_MAX_MS ? interval_ms : PAGE_WAIT_MAX_MS;
	int64_t to_push = run->to_push ? wait_ms(run->next_push_us, now_us) : most;

	if (!run->at_head || run->asked || run->failures > 0)
		return 0;
	return to_push < most ? to_push : most;
}

/* What was found counts only where nothing moved since; else both ends are summed anew. */
static struct plan compare(const struct node_sync *s, const struct node_run *run)
{
	const struct node_trouble *t = node_trouble(run);
	bool known = t->apart.what.bits_known && node_sync_same_basis(&t->apart.basis, s);
	struct plan p = {.step = PLAN_DIGEST, .failures = t->apart.failures};

	if (known)
		p.apart = &t->apart.what;
	if (known && t->apart.what.n > 0)
		p.step = PLAN_FETCH;
	return p;
}

struct plan plan_next(const struct node *n, const struct node_run *run, int64_t now_us, int64_t interval_ms)
{
	const struct node_sync *s = &n->sync;

	if (n->paused || s->halt != HALT_NONE)
		return (struct plan){.step = PLAN_REST};
	if (!run->asked && run->next_attempt_us > now_us)
		return (struct plan){.step = PLAN_WAIT, .delay_ms = wait_ms(run->next_attempt_us, now_us)};
	if (!epoch_is_none(&s->rename_to))
		return (struct plan){.step = PLAN_RENAME};
	if (!epoch_is_none(&s->probe))
		return (struct plan){.step = PLAN_PROBE};
	if (s->comparing)
		return compare(s, run);
	if (run->at_head && run->to_push && (run->asked || run->next_push_us <= now_us))
		return (struct plan){.step = PLAN_PUSH};
	return (struct plan){.step = PLAN_PULL, .delay_ms = park_ms(run, now_us, interval_ms)};
}
