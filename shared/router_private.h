/*
 * router_private - the checks of a request's head, each in a file of its own; only for router*.c.
 */
#ifndef SHARED_ROUTER_PRIVATE_H
#define SHARED_ROUTER_PRIVATE_H

#include "shared/router.h"

/* Each returns true when it has refused, and `r` says how. */

/* Asked for by none of our names, or by a page of another site? (router_origin.c) */
bool router_refuse_host(const struct router *t, const struct http_request *q, struct http_reply *r);
/* Nobody who may?  Fills who asks. (router_access.c) */
bool router_refuse_access(
	const struct router *t, const struct route *route, struct http_request *q, struct http_reply *r);
bool router_refuse_uncertified(const struct router *t, const struct route *route,
	const struct http_request *q, struct http_reply *r);

/* Of a kind, or a size, that is not taken?  Fills q->unpacks. (router_body.c) */
bool router_refuse_body(const struct router *t, const struct route *route, struct http_request *q,
	uint64_t length, struct http_reply *r);
/* Where it came packed, q->body is what it holds, in `out`, until that is freed.  False: it has refused. (router_body.c) */
bool router_unpack(
	const struct route *route, struct http_request *q, struct buf *out, struct http_reply *r) MUST_USE;

bool router_same_word(struct span a, struct span b); /* whatever the case of their letters */
/* Is `word` in a list whose words are each followed by a blank, as `same` compares? */
bool router_listed(const char *list, struct span word, bool same(struct span, struct span));

#endif
