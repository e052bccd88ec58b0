/* token - the bearer token of a node, derived from the centre's secret, so that none is stored. */
#ifndef CENTRAL_TOKEN_H
#define CENTRAL_TOKEN_H

#include "central/node.h"

/* "" when there is no secret (NULL or "").  Changes with the node's rotation. */
void token_of_node(const char *secret, const struct node *n, char ret[65]);

#endif
