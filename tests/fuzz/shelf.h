/*
 * shelf - what an exchange knows of the store, in memory: two nodes, the epochs that they left behind, two records to push.
 *
 * In place of central/store_sql*.c at link time.  Positions move by the store's own settle.c, proof.c and apart.c; an answer
 * to anything but the present basis is a CONFLICT.  Copied whole, it can be put back.
 */
#ifndef TESTS_FUZZ_SHELF_H
#define TESTS_FUZZ_SHELF_H

#include "central/store.h"

#define SHELF_NODES 2
#define SHELF_ABANDONED 32
#define SHELF_ITEMS 2

struct shelf_node {
	char name[8];
	struct node_sync sync;
	struct {
		struct epoch epoch;
		struct position witness;
	} abandoned[SHELF_ABANDONED];
	unsigned n_abandoned;
	unsigned to_push; /* of the items, the last ones */
};

struct store {
	struct shelf_node nodes[SHELF_NODES];
	enum err fails; /* what the next call that writes returns; OK: it works */
};

/* The node must be one of the two. */
struct shelf_node *shelf_node(struct store *st, const char *name);
/* What all buckets of a depth hold by the node's digest: everything lies in the first. */
const struct digest *shelf_buckets(const struct node_sync *s);

#endif
