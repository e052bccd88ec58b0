/*
 * generator - makes records like a site's sensors would: random walks, at a rate, in bursts.
 */
#ifndef LOCAL_GENERATOR_H
#define LOCAL_GENERATOR_H

#include "local/writer.h"

struct generator;

/* rate in records a second; 0 = none (and *ret is NULL).  Starts a thread of its own. */
enum err generator_start(struct generator **ret, struct writer *w, double rate, struct reason *why) MUST_USE;
void generator_stop(struct generator *g); /* NULL is allowed; waits for the thread */
double generator_rate(const struct generator *g);
uint64_t generator_written(const struct generator *g);

/* One reading of sensor `which` as JSON, the walk moved one step: pure but for chance. */
struct sensor {
	const char *name, *unit;
	double value, mean, step;
	int decimals;
};
void sensor_step(struct sensor *s, struct buf *body);

#endif
