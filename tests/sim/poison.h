/*
 * poison - a constraint in the centre's database, as somebody might have added it: it refuses records of some types.
 * What an operator does about it: remove the constraint, try again what is in quarantine, drop what is of no use.
 */
#ifndef TESTS_SIM_POISON_H
#define TESTS_SIM_POISON_H

#include "tests/sim/world.h"

/* In the database as it is now; `w->poison` says whether it is to be there. */
void poison_put(struct world *w);
/* Is it a type that a constraint refuses, or refused? */
bool poison_is(const char *type);

void poison_repair(struct world *w, struct site *s);
void poison_retry(struct world *w, struct site *s);
void poison_drop(struct world *w, struct site *s);

#endif
