/* api_events - what happened, and the versions that lost. */
#ifndef CENTRAL_API_EVENTS_H
#define CENTRAL_API_EVENTS_H

#include "shared/router.h"

route_fn api_events_list, api_conflicts_list, api_conflicts_promote;

#endif
