/*
 * stand_in - the simulation's time and chance, linked in place of shared/clock.o and shared/entropy.o,
 * and fates for the commits of the program under test (lite_commit() is wrapped by the linker).
 *
 * Two streams come from one seed: what the world does, and what the program under
 * test draws.  So a program that draws once more still meets the same world.
 */
#ifndef TESTS_SIM_STAND_IN_H
#define TESTS_SIM_STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

void stand_in_begin(uint64_t seed);

uint64_t chance_u64(void);
unsigned chance_below(unsigned bound); /* 0 … bound-1 */
bool chance_percent(unsigned percent);

void time_pass(int64_t us);

/* What the next commit of the program under test meets. */
enum commit_fate {
	COMMIT_AS_IS,
	COMMIT_FAILS,       /* RETRY, and nothing was written */
	COMMIT_UNSAID_DONE, /* UNCERTAIN, and it was written */
	COMMIT_UNSAID_LOST, /* UNCERTAIN, and it was not */
};
void commit_set_fate(enum commit_fate fate, unsigned after); /* `after` commits that go well */
bool commit_fate_met(void);                                  /* has it happened? clears it either way */

#endif
