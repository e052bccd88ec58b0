/*
 * writes - what applications and operators do at both ends; each write has a number that names what it made.
 */
#ifndef TESTS_SIM_WRITES_H
#define TESTS_SIM_WRITES_H

#include "tests/sim/world.h"

void writes_local(struct world *w, struct site *s);                 /* one record, or several at once */
void writes_local_at(struct world *w, struct site *s, unsigned id); /* this one first */
void writes_local_delete_at(struct world *w, struct site *s, unsigned id);
void writes_centre_at(struct world *w, struct site *s, unsigned id);
void writes_centre_delete_at(struct world *w, struct site *s, unsigned id);
void writes_local_same(struct world *w, struct site *s); /* what is there already */
void writes_local_delete(struct world *w, struct site *s);
void writes_centre(struct world *w, struct site *s);
void writes_centre_delete(struct world *w, struct site *s);
void writes_promote(struct world *w);                /* an archived version becomes the present one */
void writes_resume(struct world *w, struct site *s); /* a halted node is accepted as it answers */
void writes_verify(struct world *w, struct site *s); /* the next proof is to count the rows */

#endif
