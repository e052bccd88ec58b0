/*
 * roster - what is to be done so that nodes are there as somebody lists them.  Pure.
 *
 * Each is looked at after those before it have been done: one may take the URL that another has just given up.  Nothing is begun
 * of a list of which one does not go.
 */
#ifndef CENTRAL_ROSTER_H
#define CENTRAL_ROSTER_H

#include "central/store.h"

enum roster_step {
	ROSTER_STAYS, /* there, with this URL */
	ROSTER_ADD,
	ROSTER_MOVE, /* there, with another URL */
};
/* `now` are by name; names in `wanted` are given once.  CONFLICT: which of them does not go, and why. */
enum err roster_plan(const struct nodes *now, const struct node_wanted *wanted, size_t n,
	enum roster_step *ret, struct reason *why) MUST_USE;

#endif
