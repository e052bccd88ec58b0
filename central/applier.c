#include "central/applier_private.h"

#include "central/own_clock.h"
#include "shared/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define QUICK_US 3000000
/* A transaction that takes longer keeps everybody else from the store for too long. */
#define APPLY_SLOW_US 2000000
#define APPLY_QUICK_US 500000

/* --- telling --- */

void applier_tell_health(struct applier *a)
{
	pthread_mutex_lock(a->lock);
	bool changed = health_changed(&a->health), failed = a->health.failed;
	struct reason why = a->health.why;
	pthread_mutex_unlock(a->lock);
	if (changed && failed)
		log_event(LOG_ERROR, "store.failed", "reason", why.text, NULL);
	else if (changed)
		log_event(LOG_INFO, "store.works", NULL);
}

static enum log_level state_level(enum node_state s)
{
	switch (s) {
	case NODE_DIVERGED:
	case NODE_IDENTITY_CONFLICT:
		return LOG_ERROR;
	case NODE_OFFLINE:
	case NODE_INCOMPATIBLE:
		return LOG_WARN;
	case NODE_IN_SYNC:
	case NODE_CATCHING_UP:
	case NODE_RECONCILING:
	case NODE_PAUSED:
	case NODE_NEVER_SEEN:
		break;
	}
	return LOG_INFO;
}

/* The events of several nodes, to be stored at once. */
struct telling {
	struct event *evs;
	size_t n;
	struct slot *of[APPLIER_BATCH_MAX]; /* whose they are */
	size_t n_of;
};
#define EVENTS_OF_ONE (1 + AILMENTS)

static struct event *place_for_event(struct telling *t)
{
	if (!t->evs)
		t->evs = calloc((size_t)APPLIER_BATCH_MAX * EVENTS_OF_ONE, sizeof *t->evs);
	if (!t->evs)
		err_out_of_memory();
	return &t->evs[t->n++];
}

/* A node's words at one moment, out of the lock. */
struct words {
	enum node_state now, told, stored;
	struct reason state;
	unsigned ailing, ailing_told, ailing_stored;
	struct reason ailment[AILMENTS];
};

/* How an ailment began, or for how long there was one. */
static void say_ailment(const struct slot *s, enum ailment a, struct reason *ret)
{
	const struct outlook_seen seen = {
		.node = &s->node, .run = &s->run, .now_us = clock_mono_us(), .clock = own_clock_claim()};
	struct buf text = {0};
	if (s->ailing.now & AILMENT_BIT(a)) {
		outlook_say_ailment(&seen, a, &text);
	} else {
		buf_text(&text, "it is over, after ");
		outlook_put_age(&text, clock_wall_us() - s->ailing.since_us[a]);
	}
	(void)fail(OK, ret, "%s: %.*s", ailment_name(a), (int)text.len, text.at);
	buf_done(&text);
}

/* Takes a node's words; from now on they are told. */
static bool take_words(struct applier *a, struct slot *s, struct words *ret)
{
	struct words w = {0};
	pthread_mutex_lock(a->lock);
	slot_settle(s, a->interval_ms);
	w.now = s->state, w.told = s->told_state, w.stored = s->stored_state;
	w.state = s->why;
	w.ailing = s->ailing.now, w.ailing_told = s->ailing.told, w.ailing_stored = s->ailing.stored;
	unsigned moved = (w.ailing ^ w.ailing_told) | (w.ailing ^ w.ailing_stored);
	for (int i = 0; i < AILMENTS; i++)
		if (moved & AILMENT_BIT(i))
			say_ailment(s, (enum ailment)i, &w.ailment[i]);
	s->told_state = w.now;
	s->ailing.told = w.ailing;
	bool owed = w.now != w.stored || w.ailing != w.ailing_stored;
	if (!owed)
		applier_told(a, s);
	bool can_store = a->health.lost == 0;
	pthread_mutex_unlock(a->lock);
	*ret = w;
	return owed && can_store;
}

static void log_words(const struct slot *s, const struct words *w)
{
	if (w->now != w->told)
		log_event(state_level(w->now), "node.state", "node", s->name, "state",
			node_state_name(w->now), "was", node_state_name(w->told), "reason", w->state.text,
			NULL);
	for (int i = 0; i < AILMENTS; i++) {
		bool has = w->ailing & AILMENT_BIT(i);
		if (has != !!(w->ailing_told & AILMENT_BIT(i)))
			log_event(has ? ailment_level((enum ailment)i) : LOG_INFO,
				has ? "node.unwell" : "node.recovered", "node", s->name, "text",
				w->ailment[i].text, NULL);
	}
}

