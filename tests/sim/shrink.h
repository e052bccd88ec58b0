/*
 * shrink - leaves out steps of a world that fails, as long as it fails in the same way.
 */
#ifndef TESTS_SIM_SHRINK_H
#define TESTS_SIM_SHRINK_H

#include "tests/sim/wish.h"

/* `w`, with more steps left out; as it is if that world does not fail. */
void shrink(struct wish *w, enum mode mode, uint64_t seed);

#endif
