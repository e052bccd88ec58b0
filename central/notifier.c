#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "central/notifier_private.h"
#include "shared/backoff.h"
#include "shared/clock.h"

#define LOOK_MS 1000       /* how often for what is new; what comes meanwhile makes one message */
#define RETRY_MS 1000      /* after the first failure */
#define STORE_RETRY_MS 250 /* of a store that does not answer */
#define STORE_RETRY_MOST_MS 5000

/* --- waiting --- */

/* At most so long; less when somebody is in a hurry or it is time to end. */
static void pause_for(struct target *t, int64_t ms)
{
	struct notifier *n = t->of;
	int64_t until_us = clock_mono_us() + ms * 1000;
	struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	pthread_mutex_lock(&n->lock);
	if (t->now.failing)
		t->now.next_us = clock_wall_us() + ms * 1000;
	while (!n->stopping && t->hurried == n->hurries)
		if (pthread_cond_timedwait(&n->news, &n->lock, &until) != 0)
			break;
	t->hurried = n->hurries;
	t->now.next_us = -1;
	pthread_mutex_unlock(&n->lock);
}

static void pause_for_store(struct target *t, unsigned failures)
{
	int64_t ms = backoff_ms(failures, STORE_RETRY_MS);

	pause_for(t, ms < STORE_RETRY_MOST_MS ? ms : STORE_RETRY_MOST_MS);
}

/* --- one batch --- */

/* The same for the same batch; another for any other, also where an old copy of the store counts from before. */
static void name_delivery(const struct notifier *n, const struct delivery *d, char ret[33])
{
	struct hash_state s;

	hash_begin(&s);
	hash_field(&s, span_of(n->centre));
	hash_u64(&s, d->id);
	for (size_t i = 0; i < d->notices.n; i++) {
		hash_u64(&s, d->notices.at[i].id);
		hash_u64(&s, (uint64_t)d->notices.at[i].at_us);
	}
	hash_hex(hash_end(&s), ret);
}

static void tell(struct target *t, const struct event *ev)
{
	struct reason why;

	log_event(ev->level, ev->kind, "text", ev->text.text, NULL);
	enum err e = store_events_add(t->of->store, ev, 1, &why);
	if (e != OK)
		log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why.text, NULL);
}

/* What it answered, for those who ask; true: it began to fail, or no longer does. */
static bool keep_answer(struct target *t, bool taken, const struct delivery *d, const struct reason *answer)
{
	pthread_mutex_lock(&t->of->lock);
	bool before = t->now.tried ? t->now.failing : d->attempts > 0, changed = before == taken;
	t->now.taken += taken;
	t->now.failed += !taken;
	t->now.attempts = taken ? 0 : d->attempts + 1;
	t->now.answer = *answer;
	if (!t->now.tried || changed)
		t->now.since_us = clock_wall_us();
	t->now.tried = true;
	t->now.failing = !taken;
	pthread_mutex_unlock(&t->of->lock);
	return changed;
}

static void tell_change(struct target *t, bool taken, const struct reason *answer)
{
	struct event failed = {.level = LOG_WARN, .kind = "notify.failed"};
	struct event healed = {.level = LOG_INFO, .kind = "notify.healed"};

	(void)fail(OK, &failed.text, "%.159s does not take notifications: %.180s; they wait for it",
		t->receiver.shown, answer->text);
	(void)fail(OK, &healed.text, "%.159s takes notifications again", t->receiver.shown);
	tell(t, taken ? &healed : &failed);
}

/* What was taken is noted, however long the store takes: else it would be sent again. */
static void note(
	struct target *t, const struct delivery *d, bool taken, int64_t took_us, const struct reason *answer)
{
	struct reason why;

	for (unsigned failures = 1; !atomic_load(&t->of->stopping); failures++) {
		enum err e = store_delivery_note(t->of->store, &t->receiver, d, taken, took_us, answer, &why);
		if (e == OK || !taken)
			break;
		pause_for_store(t, failures);
	}
}

static void deliver(struct target *t, const struct delivery *d)
{
	char id[33];
	struct reason answer = {""};
	const struct notice_message m = {.delivery = id,
		.centre = t->of->centre,
		.url = t->of->url,
		.at_us = clock_wall_us(),
		.attempt = d->attempts + 1,
		.dropped = d->dropped,
		.notices = &d->notices};
	int64_t begun_us = clock_mono_us();

	name_delivery(t->of, d, id);
	bool taken = notifier_send(t, &m, &answer);
	int64_t took_us = clock_mono_us() - begun_us;
	if (!taken && atomic_load(&t->of->stopping))
		return; /* given up for that: no failure of the receiver's */
	note(t, d, taken, took_us, &answer);
	if (keep_answer(t, taken, d, &answer))
		tell_change(t, taken, &answer);
	if (!taken)
		pause_for(t, backoff_ms((unsigned)(d->attempts < 16 ? d->attempts : 16) + 1, RETRY_MS));
}

