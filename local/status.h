/*
 * status - how a local is: for people, for monitors, for supervisors.
 */
#ifndef LOCAL_STATUS_H
#define LOCAL_STATUS_H

#include "local/local.h"
#include "shared/router.h"

route_fn status_healthz; /* touches no database */
route_fn status_readyz, status_get, status_metrics;
route_fn status_openapi; /* this interface as a document */

#endif
