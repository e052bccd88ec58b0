#include "central/scheduler_private.h"

#include "shared/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REREAD_US 1000000
#define ROOM_LOOK_US 500000
#define SPARE_LOOKS_US 1000000
/* Answers that bring nothing: each takes 7 KB while it is looked at, and needs no transaction of its own. */
#define QUIET_TOGETHER 64
#define START_TOGETHER 64 /* requests for which the transfer's thread is woken once */
/* A few records: as many such answers as one transaction takes may wait for each other. */
#define LITTLE_BYTES 8192

struct slot *scheduler_insert(struct scheduler *s, const struct node_row *row)
{
	struct slot *slot = slot_new(row, s->applier.interval_ms);
	slots_insert(&s->slots, slot);
	return slot;
}

void scheduler_nudge(struct scheduler *s, struct slot *slot, bool interrupt)
{
	switch (slot->place) {
	case SLOT_WAITING:
		slots_stop_waiting(&s->slots, slot);
		slots_make_ready(&s->slots, slot);
		break;
	case SLOT_HELD: /* what is asked for waits for the same room, and keeps its place */
		if (!slot->changed)
			break;
		slots_release(&s->slots, slot);
		slots_make_ready(&s->slots, slot);
		break;
	case SLOT_IDLE:
		slots_make_ready(&s->slots, slot);
		break;
	case SLOT_TRANSFER:
		if (interrupt)
			transfer_cancel(s->transfer, &slot->call);
		break;
	case SLOT_READY:
	case SLOT_WORKING:
		break; /* looks at the flags before the next request goes out */
	}
}

/* A parked pull that came back because its time was over: nobody waits for it. */
static bool brings_nothing(const struct slot *slot)
{
	const struct answer *a = &slot->call.answer;
	return slot->answered && a->result == POLL_OK && a->status == 200 &&
	       slot->exchange.kind == PLAN_PULL && slot->exchange.parked_ms > 0 &&
	       a->took_us >= slot->exchange.parked_ms * 1000;
}

/* A parked pull that brings a little. */
static bool brings_little(const struct slot *slot)
{
	const struct answer *a = &slot->call.answer;
	return slot->answered && a->result == POLL_OK && a->status == 200 &&
	       slot->exchange.kind == PLAN_PULL && slot->exchange.parked_ms > 0 &&
	       a->body.len <= LITTLE_BYTES;
}

static void answered(struct scheduler *s, struct slot *slot)
{
	int64_t now = clock_mono_us(), wait_us = 0;
	if (brings_nothing(slot)) {
		slots_make_ready_soon(&s->slots, slot, now);
		return;
	}
	if (brings_little(slot)) {
		gather_note(&s->gather, now, slot->call.answer.took_us);
		wait_us = gather_wait_us(&s->gather);
	}
	if (wait_us > 0)
		slots_gather(&s->slots, slot, now, wait_us, APPLIER_GATHERED_MAX);
	else
		slots_make_ready(&s->slots, slot);
}

/* On the transfer's thread. */
static void call_done(struct transfer_call *call)
{
	struct scheduler *s = call->ctx;
	struct slot *slot = (struct slot *)(void *)((char *)call - offsetof(struct slot, call));
	bool refused = !call->cancelled && call->answer.result == POLL_OK && call->answer.status == 401;
	pthread_mutex_lock(&s->lock);
	/* Another of its tokens is tried in the same turn, as if this had not been. */
	slot->answered = !call->cancelled && !(refused && token_refused(&slot->token));
	slot->results[POLL_CANCELLED] += !slot->answered;
	answered(s, slot);
	pthread_mutex_unlock(&s->lock);
}

/* --- workers --- */

static bool has_news(const struct slot *slot)
{
	if (slot->changed)
		return true;
	if (!slot->asked && !slot->edited)
		return false;
	return slot->exchange.kind == PLAN_PULL && slot->exchange.parked_ms > 0;
}

/*
 * What came in while the worker planned shortens its wait; a row that could not be read is
 * tried again soon.
 */
static int64_t due_with_news(const struct slot *slot, int64_t due_us)
{
	int64_t now = clock_mono_us();
	if (slot->asked || slot->edited)
		return now;
	return slot->changed && due_us > now + REREAD_US ? now + REREAD_US : due_us;
}

