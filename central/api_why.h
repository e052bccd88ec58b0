/* api_why - what is known of a node, what comes next, what would unblock it; may it be reimaged; are its bytes whole? */
#ifndef CENTRAL_API_WHY_H
#define CENTRAL_API_WHY_H

#include "shared/router.h"

route_fn api_why_get, api_why_safe, api_why_check;

#endif
