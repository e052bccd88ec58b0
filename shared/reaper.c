#include "shared/reaper.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "shared/clock.h"

struct reaper {
	pthread_mutex_t lock;
	pthread_cond_t earlier; /* a deadline came before wake_us, or it is over */
	pthread_cond_t idle;    /* `busy` fell to 0 */
	pthread_t thread;
	struct reaper_entry *entries;
	unsigned busy;
	int64_t wake_us;
	bool draining, over;
};

static void wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_us)
{
	struct timespec t = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	if (until_us == REAPER_NEVER)
		pthread_cond_wait(c, lock);
	else
		pthread_cond_timedwait(c, lock, &t);
}

/* Ends what is due; the next deadline. */
static int64_t reap(struct reaper *r)
{
	int64_t next = REAPER_NEVER, now = clock_mono_us();
	for (struct reaper_entry *e = r->entries; e; e = e->next) {
		if (e->deadline_us <= now) {
			shutdown(e->fd, SHUT_RDWR);
			e->deadline_us = REAPER_NEVER;
		}
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
		wait_until(&r->earlier, &r->lock, r->wake_us);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

enum err reaper_open(struct reaper **ret, struct reason *why)
{
	struct reaper *r = calloc(1, sizeof *r);
	if (!r)
		return fail(RETRY, why, "out of memory");
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->earlier, &monotonic);
	pthread_cond_init(&r->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int error = pthread_create(&r->thread, NULL, run, r);
	if (error != 0) {
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
	pthread_cond_destroy(&r->idle);
	pthread_cond_destroy(&r->earlier);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void set_locked(struct reaper *r, struct reaper_entry *e, int64_t deadline_us)
{
	e->deadline_us = r->draining && !e->busy ? 0 : deadline_us;
	if (e->deadline_us < r->wake_us)
		pthread_cond_signal(&r->earlier);
}

void reaper_add(struct reaper *r, struct reaper_entry *e, int fd, int64_t deadline_us)
{
	pthread_mutex_lock(&r->lock);
	*e = (struct reaper_entry){.fd = fd, .next = r->entries};
	if (r->entries)
		r->entries->prev = e;
	r->entries = e;
	set_locked(r, e, deadline_us);
	pthread_mutex_unlock(&r->lock);
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
	if (e->prev)
		e->prev->next = e->next;
	else
		r->entries = e->next;
	if (e->next)
		e->next->prev = e->prev;
	pthread_mutex_unlock(&r->lock);
}

void reaper_set(struct reaper *r, struct reaper_entry *e, int64_t deadline_us)
{
	pthread_mutex_lock(&r->lock);
	set_locked(r, e, deadline_us);
	pthread_mutex_unlock(&r->lock);
}

void reaper_extend(struct reaper *r, struct reaper_entry *e, int64_t by_us)
{
	pthread_mutex_lock(&r->lock);
	if (e->deadline_us != REAPER_NEVER)
		e->deadline_us += by_us;
	pthread_mutex_unlock(&r->lock);
}

bool reaper_begin(struct reaper *r, struct reaper_entry *e)
{
	pthread_mutex_lock(&r->lock);
	bool go = !r->draining;
	if (go) {
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
	set_locked(r, e, deadline_us);
	pthread_mutex_unlock(&r->lock);
}

void reaper_drain(struct reaper *r, int64_t deadline_us)
{
	pthread_mutex_lock(&r->lock);
	r->draining = true;
	for (struct reaper_entry *e = r->entries; e; e = e->next) {
		if (!e->busy)
			set_locked(r, e, 0);
	}
	while (r->busy > 0 && clock_mono_us() < deadline_us)
		wait_until(&r->idle, &r->lock, deadline_us);
	pthread_mutex_unlock(&r->lock);
}

bool reaper_draining(struct reaper *r)
{
	pthread_mutex_lock(&r->lock);
	bool draining = r->draining;
	pthread_mutex_unlock(&r->lock);
	return draining;
}
