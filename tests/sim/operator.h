/*
 * operator - what a person asks of the centre about a node, at any moment.
 */
#ifndef TESTS_SIM_OPERATOR_H
#define TESTS_SIM_OPERATOR_H

#include "tests/sim/world.h"

void operator_pause(struct world *w, struct site *s);
void operator_unpause(struct world *w, struct site *s);
/* Out of the store, and in again. */
void operator_add_again(struct world *w, struct site *s);

#endif
