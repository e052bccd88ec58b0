/* api_stream - what happens, as it happens: server-sent events. */
#ifndef CENTRAL_API_STREAM_H
#define CENTRAL_API_STREAM_H

#include "shared/router.h"

route_fn api_stream;

#endif