static void *run(void *ctx)
{
	struct target *t = ctx;
	unsigned lost = 0;

	while (!atomic_load(&t->of->stopping)) {
		struct delivery d = {0};
		struct reason why;
		enum err e = store_delivery_begin(t->of->store, &t->receiver, &d, &why);
		lost = e == OK ? 0 : lost + 1;
		if (e != OK)
			pause_for_store(t, lost); /* the scheduler says it */
		else if (d.id == 0)
			pause_for(t, LOOK_MS);
		else
			deliver(t, &d);
		notices_done(&d.notices);
	}
	return NULL;
}

/* --- life --- */

static enum err add_targets(struct notifier *n, const struct receiver_options *o, struct reason *why)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < o->urls.n; i++) {
		struct target *t = &n->targets[n->n++];
		t->url = o->urls.at[i];
		e = receiver_of_url(&t->receiver, t->url, &t->path, why);
	}
	for (size_t i = 0; e == OK && i < o->commands.n; i++) {
		struct target *t = &n->targets[n->n++];
		t->command = o->commands.at[i];
		e = receiver_of_command(&t->receiver, t->command, why);
	}
	for (size_t i = 0; i < n->n; i++) {
		n->targets[i].of = n;
		n->targets[i].now.next_us = -1;
	}
	return e;
}

static enum err make_known(struct notifier *n, struct reason *why)
{
	struct receiver rs[RECEIVERS_MAX];

	for (size_t i = 0; i < n->n; i++)
		rs[i] = n->targets[i].receiver;
	return store_receivers(n->store, rs, n->n, why);
}

enum err notifier_open(struct notifier **ret, const struct notifier_config *c, struct reason *why)
{
	struct notifier *n = calloc(1, sizeof(*n));
	pthread_condattr_t attr;

	if (!n)
		err_out_of_memory();
	n->store = c->store;
	n->secret = c->secret;
	n->timeout_ms = c->receivers->timeout_ms;
	memcpy(n->centre, store_centre_id(c->store).hex, sizeof n->centre);
	n->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&n->news, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&n->lock, NULL);
	enum err e =
		n->stop_fd < 0 ? fail(RETRY, why, "no descriptor left") : add_targets(n, c->receivers, why);
	if (e == OK)
		e = make_known(n, why);
	if (e == OK)
		*ret = n;
	else
		notifier_close(n);
	return e;
}

enum err notifier_start(struct notifier *n, const char *url, struct reason *why)
{
	enum err e = OK;

	n->url = strdup(url);
	if (!n->url)
		err_out_of_memory();
	for (size_t i = 0; e == OK && i < n->n; i++) {
		struct target *t = &n->targets[i];
		if (t->url)
			e = notifier_open_client(t, why);
		if (e != OK)
			break;
		int error = pthread_create(&t->thread, NULL, run, t);
		if (error != 0)
			e = fail(RETRY, why, "no thread for notifications: %s", strerror(error));
		t->running = error == 0;
	}
	return e;
}

static void stop_threads(struct notifier *n)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&n->lock);
	atomic_store(&n->stopping, true);
	pthread_cond_broadcast(&n->news);
	pthread_mutex_unlock(&n->lock);
	ssize_t written = write(n->stop_fd, &one, sizeof one);
	(void)written; /* the first is never too many */
	for (size_t i = 0; i < n->n; i++) {
		if (n->targets[i].running)
			pthread_join(n->targets[i].thread, NULL);
		client_close(n->targets[i].client);
	}
}

void notifier_close(struct notifier *n)
{
	if (!n)
		return;
	stop_threads(n);
	if (n->stop_fd >= 0)
		close(n->stop_fd);
	pthread_cond_destroy(&n->news);
	pthread_mutex_destroy(&n->lock);
	free(n->url);
	free(n);
}

size_t notifier_receivers(const struct notifier *n)
{
	return n->n;
}

void notifier_hurry(struct notifier *n)
{
	pthread_mutex_lock(&n->lock);
	n->hurries++;
	pthread_cond_broadcast(&n->news);
	pthread_mutex_unlock(&n->lock);
}
