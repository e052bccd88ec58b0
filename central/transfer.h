/*
 * transfer - libcurl's door of the centre: many requests at once on one thread.
 *
 * No proxies from the environment, no redirects, http and https only; every answer is bounded in
 * bytes (also chunked ones, and heads) and in time; only allowed networks are connected to, judged by the real
 * socket address, and beyond loopback only by TLS, unless the networks say otherwise.  Connections are kept and reused.
 * CURLcodes become enum poll_result here and nowhere else.
 *
 * libcurl never looks up a name: resolver.h does, on its threads, and the call waits for it at most
 * TRANSFER_NAME_MS before its own time begins.  libcurl walks tables that grow with its hosts, so they are
 * spread over TRANSFER_LANES multi handles, all driven by one epoll on the one thread.
 *
 * transfer_call.c makes one request of a call and reads what came of it, transfer_result.c what libcurl says of it; transfer_loop.c drives
 * them; transfer_budget.c bounds them together;
 * transfer_unpack.c undoes what packs an answer, when it is whole: what waits for the rest of itself waits packed.
 *
 * A call belongs to its owner until transfer_start(), then to the transfer until `done` is called (exactly
 * once, on the transfer's thread, which it must not hold up), then to its owner again.
 */
#ifndef CENTRAL_TRANSFER_H
#define CENTRAL_TRANSFER_H

#include <stdatomic.h>

#include "central/address.h"
#include "central/exchange.h"
#include "shared/coding.h"
#include "shared/tls.h"

#define TRANSFER_LANES 64
#define TRANSFER_NAME_MS 6000
#define TRANSFER_FREE_BYTES \
	8192 /* of an answer: they always come, so that small ones are never in anybody's way */
#define TRANSFER_HEAD_BYTES 32768 /* of all heads of an answer, interim ones and trailers included */

struct transfer;
struct transfer_handle;
struct transfer_running;
struct transfer_call;
typedef void transfer_done_fn(struct transfer_call *call);

/*
 * Of answers that came, or are on their way: what all of them may take together, apart from what is kept for each.  When it is
 * more, the largest that is on its way is given up: so no number of nodes that say as much as they may fills the memory, and
 * those who say little do not feel it.
 */
struct transfer_budget {
	size_t bytes;
	atomic_size_t taken;
};

/* A zeroed struct is an idle call. */
struct transfer_call {
	enum http_method method;
	struct buf url;   /* freed once the request is made */
	unsigned lane;    /* any number, always the same for the same node: its connections are found there */
	struct span body; /* NDJSON for a POST; borrowed until done */
	enum coding body_coding; /* of `body`: see transfer_call_takes() */
	enum coding_use
		packing; /* of answers; CODING_AUTO: not over loopback, where it costs more than it saves */
	size_t content_bytes; /* what `body` holds; for its owner */
	const char *content_type;
	bool minimal;       /* the least answer is enough: HTTP_PREFER_MINIMAL */
	char *token;        /* NULL = none; transfer_call_show(); wiped and freed once the request is made */
	int64_t timeout_ms; /* of the whole; connecting has less */
	size_t max_bytes;   /* of the answer's body, as its content and as it comes */
	size_t kept_bytes;  /* of these so many are none of the budget's */
	struct transfer_budget *budget; /* NULL: it takes of none; outlives the call, which keeps to one */
	transfer_done_fn *done;
	void *ctx;
	/* out: */
	struct answer
		answer; /* .body is a span of `reply`; both, and .why, until it is dropped or starts again */
	struct buf reply;
	size_t wire_bytes; /* of the body as it came */
	/* How the other end says that bodies may come; of the last answer.  Its owner forgets it where the next call goes elsewhere. */
	enum coding takes;
	bool packed; /* it came packed */
	bool cancelled;
	bool too_large; /* more than max_bytes came */

	struct {                                /* the transfer's own */
		char *why;                      /* as `answer` has it; NULL: there is one */
		struct transfer_handle *handle; /* lent for the request; of https it stays */
		void *headers, *addresses;
		char *name; /* to be looked up; NULL: its URL has an address */
		unsigned port;
		enum address_verdict verdict; /* of the last address that was to be connected to */
		int socket;                   /* -1: libcurl has not waited for it yet */
		atomic_bool cancel;
		bool running;      /* with libcurl; else waiting for its name */
		bool head_over;    /* its last line came */
		bool crowded_out;  /* of the budget */
		bool flooded;      /* more came than an answer of max_bytes takes, in whatever part of it */
		bool packs;        /* packed answers are welcome */
		bool plain;        /* no TLS */
		bool in_the_clear; /* blocked for that */
		bool carried; /* the last one came to an end over a connection, which is still open, as a rule */
		bool begun; /* it was looked at */
		size_t head_bytes;
		size_t charged;                 /* on the budget */
		struct transfer_running *among; /* those with libcurl */
		uint64_t
			wire_begin; /* begun: what had come over it before, but for what libcurl reads at once */
		int64_t start_us; /* monotonic; while waiting for its name: of that */
		int64_t due_us,
			connect_due_us; /* monotonic: when it is late; to have a connection, 0 = it has */
		struct transfer_call *next, **at;
		const struct networks *allowed;
		const struct tls *tls;
	} own;
};
void transfer_call_done(struct transfer_call *call); /* only an idle one */
/* The next request shows this token, of which it keeps a copy; "" = none. */
void transfer_call_show(struct transfer_call *call, const char *token);
/* How the next body is best sent to where the last one went, over the same line. */
enum coding transfer_call_takes(const struct transfer_call *call);
/* The answer is no longer needed: frees `reply`, why there is none, and what it took of the budget.  Only of an idle one. */
void transfer_call_drop(struct transfer_call *call);

/* `allowed` outlives the transfer, as does what takes its place. */
enum err transfer_open(struct transfer **ret, const struct networks *allowed, struct reason *why) MUST_USE;
/* Cancels what is under way (each `done` is called), then ends the thread.  NULL is allowed. */
void transfer_close(struct transfer *t);

/* From the next call on; also a connection that is open from before carries no more to where it may not. */
void transfer_set_networks(struct transfer *t, const struct networks *allowed);
/*
 * What nodes are shown and whom of them it believes, from the next call on, over a new connection; it outlives the transfer.
 * NULL, or without an authority: the system's are believed.
 */
void transfer_set_tls(struct transfer *t, const struct tls *tls);
/* How often the thread has gone round; transfer_wake() makes it. */
uint64_t transfer_turns(struct transfer *t);
void transfer_wake(struct transfer *t);

/* Any thread. */
void transfer_start(struct transfer *t, struct transfer_call *call);
/* With the next one that is started, or when the thread is woken, whichever comes first. */
void transfer_start_soon(struct transfer *t, struct transfer_call *call);
/* Soon calls `done` with `cancelled`, unless the call ends by itself before.  Only between start and done. */
void transfer_cancel(struct transfer *t, struct transfer_call *call);

#endif
