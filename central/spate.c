#include "central/spate.h"

#include "shared/hash.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADS 1024
#define TEXT_MOST 300 /* bytes of the event's own; the count stands behind it */

static const struct kind {
	const char *name;
	struct rate_rule rule;
	bool moves;
} KINDS[] = {
	{"pulled", SPATE_MOVES, true},
	{"pushed", SPATE_MOVES, true},
	{"compared", SPATE_MOVES, true},
	{"released", SPATE_MOVES, true},
	{"rejected", SPATE_WARNINGS, false},
	{"conflict", SPATE_WARNINGS, false},
	{"quarantined", SPATE_WARNINGS, false},
	{"CENTRE_REWOUND", SPATE_WARNINGS, false},
};
#define N_KINDS (sizeof KINDS / sizeof KINDS[0])

/* Of one node. */
struct course {
	struct course *next;
	char node[RECORD_OWNER_MAX + 1];
	struct {
		struct ratelimit limit;
		uint64_t held;      /* since one was told */
		struct event *last; /* of these; NULL: none is held */
	} kinds[N_KINDS];
};

struct spate {
	pthread_mutex_t lock;
	struct ratelimit moves; /* of all nodes */
	struct course *heads[HEADS];
};

struct spate *spate_new(void)
{
	struct spate *s = calloc(1, sizeof *s);
	if (!s)
		err_out_of_memory();
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void spate_free(struct spate *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < HEADS; i++)
		for (struct course *c = s->heads[i], *next; c; c = next) {
			next = c->next;
			for (size_t k = 0; k < N_KINDS; k++)
				free(c->kinds[k].last);
			free(c);
		}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct course **head_of(struct spate *s, const char *node)
{
	return &s->heads[hash_of(span_of(node)).half[0] % HEADS];
}

static struct course *find(struct spate *s, const char *node)
{
	struct course *c = *head_of(s, node);
	while (c && strcmp(c->node, node) != 0)
		c = c->next;
	return c;
}

static struct course *find_or_make(struct spate *s, const char *node)
{
	struct course *c = find(s, node);
	if (c)
		return c;
	c = calloc(1, sizeof *c);
	if (!c)
		err_out_of_memory();
	(void)snprintf(c->node, sizeof c->node, "%s", node);
	c->next = *head_of(s, node);
	*head_of(s, node) = c;
	return c;
}

/* N_KINDS: one that always passes. */
static size_t kind_of(const struct event *ev)
{
	size_t k = 0;
	if (!ev->node || ev->level == LOG_ERROR || ev->by)
		return N_KINDS;
	while (k < N_KINDS && strcmp(KINDS[k].name, ev->kind) != 0)
		k++;
	return k;
}

bool spate_bounds(const struct event *ev)
{
	return kind_of(ev) < N_KINDS;
}

static void say_held(struct event *ev, uint64_t held)
{
	struct reason own = ev->text;
	if (held > 0)
		(void)fail(OK, &ev->text, "%.*s; %llu more of this kind came so fast that they were not told",
			TEXT_MOST, own.text, (unsigned long long)held);
}

static void hold(struct course *c, size_t k, const struct event *ev)
{
	if (!c->kinds[k].last)
		c->kinds[k].last = malloc(sizeof *ev);
	if (!c->kinds[k].last)
		err_out_of_memory();
	*c->kinds[k].last = *ev;
	c->kinds[k].last->kind = KINDS[k].name;
	c->kinds[k].last->node = c->node;
	c->kinds[k].held++;
}

static void told(struct course *c, size_t k)
{
	free(c->kinds[k].last);
	c->kinds[k].last = NULL;
	c->kinds[k].held = 0;
}

/* Of the node and of all together; else of neither. */
static bool take(struct spate *s, struct course *c, size_t k, int64_t now_us)
{
	struct ratelimit before = c->kinds[k].limit;
	if (!ratelimit_take(&c->kinds[k].limit, &KINDS[k].rule, now_us))
		return false;
	if (!KINDS[k].moves || ratelimit_take(&s->moves, &SPATE_ALL_MOVES, now_us))
		return true;
	c->kinds[k].limit = before;
	return false;
}

bool spate_pass(struct spate *s, struct event *ev, int64_t now_us)
{
	size_t k = kind_of(ev);
	if (k == N_KINDS)
		return true;
	pthread_mutex_lock(&s->lock);
	struct course *c = find_or_make(s, ev->node);
	bool pass = take(s, c, k, now_us);
	if (pass) {
		say_held(ev, c->kinds[k].held);
		told(c, k);
	} else {
		hold(c, k, ev);
	}
	pthread_mutex_unlock(&s->lock);
	return pass;
}

bool spate_owed(struct spate *s, const char *node, int64_t now_us, struct event *ret)
{
	bool found = false;
	pthread_mutex_lock(&s->lock);
	struct course *c = find(s, node);
	for (size_t k = 0; c && k < N_KINDS && !found; k++) {
		if (!c->kinds[k].last || !take(s, c, k, now_us))
			continue;
		*ret = *c->kinds[k].last;
		ret->node = node;
		say_held(ret, c->kinds[k].held - 1);
		told(c, k);
		found = true;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}
