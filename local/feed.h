/*
 * feed - GET /v1/changes: the log from a cursor on, held back until there is news.
 */
#ifndef LOCAL_FEED_H
#define LOCAL_FEED_H

#include "local/local.h"

void feed_get(void *local, struct http_request *q, struct http_reply *r);

#endif
