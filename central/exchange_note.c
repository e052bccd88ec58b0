#include "central/exchange_private.h"

#include <stdio.h>
#include <string.h>

#include "shared/backoff.h"

#define STORE_BACKOFF_MS 1000
#define CALM_US 1000000

static void note_clock(struct node_run *run, const struct answer *a, const struct page_end *e, int64_t now_us)
{
	const struct offset_stamps stamps = {a->t_sent_us, e->t_recv_us, e->t_send_us, a->t_done_us};

	offset_add(&run->clock.measured, &stamps, now_us);
	run->clock.told = true;
	run->clock.error_us = e->clock_error_us;
	node_hear_chrony(run, &e->chrony);
	run->clock.told_us = now_us;
}

#define HOUR_US (3600 * INT64_C(1000000))

static void note_reset(struct node_run *run, int64_t now_us)
{
	if (run->resets.hour_us == 0 || now_us - run->resets.hour_us >= HOUR_US) {
		run->resets.hour_us = now_us;
		run->resets.n = 0;
	}
	run->resets.in_a_row++;
	run->resets.n++;
	run->resets.last_us = now_us;
}

static void note_proof(struct node_run *run, const struct exchange *x, const struct answer *a,
	const struct outcome *out, int64_t now_us)
{
	switch (out->proof) {
	case PROOF_NONE:
		return;
	case PROOF_EQUAL:
	case PROOF_DOUBTED:
	case PROOF_DIVERGED:
		break;
	}
	if (run->trouble)
		run->trouble->rejected.any = false; /* where something is rejected, none is judged */
	if (out->proof == PROOF_EQUAL)
		run->resets.in_a_row = 0;
	run->proof.known = true;
	run->proof.equal = out->proof == PROOF_EQUAL;
	run->proof.outdated = false;
	run->proof.at_us = a->t_done_us;
	run->proof.mono_us = now_us;
	run->proof.seq = out->end.to.seq;
	run->proof.digest = out->end.digest;
	run->proof.poll = x->poll;
}

static void note_damaged(struct node_run *run, const struct page_damage *d)
{
	if (run->trouble || d->records > 0)
		memcpy(node_troubled(run)->damaged, d->first, sizeof d->first);
}

static void note_page(struct node_run *run, const struct exchange *x, const struct answer *a,
	const struct outcome *out, int64_t now_us)
{
	const struct page_end *end = &out->end;

	run->head_seq = end->head_seq;
	run->pull_backlog = end->head_seq - end->to.seq;
	if (run->pull_backlog >
		end->digest.count) /* places of the log that were written over hold no record */
		run->pull_backlog = end->digest.count;
	/* By the local's own clock, whatever that says, it waits for so long; from here on by ours. */
	run->oldest_us = -1;
	if (end->more && end->oldest_after_us >= 0)
		run->oldest_us =
			a->t_done_us -
			(end->t_send_us > end->oldest_after_us ? end->t_send_us - end->oldest_after_us : 0);
	run->pulled += out->taken;
	note_proof(run, x, a, out, now_us);
	if (end->damage.known) {
		run->counted.known = true;
		run->counted.damaged = end->damage.records;
		run->counted.at_us = a->t_done_us;
		run->counted.poll = x->poll;
		note_damaged(run, &end->damage);
	}
	if (run->trouble || end->unwell.kinds != 0)
		node_troubled(run)->unwell = end->unwell;
	note_clock(run, a, end, now_us);
}

static void note_rejection(struct node_run *run, const struct outcome *out)
{
	if (out->rejected == 0)
		return;
	struct node_trouble *t = node_troubled(run);
	t->rejected.any = true;
	(void)snprintf(t->rejected.first, sizeof t->rejected.first, "%s", out->rejected_id);
	t->rejected.why = out->rejected_why;
}

