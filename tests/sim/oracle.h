/*
 * oracle - knows every write that was made, and judges what the databases hold after each step.
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include "tests/sim/world.h"

enum cause_kind {
	CAUSE_NOTHING,      /* nobody may have written */
	CAUSE_LOCAL_WRITE,  /* `ids` at `site` */
	CAUSE_DELIVERY,     /* a push at `site` */
	CAUSE_RENAME,       /* of `site`'s epoch */
	CAUSE_CENTRE_WRITE, /* `ids` of `site`, at the centre */
	CAUSE_PROMOTION,    /* of the archived version `archived` */
	CAUSE_BEGIN,        /* the centre made a request: positions only */
	CAUSE_ANSWER,       /* an answer from each of `sites` reached the centre */
	CAUSE_OPERATOR,     /* a halted node was resumed: positions only */
	CAUSE_ACCIDENT,     /* to the databases of `sites`, and of the centre if `centre` */
};

/* The version of a record a local said it held, in an answer. */
struct told {
	bool any[IDS_MAX];
	struct hash hash[IDS_MAX];
};

struct cause {
	enum cause_kind kind;
	unsigned sites; /* a bit each */
	unsigned ids;
	bool deleted;
	bool acknowledged; /* the writer was told it is durable */
	bool uncertain;    /* the writer was told nothing certain */
	int archived;
	bool centre;
	bool drops;              /* a person gives up what is kept only there */
	bool again;              /* a message that was given up, or came before */
	bool ghost;              /* the request is of a centre's life that a restore has undone */
	bool writes_nothing;     /* though its kind could */
	const struct told *told; /* one a site */
};

void oracle_begin(struct world *w);
void oracle_look(struct world *w, const struct cause *c);
/* By this answer the system says that both ends are equal. */
void oracle_check_proof(struct world *w, struct site *s, const struct flight *f, const struct node *n);
/* Everything is quiet: both ends hold the same, and nothing that was acknowledged is missing. */
void oracle_check_healed(struct world *w);

#endif
