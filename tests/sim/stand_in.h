/*
 * stand_in - the simulation's time and chance, linked in place of shared/clock.o and shared/entropy.o,
 * fates for the commits of the program under test (lite_commit() and postgres_run() are wrapped by the
 * linker), and a place for what it logs (log_event(), too).
 *
 * Two streams come from one seed: what the world does, and what the program under
 * test draws.  So a program that draws once more still meets the same world.  The world's stream begins anew with
 * each step: what a step does hardly depends on what was drawn before it, and steps can be left out.
 */
#ifndef TESTS_SIM_STAND_IN_H
#define TESTS_SIM_STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

void stand_in_begin(uint64_t seed);
void stand_in_step(unsigned step); /* the world's stream of this step */

uint64_t chance_u64(void);
unsigned chance_below(unsigned bound); /* 0 … bound-1 */
bool chance_percent(unsigned percent);

void time_pass(int64_t us);
/*
 * How far the wall clock of the machine whose code runs now is off.  Returns what it was, to be set again after
 * that code.  Where clocks are right this does nothing.
 */
int64_t clock_use(int64_t off_us);
void clocks_are_right(bool right);

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