/* What a comparison found is remembered with what it was found at. */
static void note_comparison(struct node_run *run, const struct exchange *x, const struct outcome *out)
{
	struct node_trouble *t = node_troubled(run);
	struct apart *what = &t->apart.what;

	if (out->result != POLL_OK) {
		t->apart.failures += exchange_speaks_against(x, out->result);
		if (out->sync_known && !out->sync.comparing) /* given up: the next comparison begins anew */
			t->apart.failures = 0;
		return;
	}
	t->apart.failures = 0;
	if (x->kind == PLAN_DIGEST && out->compared) {
		*what = out->apart;
		run->head_seq = out->end.head_seq;
	} else if (out->too_large) {
		what->most = (unsigned)(x->compare.fetched.buckets.n / 2);
		return; /* nothing moved */
	} else if (out->pulled) {
		apart_drop(what, (unsigned)x->compare.fetched.buckets.n);
	}
	t->apart.basis = out->sync;
	if (!out->sync.comparing)
		*what = (struct apart){0};
}

static void note_failure(struct node_run *run, const struct exchange *x, const struct outcome *out,
	int64_t now_us, int64_t interval_ms)
{
	run->polls_failed++;
	run->failed_poll = x->poll;
	run->last_result = out->result;
	node_troubled(run)->last_reason = out->why;
	if (x->kind == PLAN_PUSH) { /* a pull comes next: it tells whether the node answers at all */
		run->at_head = false;
		run->push_failures++;
		node_troubled(run)->push_reason = out->why;
		run->next_push_us = now_us + backoff_ms(run->push_failures, interval_ms) * 1000;
		return;
	}
	run->failures++;
	run->proof.outdated = true;
	run->next_attempt_us = now_us + backoff_ms(run->failures, interval_ms) * 1000;
}

/* The node did its part: it is asked again, but not at once; how often it is asked otherwise does not matter. */
static void note_store_failure(struct node_run *run, const struct exchange *x, const struct outcome *out,
	int64_t now_us, int64_t interval_ms)
{
	run->polls_failed++;
	run->failed_poll = x->poll;
	run->last_result = out->result;
	node_troubled(run)->last_reason = out->why;
	run->at_head = false;
	run->store_failures++;
	int64_t base_ms = interval_ms < STORE_BACKOFF_MS ? interval_ms : STORE_BACKOFF_MS;
	run->next_attempt_us = now_us + backoff_ms(run->store_failures, base_ms) * 1000;
}

static bool is_reset(const struct exchange *x, const struct outcome *out)
{
	return out->sync_known && out->sync.resets != x->basis.resets;
}

/* Accidents are repaired at once, also a few of them; what has them all the time is not to keep everybody busy. */
static bool resets_again(const struct node_run *before, int64_t since_us)
{
	return before->resets.last_us > since_us && (before->resets.in_a_row >= 3 || before->resets.n >= 20);
}

/*
 * How long to leave the node alone after an exchange that worked, so that no behaviour of a local
 * makes the centre spin: 0 unless the exchange brought nothing forward.
 */
static int64_t pause_us(const struct node_run *before, const struct exchange *x, const struct answer *a,
	const struct outcome *out, int64_t now_us, int64_t interval_ms)
{
	int64_t interval_us = interval_ms * 1000, early_us = x->parked_ms * 1000 - a->took_us;
	int64_t calm_us = interval_us < CALM_US ? interval_us : CALM_US;
	bool pushes = out->to_push && before->push_failures == 0;
	bool idle = out->end.to.seq == x->basis.cursor && out->at_head && !pushes;

	if (is_reset(x, out) && resets_again(before, now_us - calm_us))
		return calm_us;
	if (out->result == POLL_EPOCH) /* one leads to a repair at once; a row of them leads nowhere */
		return before->last_result == POLL_EPOCH ? interval_us : 0;
	switch (x->kind) {
	case PLAN_PULL:
		if (out->proof ==
			PROOF_DOUBTED) /* everything is read again at once, but not again and again */
			return before->proof.known && !before->proof.equal ? interval_us : 0;
		/* no news, and it could have been parked for longer */
		return idle && early_us > 0 ? early_us : 0;
	case PLAN_PUSH:
		if (out->pushed > 0)
			return 0;
		if (out->refused == 0) /* nothing but records that the local cannot hold */
			return interval_us;
		return before->fruitless ? calm_us : 0; /* a new version in their place, again and again */
	case PLAN_RENAME:                               /* not rewound after all */
		return out->sync.resets == x->basis.resets ? interval_us : 0;
	case PLAN_PROBE:
	case PLAN_DIGEST: /* each leads on: buckets to read, smaller ones, or no comparison any more */
	case PLAN_FETCH:
	case PLAN_REST:
	case PLAN_WAIT:
		break;
	}
	return 0;
}

