/* api_session - a browser signs in, out, and asks who it is. */
#ifndef CENTRAL_API_SESSION_H
#define CENTRAL_API_SESSION_H

#include "shared/http.h"

void api_session_get(void *ctx, struct http_request *q, struct http_reply *r);
void api_session_begin(void *ctx, struct http_request *q, struct http_reply *r); /* POST {"token"} */
void api_session_end(void *ctx, struct http_request *q, struct http_reply *r);

#endif
