/* api_metrics_private - what the files of /metrics share. */
#ifndef CENTRAL_API_METRICS_PRIVATE_H
#define CENTRAL_API_METRICS_PRIVATE_H

#include "central/api_metrics.h"
#include "central/centre.h"

/* The lines before a metric's first; its series follow at once. */
void api_metrics_begin(struct buf *out, const char *name, const char *type, const char *help);
/* All that is told of nodes (api_metrics_nodes.c).  Where the store cannot say what waits for them, *st becomes NULL. */
void api_metrics_put_nodes(struct scheduler *s, struct store **st, struct buf *out);

#endif
