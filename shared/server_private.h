/*
 * server_private - what server.c, who is let in (server_accept.c), its answers and its TLS share.
 */
#ifndef SHARED_SERVER_PRIVATE_H
#define SHARED_SERVER_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <sys/socket.h>

#include "shared/reaper.h"
#include "shared/server.h"

/* From when it is accepted until libmicrohttpd is done with it. */
struct connection {
	struct reaper_entry entry;
	struct connection *next; /* in the lobby, or handed over and not yet begun with */
	struct connection **at;  /* what points to it, in the lobby */
	int fd;                  /* libmicrohttpd's, once handed over */
	struct sockaddr_storage address;
	socklen_t size;
	struct tls_peer peer; /* .tls NULL: plain HTTP */
};

struct server {
	struct MHD_Daemon *daemon;
	struct reaper *reaper;
	const struct router *router;
	int listen_fd, epoll_fd, wake_fd;
	pthread_t acceptor;
	bool accepts;             /* the acceptor runs */
	bool speaks_tls;          /* so heads cannot be read in the lobby */
	struct connection *lobby; /* whose heads have not come; the acceptor's */
	pthread_mutex_t handing;
	struct connection *handed, **handed_end; /* under the lock */
	int64_t reply_timeout_us;
	char url[80];
	pthread_mutex_t tls_lock; /* of the pointer */
	struct tls *tls;          /* for the connections that come; NULL: plain HTTP, for ever */
	struct buf refusal;
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

/* False: no descriptors or threads. */
bool server_accept_start(struct server *s) MUST_USE;
/* Nobody is let in any more, and who waits in the lobby is turned out.  Again is harmless. */
void server_accept_stop(struct server *s);
void server_accept_done(struct server *s); /* libmicrohttpd has ended */
/* libmicrohttpd begins with this one; NULL: it did not get it from us. */
struct connection *server_begin(struct server *s, int fd);

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
