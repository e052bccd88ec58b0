/*
 * steps - what a world does: random steps by a table of weights, and in liveness mode healing.
 */
#ifndef TESTS_SIM_STEPS_H
#define TESTS_SIM_STEPS_H

#include "tests/sim/choice.h"
#include "tests/sim/world.h"

/* `n` steps, but for those that are left out; how the world's mode wants it. */
void steps_run(struct world *w, unsigned n, const struct choice *left_out);
/*
 * No more faults: the system must bring itself to rest, prove both ends equal, and be right; an
 * operator only resumes what stopped itself.  Then it must not write any more.
 */
void steps_heal(struct world *w);

#endif