/* A node that was away for pulls too: what the last push met there says nothing of the next one. */
static void forget_push_failures(struct node_run *run)
{
	run->push_failures = 0;
	run->next_push_us = 0;
}

static void note_success(struct node_run *run, const struct exchange *x, const struct answer *a,
	const struct outcome *out, int64_t now_us, int64_t interval_ms)
{
	if (run->failures > 0)
		forget_push_failures(run);
	int64_t pause = pause_us(run, x, a, out, now_us, interval_ms);
	if (is_reset(x, out))
		note_reset(run, now_us);
	if (x->kind == PLAN_PUSH) {
		forget_push_failures(run);
		run->fruitless = out->pushed == 0;
	}
	run->heard = true;
	run->heard_at_us = a->t_done_us;
	run->heard_mono_us = now_us;
	run->failures = 0;
	run->polls_ok++;
	run->last_result = out->result;
	if (run->trouble)
		run->trouble->last_reason = (struct reason){""};
	run->at_head = out->at_head;
	run->to_push = out->to_push;
	run->pushed += out->pushed;
	run->next_attempt_us = pause > 0 ? now_us + pause : 0;
	if (out->version[0])
		(void)snprintf(run->version, sizeof run->version, "%s", out->version);
	if (out->sync_known &&
		!epoch_equal(&out->sync.epoch, &x->basis.epoch)) { /* said of another database */
		run->proof.known = false;
		run->counted.known = false;
		if (run->trouble) {
			run->trouble->damaged[0] = 0;
			run->trouble->unwell.kinds = 0;
			run->trouble->rejected.any = false;
		}
		run->head_seq = run->pull_backlog = 0;
		run->oldest_us = -1;
	}
	note_rejection(run, out);
	if (out->pulled)
		note_page(run, x, a, out, now_us);
}

static void note(struct node *n, struct node_run *run, const struct exchange *x, const struct answer *a,
	const struct outcome *out, int64_t now_us, int64_t interval_ms)
{
	if (out->sync_known)
		n->sync = out->sync;
	run->last_ms = a->took_us / 1000;
	if (x->kind == PLAN_PUSH) /* whatever came of it, the node may have taken it */
		run->proof.outdated = true;
	if (out->stale) { /* no fault of the node; what it was asked for is still wanted */
		run->at_head = false;
		return;
	}
	run->asked = false;
	if (out->result == POLL_STORE) {
		note_store_failure(run, x, out, now_us, interval_ms);
		return;
	}
	run->store_failures = 0;
	if (exchange_compares(x))
		note_comparison(run, x, out);
	if (out->result == POLL_OK || out->result == POLL_EPOCH)
		note_success(run, x, a, out, now_us, interval_ms);
	else
		note_failure(run, x, out, now_us, interval_ms);
}

void exchange_note(struct node *n, struct node_run *run, const struct exchange *x, const struct answer *a,
	const struct outcome *out, int64_t now_us, int64_t interval_ms)
{
	note(n, run, x, a, out, now_us, interval_ms);
	node_run_calm(run);
}

void exchange_note_nothing(struct node_run *run)
{
	run->to_push = false;
	run->at_head = false;
}
