/* api_metrics - the centre for Prometheus.  A figure that is not known is left out. */
#ifndef CENTRAL_API_METRICS_H
#define CENTRAL_API_METRICS_H

#include "shared/router.h"

route_fn api_metrics;

#endif
