/*
 * buckets - GET /v1/digest and POST /v1/fetch: where two ends differ, and the records there.
 */
#ifndef LOCAL_BUCKETS_H
#define LOCAL_BUCKETS_H

#include "local/local.h"
#include "shared/router.h"

route_fn buckets_get, buckets_fetch;

#endif
