#include "central/slots.h"

#include "shared/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* How far apart nodes are asked, on average, that could all be asked at once. */
#define SPREAD_MS 2

static void list_init(struct slot_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static void list_add(struct slot_list *l, struct slot *slot)
{
	slot->next = NULL;
	*l->end = slot;
	l->end = &slot->next;
}

static void list_remove(struct slot_list *l, struct slot *slot)
{
	struct slot **at = &l->first;
	while (*at != slot)
		at = &(*at)->next;
	*at = slot->next;
	if (!*at)
		l->end = at;
}

void slots_init(struct slots *s, pthread_cond_t *news)
{
	*s = (struct slots){.news = news};
	list_init(&s->ready);
	list_init(&s->held);
	list_init(&s->quiet.list);
	list_init(&s->small.list);
}

void slots_done(struct slots *s)
{
	for (size_t i = 0; i < s->n; i++)
		slot_free(s->at[i]);
	free(s->at);
	free(s->waiting);
}

/* The place of `name`, or where it would be. */
static size_t place_of(const struct slots *s, const char *name)
{
	size_t low = 0, high = s->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (strcmp(s->at[mid]->node.name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct slot *slots_find(const struct slots *s, const char *name)
{
	size_t i = place_of(s, name);
	return i < s->n && !strcmp(s->at[i]->node.name, name) ? s->at[i] : NULL;
}

size_t slots_after(const struct slots *s, const char *name)
{
	size_t i = place_of(s, name);
	return i < s->n && !strcmp(s->at[i]->node.name, name) ? i + 1 : i;
}

void slots_insert(struct slots *s, struct slot *slot)
{
	size_t i = place_of(s, slot->node.name);
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 16;
		s->at = realloc(s->at, s->cap * sizeof *s->at);
		s->waiting = realloc(s->waiting, s->cap * sizeof *s->waiting);
		if (!s->at || !s->waiting)
			err_out_of_memory();
	}
	memmove(s->at + i + 1, s->at + i, (s->n - i) * sizeof *s->at);
	s->at[i] = slot;
	s->n++;
}

void slots_forget(struct slots *s, struct slot *slot)
{
	size_t i = place_of(s, slot->node.name);
	assert(i < s->n && s->at[i] == slot);
	memmove(s->at + i, s->at + i + 1, (s->n - i - 1) * sizeof *s->at);
	s->n--;
	slot_free(slot);
}

void slots_make_ready(struct slots *s, struct slot *slot)
{
	slot->place = SLOT_READY;
	list_add(&s->ready, slot);
	pthread_cond_signal(s->news);
}

/* Whoever may wait least sets the time for all. */
static void gather(
	struct slots *s, struct slot_gathering *g, struct slot *slot, int64_t now_us, int64_t wait_us)
{
	slot->place = SLOT_READY;
	if (!g->list.first || now_us + wait_us < g->due_us) {
		g->due_us = now_us + wait_us;
		pthread_cond_signal(s->news);
	}
	list_add(&g->list, slot);
	g->n++;
}

void slots_make_ready_soon(struct slots *s, struct slot *slot, int64_t now_us)
{
	int64_t wait_us = slot->exchange.parked_ms * 2;
	wait_us = wait_us < SLOTS_QUIET_US        ? SLOTS_QUIET_US
		  : wait_us > SLOTS_QUIET_MOST_US ? SLOTS_QUIET_MOST_US
						  : wait_us;
	gather(s, &s->quiet, slot, now_us, wait_us);
}

void slots_gather(struct slots *s, struct slot *slot, int64_t now_us, int64_t wait_us, size_t most)
{
	gather(s, &s->small, slot, now_us, wait_us);
	if (s->small.n != most)
		return;
	s->small.due_us = now_us;
	pthread_cond_signal(s->news);
}

/* All at once, behind those that are ready. */
static void ready_gathered(struct slots *s, struct slot_gathering *g)
{
	if (!g->list.first)
		return;
	*s->ready.end = g->list.first;
	s->ready.end = g->list.end;
	list_init(&g->list);
	g->n = 0;
}

struct slot *slots_take_ready(struct slots *s)
{
	struct slot *slot = s->ready.first;
	list_remove(&s->ready, slot);
	slot->place = SLOT_WORKING;
	return slot;
}

void slots_hold(struct slots *s, struct slot *slot)
{
	slot->place = SLOT_HELD;
	list_add(&s->held, slot);
}

void slots_release(struct slots *s, struct slot *slot)
{
	list_remove(&s->held, slot);
}

/* --- those that wait: a heap, the first due on top --- */

static void heap_put(struct slots *s, size_t at, struct slot *slot)
{
	s->waiting[at] = slot;
	slot->heap_at = at;
}

static void heap_rise(struct slots *s, size_t at, struct slot *slot)
{
	while (at > 0 && s->waiting[(at - 1) / 2]->due_us > slot->due_us) {
		heap_put(s, at, s->waiting[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(s, at, slot);
}

static void heap_sink(struct slots *s, size_t at, struct slot *slot)
{
	size_t child;
	while ((child = 2 * at + 1) < s->n_waiting) {
		if (child + 1 < s->n_waiting && s->waiting[child + 1]->due_us < s->waiting[child]->due_us)
			child++;
		if (s->waiting[child]->due_us >= slot->due_us)
			break;
		heap_put(s, at, s->waiting[child]);
		at = child;
	}
	heap_put(s, at, slot);
}

void slots_make_waiting(struct slots *s, struct slot *slot, int64_t due_us)
{
	slot->place = SLOT_WAITING;
	slot->due_us = due_us;
	heap_rise(s, s->n_waiting++, slot);
	if (s->waiting[0] == slot)
		pthread_cond_signal(s->news);
}

void slots_stop_waiting(struct slots *s, struct slot *slot)
{
	size_t at = slot->heap_at;
	struct slot *last = s->waiting[--s->n_waiting];
	if (last == slot)
		return;
	heap_sink(s, at, last);
	heap_rise(s, last->heap_at, last);
}

/* Those that bring nothing wait for those that bring a little: their transaction takes them along. */
static const struct slot_gathering *next_gathered(const struct slots *s)
{
	return s->small.list.first ? &s->small : &s->quiet;
}

void slots_wake_due(struct slots *s, int64_t now_us)
{
	if (s->small.list.first && s->small.due_us <= now_us)
		ready_gathered(s, &s->small);
	if (s->quiet.list.first && (s->ready.first || next_gathered(s)->due_us <= now_us))
		ready_gathered(s, &s->quiet);
	while (s->n_waiting > 0 && s->waiting[0]->due_us <= now_us) {
		struct slot *slot = s->waiting[0];
		slots_stop_waiting(s, slot);
		slots_make_ready(s, slot);
	}
}

int64_t slots_next_due_us(const struct slots *s)
{
	const struct slot_gathering *g = next_gathered(s);
	int64_t due = s->n_waiting > 0 ? s->waiting[0]->due_us : -1;
	return g->list.first && (due < 0 || g->due_us < due) ? g->due_us : due;
}

/* --- several at once --- */

static int64_t spread_us(const struct slots *s, const struct slot *slot, int64_t now, int64_t interval_ms)
{
	int64_t window_ms = (int64_t)s->n * SPREAD_MS;
	if (window_ms > interval_ms)
		window_ms = interval_ms;
	return now + slot_turn_ms(slot, now, window_ms) * 1000;
}

void slots_begin(struct slots *s, int64_t interval_ms)
{
	int64_t now = clock_mono_us();
	for (size_t i = 0; i < s->n; i++)
		if (s->at[i]->place == SLOT_IDLE)
			slots_make_waiting(s, s->at[i], spread_us(s, s->at[i], now, interval_ms));
}

void slots_hurry_refused(struct slots *s, int64_t interval_ms)
{
	int64_t now = clock_mono_us();
	for (size_t i = 0; i < s->n; i++) {
		struct slot *slot = s->at[i];
		int64_t soon_us = spread_us(s, slot, now, interval_ms);
		if (!slot->refused || slot->place != SLOT_WAITING || slot->due_us <= soon_us)
			continue;
		slot->run.next_attempt_us = 0;
		slots_stop_waiting(s, slot);
		slots_make_waiting(s, slot, soon_us);
	}
}

void slots_admit(struct slots *s, struct room *r)
{
	struct slot *slot;
	while ((slot = s->held.first) && room_admit(r, &slot->room)) {
		slots_release(s, slot);
		slots_make_ready(s, slot);
	}
}
