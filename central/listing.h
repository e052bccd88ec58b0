/*
 * listing - the JSON of the store's lists: {"NAME":[…],"next":KEY|null}.  Speaks no SQL; pure.
 */
#ifndef CENTRAL_LISTING_H
#define CENTRAL_LISTING_H

#include "shared/log.h"
#include "shared/record.h"

struct listing {
	struct buf *out;
	unsigned limit, n;
	bool more; /* there was a row over the limit */
};

void listing_begin(struct listing *g, const char *name, unsigned limit, struct buf *out);
/* Call for every row, ask the database for one more than the limit; false: that was the one too many, or the
 * list is long enough in bytes: leave it out. */
bool listing_room(struct listing *g);
/* `next` is the last row's key if there are more. */
void listing_end_number(struct listing *g, uint64_t last);
void listing_end_key(struct listing *g, struct span owner, struct span id);

struct listed_event {
	uint64_t id;
	int64_t at_us;
	enum log_level level;
	struct span kind, node, text; /* node.at NULL: of the centre */
	struct span who, address;     /* of the audit; else at NULL */
	struct span before, after;    /* JSON; at NULL: null */
};
/* Does it tell of an exchange that moved records, and of nothing else?  The statements say the same. */
bool listing_is_move(const struct listed_event *e);
void listing_event(struct listing *g, const struct listed_event *e);
void listing_put_event(struct buf *out, const struct listed_event *e); /* the object alone */

struct listed_conflict {
	uint64_t id;
	int64_t at_us;
	struct span why;
	struct record record;
};
void listing_conflict(struct listing *g, const struct listed_conflict *c);

struct listed_quarantine {
	uint64_t id;
	int64_t at_us;
	struct span owner, record_id;
	struct hash hash;
	uint64_t seq;
	bool held; /* the owner holds that version now */
	struct span why, line;
	uint64_t attempts;
	int64_t tried_us; /* -1: not since it came */
};
void listing_quarantine(struct listing *g, const struct listed_quarantine *l);

struct listed_delivery {
	uint64_t id;
	struct span receiver;
	uint64_t first, last, notices, dropped, attempts;
	int64_t begun_us, tried_us; /* -1: not yet */
	unsigned outcome;           /* enum delivery_outcome */
	int64_t took_us;
	struct span answer;
};
void listing_delivery(struct listing *g, const struct listed_delivery *d);

#endif
