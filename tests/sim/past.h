/*
 * past - what was sent and answered before, to come again: the last ones, and some of any age.
 */
#ifndef TESTS_SIM_PAST_H
#define TESTS_SIM_PAST_H

#include "tests/sim/world.h"

void past_keep_request(const struct world *w, struct site *s, const struct exchange *x);
void past_keep_answer(struct site *s, const struct epoch *request, int status, struct span body);
void past_forget(struct site *s);
/* One by chance; NULL: none. */
const struct past *past_pick(const struct site *s);

#endif
