/*
 * throttle - failed authentications by the address they came from: how many are too many, and when somebody is to be told.
 *
 * A table of THROTTLE_ADDRESSES, of which the one that failed longest ago makes room; an IPv6 address counts as its /64, of
 * which a host has as many as it likes.  Pure: whoever owns the struct locks, and says what time it is (monotonic).
 */
#ifndef CENTRAL_THROTTLE_H
#define CENTRAL_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_ADDRESSES 256
#define THROTTLE_PEER_BYTES 50
#define THROTTLE_TRIED_BYTES 96
#define THROTTLE_TELL_US INT64_C(60000000) /* no oftener of one address, */
#define THROTTLE_TELLS 20                  /* and of no more addresses in that time */
#define THROTTLE_OTHERS "other addresses"

enum throttle_kind {
	THROTTLE_SIGN_IN, /* for people: 10 in a minute */
	THROTTLE_BEARER,  /* programs try again by themselves: 20 in 10 s */
	THROTTLE_COOKIE,  /* counted with those */
	THROTTLE_KINDS,
};
const char *throttle_kind_name(enum throttle_kind k); /* "sign_in", "bearer", "cookie" */

#define THROTTLE_TIMES 20
struct throttle_times {
	int64_t at[THROTTLE_TIMES];
	unsigned n; /* of all, also those that were overwritten */
};

struct throttle_address {
	char peer[THROTTLE_PEER_BYTES]; /* "" = nobody yet */
	struct throttle_times sign_ins, others;
	int64_t last_us;
	int64_t told_us; /* valid if told */
	bool told;
	uint64_t untold; /* failures since */
	char tried[THROTTLE_TRIED_BYTES];
};

struct throttle_report {
	char peer[THROTTLE_PEER_BYTES], tried[THROTTLE_TRIED_BYTES];
	uint64_t failures;
};

struct throttle {
	struct throttle_address at[THROTTLE_ADDRESSES];
	uint64_t totals[THROTTLE_KINDS];
	unsigned tells; /* since */
	int64_t tells_us;
	struct throttle_report others; /* untold when they made room */
	bool others_told;
	int64_t others_us; /* valid if told */
};

/* How long until this address may try such a thing again; 0 = now. */
int64_t throttle_wait_us(const struct throttle *t, enum throttle_kind k, const char *peer, int64_t now_us);
/* One that failed; `tried` says what in words, and is copied. */
void throttle_failed(
	struct throttle *t, enum throttle_kind k, const char *peer, const char *tried, int64_t now_us);

/* What is to be told now; false = nothing.  Those that made room before they were told of are one: THROTTLE_OTHERS. */
bool throttle_take(struct throttle *t, int64_t now_us, struct throttle_report *ret);

#endif
