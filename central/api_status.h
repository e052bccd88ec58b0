/* api_status - the whole at a glance: index, health, readiness, status. */
#ifndef CENTRAL_API_STATUS_H
#define CENTRAL_API_STATUS_H

#include "central/centre.h"
#include "shared/router.h"

route_fn api_index, api_openapi, api_healthz, api_readyz, api_status;

void api_status_put(struct centre *c, struct buf *out); /* appends what api_status answers */

#endif
