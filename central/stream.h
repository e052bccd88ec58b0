/*
 * stream - tells all who follow what happens, as it happens: events as they are stored, nodes whose state changed, the
 * status.
 *
 *   a commit with events ─► store_on_events() ─► one thread: what is new, once for all ─► ring.h ─► readers, each on its
 *   own thread, at its own pace
 *
 * The thread asks nothing while nobody reads.  Events come complete and in the order of their ids: a reader who begins
 * in the past reads the store up to a known id, then goes on in the ring; where some were removed before they were
 * read a `gap` says so.  A reader slower than RING_FRAMES messages is dropped, and may come again with its last id.
 */
#ifndef CENTRAL_STREAM_H
#define CENTRAL_STREAM_H

#include "central/centre.h"
#include "central/ring.h"

#define STREAM_READERS_MAX 64
#define STREAM_STATUS_US INT64_C(1000000)    /* no oftener, */
#define STREAM_HEARTBEAT_US INT64_C(5000000) /* and no rarer */

struct stream;

struct stream_config {
	struct centre *centre;           /* its store and scheduler are there, and outlive the stream */
	int64_t status_us, heartbeat_us; /* 0 = as above */
};
/* Starts the thread, and has the store tell it of events. */
enum err stream_open(struct stream **ret, const struct stream_config *c, struct reason *why) MUST_USE;
/* Ends the thread and what readers wait for.  NULL is allowed, here and below; again is harmless. */
void stream_stop(struct stream *s);
/* Nobody reads any more, and nobody writes to the store. */
void stream_close(struct stream *s);

/* Zeroed, but for `wish`; used by one thread at a time. */
struct stream_reader {
	struct stream *stream;
	struct ring_wish wish; /* `after` is valid if from_past */
	bool from_past, live, greeted;
	uint64_t place, status; /* of the ring and the status, up to where it has read */
	uint64_t gap_to;        /* of what is missing before this event it has been told */
};
/* RETRY: too many read, or the end is near; or the store cannot say where it is. */
enum err stream_join(struct stream *s, struct stream_reader *rd, struct reason *why) MUST_USE;
void stream_leave(struct stream_reader *rd);
/*
 * Fills `out`, which is empty, with what is new, as server-sent events, and waits for it if there is nothing (then, after a
 * while, a comment).  It may leave it empty: go on.  False: it is over.
 */
bool stream_read(struct stream_reader *rd, struct buf *out) MUST_USE;

#endif
