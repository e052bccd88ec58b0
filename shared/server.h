/*
 * server - libmicrohttpd's door: connections in, http_request and http_reply out.
 *
 * A thread per connection, so that a handler is a linear function that may wait (a long
 * poll, a group commit).  Bounded: connections, header and body bytes, the time of a
 * whole request (a slow drip is reaped), whatever a peer does.  A body and an answer may
 * take longer than the timeouts by one second for each 16 KiB, so that a slow link is no drip.
 * Where there are too many connections, who comes is let in, and a useless one goes (reaper.h).
 * Bodies and answers of more than 64 KiB may take 48 MiB each at once, half of it from one address: 503 beyond.
 *
 * What libmicrohttpd refuses by itself (an unreadable request line, a head over 32 KiB, a
 * Content-Length that is no number) it answers with its own HTML or by closing.
 *
 * With TLS, the time of a request also bounds the handshake before it.  Who speaks plain HTTP there is told so in HTTP.
 * Where the certificates of clients are asked for, the router says which routes need one.
 */
#ifndef SHARED_SERVER_H
#define SHARED_SERVER_H

#include "shared/router.h"
#include "shared/tls.h"

struct server;

struct server_config {
	const char *listen;          /* "127.0.0.1:7100", "[::1]:0"; port 0 = a free one */
	const struct router *router; /* outlives the server */
	unsigned max_connections;    /* 0 = 256 */
	unsigned max_waits;          /* requests of an address that wait for news at once; 0 = 64 */
	uint64_t memory_bytes; /* of large bodies at once, and as much again of large answers; 0 = 48 MiB */
	int64_t request_timeout_ms; /* from the first byte to the whole request; 0 = 10 s */
	int64_t reply_timeout_ms;   /* a reader that does not read; 0 = 60 s */
	struct tls *tls;            /* NULL: plain HTTP; the server holds it as well */
};

/* DENIED: the address is taken or not this machine's; INVALID: not an address. */
enum err server_open(struct server **ret, const struct server_config *c, struct reason *why) MUST_USE;
const char *server_url(const struct server *s);         /* http://127.0.0.1:41234, or https:// */
void server_metrics(struct server *s, struct buf *out); /* for Prometheus */
/* For the connections that come; those that are open go on with what they began with.  Only where there was TLS before. */
void server_set_tls(struct server *s, struct tls *t);
/*
 * Stops accepting, lets answers under way go out for up to two seconds, waits for handlers to return; the
 * caller first wakes those that wait.  NULL is allowed.
 */
void server_close(struct server *s);

/* Is "HOST:PORT" a loopback address?  A program without tokens listens on nothing else. */
bool server_listen_is_loopback(const char *listen);

#endif
