/*
 * accidents - processes that end, databases that are lost or come back as they were.
 */
#ifndef TESTS_SIM_ACCIDENTS_H
#define TESTS_SIM_ACCIDENTS_H

#include "tests/sim/world.h"

void accident_crash_site(struct world *w, struct site *s);
void accident_crash_centre(struct world *w);
void accident_copy_site(struct site *s); /* none yet: the copy that others restore */
void accident_copy_centre(struct world *w);
void accident_wipe(struct world *w, struct site *s);
void accident_restore_site(struct world *w, struct site *s);
/* The same, and written on past where the centre's cursor stands. */
void accident_restore_past(struct world *w, struct site *s);
/* The process goes on, and finds another content in its database. */
void accident_restore_under(struct world *w, struct site *s);
void accident_restore_centre_under(struct world *w);
/* To the same copy again, after an exchange or two. */
void accident_restore_twice(struct world *w, struct site *s);
/* A clone comes into being; from then on the two take turns at the same address. */
void accident_clone(struct world *w, struct site *s);
void accident_restore_centre(struct world *w);
/* The centre first, and the local after an exchange or some. */
void accident_restore_both(struct world *w, struct site *s);
/* One end, while the other's rewind, wipe or return is being dealt with: a rename, a probe, a reset. */
void accident_restore_amid(struct world *w, struct site *s);
/* As if somebody had deleted a row by hand, or a page had been lost. */
void accident_vanish_site(struct world *w, struct site *s);
void accident_vanish_centre(struct world *w, struct site *s);

#endif
