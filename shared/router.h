/*
 * router - the one table of routes: who may call, how large a body, which handler.
 *
 * router_dispatch() answers everything that is the same for all calls (framing, Host and
 * Origin, pages of other sites, 404, 405, 403 of a certificate, 401, 403 of a role, 503 of a gate, 415, 411, 413, malformed query; in
 * this order) and then calls the handler.
 * Segments are percent-decoded one by one; nothing is normalised.  The first route that fits is taken.
 * A router is const once it serves, but for its tokens; thread-safe.
 */
#ifndef SHARED_ROUTER_H
#define SHARED_ROUTER_H

#include <pthread.h>

#include "shared/http.h"

enum route_access {
	ROUTE_ALWAYS, /* no token, and answered while the gate is shut: needs nothing but the process */
	ROUTE_OPEN,   /* no token */
	ROUTE_APP,    /* applications at a local */
	ROUTE_CENTRE, /* replication: the node's token */
	ROUTE_VIEWER, /* people and programs at the centre, by their role: see identify */
	ROUTE_OPERATOR,
	ROUTE_ADMIN,
};

typedef void route_fn(void *ctx, struct http_request *q, struct http_reply *r);

/*
 * Who asks: fills q->who, role, by, expires_us and credential.  False: nobody who is known; then it may have filled `r`
 * with a refusal of its own, else it is 401.  Called once when the head has come and, if that was good, once more with the
 * body.
 */
typedef bool router_identify_fn(void *ctx, struct http_request *q, struct http_reply *r);

struct route {
	enum http_method method; /* GET serves HEAD too */
	const char *path;        /* "/v1/records/{id}" */
	enum route_access access;
	size_t max_body; /* 0: a body is refused, and none need be announced (`curl -X POST`) */
	route_fn *handler;
	const char *query; /* the names it takes, each followed by a blank; others are 400 bad_request; NULL =
			      none */
};

/* Shut while what the handlers need is not there yet: all but ROUTE_ALWAYS is 503 unavailable, with the reason. */
struct router_gate {
	pthread_mutex_t lock;
	bool shut;
	struct reason why;
};
void router_gate_init(struct router_gate *g, const char *why); /* shut */
void router_gate_shut(struct router_gate *g, const struct reason *why);
void router_gate_open(struct router_gate *g); /* what was written before is seen by the handlers that come */

struct router {
	const struct route *routes;
	size_t n;
	void *ctx;
	/*
	 * NULL or "": not asked for; else one of them (secrets.h) is to be shown.  May be replaced while requests are served; the old text must stay.  Each route goes by its own rule: with only centre_token set, replication
	 * needs it and applications need none; with only app_token set, the other way round.
	 */
	_Atomic(const char *) app_token, centre_token;
	/* For routes that want a role; NULL: anyone may do everything. */
	router_identify_fn *identify;
	void *identify_ctx;
	/*
	 * Names a Host header may carry besides loopback literals and `localhost`, each followed by a blank;
	 * "" = none but those.  NULL = any name: only for a program that asks for tokens, since a web page
	 * could otherwise reach it by a name of its own that resolves to this machine.
	 */
	const char *hosts;
	struct router_gate *gate; /* NULL: always open */
	/*
	 * Where client certificates are asked for: the first of the accesses that need one; so do those that follow it.
	 * ROUTE_ALWAYS and ROUTE_OPEN never do.
	 */
	enum route_access certified;
	/*
	 * Bodies of routes of this access may come by a content coding, and hold at most max_body then, too; ROUTE_ALWAYS: none
	 * may.
	 */
	enum route_access packed;
};

/*
 * The answer that can be given before the body is read: any refusal by head alone
 * (`content_length` as announced, -1 = none).  Returns false when the body should be read.
 */
bool router_refuse_early(
	const struct router *t, struct http_request *q, int64_t content_length, struct http_reply *r);
/* The whole: always fills `r`. */
void router_dispatch(const struct router *t, struct http_request *q, struct http_reply *r);

#endif
