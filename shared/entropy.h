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
void entropy_uuid7(char ret[37]);       /* a UUIDv7 of now: the id of a record that came without one */

#endif