/* True: `slot->ahead` is busy, and the caller, who has nothing better to do, is to make it ready. */
static bool dispatch(
	struct scheduler *s, struct slot *slot, enum applier_next next, int64_t due_us, bool idle)
{
	switch (next) {
	case APPLIER_SEND:
		if (has_news(slot)) {
			slots_make_ready(&s->slots, slot);
			break;
		}
		if (s->stopping) {
			slot->place = SLOT_IDLE;
			break;
		}
		slot->place = SLOT_TRANSFER;
		slot->sent_us = clock_mono_us();
		slot->call.done = call_done;
		slot->call.ctx = s;
		slot->ahead.busy = slot->ahead.wanted && idle && !s->slots.ready.first;
		transfer_start_soon(s->transfer, &slot->call);
		return slot->ahead.busy;
	case APPLIER_WAIT:
		slots_make_waiting(&s->slots, slot, due_with_news(slot, due_us));
		break;
	case APPLIER_HOLD:
		if (slot->changed)
			slots_make_ready(&s->slots, slot);
		else
			slots_hold(&s->slots, slot);
		break;
	case APPLIER_REST:
		slot->place = SLOT_IDLE;
		if (slot->changed)
			slots_make_ready(&s->slots, slot);
		break;
	case APPLIER_GONE:
		if (slot->changed) { /* perhaps it was added again */
			slots_make_ready(&s->slots, slot);
			break;
		}
		slot->place = SLOT_IDLE;
		slots_forget(&s->slots, slot);
		break;
	}
	return false;
}

/*
 * One slot, or several whose answers can be applied together; a page that is large by itself goes by
 * itself.  Under the lock.
 */
static size_t take_batch(struct scheduler *s, struct slot **batch)
{
	size_t n = 0, bytes = 0, most = APPLIER_BATCH_MAX;
	if (s->slots.ready.first && brings_nothing(s->slots.ready.first))
		most = QUIET_TOGETHER;
	for (struct slot *first; (first = s->slots.ready.first) && n < most; n++) {
		bytes += first->answered ? first->call.reply.len : 0;
		if (n > 0 && (!slot_shares(first) || !slot_shares(batch[0]) || bytes > APPLIER_BATCH_BYTES))
			break;
		batch[n] = slots_take_ready(&s->slots);
	}
	return n;
}

static void work(struct worker *w, struct slot **batch, size_t n)
{
	struct scheduler *s = w->scheduler;
	bool answered = batch[0]->answered;
	unsigned unwoken = 0;
	if (answered)
		applier_finish(&s->applier, batch, n);
	for (size_t i = 0; i < n; i++) {
		int64_t due_us = 0;
		enum applier_next next = applier_next(&s->applier, batch[i], answered, &due_us);
		bool parked = batch[i]->exchange.parked_ms > 0; /* nobody waits for it */
		unwoken += next == APPLIER_SEND;
		pthread_mutex_lock(&s->lock);
		w->turns++;
		bool ahead = dispatch(s, batch[i], next, due_us, i == n - 1);
		slots_admit(&s->slots, &s->applier.room);
		if (s->applier.healed)
			slots_hurry_refused(&s->slots, s->applier.interval_ms);
		s->applier.healed = false;
		pthread_mutex_unlock(&s->lock);
		if (unwoken > 0 && (!parked || unwoken == START_TOGETHER || i == n - 1)) {
			transfer_wake(s->transfer);
			unwoken = 0;
		}
		if (ahead)
			applier_read_ahead(&s->applier, batch[i]);
	}
}

static void record_taken(void *ctx, const char *owner)
{
	scheduler_edited(ctx, owner);
}

/* Under the lock, which is not held meanwhile.  False: it is not time yet, or another worker is at it. */
static bool retry_if_due(struct scheduler *s)
{
	if (clock_mono_us() < s->retry_due_us)
		return false;
	s->retry_due_us += INT64_C(86400) * 1000000; /* not yet: this worker is at it */
	pthread_mutex_unlock(&s->lock);
	retry_round(&s->retry, s->applier.store, record_taken, s);
	pthread_mutex_lock(&s->lock);
	s->retry_due_us = clock_mono_us() + s->retry_us;
	return true;
}

/* Whoever promises a page and does not send it keeps others from theirs only for a while.  Under the lock. */
static void take_back_room(struct scheduler *s)
{
	int64_t now = clock_mono_us();
	if (s->applier.room.waiting == 0 || now < s->room_due_us)
		return;
	s->room_due_us = now + ROOM_LOOK_US;
	for (size_t i = 0; i < s->slots.n; i++)
		if (slot_gives_way(s->slots.at[i], now, APPLIER_SMALL_BYTES))
			transfer_cancel(s->transfer, &s->slots.at[i]->call);
}

