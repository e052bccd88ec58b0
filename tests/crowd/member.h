/*
 * member - one local of a crowd: its log and the answers to the centre's calls, without a database or a socket.
 *
 * It only ever adds records, all of one size, so a row is what cannot be made anew.  Pure but for the clock.
 */
#ifndef TESTS_CROWD_MEMBER_H
#define TESTS_CROWD_MEMBER_H

#include "shared/page.h"

struct member_row {
	struct hash hash, head;
	int64_t wrote_us; /* monotonic; 0 = there from the start */
};

struct member {
	char name[RECORD_OWNER_MAX + 1];
	struct epoch epoch;
	uint64_t actor;
	struct member_row *rows; /* seq 1 is the first */
	size_t n, cap;
	struct digest digest;
	unsigned body_bytes;
	uint64_t held; /* the centre has said that it holds everything up to here */
};

void member_init(struct member *m, const char *name, unsigned body_bytes);
void member_done(struct member *m);
void member_write(struct member *m, int64_t now_us);

/* False: not a call of the feed for this database; `problem` is filled as PROTOCOL.md says. */
bool member_read(struct member *m, struct span target, struct page_request *ret, struct buf *problem);
/* Appends the page that `q` asks for. */
void member_answer(
	const struct member *m, const struct page_request *q, int64_t received_us, struct buf *out);

#endif
