/*
 * campaign - many worlds, shared among processes; and one world by itself.
 */
#ifndef TESTS_SIM_CAMPAIGN_H
#define TESTS_SIM_CAMPAIGN_H

#include "tests/sim/wish.h"

#define REPLAY_MAX 1200

/* Runs one world: returns its trace's hash, or the process ends.  `sum` may be NULL. */
uint64_t campaign_world(const struct wish *w, enum mode mode, uint64_t seed, struct tally *sum);
/* The same, and again as far as the wish asks for comparisons. */
uint64_t campaign_compare(const struct wish *w, enum mode mode, uint64_t seed, struct tally *sum);
/* All of them.  The first that fails is run again to show why, and shrunk where that is wished.  Exit status. */
int campaign_run(const struct wish *w);

#endif