static void add_events(struct telling *t, const struct slot *s, const struct words *w)
{
	if (w->now != w->stored) {
		struct event *ev = place_for_event(t);
		*ev = (struct event){.level = state_level(w->now), .kind = "node.state", .node = s->name};
		node_change_text(w->now, w->stored, &w->state, &ev->text);
	}
	for (int i = 0; i < AILMENTS; i++) {
		bool has = w->ailing & AILMENT_BIT(i);
		if (has == !!(w->ailing_stored & AILMENT_BIT(i)))
			continue;
		*place_for_event(t) = (struct event){.level = has ? ailment_level((enum ailment)i) : LOG_INFO,
			.kind = has ? "node.unwell" : "node.recovered",
			.node = s->name,
			.text = w->ailment[i]};
	}
}

/*
 * A change of the word, or of what is wrong, is one log line and one event, which is tried again with the node's next
 * turn until it is stored.
 */
static void tell(struct applier *a, struct slot *s, struct telling *t)
{
	struct words w;
	bool store = take_words(a, s, &w);
	log_words(s, &w);
	if (!store)
		return;
	add_events(t, s, &w);
	t->of[t->n_of++] = s;
}

void applier_taken(struct applier *a, struct slot *s)
{
	if (s->refused)
		health_taken(&a->health);
	s->refused = false;
}

void applier_told(struct applier *a, struct slot *s)
{
	if (s->untold)
		health_told(&a->health);
	s->untold = false;
}

/* Under the lock. */
static void note_stored(struct applier *a, struct slot *s, enum err e, const struct reason *why)
{
	if (e == OK) {
		s->stored_state = s->told_state;   /* only this worker moves it, */
		s->ailing.stored = s->ailing.told; /* and that */
		applier_told(a, s);
	} else if (!s->untold) {
		health_untold(&a->health, why);
		s->untold = true;
	}
}

static void keep_events(struct applier *a, const struct telling *t)
{
	struct reason why;
	enum err e = store_events_add(a->store, t->evs, t->n, &why);
	pthread_mutex_lock(a->lock);
	for (size_t i = 0; i < t->n_of; i++)
		note_stored(a, t->of[i], e, &why);
	pthread_mutex_unlock(a->lock);
}

void applier_tell_states(struct applier *a, struct slot *const *slots, size_t n)
{
	assert(n > 0 && n <= APPLIER_BATCH_MAX);
	struct telling t = {0};
	for (size_t i = 0; i < n; i++)
		tell(a, slots[i], &t);
	if (t.n > 0)
		keep_events(a, &t);
	free(t.evs);
	applier_tell_health(a);
}

/* What moved is an event; in the log it would drown what matters. */
static bool is_routine(const struct event *ev)
{
	return ev->level == LOG_INFO && (!strcmp(ev->kind, "pulled") || !strcmp(ev->kind, "pushed"));
}

static void log_outcome(const struct slot *s, const struct outcome *out)
{
	const struct event *ev = &out->event;
	if (ev->kind)
		log_event(is_routine(ev) ? LOG_DEBUG : ev->level, ev->kind, "node", s->name, "text",
			ev->text.text, NULL);
	else if (out->result != POLL_OK)
		log_event(LOG_DEBUG, "poll.failed", "node", s->name, "result", poll_result_name(out->result),
			"reason", out->why.text, NULL);
}

/* --- finishing --- */

/*
 * Halved pages for a line that cannot carry whole ones in time, or a proxy that does not take them.  They
 * grow again only after one of about the allowed size went through quickly: small answers say nothing about
 * the line.
 */
static void adapt_pages(struct slot *s)
{
	const struct transfer_call *c = &s->call;
	bool push = s->exchange.kind == PLAN_PUSH;
	const size_t whole = PAGE_BYTES_DEFAULT;
	size_t most = whole >> s->shrink;
	size_t moved = push ? s->exchange.body.len : c->reply.len;
	bool refused = c->answer.result == POLL_OK && c->answer.status == 413 &&
		       s->exchange.kind != PLAN_FETCH; /* of fewer buckets instead */
	if (refused || c->too_large || (c->answer.result == POLL_TIMEOUT && (push || moved > 0))) {
		do
			s->shrink += s->shrink < SLOT_SHRINK_MAX;
		while (!push && s->shrink < SLOT_SHRINK_MAX && whole >> s->shrink > moved / 2);
	} else if (c->answer.result == POLL_OK && s->shrink > 0 && moved > most / 2 &&
		   c->answer.took_us < QUICK_US) {
		s->shrink--;
	}
}

/*
 * A transaction of many records keeps everybody else from the store, so pages are halved for all while it is slow.
 * Under the lock.
 */
static void adapt_to_store(struct applier *a, size_t bytes, int64_t took_us)
{
	size_t page = (size_t)PAGE_BYTES_DEFAULT >> a->shrink;
	if (took_us > APPLY_SLOW_US && bytes > APPLIER_SMALL_BYTES)
		a->shrink += a->shrink < SLOT_SHRINK_MAX;
	else if (took_us < APPLY_QUICK_US && bytes > page / 2)
		a->shrink -= a->shrink > 0;
}

