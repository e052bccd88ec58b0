#include "central/gather.h"

#include <math.h>

#define WINDOW_US 1000000.0

/* Answers within GATHER_MOST_US of one another would wait for each other. */
static double weight(int64_t took_us)
{
	return took_us < GATHER_MOST_US ? (double)took_us / GATHER_MOST_US : 1;
}

void gather_note(struct gather *g, int64_t now_us, int64_t took_us)
{
	double passed = (double)(now_us - g->at_us) / WINDOW_US;

	if (passed > 0)
		g->per_s *= exp(-passed);
	g->per_s += weight(took_us);
	g->at_us = now_us;
}

int64_t gather_wait_us(const struct gather *g)
{
	double over = (g->per_s - GATHER_FROM_PER_S) / (GATHER_FULL_PER_S - GATHER_FROM_PER_S);

	if (over <= 0)
		return 0;
	return over < 1 ? (int64_t)(over * GATHER_MOST_US) : GATHER_MOST_US;
}
