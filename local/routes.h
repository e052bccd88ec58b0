/*
 * routes - what a local serves: the table for the router, and what its handlers share.
 */
#ifndef LOCAL_ROUTES_H
#define LOCAL_ROUTES_H

#include "local/generator.h"
#include "shared/router.h"

struct local {
	struct replica *replica;
	struct writer *writer;
	struct generator *generator; /* NULL: none */
	int64_t started_us;	     /* monotonic */
	bool never_wait;	     /* the simulation: long polls answer at once */
};

/* Fills the router's table and ctx; tokens and hosts are the caller's to set. */
void routes_init(struct router *ret, struct local *l);

#endif
