/* api_events - what happened, and the versions that lost. */
#ifndef CENTRAL_API_EVENTS_H
#define CENTRAL_API_EVENTS_H

#include "shared/router.h"

route_fn api_events_list, api_conflicts_list, api_conflicts_promote;

/* The word of `level`, -1 = any; false: the reply has been filled. */
bool api_events_level(struct span word, int *ret, struct http_reply *r) MUST_USE;
/* Of `moves`: *ret_none = without what listing_is_move(). */
bool api_events_moves(const struct http_request *q, bool *ret_none, struct http_reply *r) MUST_USE;
/* Of `audit`: only those with an author? */
bool api_events_audit(const struct http_request *q, bool *ret, struct http_reply *r) MUST_USE;

#endif
