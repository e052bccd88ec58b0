/* api_session - a browser signs in, out, and asks who it is. */
#ifndef CENTRAL_API_SESSION_H
#define CENTRAL_API_SESSION_H

#include "shared/router.h"

route_fn api_session_get, api_session_end;
route_fn api_session_begin; /* POST {"token"} */

#endif
