/*
 * ailment - what is wrong with a node, or with the centre, that is up all the same: a disk that fills, a database
 * that takes no writes, a clock that nobody keeps.
 *
 * Shown, told and counted; nothing is decided by it.  A local tells its own with every page of its feed (page.h), the
 * centre adds what it sees itself.  Pure.
 */
#ifndef SHARED_AILMENT_H
#define SHARED_AILMENT_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/log.h"

/* The worst first. */
enum ailment {
	/* A program tells these of itself: */
	AILMENT_DAMAGED,     /* bytes of its database are not what was written */
	AILMENT_WRITES_FAIL, /* the last write was not taken: read-only, an I/O error, … */
	AILMENT_DISK_FULL,   /* the last write found no room */
	AILMENT_DISK_LOW,    /* less is free than the next writes may need */
	AILMENT_CERTIFICATE, /* its TLS certificate ends soon, or has */
	/* The centre sees these of a node: */
	AILMENT_REJECTED,    /* the node cannot hold records that were pushed */
	AILMENT_QUARANTINED, /* the centre cannot hold records of the node */
	AILMENT_TOKEN_OLD,   /* the node takes the token before its rotation, not the new one */
	AILMENT_CLOCK_SKEWED,
	AILMENT_CLOCK_DISAGREES, /* with what both ends claim of theirs */
	AILMENT_CLOCK_FREE,      /* nothing keeps it */
};
#define AILMENTS 11
#define AILMENTS_TOLD 5
#define AILMENT_BIT(a) (1U << (a))

const char *ailment_name(enum ailment a); /* one word, stable */
/* How loud: what nothing depends on is only info. */
enum log_level ailment_level(enum ailment a);

#define AILMENT_TEXT_MAX 119

/* What a program tells of itself; a zeroed one is well. */
struct ailments {
	unsigned kinds; /* AILMENT_BIT() of each */
	char text[AILMENTS_TOLD][AILMENT_TEXT_MAX + 1];
};
/* One sentence, cut at its size; what is not plain ASCII becomes `?`. */
void ailments_add(struct ailments *s, enum ailment a, const char *fmt, ...) PRINTF(3, 4);

/* {"disk_low":"…",…} */
void ailments_put(const struct ailments *s, struct buf *out);
/* Reads such an object; what is not known here is passed over.  False, and *ret left alone: it is none. */
bool ailments_take(struct span object, struct ailments *ret) MUST_USE;

#endif
