/* api_notifications - who is told what happened, what became of it, and a test. */
#ifndef CENTRAL_API_NOTIFICATIONS_H
#define CENTRAL_API_NOTIFICATIONS_H

#include "shared/router.h"

route_fn api_notifications_list, api_notifications_receivers, api_notifications_test;

#endif
