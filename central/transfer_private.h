/*
 * transfer_private - the parts of the transfer; only for transfer*.c.
 */
#ifndef CENTRAL_TRANSFER_PRIVATE_H
#define CENTRAL_TRANSFER_PRIVATE_H

#include <curl/curl.h>

#include "central/resolver.h"
#include "central/transfer.h"
#include "shared/http.h"

/*
 * --- libcurl's handles (transfer_handle.c) ---
 *
 * A handle holds several KiB, and a node that is asked now and then needs one for a few milliseconds: so those for http, which have
 * nothing of a node's, are lent for a request.  One for https stays with its call: it holds what shortens the next handshake with the
 * same end.
 */

struct transfer_handle {
	CURL *easy;
	struct transfer_handle *next; /* of those that wait */
	struct transfer_call *call;   /* it is lent to: what libcurl's callbacks are for */
	bool secure, worn;
	bool posts; /* as it was set last, as are: */
	long buffer_bytes, connect_ms;
	const struct tls *tls; /* what it was set up with */
	char words[];          /* libcurl's, of TLS; empty without it */
};
struct transfer_handles {
	struct transfer_loop *loop; /* all their calls are in it */
	struct transfer_handle *idle;
	size_t n;
};
/* From here on call->own.handle is there, */
void transfer_handles_lend(struct transfer_handles *hs, struct transfer_call *call);
/* until here; if it has none, nothing happens. */
void transfer_handles_return(struct transfer_handles *hs, struct transfer_call *call);
void transfer_handles_done(struct transfer_handles *hs);
void transfer_handle_free(struct transfer_handle *h);

/* The calls that are with libcurl. */
struct transfer_running {
	struct transfer_loop *loop;
	struct transfer_call *first;
	bool broken;    /* some of them is to be ended for what it brought */
	int64_t due_us; /* monotonic: none is late before; -1 = there is none */
};

/* --- one call (transfer_call.c) --- */

/*
 * When a call is over for having taken too long is looked for here, not by libcurl: its timers cost each request several walks in a
 * tree, and a parked one a wake-up when it has long been connected.
 */
bool transfer_call_is_late(const struct transfer_call *call, int64_t now_us);
/* That call may be the first to be late. */
void transfer_running_mind(struct transfer_running *r, const struct transfer_call *call);

/* What libcurl calls, for whatever call the handle is lent to; and that it has all its defaults. */
void transfer_call_set_callbacks(struct transfer_handle *h, struct transfer_loop *l);
/* Makes the request; `found` are the addresses of its name, where it has one. */
void transfer_call_prepare(struct transfer_call *call, const struct addresses *found);
/* libcurl waits for this socket for its sake. */
void transfer_call_waits(struct transfer_call *call, int socket);
/* Something came over it, and the call goes on: has it brought too much?  Then it is to be ended. */
void transfer_call_look(struct transfer_call *call);
bool transfer_call_is_broken(const struct transfer_call *call);
/* Reads what came of it; of `code` and of the handle. */
void transfer_call_judge(struct transfer_call *call, CURLcode code);
/*
 * Of an answer that came whole: puts its content in the place of what packs it.  For one that did not, only says how it came
 * (transfer_unpack.c).
 */
void transfer_call_unpack(struct transfer_call *call);
/* What libcurl's code means; *why unless it is POLL_OK (transfer_result.c). */
enum poll_result transfer_classify(const struct transfer_call *call, CURLcode code, struct reason *why);
/* Why, when the budget gave it up. */
void transfer_say_crowded_out(struct reason *why);
/* Ends without an answer, or with none that counts. */
void transfer_call_refuse(struct transfer_call *call, enum poll_result r, const struct reason *why);
void transfer_call_fail(struct transfer_call *call, enum poll_result r, const char *fmt, ...) PRINTF(3, 4);
/* Frees what the request needed and fills the times; then the call is its owner's. */
void transfer_call_close(struct transfer_call *call);

/* The call holds so many bytes by now.  False: it was given up, and its reply is gone (transfer_budget.c). */
bool transfer_budget_take(struct transfer_call *call, size_t held) MUST_USE;

/* --- libcurl's handles and their sockets on one epoll (transfer_loop.c) --- */

struct transfer_lane {
	CURLM *multi;
	struct transfer_loop *loop;
	int64_t due_us; /* monotonic: when libcurl wants to be called; -1 = it does not */
	bool stirred;   /* it may have finished something */
};
/* What epoll was told of a descriptor of libcurl's. */
struct transfer_watch {
	bool plain; /* open, and without TLS: what comes while nobody waits is no part of an answer */
	bool known;
	uint32_t events;
	struct transfer_call *call; /* for whose sake libcurl waits; NULL: it does not */
};
struct transfer_loop {
	int epoll, wake;
	size_t calls;                   /* in it */
	bool busy;                      /* something came in the turn before */
	struct transfer_watch *watches; /* by descriptor */
	size_t n_watches;
	struct transfer_lane lanes[TRANSFER_LANES];
};

enum err transfer_loop_open(struct transfer_loop *l, struct reason *why) MUST_USE;
void transfer_loop_close(struct transfer_loop *l); /* no calls are in it */
void transfer_loop_add(struct transfer_loop *l, struct transfer_call *call);
void transfer_loop_remove(struct transfer_loop *l, struct transfer_call *call);
/* A socket was made, and what epoll knew under its number was another; it is about to be closed. */
void transfer_loop_opened(struct transfer_loop *l, int socket, bool plain);
void transfer_loop_closing(struct transfer_loop *l, int socket);
/* Of what came over it, what nobody has read yet. */
size_t transfer_unread(int socket);
/* Any thread: ends the turn that goes on, or the next one. */
void transfer_loop_wake(struct transfer_loop *l);
/* Moves bytes once, after waiting for something to do until `until_us` at most; -1 = for ever. */
void transfer_loop_turn(struct transfer_loop *l, int64_t until_us);
/* A call that has ended, still in the loop; NULL: none. */
struct transfer_call *transfer_loop_ended(struct transfer_loop *l, CURLcode *ret);

#endif