static int64_t next_due_us(const struct scheduler *s)
{
	int64_t due = slots_next_due_us(&s->slots);
	if (s->applier.room.waiting > 0 && (due < 0 || due > s->room_due_us))
		due = s->room_due_us;
	return due < 0 || due > s->retry_due_us ? s->retry_due_us : due;
}

/* One worker wakes for what is due; the others would find it done, and only look now and then whether that one is held up. */
static void wait_news(struct scheduler *s)
{
	int64_t due = next_due_us(s), spare = clock_mono_us() + SPARE_LOOKS_US;
	if (s->watched_us <= due && due < spare)
		due = spare;
	else
		s->watched_us = due;
	struct timespec until = {.tv_sec = due / 1000000, .tv_nsec = due % 1000000 * 1000};
	pthread_cond_timedwait(&s->news, &s->lock, &until);
	if (s->watched_us == due)
		s->watched_us = INT64_MAX;
}

static void *worker_run(void *ctx)
{
	struct worker *w = ctx;
	struct scheduler *s = w->scheduler;
	struct slot *batch[APPLIER_BATCH_MAX];
	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		w->turns++;
		slots_wake_due(&s->slots, clock_mono_us());
		take_back_room(s);
		size_t n = take_batch(s, batch);
		if (n == 0) {
			if (!retry_if_due(s))
				wait_news(s);
			continue;
		}
		int64_t due = next_due_us(s);
		if (due < s->watched_us && due < clock_mono_us() + SPARE_LOOKS_US)
			pthread_cond_signal(&s->news); /* another one is to wake for it */
		pthread_mutex_unlock(&s->lock);
		work(w, batch, n);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- life --- */

static void init_lock(struct scheduler *s)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->news, &attr);
	pthread_condattr_destroy(&attr);
	/* Held for a moment at a time by all threads: not worth going to sleep for. */
	pthread_mutexattr_t kind;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&s->lock, &kind);
	pthread_mutexattr_destroy(&kind);
}

enum err scheduler_open(struct scheduler **ret, const struct scheduler_config *c, struct reason *why)
{
	struct nodes ns = {0};
	enum err e = store_nodes(c->store, &ns, why);
	if (e != OK)
		return e;
	struct scheduler *s = calloc(1, sizeof *s);
	assert(c->workers <= WORKERS_MAX);
	if (!s)
		err_out_of_memory();
	init_lock(s);
	s->allowed = c->allowed;
	s->tls = c->tls;
	s->n_workers = c->workers ? c->workers : 2;
	s->watched_us = INT64_MAX;
	s->retry_us = (c->retry_interval_ms ? c->retry_interval_ms : RETRY_INTERVAL_MS) * 1000;
	s->retry_due_us = clock_mono_us() + s->retry_us;
	slots_init(&s->slots, &s->news);
	applier_init(&s->applier, c->store, &s->lock);
	s->applier.interval_ms = c->interval_ms;
	s->applier.secret = c->secret;
	s->applier.compress = c->compress;
	for (size_t i = 0; i < ns.n; i++)
		(void)scheduler_insert(s, &ns.at[i]);
	nodes_done(&ns);
	*ret = s;
	return OK;
}

enum err scheduler_start(struct scheduler *s, struct reason *why)
{
	enum err e = transfer_open(&s->transfer, s->allowed, why);
	if (e == OK)
		transfer_set_tls(s->transfer, s->tls);
	unsigned n = 0;
	pthread_mutex_lock(&s->lock);
	slots_begin(&s->slots, s->applier.interval_ms);
	pthread_mutex_unlock(&s->lock);
	while (e == OK && n < s->n_workers) {
		s->workers[n].scheduler = s;
		int r = pthread_create(&s->workers[n].thread, NULL, worker_run, &s->workers[n]);
		if (r != 0)
			e = fail(RETRY, why, "no thread for the scheduler: %s", strerror(r));
		else
			n++;
	}
	s->n_workers = n;
	return e;
}

static void stop_threads(struct scheduler *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->news);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; s->transfer && i < s->n_workers; i++)
		pthread_join(s->workers[i].thread, NULL);
	transfer_close(s->transfer);
}

void scheduler_close(struct scheduler *s)
{
	if (!s)
		return;
	stop_threads(s);
	slots_done(&s->slots);
	applier_done(&s->applier);
	pthread_cond_destroy(&s->news);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
