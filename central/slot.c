#include "central/slot.h"

#include "central/own_clock.h"
#include "shared/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void slot_take_row(struct slot *s, const struct node_row *row)
{
	size_t url = strlen(row->url) + 1, title = strlen(row->title) + 1;
	s->node = row->node;
	free(s->url);
	s->url = malloc(url + title);
	if (!s->url)
		err_out_of_memory();
	s->title = s->url + url;
	memcpy(s->url, row->url, url);
	memcpy(s->title, row->title, title);
}

struct slot *slot_new(const struct node_row *row, int64_t interval_ms)
{
	struct slot *s = calloc(1, sizeof *s);
	if (!s)
		err_out_of_memory();
	slot_take_row(s, row);
	s->turn = (unsigned)(hash_of(span_of(s->node.name)).half[0] % SLOT_TURNS);
	s->call.lane = s->turn;
	s->run.oldest_us = -1;
	s->run.last_ms = -1;
	s->state = node_state(&s->node, &s->run, clock_mono_us(), interval_ms, NULL);
	s->told_state = s->stored_state = s->state;
	s->since_us = clock_wall_us();
	return s;
}

void slot_free(struct slot *s)
{
	assert(s->place != SLOT_TRANSFER);
	node_run_done(&s->run);
	exchange_done(&s->exchange);
	ahead_done(&s->ahead);
	transfer_call_done(&s->call);
	explicit_bzero(&s->token, sizeof s->token);
	free(s->flow);
	free(s->ailing.since_us);
	history_done(&s->history);
	free(s->url);
	free(s);
}

int64_t slot_turn_ms(const struct slot *s, int64_t now_us, int64_t period_ms)
{
	int64_t period_us = period_ms * 1000;
	int64_t turns = period_ms < SLOT_LONG_MS ? SLOT_TURNS : SLOT_TURNS / 2;
	int64_t turn_us = s->turn * turns / SLOT_TURNS * period_us / turns;
	int64_t left_us = (turn_us - now_us % period_us + period_us) % period_us;
	return left_us / 1000 + 1;
}

int64_t slot_park_ms(const struct slot *s, int64_t now_us, int64_t period_ms)
{
	int64_t turn_ms = slot_turn_ms(s, now_us, period_ms);
	return turn_ms <= period_ms / 8 ? period_ms : turn_ms;
}

static bool is_over(struct rate *r, int64_t now_us)
{
	return rate_pace(r, now_us) == 0;
}

void slot_moved(struct slot *s, uint64_t pulled, uint64_t pushed, uint64_t read, int64_t now_us)
{
	struct slot_flow *f = s->flow;
	if (!f && pulled == 0 && pushed == 0 && read == 0)
		return;
	if (!f)
		f = s->flow = calloc(1, sizeof *f);
	if (!f)
		err_out_of_memory();
	rate_add(&f->pulled, pulled, now_us);
	rate_add(&f->pushed, pushed, now_us);
	rate_add(&f->read, read, now_us);
	if (!is_over(&f->pulled, now_us) || !is_over(&f->pushed, now_us) || !is_over(&f->read, now_us))
		return;
	free(f);
	s->flow = NULL;
}

static void note_begun(struct slot_ailing *a, unsigned begun)
{
	if (begun && !a->since_us)
		a->since_us = calloc(AILMENTS, sizeof *a->since_us);
	if (begun && !a->since_us)
		err_out_of_memory();
	for (int i = 0; begun && i < AILMENTS; i++)
		if (begun & AILMENT_BIT(i))
			a->since_us[i] = clock_wall_us();
}

static void settle_ailing(struct slot *s, const struct slot_moment *m)
{
	struct slot_ailing *a = &s->ailing;
	unsigned now = outlook_ailing(&s->node, &s->run, m->mono_us, &m->own);
	if (s->run.clock.kept == CHRONY_UNKNOWN &&
		s->run.clock.error_us < 0) /* started anew: soon known again */
		now |= a->now & AILMENT_BIT(AILMENT_CLOCK_FREE);
	note_begun(a, now & ~a->now);
	a->now = now;
	if (!(now | a->told | a->stored)) { /* else it is yet to be told how long it was */
		free(a->since_us);
		a->since_us = NULL;
	}
	if (a->clock_heard || !s->run.clock.told || s->run.clock.kept == CHRONY_UNKNOWN)
		return;
	a->clock_heard = true;
	a->told |= now & AILMENT_BIT(AILMENT_CLOCK_FREE);
	a->stored |= now & AILMENT_BIT(AILMENT_CLOCK_FREE);
}

