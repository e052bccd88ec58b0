/*
 * ring - the newest messages for all who follow what happens, each once: events, and which nodes changed.
 *
 * Places count up from 1 and never come again.  A reader remembers the place it read up to; one who is so late that
 * what it has not read is gone is told so.  Bounded by RING_FRAMES, whatever readers do.  Pure; not thread-safe.
 */
#ifndef CENTRAL_RING_H
#define CENTRAL_RING_H

#include "central/audit.h"
#include "shared/buf.h"
#include "shared/log.h"
#include "shared/record.h"

#define RING_FRAMES 1024

enum ring_kind {
	RING_EVENT,
	RING_NODES, /* names of nodes that came, went or are not as they were */
	RING_GAP,   /* events are missing here: the oldest were removed before they were read */
};

struct ring_frame {
	enum ring_kind kind;
	uint64_t id; /* of an event */
	enum log_level level;
	bool is_move;                    /* of records: its kind is pulled or pushed */
	char node[RECORD_OWNER_MAX + 1]; /* of an event; "" = of the centre */
	char who[AUTHOR_MAX + 1];        /* "" = no person */
	struct buf text;                 /* JSON */
};

struct ring {
	struct ring_frame frames[RING_FRAMES]; /* place p is at p % RING_FRAMES */
	uint64_t last;                         /* place of the newest; 0 = none ever */
};

void ring_done(struct ring *r);
/* A new one at the end, with an empty text to append to; the oldest goes. */
struct ring_frame *ring_add(struct ring *r, enum ring_kind kind);
/* Is what comes after `place` all there? */
bool ring_has(const struct ring *r, uint64_t place);
/* ring_has() the place before it, and it is not after `last`. */
const struct ring_frame *ring_at(const struct ring *r, uint64_t place);

/* Which events somebody wants; nodes and gaps are for everybody. */
struct ring_wish {
	char node[RECORD_OWNER_MAX + 1]; /* "" = any */
	int least_level;                 /* -1 = any; else this enum log_level and worse */
	bool no_moves;
	bool audit;  /* only what a person did, */
	bool by_who; /* only this one: */
	char who[AUTHOR_MAX + 1];
	uint64_t after; /* ids above it only */
};
bool ring_wants(const struct ring_wish *w, const struct ring_frame *f);
/* As server-sent events tell it, with its end. */
void ring_put(const struct ring_frame *f, struct buf *out);

#endif
