/*
 * status - how a local is: for people, for monitors, for supervisors.
 */
#ifndef LOCAL_STATUS_H
#define LOCAL_STATUS_H

#include "local/local.h"

void status_healthz(void *local, struct http_request *q, struct http_reply *r); /* touches no database */
void status_readyz(void *local, struct http_request *q, struct http_reply *r);
void status_openapi(
	void *local, struct http_request *q, struct http_reply *r); /* this interface as a document */
void status_get(void *local, struct http_request *q, struct http_reply *r);
void status_metrics(void *local, struct http_request *q, struct http_reply *r);

#endif
