/*
 * apart - what lies apart: in which buckets of ids the two ends differ, and is it worth to read only those?  Pure.
 *
 *   no bucket differs ───────────────────────────────────────────► NONE
 *   a page's records in those that do ───────────────────────────► FEW     they are fetched
 *   more, and smaller buckets would hold less, and by much ──────► FINER   asked again, at a greater depth
 *   more, but no more than an eighth, and APART_RECORDS_MAX ─────► FEW
 *   the local holds nothing, more than that differs, or
 *   more than APART_BUCKETS_MAX buckets do ──────────────────────► MUCH    everything is read again
 *
 * Each fetch costs the local a look at all its ids, so that beyond a few pages a full re-read is as quick.
 */
#ifndef CENTRAL_APART_H
#define CENTRAL_APART_H

#include "shared/bucket.h"

#define APART_RECORDS_MAX 50000
#define APART_BUCKETS_MAX 512

struct apart_limits {
	unsigned records;        /* of a page */
	unsigned bytes;          /* of an answer */
	unsigned bucket_records; /* so many records a bucket at first */
};
/* The depth to begin with, where the centre holds so many records. */
unsigned apart_bits(uint64_t records, const struct apart_limits *limits);

enum apart_verdict { APART_NONE, APART_FEW, APART_FINER, APART_MUCH };

/* What was found, and what is left of it. */
struct apart {
	bool bits_known;
	unsigned bits;    /* the depth; with n = 0: of the digests to ask for next */
	uint64_t seq;     /* the end of the log that the digests are of: the cursor, when all is read */
	uint64_t found;   /* buckets that differed, of 2^bits */
	uint64_t records; /* in the buckets below, at the end that holds more of each */
	unsigned n;       /* to be fetched; rising */
	unsigned most;    /* buckets at once: fewer after an answer was too large; 0 = any */
	uint16_t buckets[APART_BUCKETS_MAX];
};

/*
 * near: what the local is believed to hold, 2^bits of them.  FEW fills *ret, FINER gives the next depth in it;
 * otherwise it only says how many were found.
 */
enum apart_verdict apart_judge(const struct digest *near, const struct buckets *far,
	const struct apart_limits *limits, struct apart *ret);

/* How many of the first buckets to ask for at once; at least one. */
unsigned apart_share(const struct apart *a, const struct apart_limits *limits);
/* These first ones have been read. */
void apart_drop(struct apart *a, unsigned n);

#endif
