#include "central/applier_private.h"

#include "central/token.h"
#include "shared/clock.h"

#include <string.h>

#define ANSWER_TIME_MS 10000
/* For the smallest pages: a single large record on a slow line. */
#define ANSWER_TIME_MOST_MS 60000
#define COUNT_TIME_MOST_MS 600000
/* Plans that come to nothing (nothing to push after all, basis moved) are made anew this often without a
 * pause. */
#define TURNS_MAX 8
#define STORE_PAUSE_US 1000000
/* Of a record that is on its way its id, type and owner are kept, mostly no longer than this. */
#define ITEM_TEXT_BYTES 128
/* What an answer may have besides the bytes that were asked for: one record that passes them, and the frame. */
#define ANSWER_EXTRA_BYTES (RECORD_LINE_MAX + 65536)

/* --- the store --- */

/*
 * One node at a time tries a store that is lost, by reading its own row; the others say what they wait for.
 * False: not before *ret_due_us.
 */
static bool store_may_be_asked(struct applier *a, struct slot *s, int64_t *ret_due_us)
{
	pthread_mutex_lock(a->lock);
	bool may = health_may_ask(&a->health, clock_mono_us(), ret_due_us);
	if (a->health.lost > 0) {
		s->changed = true;
		if (s->run.store_failures == 0 && s->run.failures == 0) {
			s->run.store_failures = 1;
			s->run.at_head = false; /* its next pull is to be answered at once */
			s->run.last_result = POLL_STORE;
			node_troubled(&s->run)->last_reason = a->health.why;
		}
	}
	pthread_mutex_unlock(a->lock);
	return may;
}

/* Reads the node's row again if somebody said that it changed. */
static enum err reread(struct applier *a, struct slot *s, struct reason *why)
{
	struct node_row row;
	pthread_mutex_lock(a->lock);
	bool changed = s->changed;
	s->changed = false;
	pthread_mutex_unlock(a->lock);
	if (!changed)
		return OK;
	/* Perhaps it is another end by now, which has not said how bodies may come. */
	s->call.takes = CODING_NONE;
	enum err e = store_node_row(a->store, s->node.name, &row, why);
	pthread_mutex_lock(a->lock);
	health_read(&a->health, e == OK || e == GONE || !health_concerns(e), why, clock_mono_us());
	if (e == OK)
		slot_take_row(s, &row);
	else if (e != GONE)
		s->changed = true;
	if ((e == OK || e == GONE) && !s->changed) /* else somebody knows better */
		s->gone = e == GONE;
	pthread_mutex_unlock(a->lock);
	return e;
}

/* --- the plan --- */

/* One that never comes to rest is stopped; where the store does not take that now, the next turn tries again. */
static void stop_restless(struct applier *a, struct slot *s)
{
	struct sync_change change;
	struct event ev;
	struct reason why;
	pthread_mutex_lock(a->lock);
	struct node_sync sync = s->node.sync;
	bool stop = sync.halt == HALT_NONE && node_is_restless(&s->run);
	pthread_mutex_unlock(a->lock);
	if (!stop)
		return;
	exchange_decide_restless(&sync, &change, &ev);
	ev.node = s->node.name;
	enum err e = store_move_node(a->store, s->node.name, &sync, &change, &ev, &why);
	pthread_mutex_lock(a->lock);
	if (e == OK) {
		s->node.sync = change.to;
		memset(&s->run.resets, 0, sizeof s->run.resets); /* resumed, it is counted anew */
	} else {
		s->changed = true;
	}
	pthread_mutex_unlock(a->lock);
	if (e == OK)
		log_event(LOG_ERROR, "DIVERGED", "node", s->node.name, "text", ev.text.text, NULL);
}

