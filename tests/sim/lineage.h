/*
 * lineage - every version that was ever made, and what it was made from.
 *
 * `from` is the version whose content a version carries on: what a write replaced, the
 * winner of a merge.  `also` is what its writer knew besides: the loser of a merge.  A version
 * *knows* its whole ancestry; it *keeps* only the line of `from` (and of `also` where `both`).
 */
#ifndef TESTS_SIM_LINEAGE_H
#define TESTS_SIM_LINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/hash.h"
#include "shared/version.h"

enum maker { BY_LOCAL, BY_CENTRE, BY_MERGE, BY_PROMOTION };

struct version {
	unsigned site, id; /* the record */
	char type[16];     /* with `deleted` the content's name */
	bool deleted;
	struct hash hash;
	struct dot dot;
	bool wide;      /* its vector is full: it may have forgotten */
	int from, also; /* -1 = none */
	bool both;
	enum maker maker;
	bool acknowledged;
	bool archived; /* at some time the centre's archive carried it on */
	bool obliged;  /* and not destroyed by an accident */
	unsigned mark;
};

struct lineage {
	struct version *at;
	size_t n, cap;
	unsigned mark;
};

void lineage_done(struct lineage *l);
int lineage_find(const struct lineage *l, struct hash h); /* -1 = never made */
int lineage_find_dot(const struct lineage *l, unsigned site, unsigned id, struct dot d);
int lineage_add(struct lineage *l, const struct version *v);
bool lineage_knows(struct lineage *l, int v, int earlier); /* also when equal */

/* Marks what versions keep, from nothing: begin, add each that is held somewhere, then ask. */
void lineage_keep_begin(struct lineage *l);
void lineage_keep(struct lineage *l, int v);
bool lineage_kept(const struct lineage *l, int v);

/* "n0/a w12" or "n0/a w12 deleted", for people; in a ring of a few texts. */
const char *lineage_name(const struct lineage *l, int v);

#endif