static void follow_health(
	struct applier *a, struct slot *s, enum err e, const struct reason *why, bool stored)
{
	bool refused = health_concerns(e);
	if (refused && !s->refused)
		health_refused(&a->health, why);
	if (!refused) {
		a->healed = a->healed || (s->refused && stored);
		applier_taken(a, s);
	}
	s->refused = refused;
}

void applier_note(
	struct applier *a, struct slot *s, const struct answer *answer, const struct outcome *out, enum err e)
{
	int64_t now = clock_mono_us();
	exchange_note(&s->node, &s->run, &s->exchange, answer, out, now, a->interval_ms);
	if (out->result == POLL_OK || out->result == POLL_EPOCH)
		s->run.token = token_taken(&s->token);
	follow_health(a, s, e, &out->why, out->result == POLL_OK && !out->stale);
	s->run.to_push = s->run.to_push || s->edited;
	s->results[out->result]++;
	if (out->stale || e != OK) /* whether it is stored is not known: read it */
		s->changed = true;
	rate_add(&a->pulled, out->taken, now);
	rate_add(&a->pushed, out->pushed, now);
	rate_add(&s->pulled, out->taken, now);
	rate_add(&s->pushed, out->pushed, now);
	if (out->pulled && s->exchange.kind == PLAN_PULL) { /* also what was known already */
		uint64_t read = out->end.to.seq - s->exchange.basis.cursor;
		rate_add(&a->read, read, now);
		rate_add(&s->read, read, now);
	}
	history_add(&s->history, (struct poll_seen){.at_us = clock_wall_us(),
					 .ms = answer->took_us / 1000,
					 .result = out->result,
					 .pulled = out->taken,
					 .pushed = out->pushed});
}

struct outcome applier_store_outcome(const struct reason *why)
{
	return (struct outcome){.result = POLL_STORE, .why = *why};
}

/* A store that fails as a whole is told once; an answer that it cannot take, by the node's name. */
static void log_refusal(const struct slot *s, enum err e, const struct outcome *out)
{
	if (e != OK && !health_concerns(e))
		log_event(LOG_ERROR, "store.refused", "node", s->name, "error", err_name(e), "reason",
			out->why.text, NULL);
}

static void finish_one(struct applier *a, struct slot *s, const struct answer *answer, struct outcome *out,
	enum err e, const struct reason *why)
{
	if (e != OK)
		*out = applier_store_outcome(why);
	pthread_mutex_lock(a->lock);
	applier_note(a, s, answer, out, e);
	adapt_pages(s);
	s->answered = false;
	pthread_mutex_unlock(a->lock);
	log_refusal(s, e, out);
	log_outcome(s, out);
	buf_done(&s->call.reply);
	exchange_done(&s->exchange);
}

struct batch {
	struct exchange *exchanges[APPLIER_BATCH_MAX];
	struct answer answers[APPLIER_BATCH_MAX];
	struct outcome outcomes[APPLIER_BATCH_MAX];
	enum err results[APPLIER_BATCH_MAX];
	struct reason whys[APPLIER_BATCH_MAX];
};

void applier_finish(struct applier *a, struct slot *const *slots, size_t n)
{
	assert(n <= APPLIER_BATCH_MAX);
	struct batch *b = calloc(1, sizeof *b);
	size_t bytes = 0;
	if (!b)
		err_out_of_memory();
	for (size_t i = 0; i < n; i++) {
		b->exchanges[i] = &slots[i]->exchange;
		b->answers[i] = slots[i]->call.answer;
		bytes += slots[i]->call.reply.len;
	}
	int64_t start = clock_mono_us();
	exchange_finish_all(b->exchanges, a->store, b->answers, n, b->outcomes, b->results, b->whys);
	int64_t took_us = clock_mono_us() - start;
	pthread_mutex_lock(a->lock);
	histogram_add(&a->applied, (double)took_us / 1e6);
	adapt_to_store(a, bytes, took_us);
	pthread_mutex_unlock(a->lock);
	for (size_t i = 0; i < n; i++)
		finish_one(a, slots[i], &b->answers[i], &b->outcomes[i], b->results[i], &b->whys[i]);
	applier_tell_states(a, slots, n);
	free(b);
}

/* --- life --- */

void applier_init(struct applier *a, struct store *store, pthread_mutex_t *lock)
{
	*a = (struct applier){.store = store, .lock = lock, .room = {.bytes = APPLIER_ROOM_BYTES}};
	pthread_cond_init(&a->read_ahead, NULL);
}

void applier_done(struct applier *a)
{
	pthread_cond_destroy(&a->read_ahead);
}
