/*
 * oracle_private - the oracle's parts: what may have changed at a local, at the centre, and what must
 * always hold.
 */
#ifndef TESTS_SIM_ORACLE_PRIVATE_H
#define TESTS_SIM_ORACLE_PRIVATE_H

#include "tests/sim/oracle.h"

/* A row nobody has seen before becomes a version: `from` and `also` as in lineage.h. */
int oracle_register(
	struct world *w, const struct site *s, unsigned id, const struct row *r, struct version made);
/* What may rightly cause a reset, a merge. */
void oracle_excuse(struct site *s);
/* Its newest row vanished: the place is forgotten with the next write, so a centre that saw it will notice. */
bool oracle_lost_its_end(const struct site *s);

/* The version of a row.  It is a failure if nobody ever wrote it, or its content is not what was written. */
int oracle_version(
	struct world *w, const struct site *s, unsigned id, const struct row *r, const char *where);

/* oracle_local.c: may `now` have come from s->view by `c`?  Sets the rows' versions. */
void oracle_check_local_step(
	struct world *w, const struct site *s, struct site_view *now, const struct cause *c);
/* oracle_centre.c: the same from w->view. */
void oracle_check_centre_step(struct world *w, struct centre_view *now, const struct cause *c);

/* Which versions are in quarantine.  It is a failure if nobody wrote one, or the database had no reason. */
void oracle_find_quarantined(struct world *w, struct centre_view *v);

/* oracle_state.c: what must hold of the views at any time. */
void oracle_check_local(struct world *w, const struct site *s);
void oracle_check_centre(struct world *w);
void oracle_check_progress(
	struct world *w, const struct site *s); /* cursor, witness and local_hash tell the truth */

#endif
