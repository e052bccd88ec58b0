/*
 * spate - holds back the events of a node that come too fast, and counts them.
 *
 * A node that brings one record an answer, or is pushed what it refuses for ever, would fill the table of events, and
 * everybody's mail, in minutes.  So the first events of a kind are told, then one in a while, which says how many were not.  The last one
 * is kept, and told when its time has come: nothing but the number of lines is lost.  Errors always pass, and so do kinds that
 * are bounded otherwise: an operator's, and resets, which a restless node is stopped for.
 *
 * What moves is also bounded of all nodes together.  Thousands of nodes with a record a second, each well within its own bounds,
 * would wash whatever else happened out of the table in half a minute, and to store so many events takes as much as their records.
 *
 * Thread-safe.  An event that passed and was not stored after all takes its count with it.
 */
#ifndef CENTRAL_SPATE_H
#define CENTRAL_SPATE_H

#include "central/ratelimit.h"
#include "central/store.h"

#define SPATE_MOVES ((struct rate_rule){60, INT64_C(3000000)})     /* pulled, pushed, compared */
#define SPATE_ALL_MOVES ((struct rate_rule){5000, INT64_C(10000)}) /* of all nodes together */
#define SPATE_WARNINGS ((struct rate_rule){20, INT64_C(10000000)}) /* rejected, conflict, quarantined, … */

struct spate;
struct spate *spate_new(void);
void spate_free(struct spate *s); /* NULL is allowed */

/* Is it of a kind that is held back where there are too many? */
bool spate_bounds(const struct event *ev);
/* False: it is held back.  Else it is to be told, and ev->text says how many of its kind were not before it. */
bool spate_pass(struct spate *s, struct event *ev, int64_t now_us) MUST_USE;
/* One that was held back and whose time has come, by its node's name; false: there is none. */
bool spate_owed(struct spate *s, const char *node, int64_t now_us, struct event *ret) MUST_USE;

#endif
