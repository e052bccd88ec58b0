/*
 * server_private - what server.c and its answers share.
 */
#ifndef SHARED_SERVER_PRIVATE_H
#define SHARED_SERVER_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>

#include "shared/reaper.h"
#include "shared/server.h"

/* 16 KiB a second: the link a peer must at least have once a timeout is over. */
#define SERVER_US_PER_BYTE 61

struct server {
	struct MHD_Daemon *daemon;
	struct reaper *reaper;
	const struct router *router;
	int listen_fd;
	int64_t request_timeout_us, reply_timeout_us;
	char url[80];
	pthread_mutex_t tls_lock; /* of the pointer */
	struct tls *tls;          /* for the connections that come; NULL: plain HTTP, for ever */
	struct buf refusal;
};

/* From its notification to the end of it; kept by libmicrohttpd. */
struct connection {
	struct reaper_entry entry;
	struct tls_peer peer; /* .tls NULL: plain HTTP */
};

/* Made with the request line, freed when the request is over; owned by the connection's thread. */
struct exchange {
	struct server *server;
	struct reaper_entry *entry;
	struct http_request q;
	struct http_reply r;
	struct buf body;
	const char *raw; /* the target where libmicrohttpd keeps it */
	char *target;    /* a copy from before its own parsing wrote into it */
	bool begun, refused;
};

/* --- TLS (server_tls.c); without it these do nothing --- */

#define SERVER_TLS_OPTIONS 4

void server_tls_open(struct server *s, struct tls *t);
void server_tls_close(struct server *s);
void server_tls_options(const struct server *s, struct MHD_OptionItem ret[SERVER_TLS_OPTIONS]);
void server_tls_attend(struct server *s, struct connection *conn, struct MHD_Connection *c);
void server_tls_part(struct connection *conn);
/* Fills q->tls and q->uncertified, which lives as long as the connection. */
void server_tls_judge(struct connection *conn, struct MHD_Connection *c, struct http_request *q);

/* Hands the answer x->r to libmicrohttpd, which sends it when the handler has returned. */
enum MHD_Result server_answer(struct exchange *x, struct MHD_Connection *c);

#endif