/* How long a pull is parked that may be parked for `most_ms`. */
static int64_t park_ms(const struct slot *s, int64_t most_ms, int64_t now, int64_t interval_ms)
{
	int64_t period_ms = interval_ms < PAGE_WAIT_MAX_MS ? interval_ms : PAGE_WAIT_MAX_MS;
	int64_t since = now - s->cancelled_us;
	if (most_ms == period_ms) /* else all nodes that once were asked together would always be */
		most_ms = slot_park_ms(s, now, period_ms);
	/* Not to be interrupted yet: let it be short instead. */
	int64_t rest_ms = (SLOT_INTERRUPT_US - since) / 1000 + 1;
	bool fresh = s->cancelled_us != 0 && since < SLOT_INTERRUPT_US;
	return fresh && rest_ms < most_ms ? rest_ms : most_ms;
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
	if (p.step == PLAN_PULL)
		p.delay_ms = park_ms(s, p.delay_ms, now, a->interval_ms);
	return p;
}

/* --- room --- */

static unsigned at_most(unsigned bytes, unsigned shrink)
{
	bytes >>= shrink;
	return bytes > APPLIER_SMALL_BYTES ? bytes : APPLIER_SMALL_BYTES;
}

static bool wants_whole_page(const struct slot *s, struct plan p)
{
	const struct node_run *r = &s->run;
	if (p.step == PLAN_DIGEST || p.step == PLAN_FETCH)
		return true;
	return p.step == PLAN_PUSH || (p.step == PLAN_PULL && p.delay_ms == 0 && r->heard &&
					      r->failures == 0 && r->pull_backlog > 0);
}

/*
 * A push takes room for its body, for what is kept of its records beside it, for an answer, which may hold the local's versions, and for what is
 * read ahead.
 */
static size_t parts_of(const struct slot *s, struct plan p)
{
	if (p.step != PLAN_PUSH)
		return 1;
	return s->node.sync.swept ? 2 : 4;
}

/* How large the exchange may be; enters the room for a whole page.  False: there is no room. */
static bool make_room(struct applier *a, struct slot *s, struct plan p, struct exchange_limits *ret)
{
	struct exchange_limits l = EXCHANGE_LIMITS_DEFAULT;
	pthread_mutex_lock(a->lock);
	size_t parts = parts_of(s, p), got = parts * APPLIER_SMALL_BYTES;
	if (wants_whole_page(s, p)) { /* the exchange before is over */
		size_t share = room_share(
			&a->room, &s->room, parts * APPLIER_SMALL_BYTES, parts * PAGE_BYTES_DEFAULT);
		unsigned bytes =
			at_most((unsigned)(share / parts), a->shrink > s->shrink ? a->shrink : s->shrink);
		got = room_enter(&a->room, &s->room, parts * bytes);
	} else {
		room_leave(&a->room, &s->room);
	}
	pthread_mutex_unlock(a->lock);
	l.pull_bytes = l.push_bytes = (unsigned)(got / parts);
	*ret = l;
	return got > 0;
}

static void leave_room(struct applier *a, struct slot *s)
{
	pthread_mutex_lock(a->lock);
	room_leave(&a->room, &s->room);
	pthread_mutex_unlock(a->lock);
}

/* A push of a few records needs little, and so do digests of a few buckets, and nothing for what comes after; known when
 * it has been made. */
static void trim_room(struct applier *a, struct slot *s, const struct exchange_limits *l)
{
	size_t ahead = ahead_plan(&s->ahead, &s->exchange, l) ? l->push_bytes : 0;
	pthread_mutex_lock(a->lock);
	if (ahead > 0 &&
		a->room.waiting > 0) { /* it will have to wait as well, and what it has read would go */
		ahead_drop(&s->ahead);
		ahead = 0;
	}
	s->call.kept_bytes = s->room.taken > 0 ? l->pull_bytes : 0;
	if (s->exchange.kind == PLAN_PUSH) {
		size_t items = s->exchange.sent.n * (sizeof(struct push_item) + ITEM_TEXT_BYTES);
		room_trim(&a->room, &s->room,
			s->exchange.body.len + items + s->call.max_bytes + ahead + (ahead ? items : 0));
	}
	if (s->exchange.kind == PLAN_DIGEST)
		room_trim(&a->room, &s->room, s->call.max_bytes);
	if (s->exchange.kind == PLAN_DIGEST && s->room.taken > 0)
		s->call.kept_bytes = s->room.taken;
	pthread_mutex_unlock(a->lock);
}

