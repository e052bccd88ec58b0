/*
 * entropy - chance: ids, actors, jitter.  The simulation links a seeded one.
 * Thread-safe.  Never fails: a system without entropy aborts at start.
 * A stand-in for entropy.c defines entropy_bytes() alone; the others, in entropy_id.c, draw on it.
 */
#ifndef SHARED_ENTROPY_H
#define SHARED_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

void entropy_bytes(void *at, size_t len);
uint64_t entropy_u64(void);
uint64_t entropy_below(uint64_t bound); /* 0 … bound-1, without bias; bound > 0 */
void entropy_hex(char ret[33]);         /* 32 hex digits: an epoch, a request id */

/* The UUIDv7 that was made last; zeroed: none was. */
struct uuid7 {
	uint64_t ms, high, low; /* since 1970; 12 and 62 bits of chance */
	/* For the next ones, n_steps of them left: a call to the kernel for each would cost more than all else. */
	uint32_t steps[64];
	unsigned n_steps;
};
/*
 * Makes the next one: of now, the id of a record that came without one.  Those of one millisecond rise, by a random step
 * (RFC 9562, 6.2, method 2): so records that were written together stand together in the order of ids, in an index and on the
 * wire, where an id that begins as the one before it costs half as much.
 */
void entropy_uuid7(struct uuid7 *last, char ret[37]);

#endif
