/*
 * server_private - what server.c and its answers share.
 */
#ifndef SHARED_SERVER_PRIVATE_H
#define SHARED_SERVER_PRIVATE_H

#include <microhttpd.h>

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

/* Hands the answer x->r to libmicrohttpd, which sends it when the handler has returned. */
enum MHD_Result server_answer(struct exchange *x, struct MHD_Connection *c);

#endif
