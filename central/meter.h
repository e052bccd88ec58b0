/*
 * meter - what is counted while running: rates, one histogram, the last polls of a node.
 * Memory only.  Not locked: whoever owns the struct locks.
 */
#ifndef CENTRAL_METER_H
#define CENTRAL_METER_H

#include "central/node.h"

/* Events per second over the last RATE_WINDOW_S whole seconds, or over those since the first. */
#define RATE_WINDOW_S 10
struct rate {
	uint64_t counts[RATE_WINDOW_S + 1];
	int64_t second; /* the one counts[second % …] belongs to */
	int64_t begun;  /* the second of the first; 0 = none yet */
};
void rate_add(struct rate *r, uint64_t n, int64_t now_us); /* monotonic */
double rate_per_s(struct rate *r, int64_t now_us);
/* Since the first of them in that window, the present second included: how fast it goes now that it goes.  0: it does not. */
double rate_pace(struct rate *r, int64_t now_us);

/* Seconds in buckets, as Prometheus counts them: each bucket holds what is not above its bound. */
#define HISTOGRAM_BUCKETS 12
extern const double histogram_bounds[HISTOGRAM_BUCKETS];
struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS];
	uint64_t count;
	double sum;
};
void histogram_add(struct histogram *h, double seconds);

/* Bytes of the bodies of nodes' answers, and of those that were sent to them: what they hold; as they went, perhaps packed. */
struct traffic {
	uint64_t content, wire, sent_content, sent_wire;
};

struct poll_seen {
	int64_t at_us; /* wall */
	int64_t ms;
	enum poll_result result;
	uint64_t pulled, pushed;
};
#define HISTORY_MAX 60
/*
 * Each node has one, so they are small: times are of milliseconds, what does not fit is as much as does, and what polls moved has a
 * place only where one of them moved something.  A zeroed struct is an empty one.
 */
struct history {
	struct {
		uint32_t at_ms; /* wall, the lower half */
		uint32_t ms : 28;
		unsigned result : 4;
	} at[HISTORY_MAX];
	struct history_moved {
		uint16_t pulled, pushed;
	} * moved;         /* HISTORY_MAX of them, or NULL */
	uint64_t n;        /* the newest is at[(n - 1) % HISTORY_MAX] */
	int64_t newest_us; /* wall */
};
_Static_assert(POLL_RESULTS <= 16, "a result fits into a history");
void history_add(struct history *h, struct poll_seen p);
void history_copy(const struct history *h, struct history *ret); /* ret is to be done with */
void history_done(struct history *h);
unsigned history_count(const struct history *h);
struct poll_seen history_get(const struct history *h, unsigned i); /* 0 = the oldest kept */

#endif