static void settle(struct slot *s, const struct slot_moment *m, struct reason *why)
{
	enum node_state now = node_state(&s->node, &s->run, m->mono_us, m->interval_ms, why);
	settle_ailing(s, m);
	if (now == s->state)
		return;
	s->state = now;
	s->since_us = clock_wall_us();
	s->telling.changes++;
}

struct slot_moment slot_moment(int64_t interval_ms)
{
	return (struct slot_moment){clock_mono_us(), interval_ms, own_clock_claim()};
}

void slot_settle_word(struct slot *s, const struct slot_moment *now)
{
	settle(s, now, NULL);
}

void slot_settle(struct slot *s, int64_t interval_ms, struct reason *why)
{
	struct slot_moment now = slot_moment(interval_ms);
	settle(s, &now, why);
}

struct slot_plan slot_plan(const struct slot *s, int64_t now_us, int64_t interval_ms)
{
	struct slot_plan p = {.turn = s->place == SLOT_HELD ? OUTLOOK_HELD : OUTLOOK_PLANNED};
	p.plan = plan_next(&s->node, &s->run, now_us, interval_ms);
	p.then = p.plan.step == PLAN_WAIT ? plan_next(&s->node, &s->run, s->run.next_attempt_us, interval_ms)
					  : p.plan;
	/* The node may be at rest by now: then what comes back changes nothing. */
	if (s->place == SLOT_TRANSFER && p.plan.step != PLAN_REST) {
		p.turn = OUTLOOK_UNDER_WAY;
		p.plan = (struct plan){.step = s->exchange.kind, .delay_ms = s->exchange.parked_ms};
	}
	return p;
}

bool slot_interrupt(struct slot *s, int64_t now_us)
{
	if (s->place != SLOT_TRANSFER || s->exchange.kind != PLAN_PULL || s->exchange.parked_ms == 0)
		return false;
	if (s->cancelled_us != 0 && now_us - s->cancelled_us < SLOT_INTERRUPT_US)
		return false;
	s->cancelled_us = now_us;
	return true;
}

bool slot_shares(const struct slot *s)
{
	const struct answer *a = &s->call.answer;
	bool page = s->exchange.kind == PLAN_PULL || s->exchange.kind == PLAN_FETCH;
	if (!s->answered)
		return false;
	if (a->result == POLL_OK && a->status == 200)
		return page && !s->exchange.basis.recount;
	return a->result != POLL_OK || a->status != 409; /* else it has another epoch, or was rewound */
}

/* --- how large its pages are --- */

#define QUICK_US 3000000
#define PACKED_USUALLY 8 /* times smaller than its content */

/* Not to the least, for which there is more time (applier_next.c): nothing is known of the line. */
static void slot_shrink(struct slot *s)
{
	s->shrink += s->shrink + 1 < SLOT_SHRINK_MAX;
}

void slot_adapt_pages(struct slot *s)
{
	const struct transfer_call *c = &s->call;
	bool push = s->exchange.kind == PLAN_PUSH;
	const size_t whole = PAGE_BYTES_DEFAULT;
	size_t most = whole >> s->shrink;
	/* Of one that came packed and did not come whole, the content is not known. */
	size_t came = c->packed && c->answer.result != POLL_OK ? c->reply.len * PACKED_USUALLY : c->reply.len;
	size_t moved = push ? c->content_bytes : came;
	bool refused = c->answer.result == POLL_OK && c->answer.status == 413 &&
		       s->exchange.kind != PLAN_FETCH; /* of fewer buckets instead */
	bool timed_out = c->answer.result == POLL_TIMEOUT;
	if (refused || c->too_large || (timed_out && (push || moved > 0))) {
		do
			s->shrink += s->shrink < SLOT_SHRINK_MAX;
		while (!push && s->shrink < SLOT_SHRINK_MAX && whole >> s->shrink > moved / 2);
	} else if (timed_out && s->room.taken > 0) { /* with room kept for a page of which nothing came */
		slot_shrink(s);
	} else if (c->answer.result == POLL_OK && s->shrink > 0 && moved > most / 2 &&
		   c->answer.took_us < QUICK_US) {
		s->shrink--;
	}
}

bool slot_gives_way(struct slot *s, int64_t now_us, size_t least)
{
	bool reads = s->exchange.kind == PLAN_PULL || s->exchange.kind == PLAN_DIGEST ||
		     s->exchange.kind == PLAN_FETCH;
	if (s->place != SLOT_TRANSFER || !reads || s->room.taken <= least ||
		now_us - s->sent_us < SLOT_GIVES_WAY_US)
		return false;
	slot_shrink(s);
	return true;
}