/* --- the request --- */

/* Summing all rows may take long on a slow disk: longer each time that it came to nothing. */
static int64_t answer_time_ms(struct applier *a, const struct slot *s)
{
	pthread_mutex_lock(a->lock);
	unsigned failures = s->run.failures;
	pthread_mutex_unlock(a->lock);
	bool counts = s->exchange.kind == PLAN_DIGEST || s->exchange.kind == PLAN_FETCH ||
		      (s->exchange.kind == PLAN_PULL && s->exchange.basis.recount);
	int64_t ms = s->shrink < SLOT_SHRINK_MAX ? ANSWER_TIME_MS : ANSWER_TIME_MOST_MS;
	while (counts && failures-- > 0 && ms < COUNT_TIME_MOST_MS)
		ms *= 2;
	return ms;
}

/* A page of a push, where the other end has said that it takes that. */
static void pack_body(struct transfer_call *c, struct exchange *x)
{
	enum coding coding = x->kind == PLAN_PUSH ? transfer_call_takes(c) : CODING_NONE;
	c->content_bytes = x->body.len;
	c->body_coding = coding_pack_smaller(coding, &x->body) ? coding : CODING_NONE;
}

/* An operator may give it another at any time. */
static void put_url(struct applier *a, struct slot *s)
{
	struct buf *url = &s->call.url;
	buf_clear(url);
	pthread_mutex_lock(a->lock);
	size_t len = strlen(s->url);
	while (len > 0 && s->url[len - 1] == '/')
		len--;
	buf_add(url, s->url, len);
	pthread_mutex_unlock(a->lock);
	buf_put(url, buf_span(&s->exchange.target));
	buf_done(&s->exchange.target);
}

static void choose_token(struct applier *a, struct slot *s, const struct node *n)
{
	struct tokens tokens;
	char chosen[65];
	tokens_of_node(a->secret, n, &tokens);
	token_choose(&tokens, clock_mono_us(), token_again_us(a->interval_ms), &s->token, chosen);
	transfer_call_show(&s->call, chosen);
	explicit_bzero(&tokens, sizeof tokens);
	explicit_bzero(chosen, sizeof chosen);
}

static void prepare_call(
	struct applier *a, struct slot *s, const struct node *n, const struct exchange_limits *l)
{
	struct transfer_call *c = &s->call;
	struct exchange *x = &s->exchange;
	put_url(a, s);
	c->method = x->method;
	pack_body(c, x);
	c->body = buf_span(&x->body);
	c->content_type = x->kind == PLAN_PUSH ? "application/x-ndjson" : "application/json";
	c->minimal = x->minimal;
	c->timeout_ms = x->parked_ms + answer_time_ms(a, s);
	c->budget = &a->answers;
	c->packing = a->compress;
	c->max_bytes = (size_t)l->pull_bytes + ANSWER_EXTRA_BYTES;
	if (x->kind == PLAN_PUSH && x->sent.n * RECORD_LINE_MAX < l->pull_bytes)
		c->max_bytes = x->sent.n * RECORD_LINE_MAX + ANSWER_EXTRA_BYTES;
	if (x->kind == PLAN_DIGEST)
		c->max_bytes = ((size_t)BUCKET_LINE_MAX << x->compare.bits) + APPLIER_SMALL_BYTES;
	choose_token(a, s, n);
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
	struct answer answer = {.result = POLL_STORE, .why = why->text};
	struct outcome out = applier_store_outcome(why);
	pthread_mutex_lock(a->lock);
	applier_note(a, s, &answer, &out, e);
	pthread_mutex_unlock(a->lock);
}

