#include "central/stream_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "central/api_status.h"
#include "central/listing.h"
#include "shared/clock.h"

#define EVENTS_AT_ONCE 256
#define NODES_US INT64_C(250000) /* all nodes are looked at no oftener */
#define NAMES_MAX 100            /* in one message */

/* --- events --- */

static void keep_id(void *ctx, const struct listed_event *e)
{
	*(uint64_t *)ctx = e->id;
}

enum err stream_newest(struct stream *s, uint64_t *ret, struct reason *why)
{
	const struct event_query newest = {.least_level = -1, .limit = 1};
	uint64_t id = 0;
	enum err e = store_events_each(s->centre->store, &newest, keep_id, &id, why);

	if (e == OK)
		*ret = id;
	return e;
}

void stream_put_gap(struct buf *out, uint64_t after, uint64_t next)
{
	buf_printf(
		out, "{\"after\":%llu,\"next\":%llu}", (unsigned long long)after, (unsigned long long)next);
}

static void add_event(void *ctx, const struct listed_event *e)
{
	struct stream *s = ctx;

	pthread_mutex_lock(&s->lock);
	if (e->id > s->last_event + 1)
		stream_put_gap(&ring_add(&s->ring, RING_GAP)->text, s->last_event, e->id);
	struct ring_frame *f = ring_add(&s->ring, RING_EVENT);

	f->id = e->id;
	f->level = e->level;
	f->is_move = listing_is_move(e);
	if (e->node.len < sizeof(f->node))
		memcpy(f->node, e->node.len ? e->node.at : "", e->node.len);
	if (e->who.len < sizeof(f->who))
		memcpy(f->who, e->who.len ? e->who.at : "", e->who.len);
	listing_put_event(&f->text, e);
	s->last_event = e->id;
	pthread_mutex_unlock(&s->lock);
}

static uint64_t last_event(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t ret = s->last_event;

	pthread_mutex_unlock(&s->lock);
	return ret;
}

/* All that are new.  What cannot be read now is read at the next heartbeat. */
static void read_events(struct stream *s)
{
	struct event_query q = {.least_level = -1, .limit = EVENTS_AT_ONCE, .oldest = true};
	struct reason why;

	do
		q.after = last_event(s);
	while (store_events_each(s->centre->store, &q, add_event, s, &why) == OK &&
		last_event(s) >= q.after + EVENTS_AT_ONCE);
	pthread_cond_broadcast(&s->news);
}

/* An older copy of the database may have taken its place: its next events have ids that were used before. */
static void notice_older_content(struct stream *s)
{
	struct reason why;
	uint64_t newest;

	if (stream_newest(s, &newest, &why) != OK || newest >= last_event(s))
		return;
	pthread_mutex_lock(&s->lock);
	stream_put_gap(&ring_add(&s->ring, RING_GAP)->text, s->last_event, newest + 1);
	s->last_event = newest;
	pthread_mutex_unlock(&s->lock);
}

/* --- nodes --- */

struct changes {
	struct buf names;
	size_t n;
};

static void note_change(struct changes *c, const char *name)
{
	if (c->n++ < NAMES_MAX)
		buf_printf(&c->names, "%s\"%s\"", c->n > 1 ? "," : "", name);
}

struct look {
	struct seen *seen;
	size_t n;
};

static void see(void *ctx, const struct node_glance *g)
{
	struct look *l = ctx;

	if (l->n % 256 == 0) {
		l->seen = realloc(l->seen, (l->n + 256) * sizeof(*l->seen));
		if (!l->seen)
			err_out_of_memory();
	}
	struct seen *s = &l->seen[l->n++];

	memcpy(s->name, g->node->name, sizeof(s->name));
	s->state = g->state;
	s->ailing = g->ailing;
}

static bool is_another(const struct seen *a, const struct seen *b)
{
	return a->state != b->state || a->ailing != b->ailing;
}

/* Both by name: who is new, gone, has another state or something else wrong with it. */
static void compare_nodes(const struct stream *s, const struct look *l, struct changes *c)
{
	size_t i = 0, k = 0;

	while (i < s->n_seen || k < l->n) {
		int order = i == s->n_seen ? 1 : k == l->n ? -1 : strcmp(s->seen[i].name, l->seen[k].name);

		if (order < 0)
			note_change(c, s->seen[i].name);
		else if (order > 0 || is_another(&s->seen[i], &l->seen[k]))
			note_change(c, l->seen[k].name);
		i += order <= 0;
		k += order >= 0;
	}
}

