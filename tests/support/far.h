/*
 * far - a local that lives in a test's memory: a log of records, pages of it, compare-and-set of what
 * is pushed.
 *
 * As much of a local as a store's contract needs, without a database or a wire.  A copy of the struct is a
 * backup of it (the bytes live in the arena of the original).
 */
#ifndef TESTS_SUPPORT_FAR_H
#define TESTS_SUPPORT_FAR_H

#include "shared/bucket.h"
#include "shared/push.h"

#define FAR_ROWS 2048

struct far_row {
	struct record record; /* seq is its place in the log */
	struct hash head;
};

struct far {
	char name[RECORD_OWNER_MAX + 1];
	struct epoch epoch;
	struct position head;
	uint64_t actor;
	struct far_row rows[FAR_ROWS];
	size_t n;
	uint64_t lie;       /* added to the digest that is told */
	const char *reject; /* an id that it cannot hold; NULL = none */
	struct arena *arena;
};

void far_open(struct far *f, const char *name, struct arena *arena);
void far_wipe(struct far *f);    /* another epoch, no records */
void far_restart(struct far *f); /* another actor */

void far_put(struct far *f, const char *id, const char *body);
void far_delete(struct far *f, const char *id);
/* As if pushed without asking: takes the version as it is. */
void far_hold(struct far *f, const struct record *r);
const struct record *far_get(const struct far *f, const char *id); /* NULL = none */

struct digest far_digest(const struct far *f);
/* The records after `after`; nothing to free. */
void far_page(const struct far *f, uint64_t after, unsigned limit, struct page *ret);
/* Its rows' digests by buckets, and the records of some; nothing to free. */
void far_digests(const struct far *f, unsigned bits, struct buckets *ret);
void far_fetch(const struct far *f, const struct bucket_set *wanted, struct page *ret);
/* A row is gone, and nothing of the log says so. */
void far_lose(struct far *f, const char *id);
/* Applies and answers. */
void far_answer(struct far *f, const struct push_item *items, size_t n, struct push_answers *ret);

#endif
