/*
 * reaper - the books of all connections: from where, at what and since when; and who has to go.
 *
 * Each has a deadline; past it the socket is shut down, which wakes whoever waits for it.  Inactivity timers do not end
 * a peer that drips bytes; this does.  Where an address has its share, or all places are taken, whoever comes is let in,
 * and one that does nothing useful goes instead:
 *
 *   1. the longest idle between two requests (for a second or more),
 *   2. the oldest whose request has not come whole,
 *   3. the reader that has not read its answer for longest (for a second or more).
 *
 * One whose handler is at work never goes.  Where all places are taken, it is one of the address that has the most of them.
 * What requests and answers may hold in memory is bounded too, for all and for an address, and so is how many of an address
 * may wait for news.  An address is an IPv4 address or the first 64 bits of an IPv6 address.
 *
 * Thread-safe.  An entry belongs to the reaper between reaper_add() and reaper_drop(); its descriptor may be closed only
 * after the drop.
 */
#ifndef SHARED_REAPER_H
#define SHARED_REAPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shared/err.h"

#define REAPER_NEVER INT64_MAX

struct reaper;
struct reaper_address;

struct reaper_limits {
	unsigned connections, share; /* of all, of an address */
	unsigned waits;              /* of an address */
	unsigned large, large_share; /* answers that may be large and are being made */
	uint64_t bytes, bytes_share; /* of bodies that are being read, and as much again of answers */
	int64_t request_us;          /* until a request must have come whole */
};

enum reaper_state {
	REAPER_IDLE,    /* between two requests */
	REAPER_READING, /* connected, or a request is coming */
	REAPER_WORKING, /* its handler is at work, or waits */
	REAPER_SENDING,
};

struct reaper_entry {
	struct reaper_entry *next, *prev;
	struct reaper_address *from;
	int fd;
	enum reaper_state state;
	int64_t since_us, deadline_us; /* monotonic */
	uint64_t body, reply;          /* what is held in memory, where it is more than REAPER_SMALL_BYTES */
	uint64_t read;                 /* bytes of bodies, ever */
	int64_t looked_us;             /* when we last looked how far it is, */
	uint64_t looked;               /* and how far it was */
	int peeked; /* bytes of a head that were looked at and left; of the thread that calls reaper_add() */
	bool busy;  /* between reaper_begin() and reaper_end() */
	bool waits, large, slow, gone, closing;
};

enum err reaper_open(struct reaper **ret, const struct reaper_limits *limits, struct reason *why) MUST_USE;
void reaper_close(struct reaper *r); /* NULL is allowed; no entries may be left */

/*
 * Makes room, if need be by ending another.  False: with those that are at work or end just now there are twice as many as there
 * are places.  No memory for a new address: its entry goes by no share.
 */
bool reaper_add(struct reaper *r, struct reaper_entry *e, int fd, const struct sockaddr *from) MUST_USE;
void reaper_relieve(struct reaper *r); /* ends one, as if another had come */
void reaper_drop(struct reaper *r, struct reaper_entry *e);

/*
 * What an entry is at from now on.  A request has limits->request_us to come whole, a quarter of it where its address has
 * many such; an answer as long as is said, work for ever.
 */
void reaper_reading(struct reaper *r, struct reaper_entry *e);
void reaper_working(struct reaper *r, struct reaper_entry *e);
void reaper_sending(struct reaper *r, struct reaper_entry *e, int64_t within_us);

/*
 * A body of that many bytes was announced.  False: too much is being read already.  Whoever asks again, a second later and
 * perhaps once more, finds that those have gone which are slower than REAPER_BYTES_S.  Small bodies are always taken.
 */
#define REAPER_SMALL_BYTES (64 * 1024)
#define REAPER_BYTES_S (16 * 1024) /* the link a peer must at least have once a timeout is over */
bool reaper_body(struct reaper *r, struct reaper_entry *e, uint64_t length) MUST_USE;
/* So much of it came: the deadline is later by what that takes at REAPER_BYTES_S. */
void reaper_read(struct reaper *r, struct reaper_entry *e, uint64_t n_bytes);
/* The same of an answer that waits to be sent. */
bool reaper_reply(struct reaper *r, struct reaper_entry *e, uint64_t length) MUST_USE;
/*
 * Its answer may become large: waits for its turn to make it, which ends with reaper_wait() or reaper_reply().  False: there is
 * nobody any more to make it for.
 */
bool reaper_large(struct reaper *r, struct reaper_entry *e) MUST_USE;
/* May its handler hold its answer back?  False: enough of its address do. */
bool reaper_wait(struct reaper *r, struct reaper_entry *e) MUST_USE;
/* Has its peer hung up, or is it to go?  What is said to it then is for nobody. */
bool reaper_is_gone(struct reaper *r, struct reaper_entry *e);

/* The work for a whole request begins.  False: it must not any more. */
bool reaper_begin(struct reaper *r, struct reaper_entry *e) MUST_USE;
/* A request is over, begun or not; the next one may come until the deadline. */
void reaper_end(struct reaper *r, struct reaper_entry *e, int64_t deadline_us);

/*
 * Shuts down what is not busy and all that comes, then waits for the busy ones, at most until
 * the deadline.
 */
void reaper_drain(struct reaper *r, int64_t deadline_us);
bool reaper_draining(struct reaper *r);

enum reaper_reason {    /* why we ended a connection */
	REAPER_IDLED,   /* no request for long */
	REAPER_SLOW,    /* a request that did not come whole in time */
	REAPER_UNREAD,  /* an answer that was not read in time */
	REAPER_CROWDED, /* others came, and its place was needed */
	REAPER_MEMORY, /* its body came too slowly, or its answer was read too slowly, and the memory was needed */
	REAPER_VANISHED, /* it waited, and its peer had hung up */
	REAPER_REASONS
};
const char *reaper_reason_name(enum reaper_reason why);

enum reaper_refusal { REAPER_NO_PLACE, REAPER_NO_BODY, REAPER_NO_REPLY, REAPER_NO_WAIT, REAPER_REFUSALS };
const char *reaper_refusal_name(enum reaper_refusal what);

struct reaper_figures {
	unsigned open, addresses; /* now */
	uint64_t accepted, ended[REAPER_REASONS], refused[REAPER_REFUSALS];
};
void reaper_figures(struct reaper *r, struct reaper_figures *ret);

#endif
