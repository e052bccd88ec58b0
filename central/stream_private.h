/* stream_private - what the thread and the readers share. */
#ifndef CENTRAL_STREAM_PRIVATE_H
#define CENTRAL_STREAM_PRIVATE_H

#include <pthread.h>

#include "central/stream.h"

struct seen { /* a node, when it was last looked at */
	char name[RECORD_OWNER_MAX + 1];
	enum node_state state;
	unsigned ailing;
};

struct stream {
	struct centre *centre;
	int64_t status_us, heartbeat_us;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, news; /* for the thread; for readers */
	/* under the lock: */
	bool started, stopping;
	bool told; /* there are events that have not been read */
	bool anew; /* somebody reads, after a while in which nobody did */
	unsigned readers;
	struct ring ring;
	uint64_t last_event; /* the newest id that is in the ring, or was there before anybody read */
	struct buf status;   /* "" = not known yet */
	uint64_t status_number;
	/* the thread's: */
	struct seen *seen;
	size_t n_seen;
	struct hash status_seen; /* without what changes by itself */
	int64_t nodes_due_us, status_due_us, heartbeat_due_us;
	bool nodes_wanted;
};

/* The newest id in the store; 0 = no events. */
enum err stream_newest(struct stream *s, uint64_t *ret, struct reason *why) MUST_USE;
/* Between those two ids events may be missing. */
void stream_put_gap(struct buf *out, uint64_t after, uint64_t next);

#endif
