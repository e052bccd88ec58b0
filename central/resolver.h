/*
 * resolver - names to addresses, on threads of its own: a name server that does not answer holds up nobody but
 * those who ask for the names it should know.
 *
 * A few threads ask the system, started when the first name is asked for; one of them takes no names whose
 * last lookup came to nothing, so dead names cannot keep a new one waiting.  What was found is used for
 * RESOLVER_FRESH_US and then looked up again behind the caller's back: while the name servers are away, nodes that
 * were found once go on.  A name that nobody knows is not asked for again within RESOLVER_WRONG_US.
 * Calls may come from any thread, and never block on the network.
 */
#ifndef CENTRAL_RESOLVER_H
#define CENTRAL_RESOLVER_H

#include "shared/err.h"

#define RESOLVER_THREADS 4
#define RESOLVER_NAMES_MAX 16384 /* remembered; beyond them the one that was not asked for longest goes */
#define RESOLVER_FRESH_US 60000000
#define RESOLVER_WRONG_US 5000000
#define RESOLVER_NAME_MAX 255
#define RESOLVER_ADDRESSES_MAX 8

struct resolver;
/* A lookup ended: what RESOLVER_WAIT was said to may be asked again.  On a thread of the resolver, under its
 * lock: it must not call back. */
typedef void resolver_news_fn(void *ctx);

struct resolver *resolver_new(resolver_news_fn *news, void *ctx);
/* Does not wait for lookups under way: their threads end by themselves.  No news afterwards.  NULL is allowed. */
void resolver_free(struct resolver *r);

enum resolver_result {
	RESOLVER_KNOWN,   /* `ret` is "192.0.2.1,[2001:db8::1]", in the order to try */
	RESOLVER_WAIT,    /* for news, then ask again */
	RESOLVER_UNKNOWN, /* `why` says what the name servers said */
};
struct addresses {
	char text[RESOLVER_ADDRESSES_MAX * 50];
};
enum resolver_result resolver_ask(
	struct resolver *r, const char *name, struct addresses *ret, struct reason *why);
/* Nobody answered at its addresses: they are looked up again with the next question. */
void resolver_doubt(struct resolver *r, const char *name);

#endif
