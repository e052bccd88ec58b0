#include "shared/reaper_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"

/* Where many requests of an address have not come whole they get this part of the time. */
#define HURRY_PART 4
#define MOST 2      /* times as many as there are places, with those that are ending */
#define MANY_PART 4 /* and many is this part of its share */

void reaper_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_us)
{
	struct timespec t = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	if (until_us == REAPER_NEVER)
		pthread_cond_wait(c, lock);
	else
		pthread_cond_timedwait(c, lock, &t);
}

void reaper_end_locked(struct reaper *r, struct reaper_entry *e, enum reaper_reason why)
{
	shutdown(e->fd, SHUT_RDWR);
	e->closing = true;
	e->deadline_us = REAPER_NEVER;
	if (!r->draining)
		r->figures.ended[why]++;
}

static enum reaper_reason reason_of(const struct reaper_entry *e)
{
	return e->state == REAPER_IDLE      ? REAPER_IDLED
	       : e->state == REAPER_SENDING ? REAPER_UNREAD
					    : REAPER_SLOW;
}

/* Ends what is due; the next deadline. */
static int64_t reap(struct reaper *r)
{
	int64_t next = REAPER_NEVER, now = clock_mono_us();
	for (struct reaper_entry *e = r->entries; e; e = e->next) {
		if (e->deadline_us <= now)
			reaper_end_locked(r, e, reason_of(e));
		if (e->deadline_us < next)
			next = e->deadline_us;
	}
	return next;
}

