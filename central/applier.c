#include "central/applier.h"

#include "central/token.h"
#include "shared/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_TIME_MS 10000
/* For the smallest pages: a single large record on a slow line. */
#define ANSWER_TIME_MOST_MS 60000
#define COUNT_TIME_MOST_MS 600000
#define QUICK_US 3000000
/* Plans that come to nothing (nothing to push after all, basis moved) are made anew this often without a
 * pause. */
#define TURNS_MAX 8
#define STORE_PAUSE_US 1000000

/* --- telling --- */

static void log_store(struct applier *a, enum err e, const struct reason *why)
{
	pthread_mutex_lock(a->lock);
	bool changed = a->store_failed != (e != OK);
	a->store_failed = e != OK;
	pthread_mutex_unlock(a->lock);
	if (changed && e != OK)
		log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why->text, NULL);
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

/* A change of the word is one log line and one event; false: none. */
static bool state_event(struct applier *a, struct slot *s, struct event *ret)
{
	pthread_mutex_lock(a->lock);
	slot_settle(s, a->interval_ms);
	enum node_state now = s->state, before = s->told_state;
	struct reason text = s->why;
	s->told_state = now;
	pthread_mutex_unlock(a->lock);
	if (now == before)
		return false;
	*ret = (struct event){.level = state_level(now), .kind = "node.state", .node = s->name};
	snprintf(ret->text.text, sizeof ret->text.text, "%s (was %s): %.180s", node_state_name(now),
		node_state_name(before), text.text);
	log_event(ret->level, "node.state", "node", s->name, "state", node_state_name(now), "was",
		node_state_name(before), "reason", text.text, NULL);
	return true;
}

