/*
 * push - records on their way to a local, and its answers: both directions in one file.
 */
#ifndef SHARED_PUSH_H
#define SHARED_PUSH_H

#include "shared/page.h"

#define PUSH_LIMIT_MAX 5000
#define PUSH_BYTES_MAX (8 * 1024 * 1024)

/* POST /v1/apply?…: one record a line, each with `expected`. */
struct push_item {
	struct record record;
	struct hash expected; /* what the local is known to hold; none = nothing */
};

struct push_request {
	struct epoch centre, request, epoch;
	struct position witness;
};
void push_request_encode(const struct push_request *q, struct buf *target);
void push_item_encode(const struct push_item *item, struct buf *out); /* with the line's end */

struct push {
	struct push_item *items;
	size_t n;
	/* Lines that are not a record this local can hold: answered `rejected`, the others go on. */
	struct push_bad {
		size_t line;
		struct span id; /* empty when it could not be read */
		struct reason why;
	} * bad;
	size_t n_bad;
	size_t lines; /* of both */
	struct span owner, rest;
	struct arena arena;
};
/* Spans point into `body`.  INVALID only when the whole is unusable (too many items). */
enum err push_decode(struct push *ret, struct span body, struct span owner, struct reason *why) MUST_USE;
/* The same bit by bit: nothing is decoded yet, `items` has room for all lines and stays where it is. */
enum err push_begin(struct push *ret, struct span body, struct span owner, struct reason *why) MUST_USE;
/* Some more lines; false: that was all. */
bool push_more(struct push *p, size_t lines);
void push_done(struct push *p);

enum push_result { PUSH_APPLIED, PUSH_ALREADY, PUSH_CONFLICT, PUSH_REJECTED };

struct push_answer {
	struct span id;
	enum push_result result;
	struct hash hash; /* applied, already: the version now held */
	bool has_record;  /* conflict: the local holds this one; else, unless `broken`, it holds none */
	struct record record;
	const struct page_refused *broken; /* conflict: what it holds is no record; NULL = it is */
	struct span reason;                /* rejected */
	size_t line; /* rejected: of the push, from 1; 0 = not told, which the id does */
};

/*
 * The answer: page_begin's line, a line per item (page_end.brief: per item that was not applied), page_end's line
 * (more = false, no clock promise otherwise).
 */
void push_answer_encode(const struct push_answer *a, struct buf *out); /* with the line's end */

struct push_answers {
	struct page_begin begin;
	struct push_answer *answers;
	size_t n;
	struct page_end end;
	struct arena arena;
};
enum err push_answers_decode(
	struct push_answers *ret, struct span body, struct span owner, struct reason *why) MUST_USE;
void push_answers_done(struct push_answers *p);

/* POST /v1/epoch: the local renames a rewound epoch `from` to `to`, unless it has `witness` after all. */
struct rename_request {
	struct epoch centre, request, from, to;
	struct protocol_range protocol; /* read: what was offered; written is the range spoken here */
	struct position witness;
};
enum rename_result { RENAME_DONE, RENAME_NOT_REWOUND };
void rename_request_encode(const struct rename_request *q, struct buf *body);
enum err rename_request_decode(struct rename_request *ret, struct span body, struct reason *why) MUST_USE;
void rename_answer_encode(
	enum rename_result r, const struct epoch *now, const struct epoch *request, struct buf *out);
enum err rename_answer_decode(enum rename_result *ret, struct epoch *now, struct epoch *request,
	struct span body, struct reason *why) MUST_USE;

#endif
