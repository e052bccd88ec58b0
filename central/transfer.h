/*
 * transfer - libcurl's door of the centre: many requests at once on one thread.
 *
 * No proxies from the environment, no redirects, http and https only; every answer is bounded in
 * bytes (also chunked ones) and in time; only allowed networks are connected to, judged by the real
 * socket address.  Connections are kept and reused.  CURLcodes become enum poll_result here and nowhere else.
 *
 * A call belongs to its owner until transfer_start(), then to the transfer until `done` is called (exactly
 * once, on the transfer's thread, which it must not hold up), then to its owner again.
 */
#ifndef CENTRAL_TRANSFER_H
#define CENTRAL_TRANSFER_H

#include "central/address.h"
#include "central/exchange.h"

struct transfer;
struct transfer_call;
typedef void transfer_done_fn(struct transfer_call *call);

/* A zeroed struct is an idle call. */
struct transfer_call {
	enum http_method method;
	struct buf url;
	struct span body; /* NDJSON for a POST; borrowed until done */
	const char *content_type;
	char token[65];     /* "" = none */
	int64_t timeout_ms; /* of the whole; connecting has less */
	size_t max_bytes;   /* of the answer's body */
	transfer_done_fn *done;
	void *ctx;
	/* out: */
	struct answer answer; /* .body is a span of `reply` */
	struct buf reply;
	bool cancelled;
	bool too_large; /* more than max_bytes came */

	struct { /* the transfer's own */
		void *easy, *headers;
		bool cancel, blocked;
		int64_t start_us;
		struct transfer_call *next;
		struct transfer *owner;
	} own;
};
void transfer_call_done(struct transfer_call *call); /* only an idle one */

/* `allowed` outlives the transfer. */
enum err transfer_open(struct transfer **ret, const struct networks *allowed, struct reason *why) MUST_USE;
/* Cancels what is under way (each `done` is called), then ends the thread.  NULL is allowed. */
void transfer_close(struct transfer *t);

/* Any thread. */
void transfer_start(struct transfer *t, struct transfer_call *call);
/* Soon calls `done` with `cancelled`, unless the call ends by itself before.  Only between start and done. */
void transfer_cancel(struct transfer *t, struct transfer_call *call);

#endif
