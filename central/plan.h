/*
 * plan - what to do next with a node.  Pure: knows neither sockets nor databases nor clocks.
 *
 *   paused, halted ─────────────────────────────► REST  (until an operator decides; "now" does not help)
 *   next attempt not due, not asked ────────────► WAIT delay
 *   rename_to set ──────────────────────────────► RENAME
 *   probe set ──────────────────────────────────► PROBE
 *   comparing, nothing found yet ───────────────► DIGEST
 *   comparing, some buckets still differ ───────► FETCH
 *   at_head and to_push, push due or asked ─────► PUSH
 *   else ───────────────────────────────────────► PULL  (parks at the local if the last one reached the head)
 *
 * Pushes that fail are put off by themselves, with pulls going on meanwhile: what is wrong with a push (the
 * local's disk is full, a proxy thinks it too large) must not keep what is new at the local from the centre.
 *
 * The next attempt is put off after a failure (backoff), and after an exchange that moved nothing came back
 * sooner than it was allowed to: an idle node is never asked more often than the interval says.
 */
#ifndef CENTRAL_PLAN_H
#define CENTRAL_PLAN_H

#include "central/node.h"

enum plan_step {
	PLAN_REST,
	PLAN_WAIT,
	PLAN_RENAME,
	PLAN_PROBE,
	PLAN_DIGEST,
	PLAN_FETCH,
	PLAN_PUSH,
	PLAN_PULL,
};

struct plan {
	enum plan_step step;
	int64_t delay_ms; /* WAIT: how long; PULL: how long the local may park it (0: answer at once) */
	/* DIGEST, FETCH: what was found before, the run's own; NULL: nothing */
	const struct apart *apart;
	unsigned failures; /* DIGEST, FETCH: of comparing, in a row */
};

/* interval_ms: the longest time without a finished exchange. */
struct plan plan_next(const struct node *n, const struct node_run *run, int64_t now_us, int64_t interval_ms);

#endif
