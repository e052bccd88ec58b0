/* What a worker says of its node: in the log, and as events. */
#include "central/applier_private.h"

#include "central/own_clock.h"
#include "central/spate.h"
#include "shared/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
	size_t n, room;
	struct slot *of[APPLIER_BATCH_MAX]; /* whose they are */
	size_t n_of;
	bool asked, may; /* whether any may be stored now */
};

static struct event *place_for_event(struct telling *t)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 1 + AILMENTS;
		t->evs = realloc(t->evs, t->room * sizeof *t->evs);
	}
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

/* Where a node is stopped it says nothing more, so its last word is not held back. */
static bool may_tell(struct slot *s)
{
	switch (s->state) {
	case NODE_DIVERGED:
	case NODE_IDENTITY_CONFLICT:
	case NODE_PAUSED:
		return true;
	case NODE_OFFLINE:
	case NODE_INCOMPATIBLE:
	case NODE_IN_SYNC:
	case NODE_CATCHING_UP:
	case NODE_RECONCILING:
	case NODE_NEVER_SEEN:
		break;
	}
	return ratelimit_take(&s->telling.words, &SLOT_TELLS, clock_mono_us());
}

/* What is to be said of the node: what was said last, where it changed and is held back. */
static void take_words_now(struct slot *s, const struct reason *why, struct words *w)
{
	w->now = w->told = s->told_state, w->stored = s->stored_state;
	w->ailing = w->ailing_told = s->ailing.told, w->ailing_stored = s->ailing.stored;
	bool changed = s->state != w->told || s->ailing.now != w->ailing_told;
	bool owed = w->told != w->stored ||
		    w->ailing_told != w->ailing_stored; /* the store is away, and all waits */
	if (changed && !owed && !may_tell(s)) {
		s->telling.held = true;
		return;
	}
	w->now = s->state;
	w->ailing = s->ailing.now;
	w->state = *why;
	if (changed && s->telling.held && s->telling.changes > 1)
		(void)fail(OK, &w->state, "%.130s; it changed %llu times since that", why->text,
			(unsigned long long)s->telling.changes);
	if (changed) {
		s->telling.held = false;
		s->telling.changes = 0;
	}
}

/* All was said, and stored, already: so it is after most exchanges. */
static bool is_as_told(struct applier *a, struct slot *s, const struct slot_moment *now)
{
	const struct slot_ailing *f = &s->ailing;
	pthread_mutex_lock(a->lock);
	slot_settle_word(s, now);
	bool same = s->state == s->told_state && s->told_state == s->stored_state && f->now == f->told &&
		    f->told == f->stored;
	if (same)
		applier_told(a, s);
	pthread_mutex_unlock(a->lock);
	return same;
}

/* Once for all of them.  Under the lock. */
static bool may_store(struct applier *a, struct telling *t)
{
	if (!t->asked)
		t->may = a->health.lost == 0 && health_may_tell(&a->health, clock_mono_us());
	t->asked = true;
	return t->may;
}

/* Takes a node's words; from now on they are told.  True: and to be stored. */
static bool take_words(struct applier *a, struct slot *s, struct telling *t, struct words *ret)
{
	struct words w = {0};
	struct reason why;
	pthread_mutex_lock(a->lock);
	slot_settle(s, a->interval_ms, &why);
	take_words_now(s, &why, &w);
	unsigned moved = (w.ailing ^ w.ailing_told) | (w.ailing ^ w.ailing_stored);
	for (int i = 0; i < AILMENTS; i++)
		if (moved & AILMENT_BIT(i))
			say_ailment(s, (enum ailment)i, &w.ailment[i]);
	s->told_state = w.now;
	s->ailing.told = w.ailing;
	bool owed = w.now != w.stored || w.ailing != w.ailing_stored;
	if (!owed)
		applier_told(a, s);
	bool store = owed && may_store(a, t);
	pthread_mutex_unlock(a->lock);
	*ret = w;
	return store;
}

static void log_words(const struct slot *s, const struct words *w)
{
	if (w->now != w->told)
		log_event(state_level(w->now), "node.state", "node", s->node.name, "state",
			node_state_name(w->now), "was", node_state_name(w->told), "reason", w->state.text,
			NULL);
	for (int i = 0; i < AILMENTS; i++) {
		bool has = w->ailing & AILMENT_BIT(i);
		if (has != !!(w->ailing_told & AILMENT_BIT(i)))
			log_event(has ? ailment_level((enum ailment)i) : LOG_INFO,
				has ? "node.unwell" : "node.recovered", "node", s->node.name, "text",
				w->ailment[i].text, NULL);
	}
}

static void add_events(struct telling *t, const struct slot *s, const struct words *w)
{
	if (w->now != w->stored) {
		struct event *ev = place_for_event(t);
		*ev = (struct event){
			.level = state_level(w->now), .kind = "node.state", .node = s->node.name};
		node_change_text(w->now, w->stored, &w->state, &ev->text);
	}
	for (int i = 0; i < AILMENTS; i++) {
		bool has = w->ailing & AILMENT_BIT(i);
		if (has == !!(w->ailing_stored & AILMENT_BIT(i)))
			continue;
		*place_for_event(t) = (struct event){.level = has ? ailment_level((enum ailment)i) : LOG_INFO,
			.kind = has ? "node.unwell" : "node.recovered",
			.node = s->node.name,
			.text = w->ailment[i]};
	}
}

/*
 * A change of the word, or of what is wrong, is one log line and one event, which is tried again with the node's next
 * turn until it is stored.
 */
static void tell(struct applier *a, struct slot *s, const struct slot_moment *now, struct telling *t)
{
	struct words w;
	if (is_as_told(a, s, now))
		return;
	bool store = take_words(a, s, t, &w);
	log_words(s, &w);
	if (!store)
		return;
	add_events(t, s, &w);
	t->of[t->n_of++] = s;
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
	health_tried_to_tell(&a->health, e == OK, clock_mono_us());
	pthread_mutex_unlock(a->lock);
}

void applier_tell_states(struct applier *a, struct slot *const *slots, size_t n)
{
	assert(n > 0 && n <= APPLIER_BATCH_MAX);
	struct telling t = {0};
	struct slot_moment now = slot_moment(a->interval_ms);
	for (size_t i = 0; i < n; i++)
		tell(a, slots[i], &now, &t);
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

/* The same bound as of the events of its answers (spate.h). */
static void log_told(struct slot *s, const struct event *ev)
{
	if (spate_bounds(ev) && !ratelimit_take(&s->telling.lines, &SLOT_TELLS, clock_mono_us())) {
		s->telling.lines_held++;
		return;
	}
	if (s->telling.lines_held > 0)
		log_event(ev->level, ev->kind, "node", s->node.name, "text", ev->text.text, "not_told_before",
			LOG_I64((int64_t)s->telling.lines_held), NULL);
	else
		log_event(ev->level, ev->kind, "node", s->node.name, "text", ev->text.text, NULL);
	s->telling.lines_held = 0;
}

void applier_log_outcome(struct slot *s, const struct outcome *out)
{
	const struct event *ev = &out->event;
	if (ev->kind && !is_routine(ev))
		log_told(s, ev);
	else if (ev->kind)
		log_event(LOG_DEBUG, ev->kind, "node", s->node.name, "text", ev->text.text, NULL);
	else if (out->result != POLL_OK)
		log_event(LOG_DEBUG, "poll.failed", "node", s->node.name, "result",
			poll_result_name(out->result), "reason", out->why.text, NULL);
}
