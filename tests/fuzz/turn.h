/*
 * turn - one exchange with a node, and what must hold of it whatever the node answers.
 *
 * Where a node stands moves only by an answer to this request, of this node; what it moves to stands in the answer.
 */
#ifndef TESTS_FUZZ_TURN_H
#define TESTS_FUZZ_TURN_H

#include "central/exchange_private.h"

struct turn {
	struct exchange x;
	struct answer a;
	struct reason why; /* of the answer */
	struct outcome out;
	struct node_sync before, now;
	enum err e;
};

/* One line of text, which a terminal may be shown. */
void turn_check_text(const char *text, size_t room);
void turn_check_told(const struct turn *t);
void turn_check_moved(const struct turn *t);

#endif
