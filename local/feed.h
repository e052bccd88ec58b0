/*
 * feed - GET /v1/changes: the log from a cursor on, held back until there is news.
 */
#ifndef LOCAL_FEED_H
#define LOCAL_FEED_H

#include "local/local.h"
#include "shared/router.h"

route_fn feed_get;

#endif
