/*
 * buckets - GET /v1/digest and POST /v1/fetch: where two ends differ, and the records there.
 */
#ifndef LOCAL_BUCKETS_H
#define LOCAL_BUCKETS_H

#include "local/local.h"

void buckets_get(void *local, struct http_request *q, struct http_reply *r);
void buckets_fetch(void *local, struct http_request *q, struct http_reply *r);

#endif
