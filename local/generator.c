#include "local/generator.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/entropy.h"
#include "shared/log.h"

#define TICK_MS 50       /* records that come due within a tick share a transaction */
#define BATCH_MAX 1000   /* in one transaction */
#define BURST_EVERY_S 60 /* on average */

struct generator {
	struct writer *writer;
	struct generator_config config; /* under the mutex */
	atomic_uint_fast64_t written;
	struct sensor sensors[6];
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t news; /* of what follows, and of the configuration */
	bool stopping;
	bool failing; /* the last batch could not be written: said once */
};

static const struct sensor sensors[] = {
	{"temp-hall", "°C", 21.0, 21.0, 0.15, 2},
	{"temp-cold-room", "°C", 4.0, 4.0, 0.08, 2},
	{"humidity-hall", "%", 45.0, 45.0, 0.6, 1},
	{"pressure", "hPa", 1013.0, 1013.0, 0.2, 1},
	{"power", "W", 850.0, 850.0, 40.0, 0},
	{"door-count", "1", 12.0, 12.0, 2.0, 0},
};

/* In [-1, 1). */
static double chance(void)
{
	return (double)(entropy_u64() >> 11) * 0x1p-52 - 1.0;
}

void sensor_step(struct sensor *s, struct buf *body)
{
	s->value += s->step * (chance() + chance()) + 0.02 * (s->mean - s->value);
	buf_text(body, "{\"sensor\":");
	buf_json_text(body, span_of(s->name));
	buf_printf(body, ",\"value\":%.*f,\"unit\":", s->decimals, s->value);
	buf_json_text(body, span_of(s->unit));
	buf_char(body, '}');
}

struct batch_job {
	struct generator *g;
	unsigned n;
};

static enum err write_batch(void *ctx, struct replica *r, struct reason *why)
{
	static const struct precondition none;
	struct batch_job *j = ctx;
	struct buf body = {0};
	enum err e = OK;

	for (unsigned i = 0; i < j->n && e == OK; i++) {
		struct written w;
		struct draft d = {.type = span_of("reading")};

		buf_clear(&body);
		sensor_step(&j->g->sensors[entropy_below(sizeof(sensors) / sizeof(*sensors))], &body);
		d.body = buf_span(&body);
		e = buf_failed(&body) ? fail(RETRY, why, "out of memory")
				      : replica_put(r, &d, &none, &w, why);
	}
	buf_done(&body);
	return e;
}

/* Returns how many of the due records were written. */
static unsigned generate(struct generator *g, unsigned due)
{
	struct batch_job j = {g, due < BATCH_MAX ? due : BATCH_MAX};
	struct reason why;

	if (writer_run(g->writer, write_batch, &j, &why) != OK) {
		if (!g->failing)
			log_event(LOG_WARN, "generator.failing", "reason", why.text, NULL);
		g->failing = true;
		return 0;
	}
	if (g->failing)
		log_event(LOG_INFO, "generator.works", NULL);
	g->failing = false;
	atomic_fetch_add(&g->written, j.n);
	return j.n;
}

static bool makes_nothing(const struct generator_config *c)
{
	return c->rate <= 0 && c->burst == 0;
}

/* False when it is time to stop.  *ret: what is to be made; *slept: it was nothing, for a while. */
static bool pause_tick(struct generator *g, struct generator_config *ret, bool *slept)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&g->mutex);
	while (!g->stopping && pthread_cond_timedwait(&g->news, &g->mutex, &until) != ETIMEDOUT)
		;
	*slept = makes_nothing(&g->config);
	while (!g->stopping && makes_nothing(&g->config))
		pthread_cond_wait(&g->news, &g->mutex);
	*ret = g->config;
	bool go_on = !g->stopping;
	pthread_mutex_unlock(&g->mutex);
	return go_on;
}

static void *run(void *generator)
{
	struct generator *g = generator;
	struct generator_config c;
	int64_t last_us = clock_mono_us();
	double due = 0;
	bool slept;

	while (pause_tick(g, &c, &slept)) {
		int64_t now_us = clock_mono_us();

		due += slept ? 0 : c.rate * (double)(now_us - last_us) / 1e6;
		last_us = now_us;
		if (c.burst && entropy_below(BURST_EVERY_S * 1000 / TICK_MS) == 0)
			due += c.burst;
		/*
		 * While nothing can be written a sensor's reading is lost, as in life: no backlog is
		 * made up.
		 */
		while (due >= 1.0) {
			unsigned wrote = generate(g, (unsigned)due);

			due = wrote ? due - wrote : due - floor(due);
		}
	}
	return NULL;
}

enum err generator_start(
	struct generator **ret, struct writer *w, const struct generator_config *c, struct reason *why)
{
	pthread_condattr_t attr;

	*ret = NULL;
	struct generator *g = calloc(1, sizeof(*g));
	if (!g)
		return fail(RETRY, why, "no memory for the generator");
	g->writer = w;
	g->config = *c;
	memcpy(g->sensors, sensors, sizeof(sensors));
	pthread_mutex_init(&g->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->news, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&g->thread, NULL, run, g) != 0) {
		free(g);
		return fail(RETRY, why, "cannot start the generator's thread");
	}
	*ret = g;
	return OK;
}

void generator_stop(struct generator *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->mutex);
	g->stopping = true;
	pthread_cond_signal(&g->news);
	pthread_mutex_unlock(&g->mutex);
	pthread_join(g->thread, NULL);
	pthread_cond_destroy(&g->news);
	pthread_mutex_destroy(&g->mutex);
	free(g);
}

void generator_set(struct generator *g, const struct generator_config *c)
{
	pthread_mutex_lock(&g->mutex);
	g->config = *c;
	pthread_cond_signal(&g->news);
	pthread_mutex_unlock(&g->mutex);
}

double generator_rate(struct generator *g)
{
	pthread_mutex_lock(&g->mutex);
	double rate = g->config.rate;
	pthread_mutex_unlock(&g->mutex);
	return rate;
}

uint64_t generator_written(const struct generator *g)
{
	return atomic_load(&g->written);
}
