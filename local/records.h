/*
 * records - the applications' calls: real data in and out of a local.
 */
#ifndef LOCAL_RECORDS_H
#define LOCAL_RECORDS_H

#include "local/local.h"

void records_list(void *local, struct http_request *q, struct http_reply *r);
void records_post(void *local, struct http_request *q, struct http_reply *r);
void records_get(void *local, struct http_request *q, struct http_reply *r);
void records_put(void *local, struct http_request *q, struct http_reply *r);
void records_delete(void *local, struct http_request *q, struct http_reply *r);
void records_replaced(void *local, struct http_request *q, struct http_reply *r);

#endif