static void look_at_nodes(struct stream *s)
{
	struct changes c = {.n = 0};
	struct look l = {.n = 0};

	scheduler_each(s->centre->scheduler, see, &l);
	compare_nodes(s, &l, &c);
	free(s->seen);
	s->seen = l.seen;
	s->n_seen = l.n;
	if (c.n > 0) {
		pthread_mutex_lock(&s->lock);
		struct ring_frame *f = ring_add(&s->ring, RING_NODES);

		buf_text(&f->text, "{\"nodes\":[");
		buf_put(&f->text, buf_span(&c.names));
		buf_printf(&f->text, "],\"all\":%s}", c.n > NAMES_MAX ? "true" : "false");
		pthread_cond_broadcast(&s->news);
		pthread_mutex_unlock(&s->lock);
	}
	buf_done(&c.names);
	s->nodes_wanted = false;
	s->nodes_due_us = clock_mono_us() + NODES_US;
}

/* --- status --- */

/* Ages, times and rates change by themselves: members named …_s and …_us without their numbers. */
static struct hash hash_steady(struct span text)
{
	struct buf steady = {0};

	for (size_t i = 0; i < text.len; i++) {
		const char *at = text.at + i;

		buf_char(&steady, *at);
		if (*at != ':' || i < 4 ||
			(memcmp(at - 3, "_s\"", 3) != 0 && memcmp(at - 4, "_us\"", 4) != 0))
			continue;
		i += strspn(at + 1, "0123456789.-");
	}
	struct hash ret = hash_of(buf_span(&steady));

	buf_done(&steady);
	return ret;
}

static void look_at_status(struct stream *s)
{
	int64_t now = clock_mono_us();
	struct buf text = {0};

	api_status_put(s->centre, &text);
	while (text.len > 0 && text.at[text.len - 1] == '\n')
		text.at[--text.len] = 0;
	struct hash steady = hash_steady(buf_span(&text));

	if (!buf_failed(&text) && (now >= s->heartbeat_due_us || !hash_equal(steady, s->status_seen))) {
		struct buf old;

		pthread_mutex_lock(&s->lock);
		old = s->status;
		s->status = text;
		s->status_number++;
		pthread_cond_broadcast(&s->news);
		pthread_mutex_unlock(&s->lock);
		text = old;
		s->status_seen = steady;
		s->heartbeat_due_us = now + s->heartbeat_us;
	}
	buf_done(&text);
	s->status_due_us = now + s->status_us;
}

/* --- the thread --- */

/* Under the lock: until there is something to look at.  False: it is to end. */
static bool wait_work(struct stream *s)
{
	while (!s->stopping) {
		int64_t due = s->status_due_us;

		if (s->nodes_wanted && s->nodes_due_us < due)
			due = s->nodes_due_us;
		if (s->readers == 0) {
			pthread_cond_wait(&s->work, &s->lock);
			continue;
		}
		if (s->told || s->anew || clock_mono_us() >= due)
			return true;
		struct timespec until = {.tv_sec = due / 1000000, .tv_nsec = due % 1000000 * 1000};

		pthread_cond_timedwait(&s->work, &s->lock, &until);
	}
	return false;
}

static void look(struct stream *s, bool are_told)
{
	int64_t now = clock_mono_us();
	bool beats = now >= s->heartbeat_due_us;

	if (beats)
		notice_older_content(s);
	if (are_told || beats)
		read_events(s);
	s->nodes_wanted = s->nodes_wanted || are_told || now >= s->status_due_us;
	if (s->nodes_wanted && now >= s->nodes_due_us)
		look_at_nodes(s);
	if (now >= s->status_due_us)
		look_at_status(s);
}

static void *run(void *ctx)
{
	struct stream *s = ctx;

	pthread_mutex_lock(&s->lock);
	while (wait_work(s)) {
		bool are_told = s->told;

		if (s->anew)
			s->status_due_us = s->heartbeat_due_us = 0;
		s->told = s->anew = false;
		pthread_mutex_unlock(&s->lock);
		look(s, are_told);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void told(void *ctx)
{
	struct stream *s = ctx;

	pthread_mutex_lock(&s->lock);
	s->told = true;
	if (s->readers > 0)
		pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

/* --- life --- */

static void init_lock(struct stream *s)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->work, &attr);
	pthread_cond_init(&s->news, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&s->lock, NULL);
}

enum err stream_open(struct stream **ret, const struct stream_config *c, struct reason *why)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return fail(RETRY, why, "out of memory");
	s->centre = c->centre;
	s->status_us = c->status_us ? c->status_us : STREAM_STATUS_US;
	s->heartbeat_us = c->heartbeat_us ? c->heartbeat_us : STREAM_HEARTBEAT_US;
	init_lock(s);
	int r = pthread_create(&s->thread, NULL, run, s);

	if (r != 0) {
		stream_close(s);
		return fail(RETRY, why, "no thread for streams: %s", strerror(r));
	}
	s->started = true;
	store_on_events(s->centre->store, told, s);
	*ret = s;
	return OK;
}

void stream_stop(struct stream *s)
{
	if (!s || !s->started)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->work);
	pthread_cond_broadcast(&s->news);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->started = false;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	stream_stop(s);
	store_on_events(s->centre->store, NULL, NULL);
	ring_done(&s->ring);
	buf_done(&s->status);
	free(s->seen);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->news);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