static void *run(void *arg)
{
	struct reaper *r = arg;
	pthread_mutex_lock(&r->lock);
	while (!r->over) {
		r->wake_us = reap(r);
		reaper_wait_until(&r->earlier, &r->lock, r->wake_us);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

enum err reaper_open(struct reaper **ret, const struct reaper_limits *limits, struct reason *why)
{
	struct reaper *r = calloc(1, sizeof *r);
	if (!r)
		return fail(RETRY, why, "out of memory");
	r->limits = *limits;
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->earlier, &monotonic);
	pthread_cond_init(&r->idle, &monotonic);
	pthread_cond_init(&r->turn, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int error = pthread_create(&r->thread, NULL, run, r);
	if (error != 0) {
		pthread_cond_destroy(&r->turn);
		pthread_cond_destroy(&r->idle);
		pthread_cond_destroy(&r->earlier);
		pthread_mutex_destroy(&r->lock);
		free(r);
		return fail(RETRY, why, "no thread: %s", strerror(error));
	}
	*ret = r;
	return OK;
}

void reaper_close(struct reaper *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	assert(!r->entries);
	r->over = true;
	pthread_cond_signal(&r->earlier);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	pthread_cond_destroy(&r->turn);
	pthread_cond_destroy(&r->idle);
	pthread_cond_destroy(&r->earlier);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void set_locked(struct reaper *r, struct reaper_entry *e, int64_t deadline_us)
{
	if (e->closing)
		return;
	e->deadline_us = r->draining && !e->busy ? 0 : deadline_us;
	if (e->deadline_us < r->wake_us)
		pthread_cond_signal(&r->earlier);
}

static void begin_state(struct reaper_entry *e, enum reaper_state state, int64_t now_us)
{
	if (e->state != state || state == REAPER_SENDING)
		e->since_us = now_us;
	e->state = state;
}

static void reading_locked(struct reaper *r, struct reaper_entry *e, int64_t now_us)
{
	bool many = reaper_count(r, e->from).reading > r->limits.share / MANY_PART;
	begin_state(e, REAPER_READING, now_us);
	set_locked(r, e, now_us + r->limits.request_us / (many ? HURRY_PART : 1));
}

static void add_locked(struct reaper *r, struct reaper_entry *e, int fd, const struct sockaddr *from)
{
	int64_t now_us = clock_mono_us();
	*e = (struct reaper_entry){.fd = fd, .from = reaper_address_take(r, from), .since_us = now_us};
	reaper_make_room(r, e->from, now_us);
	e->next = r->entries;
	if (r->entries)
		r->entries->prev = e;
	r->entries = e;
	r->n++;
	r->figures.accepted++;
	reading_locked(r, e, now_us);
}

bool reaper_add(struct reaper *r, struct reaper_entry *e, int fd, const struct sockaddr *from)
{
	pthread_mutex_lock(&r->lock);
	bool room = r->n < MOST * r->limits.connections;
	if (room)
		add_locked(r, e, fd, from);
	else
		r->figures.refused[REAPER_NO_PLACE]++;
	pthread_mutex_unlock(&r->lock);
	return room;
}

static void not_busy(struct reaper *r, struct reaper_entry *e)
{
	if (e->busy && --r->busy == 0)
		pthread_cond_signal(&r->idle);
	e->busy = false;
}

void reaper_drop(struct reaper *r, struct reaper_entry *e)
{
	pthread_mutex_lock(&r->lock);
	not_busy(r, e);
	reaper_turn_over(r, e);
	if (e->prev)
		e->prev->next = e->next;
	else
		r->entries = e->next;
	if (e->next)
		e->next->prev = e->prev;
	reaper_address_leave(r, e->from);
	r->n--;
	pthread_mutex_unlock(&r->lock);
}

void reaper_reading(struct reaper *r, struct reaper_entry *e)
{
	pthread_mutex_lock(&r->lock);
	reading_locked(r, e, clock_mono_us());
	pthread_mutex_unlock(&r->lock);
}

void reaper_working(struct reaper *r, struct reaper_entry *e)
{
	pthread_mutex_lock(&r->lock);
	begin_state(e, REAPER_WORKING, clock_mono_us());
	set_locked(r, e, REAPER_NEVER);
	pthread_mutex_unlock(&r->lock);
}

void reaper_sending(struct reaper *r, struct reaper_entry *e, int64_t within_us)
{
	int64_t now_us = clock_mono_us();
	pthread_mutex_lock(&r->lock);
	begin_state(e, REAPER_SENDING, now_us);
	e->waits = false;
	e->slow = false;
	if (e->reply > 0)
		reaper_look(e, now_us);
	set_locked(r, e, now_us + within_us);
	pthread_mutex_unlock(&r->lock);
}

void reaper_read(struct reaper *r, struct reaper_entry *e, uint64_t n_bytes)
{
	pthread_mutex_lock(&r->lock);
	e->read += n_bytes;
	if (e->deadline_us != REAPER_NEVER)
		e->deadline_us += (int64_t)(n_bytes * 1000000 / REAPER_BYTES_S);
	pthread_mutex_unlock(&r->lock);
}

bool reaper_begin(struct reaper *r, struct reaper_entry *e)
{
	pthread_mutex_lock(&r->lock);
	bool go = !r->draining && !e->closing;
	if (go) {
		begin_state(e, REAPER_WORKING, clock_mono_us());
		e->busy = true;
		e->deadline_us = REAPER_NEVER;
		r->busy++;
	}
	pthread_mutex_unlock(&r->lock);
	return go;
}

void reaper_end(struct reaper *r, struct reaper_entry *e, int64_t deadline_us)
{
	pthread_mutex_lock(&r->lock);
	not_busy(r, e);
	begin_state(e, REAPER_IDLE, clock_mono_us());
	e->waits = false;
	e->body = e->reply = 0;
	e->slow = e->gone = false;
	reaper_turn_over(r, e);
	set_locked(r, e, deadline_us);
	pthread_mutex_unlock(&r->lock);
}

void reaper_drain(struct reaper *r, int64_t deadline_us)
{
	pthread_mutex_lock(&r->lock);
	r->draining = true;
	pthread_cond_broadcast(&r->turn);
	for (struct reaper_entry *e = r->entries; e; e = e->next) {
		if (!e->busy)
			set_locked(r, e, 0);
	}
	while (r->busy > 0 && clock_mono_us() < deadline_us)
		reaper_wait_until(&r->idle, &r->lock, deadline_us);
	pthread_mutex_unlock(&r->lock);
}

bool reaper_draining(struct reaper *r)
{
	pthread_mutex_lock(&r->lock);
	bool draining = r->draining;
	pthread_mutex_unlock(&r->lock);
	return draining;
}
