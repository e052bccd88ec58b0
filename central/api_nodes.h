/* api_nodes - what is known of the nodes: the list, worst first, and one of them. */
#ifndef CENTRAL_API_NODES_H
#define CENTRAL_API_NODES_H

#include "central/centre.h"
#include "shared/router.h"

route_fn api_nodes_list, api_nodes_get;

/* Answers with one node as the list shows it; `extra` is JSON members like ",\"token\":\"…\"" or "". */
void api_nodes_answer(
	struct centre *c, const char *name, int status, const char *extra, struct http_reply *r);

#endif
