#include "central/applier_private.h"

#include "shared/clock.h"

#include <assert.h>
#include <string.h>

/* A transaction that takes longer keeps everybody else from the store for too long. */
#define APPLY_SLOW_US 2000000
#define APPLY_QUICK_US 500000

/* --- what the store owes --- */

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

/* --- finishing --- */

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
	bool pulls = out->pulled && s->exchange.kind == PLAN_PULL;
	uint64_t read =
		pulls ? out->end.to.seq - s->exchange.basis.cursor : 0; /* also what was known already */
	rate_add(&a->read, read, now);
	slot_moved(s, out->taken, out->pushed, read, now);
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
		log_event(LOG_ERROR, "store.refused", "node", s->node.name, "error", err_name(e), "reason",
			out->why.text, NULL);
}

static void finish_one(struct applier *a, struct slot *s, const struct answer *answer, struct outcome *out,
	enum err e, const struct reason *why)
{
	if (e != OK)
		*out = applier_store_outcome(why);
	pthread_mutex_lock(a->lock);
	applier_note(a, s, answer, out, e);
	slot_adapt_pages(s);
	a->traffic.content += s->call.reply.len;
	a->traffic.wire += s->call.wire_bytes;
	a->traffic.sent_content += s->call.content_bytes;
	a->traffic.sent_wire += s->call.body.len;
	s->answered = false;
	pthread_mutex_unlock(a->lock);
	log_refusal(s, e, out);
	applier_log_outcome(s, out);
	transfer_call_drop(&s->call);
	exchange_done(&s->exchange);
}

/* As many of each as there are slots. */
struct batch {
	struct arena arena;
	struct exchange **exchanges;
	struct answer *answers;
	struct outcome *outcomes;
	enum err *results;
	struct reason *whys;
};

static void batch_init(struct batch *b, size_t n)
{
	*b = (struct batch){.exchanges = NULL};
	b->exchanges = arena_alloc(&b->arena, n * sizeof(struct exchange *));
	b->answers = arena_alloc(&b->arena, n * sizeof *b->answers);
	b->outcomes = arena_alloc(&b->arena, n * sizeof *b->outcomes);
	b->results = arena_alloc(&b->arena, n * sizeof *b->results);
	b->whys = arena_alloc(&b->arena, n * sizeof *b->whys);
}

void applier_finish(struct applier *a, struct slot *const *slots, size_t n)
{
	assert(n <= APPLIER_BATCH_MAX);
	struct batch b;
	size_t bytes = 0;
	batch_init(&b, n);
	for (size_t i = 0; i < n; i++) {
		b.exchanges[i] = &slots[i]->exchange;
		b.answers[i] = slots[i]->call.answer;
		bytes += slots[i]->call.reply.len;
	}
	int64_t start = clock_mono_us();
	exchange_finish_all(b.exchanges, a->store, b.answers, n, b.outcomes, b.results, b.whys);
	int64_t took_us = clock_mono_us() - start;
	pthread_mutex_lock(a->lock);
	histogram_add(&a->applied, (double)took_us / 1e6);
	adapt_to_store(a, bytes, took_us);
	pthread_mutex_unlock(a->lock);
	for (size_t i = 0; i < n; i++)
		finish_one(a, slots[i], &b.answers[i], &b.outcomes[i], b.results[i], &b.whys[i]);
	applier_tell_states(a, slots, n);
	arena_done(&b.arena);
}

/* --- life --- */

void applier_init(struct applier *a, struct store *store, pthread_mutex_t *lock)
{
	*a = (struct applier){.store = store,
		.lock = lock,
		.room = {.bytes = APPLIER_ROOM_BYTES},
		.answers = {.bytes = APPLIER_ANSWERS_BYTES}};
	pthread_cond_init(&a->read_ahead, NULL);
}

void applier_done(struct applier *a)
{
	pthread_cond_destroy(&a->read_ahead);
}
