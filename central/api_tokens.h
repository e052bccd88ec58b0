/* api_tokens - who may ask: API tokens by name and role, of which a token itself is told once. */
#ifndef CENTRAL_API_TOKENS_H
#define CENTRAL_API_TOKENS_H

#include "shared/http.h"

void api_tokens_list(void *ctx, struct http_request *q, struct http_reply *r);
void api_tokens_add(void *ctx, struct http_request *q, struct http_reply *r);
void api_tokens_remove(void *ctx, struct http_request *q, struct http_reply *r);

#endif