/* False: there is nothing to send; the node is to be planned anew. */
static bool begin(struct applier *a, struct slot *s, const struct node *n, struct plan p,
	const struct exchange_limits *l)
{
	struct reason why = {""};
	exchange_done(&s->exchange);
	bool taken = p.step == PLAN_PUSH && ahead_take(&s->ahead, a->store, n, l, &s->exchange);
	enum err e = taken ? OK : exchange_begin(&s->exchange, a->store, n, p, l, &why);
	ahead_done(&s->ahead);
	if (e == OK) {
		prepare_call(a, s, n, l);
		trim_room(a, s, l);
		pthread_mutex_lock(a->lock);
		s->exchange.poll = ++s->run.polls_begun;
		pthread_mutex_unlock(a->lock);
		return true;
	}
	leave_room(a, s);
	if (e == GONE)
		nothing_to_push(a, s);
	else if (e == CONFLICT)
		basis_moved(a, s);
	else
		note_store_failure(a, s, e, &why);
	return false;
}

static enum applier_next gone(struct applier *a, struct slot *s)
{
	pthread_mutex_lock(a->lock);
	room_leave(&a->room, &s->room);
	applier_taken(a, s);
	applier_told(a, s);
	pthread_mutex_unlock(a->lock);
	return APPLIER_GONE;
}

/* What it last answered is asked for anew when it is asked again. */
static enum applier_next rest(struct applier *a, struct slot *s)
{
	pthread_mutex_lock(a->lock);
	applier_taken(a, s);
	pthread_mutex_unlock(a->lock);
	return APPLIER_REST;
}

static enum applier_next applier_turn(struct applier *a, struct slot *s, int64_t *ret_due_us, bool *again)
{
	struct node n;
	struct reason why = {""};
	struct exchange_limits l;
	if (!store_may_be_asked(a, s, ret_due_us)) {
		leave_room(a, s);
		return APPLIER_WAIT;
	}
	enum err e = reread(a, s, &why);
	if (e == GONE)
		return gone(a, s);
	int64_t now = clock_mono_us();
	*ret_due_us = now + STORE_PAUSE_US;
	if (e != OK) {
		leave_room(a, s);
		return APPLIER_WAIT;
	}
	stop_restless(a, s);
	struct plan p = plan_slot(a, s, now, &n);
	if (!make_room(a, s, p, &l))
		return APPLIER_HOLD;
	if (p.step == PLAN_REST)
		return rest(a, s);
	if (p.step == PLAN_WAIT) {
		*ret_due_us = now + p.delay_ms * 1000;
		return APPLIER_WAIT;
	}
	if (begin(a, s, &n, p, &l))
		return APPLIER_SEND;
	*again = true;
	return APPLIER_WAIT;
}

void applier_read_ahead(struct applier *a, struct slot *s)
{
	ahead_read(&s->ahead, a->store, s->node.name);
	pthread_mutex_lock(a->lock);
	s->ahead.busy = false;
	pthread_cond_broadcast(&a->read_ahead);
	pthread_mutex_unlock(a->lock);
}

/* True: somebody wants something of the node, or the store is away. */
static bool wait_for_ahead(struct applier *a, struct slot *s)
{
	pthread_mutex_lock(a->lock);
	while (s->ahead.busy)
		pthread_cond_wait(&a->read_ahead, a->lock);
	bool news = s->changed || s->asked || s->edited || a->health.lost > 0;
	pthread_mutex_unlock(a->lock);
	return news;
}

enum applier_next applier_next(struct applier *a, struct slot *s, bool told, int64_t *ret_due_us)
{
	enum applier_next next = APPLIER_WAIT;
	bool again = true, news = wait_for_ahead(a, s);

	/* Of one that was cancelled: it has left the room, and may not be asked again for long. */
	exchange_done(&s->exchange);
	transfer_call_drop(&s->call);
	for (int turn = 0; again && turn < TURNS_MAX; turn++) {
		again = false;
		next = applier_turn(a, s, ret_due_us, &again);
	}
	if (next != APPLIER_SEND)
		ahead_done(&s->ahead);
	bool as_told = told && !news && next == APPLIER_SEND; /* nothing has come between */
	if (next != APPLIER_GONE && !as_told)
		applier_tell_states(a, &s, 1);
	if (next != APPLIER_REST || s->stored_state == s->told_state)
		return next;
	*ret_due_us = clock_mono_us() + STORE_PAUSE_US; /* to store its event */
	return APPLIER_WAIT;
}
