/* api_quarantine - what the centre could not take and keeps: the list, another try, the end of one. */
#ifndef CENTRAL_API_QUARANTINE_H
#define CENTRAL_API_QUARANTINE_H

#include "shared/router.h"

route_fn api_quarantine_list, api_quarantine_retry, api_quarantine_drop;

#endif
