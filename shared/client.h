/*
 * client - libcurl's door for one request at a time: the tool, `import` and notifications.
 * No proxies from the environment, no redirects, http and https only, bounded bodies.
 * A client belongs to one thread.
 */
#ifndef SHARED_CLIENT_H
#define SHARED_CLIENT_H

#include <stdatomic.h>

#include "shared/http.h"
#include "shared/tls.h"

struct client;

struct client_config {
	const char *base_url; /* http://HOST:PORT, perhaps with a path; a slash at the end does not matter */
	const char *token;    /* NULL or "": none */
	bool plain_http;      /* it may also be shown by http:// beyond loopback, in the clear */
	const struct tls
		*tls; /* NULL: none to show, the system's authorities are believed; outlives the client */
	bool any_certificate; /* of whoever: nothing that is sent or comes back is a secret, or believed */
	int64_t timeout_ms;   /* of a whole call, 0 = 10 s; for connecting 5 s at most */
	size_t max_body;      /* of an answer */
	bool cut_body;        /* what is more of it is not waited for; else it is INVALID */
	const atomic_bool
		*stop; /* NULL, or: once true, calls end with RETRY or UNCERTAIN within about a second */
};

enum err client_open(struct client **ret, const struct client_config *c, struct reason *why) MUST_USE;
void client_close(struct client *c);

struct client_reply {
	int status;
	struct buf body;
	char etag[40];
};
/*
 * DENIED: the token would travel in the clear, and nothing was sent.
 * RETRY: could not reach it or timed out (the reason says connection refused, timed out, …).  UNCERTAIN: the
 * same after a POST or PATCH may have been sent.  INVALID: no URL, or an answer over max_body.  Any HTTP
 * status is OK. `target` begins with a slash and is encoded; `content_type` may be NULL.  A POST goes out
 * once at most.
 */
enum err client_call(struct client *c, enum http_method m, const char *target, struct span body,
	const char *content_type, struct client_reply *ret, struct reason *why) MUST_USE;
void client_reply_done(struct client_reply *r);
/* Does the server there take a new connection, and answer GET /healthz with 200, in that time?  Whatever certificate
 * it shows. */
bool client_probe(const char *base_url, int64_t timeout_ms);

struct client_request {
	enum http_method method;
	const char *target;
	struct span body;
	const char *content_type;   /* may be NULL */
	const char *const *headers; /* NULL, or name, value, name, value, …, NULL */
};
/* The same with headers of one's own. */
enum err client_ask(struct client *c, const struct client_request *q, struct client_reply *ret,
	struct reason *why) MUST_USE;

/* Takes the next bytes of an answer; `total` as announced, 0 = not.  Also called without bytes, about once a second,
 * while nothing comes.  Not OK: the call ends with that. */
typedef enum err client_sink_fn(void *ctx, struct span bytes, uint64_t total, struct reason *why);
/*
 * A GET of any size: with status 200 the bytes go into the sink and ret->body stays empty; any other answer is
 * client_call()'s.  The whole may take timeout_ms, 0 = any time as long as something comes within an hour.  An answer
 * that ends before its announced length is RETRY, after what came of it has gone into the sink.
 */
enum err client_download(struct client *c, const char *target, int64_t timeout_ms, client_sink_fn *sink,
	void *ctx, struct client_reply *ret, struct reason *why) MUST_USE;

#endif