/* Tells the changes of several nodes at once: when a network fails, all of them change. */
static void tell_states(struct applier *a, struct slot *const *slots, size_t n)
{
	assert(n > 0);
	struct event *evs = calloc(n, sizeof *evs);
	struct reason why;
	size_t told = 0;
	assert(evs);
	for (size_t i = 0; i < n; i++)
		if (state_event(a, slots[i], &evs[told]))
			told++;
	if (told > 0)
		log_store(a, store_events_add(a->store, evs, told, &why), &why);
	free(evs);
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
static void adapt_pages(const struct applier *a, struct slot *s)
{
	const struct transfer_call *c = &s->call;
	bool push = s->exchange.kind == PLAN_PUSH;
	size_t most = (push ? a->limits.push_bytes : a->limits.pull_bytes) >> s->shrink;
	size_t moved = push ? s->exchange.body.len : c->reply.len;
	bool refused = c->answer.result == POLL_OK && c->answer.status == 413;
	if (refused || c->too_large || (c->answer.result == POLL_TIMEOUT && (push || moved > 0))) {
		do
			s->shrink += s->shrink < SLOT_SHRINK_MAX;
		while (!push && s->shrink < SLOT_SHRINK_MAX && a->limits.pull_bytes >> s->shrink > moved / 2);
	} else if (c->answer.result == POLL_OK && s->shrink > 0 && moved > most / 2 &&
		   c->answer.took_us < QUICK_US) {
		s->shrink--;
	}
}

/* The run's memory of one exchange.  Under the lock. */
static void note(struct applier *a, struct slot *s, const struct answer *answer, const struct outcome *out)
{
	int64_t now = clock_mono_us();
	exchange_note(&s->node, &s->run, &s->exchange, answer, out, now, a->interval_ms);
	s->run.to_push = s->run.to_push || s->edited;
	s->results[out->result]++;
	if (out->stale)
		s->changed = true;
	rate_add(&a->pulled, out->taken, now);
	rate_add(&a->pushed, out->pushed, now);
	history_add(&s->history, (struct poll_seen){.at_us = clock_wall_us(),
					 .ms = answer->took_us / 1000,
					 .result = out->result,
					 .pulled = out->taken,
					 .pushed = out->pushed});
}

static struct outcome store_outcome(const struct reason *why)
{
	return (struct outcome){.result = POLL_STORE, .why = *why};
}

static void finish_one(struct applier *a, struct slot *s, const struct answer *answer, struct outcome *out,
	enum err e, const struct reason *why)
{
	if (e != OK)
		*out = store_outcome(why);
	pthread_mutex_lock(a->lock);
	note(a, s, answer, out);
	if (e != OK) /* whether it is stored is not known: read it */
		s->changed = true;
	adapt_pages(a, s);
	s->answered = false;
	pthread_mutex_unlock(a->lock);
	log_store(a, e, why);
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
	assert(b);
	for (size_t i = 0; i < n; i++) {
		b->exchanges[i] = &slots[i]->exchange;
		b->answers[i] = slots[i]->call.answer;
	}
	int64_t start = clock_mono_us();
	exchange_finish_all(b->exchanges, a->store, b->answers, n, b->outcomes, b->results, b->whys);
	pthread_mutex_lock(a->lock);
	histogram_add(&a->applied, (double)(clock_mono_us() - start) / 1e6);
	pthread_mutex_unlock(a->lock);
	for (size_t i = 0; i < n; i++)
		finish_one(a, slots[i], &b->answers[i], &b->outcomes[i], b->results[i], &b->whys[i]);
	tell_states(a, slots, n);
	free(b);
}

/* --- preparing --- */

static enum applier_next store_pause(
	struct applier *a, enum err e, const struct reason *why, int64_t *ret_due_us)
{
	log_store(a, e, why);
	*ret_due_us = clock_mono_us() + STORE_PAUSE_US;
	return APPLIER_WAIT;
}

/* Reads the node's row again if somebody said that it changed. */
static enum err reread(struct applier *a, struct slot *s, struct reason *why)
{
	struct node n;
	pthread_mutex_lock(a->lock);
	bool changed = s->changed;
	s->changed = false;
	pthread_mutex_unlock(a->lock);
	if (!changed)
		return OK;
	enum err e = store_node(a->store, s->name, &n, why);
	pthread_mutex_lock(a->lock);
	if (e == OK)
		s->node = n;
	else if (e != GONE)
		s->changed = true;
	if ((e == OK || e == GONE) && !s->changed) /* else somebody knows better */
		s->gone = e == GONE;
	pthread_mutex_unlock(a->lock);
	return e;
}

/* What others wanted since the last time becomes part of what the plan sees. */
static struct plan plan_slot(struct applier *a, struct slot *s, int64_t now, struct node *ret)
{
	pthread_mutex_lock(a->lock);
	if (s->edited) {
		s->run.to_push = true;
		if (s->run.failures == 0)
			s->run.next_attempt_us = 0;
	}
	if (s->asked) {
		s->run.asked = true;
		s->run.next_push_us = 0;
	}
	s->edited = s->asked = false;
	*ret = s->node;
	struct plan p = plan_next(&s->node, &s->run, now, a->interval_ms);
	if (p.step == PLAN_WAIT)
		s->run.next_attempt_us = now + p.delay_ms * 1000;
	pthread_mutex_unlock(a->lock);
	/* Not to be interrupted yet: let it be short instead. */
	int64_t since = now - s->cancelled_us;
	if (p.step == PLAN_PULL && s->cancelled_us != 0 && since < SLOT_INTERRUPT_US) {
		int64_t rest_ms = (SLOT_INTERRUPT_US - since) / 1000 + 1;
		p.delay_ms = p.delay_ms < rest_ms ? p.delay_ms : rest_ms;
	}
	return p;
}

static struct exchange_limits slot_limits(const struct applier *a, const struct slot *s)
{
	pthread_mutex_lock(a->lock);
	struct exchange_limits l = a->limits;
	pthread_mutex_unlock(a->lock);
	l.pull_bytes >>= s->shrink;
	l.push_bytes >>= s->shrink;
	return l;
}

/* Summing all rows may take long on a slow disk: longer each time that it came to nothing. */
static int64_t answer_time_ms(struct applier *a, const struct slot *s)
{
	pthread_mutex_lock(a->lock);
	unsigned failures = s->run.failures;
	pthread_mutex_unlock(a->lock);
	bool counts = s->exchange.kind == PLAN_PULL && s->exchange.basis.recount;
	int64_t ms = s->shrink < SLOT_SHRINK_MAX ? ANSWER_TIME_MS : ANSWER_TIME_MOST_MS;
	while (counts && failures-- > 0 && ms < COUNT_TIME_MOST_MS)
		ms *= 2;
	return ms;
}

static void prepare_call(
	struct applier *a, struct slot *s, const struct node *n, const struct exchange_limits *l)
{
	struct transfer_call *c = &s->call;
	struct exchange *x = &s->exchange;
	size_t url_len = strlen(n->url);
	while (url_len > 0 && n->url[url_len - 1] == '/')
		url_len--;
	buf_clear(&c->url);
	buf_add(&c->url, n->url, url_len);
	buf_put(&c->url, buf_span(&x->target));
	c->method = x->method;
	c->body = buf_span(&x->body);
	c->content_type = x->kind == PLAN_PUSH ? "application/x-ndjson" : "application/json";
	c->timeout_ms = x->parked_ms + answer_time_ms(a, s);
	/* An answer to a push may hold the local's versions: give them the room of a pull. */
	c->max_bytes = (size_t)l->pull_bytes + RECORD_LINE_MAX + 65536;
	token_of_node(a->secret, n, c->token);
}

static void nothing_to_push(struct applier *a, struct slot *s)
{
	pthread_mutex_lock(a->lock);
	exchange_note_nothing(&s->run);
	s->run.to_push = s->edited; /* one came in since */
	s->changed = true;          /* a sweep may have ended */
	pthread_mutex_unlock(a->lock);
}

static void basis_moved(struct applier *a, struct slot *s)
{
	pthread_mutex_lock(a->lock);
	s->changed = true;
	pthread_mutex_unlock(a->lock);
}

static void note_store_failure(struct applier *a, struct slot *s, enum err e, const struct reason *why)
{
	struct answer answer = {.result = POLL_STORE, .why = *why};
	struct outcome out = store_outcome(why);
	pthread_mutex_lock(a->lock);
	note(a, s, &answer, &out);
	s->changed = true;
	pthread_mutex_unlock(a->lock);
	log_store(a, e, why);
}

static enum applier_next applier_turn(struct applier *a, struct slot *s, int64_t *ret_due_us, bool *again)
{
	struct node n;
	struct reason why = {""};
	enum err e = reread(a, s, &why);
	if (e == GONE)
		return APPLIER_GONE;
	if (e != OK)
		return store_pause(a, e, &why, ret_due_us);
	int64_t now = clock_mono_us();
	struct plan p = plan_slot(a, s, now, &n);
	struct exchange_limits l = slot_limits(a, s);
	*ret_due_us = now + p.delay_ms * 1000;
	if (p.step == PLAN_REST)
		return APPLIER_REST;
	if (p.step == PLAN_WAIT)
		return APPLIER_WAIT;
	exchange_done(&s->exchange);
	e = exchange_begin(&s->exchange, a->store, &n, p, &l, &why);
	if (e == OK) {
		prepare_call(a, s, &n, &l);
		return APPLIER_SEND;
	}
	if (e == GONE)
		nothing_to_push(a, s);
	else if (e == CONFLICT)
		basis_moved(a, s);
	else
		note_store_failure(a, s, e, &why);
	*again = true;
	*ret_due_us = now + STORE_PAUSE_US;
	return APPLIER_WAIT;
}

enum applier_next applier_next(struct applier *a, struct slot *s, int64_t *ret_due_us)
{
	enum applier_next next = APPLIER_WAIT;
	bool again = true;
	for (int turn = 0; again && turn < TURNS_MAX; turn++) {
		again = false;
		next = applier_turn(a, s, ret_due_us, &again);
	}
	if (next != APPLIER_GONE)
		tell_states(a, &s, 1);
	return next;
}
