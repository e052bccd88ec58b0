#include "central/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void slots_init(struct slots *s, pthread_cond_t *news)
{
	*s = (struct slots){.news = news};
	s->ready_end = &s->ready;
}

void slots_done(struct slots *s)
{
	for (size_t i = 0; i < s->n; i++)
		slot_free(s->at[i]);
	free(s->at);
}

/* The place of `name`, or where it would be. */
static size_t place_of(const struct slots *s, const char *name)
{
	size_t low = 0, high = s->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (strcmp(s->at[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct slot *slots_find(const struct slots *s, const char *name)
{
	size_t i = place_of(s, name);
	return i < s->n && !strcmp(s->at[i]->name, name) ? s->at[i] : NULL;
}

void slots_insert(struct slots *s, struct slot *slot)
{
	size_t i = place_of(s, slot->name);
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 16;
		s->at = realloc(s->at, s->cap * sizeof *s->at);
		assert(s->at);
	}
	memmove(s->at + i + 1, s->at + i, (s->n - i) * sizeof *s->at);
	s->at[i] = slot;
	s->n++;
}

void slots_forget(struct slots *s, struct slot *slot)
{
	size_t i = place_of(s, slot->name);
	assert(i < s->n && s->at[i] == slot);
	memmove(s->at + i, s->at + i + 1, (s->n - i - 1) * sizeof *s->at);
	s->n--;
	slot_free(slot);
}

void slots_make_ready(struct slots *s, struct slot *slot)
{
	slot->place = SLOT_READY;
	slot->next = NULL;
	*s->ready_end = slot;
	s->ready_end = &slot->next;
	pthread_cond_signal(s->news);
}

struct slot *slots_take_ready(struct slots *s)
{
	struct slot *slot = s->ready;
	s->ready = slot->next;
	if (!s->ready)
		s->ready_end = &s->ready;
	slot->place = SLOT_WORKING;
	return slot;
}

void slots_make_waiting(struct slots *s, struct slot *slot, int64_t due_us)
{
	struct slot **at = &s->waiting;
	slot->place = SLOT_WAITING;
	slot->due_us = due_us;
	while (*at && (*at)->due_us <= due_us)
		at = &(*at)->next;
	slot->next = *at;
	*at = slot;
	if (s->waiting == slot)
		pthread_cond_signal(s->news);
}

void slots_stop_waiting(struct slots *s, struct slot *slot)
{
	struct slot **at = &s->waiting;
	while (*at != slot)
		at = &(*at)->next;
	*at = slot->next;
}

void slots_wake_due(struct slots *s, int64_t now_us)
{
	while (s->waiting && s->waiting->due_us <= now_us) {
		struct slot *slot = s->waiting;
		s->waiting = slot->next;
		slots_make_ready(s, slot);
	}
}
