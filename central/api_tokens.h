/* api_tokens - who may ask: API tokens by name and role, of which a token itself is told once. */
#ifndef CENTRAL_API_TOKENS_H
#define CENTRAL_API_TOKENS_H

#include "shared/router.h"

route_fn api_tokens_list, api_tokens_add, api_tokens_remove;

#endif
