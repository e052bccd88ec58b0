/*
 * generator - makes records like a site's sensors would: random walks, at a rate, in bursts.
 */
#ifndef LOCAL_GENERATOR_H
#define LOCAL_GENERATOR_H

#include "local/writer.h"

struct generator;

struct generator_config {
	double rate;    /* records a second on average; 0 = none */
	unsigned burst; /* about once a minute so many records at once; 0 = none */
};

/* Starts a thread of its own, which sleeps while there is nothing to make. */
enum err generator_start(struct generator **ret, struct writer *w, const struct generator_config *c,
	struct reason *why) MUST_USE;
void generator_stop(struct generator *g); /* NULL is allowed; waits for the thread */
void generator_set(struct generator *g, const struct generator_config *c); /* any thread */
double generator_rate(struct generator *g);
uint64_t generator_written(const struct generator *g);

/* One sensor: a walk that is drawn back to its mean, so that it stays plausible for ever. */
struct sensor {
	const char *name, *unit;
	double value, mean, step;
	int decimals;
};
/* Moves the walk one step and appends a reading as JSON.  Pure but for chance. */
void sensor_step(struct sensor *s, struct buf *body);

#endif
