/*
 * bucket - records in buckets by a prefix of their id's hash: each bucket's digest, and the records of a few.
 *
 * Two ends that differ little find out where by the digests, and read only that.  Encoding (local) and decoding
 * (centre) stand side by side; both answers are framed like a page (page.h).
 */
#ifndef SHARED_BUCKET_H
#define SHARED_BUCKET_H

#include "shared/page.h"

#define BUCKET_BITS_MAX 16
/* One line of the answer to GET /v1/digest takes no more. */
#define BUCKET_LINE_MAX 88

/* GET /v1/digest?…&bits=N */
void bucket_request_encode(const struct page_request *q, unsigned bits, struct buf *target);

struct bucket {
	uint16_t number;
	struct digest digest; /* never of nothing */
};
void bucket_encode(const struct bucket *b, struct buf *out); /* with the line's end */

/* The answer: page_begin's line, a line for each bucket that is not empty, page_end's line, which ends at the head. */
struct buckets {
	unsigned bits; /* as they were asked for */
	struct page_begin begin;
	struct bucket *at; /* rising */
	size_t n;
	struct page_end end;
	struct arena arena;
};
/* INVALID with the line: truncated, not in order, not of that depth, more records than the log has places. */
enum err buckets_decode(
	struct buckets *ret, struct span body, struct span owner, unsigned bits, struct reason *why) MUST_USE;
void buckets_done(struct buckets *b);

/* Some buckets of a depth. */
struct bucket_set {
	unsigned bits;
	const uint16_t *at; /* strictly rising */
	size_t n;
};
bool bucket_set_has(const struct bucket_set *s, struct span id); /* is the id's bucket one of them? */

/* POST /v1/fetch?…&max_bytes=N with {"bits":N,"buckets":[…]}; answered by a page of these buckets' records. */
void fetch_request_encode(
	const struct page_request *q, const struct bucket_set *wanted, struct buf *target, struct buf *body);
/* The numbers lie in the arena.  INVALID. */
enum err fetch_request_decode(
	struct bucket_set *ret, struct span body, struct arena *a, struct reason *why) MUST_USE;
/* Of the records' page: INVALID where one is of no bucket that was asked for, or it does not end at the head. */
enum err fetch_check(const struct page *p, const struct bucket_set *wanted, struct reason *why) MUST_USE;

#endif
