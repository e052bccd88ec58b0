/*
 * hash - BLAKE2b-128 as two halves, and the digest that sums them.
 *
 * The exact bytes are in shared/PROTOCOL.md, with test vectors.  A digest is
 * {count, two lanes}: each lane the sum mod 2^64 of one half of the hashes, so
 * records join and leave it in any order.  Pure; thread-safe.
 */
#ifndef SHARED_HASH_H
#define SHARED_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"

/* The 16 bytes, read as two little-endian integers.  All zero = none. */
struct hash {
	uint64_t half[2];
};

struct hash_state { /* libsodium's state, whose size is checked in hash.c */
	_Alignas(64) unsigned char opaque[384];
};

void hash_begin(struct hash_state *s);
void hash_bytes(struct hash_state *s, const void *at, size_t len);
void hash_field(struct hash_state *s, struct span field); /* u32 length, then the bytes */
void hash_u32(struct hash_state *s, uint32_t n);          /* little-endian */
void hash_u64(struct hash_state *s, uint64_t n);
struct hash hash_end(struct hash_state *s);
struct hash hash_of(struct span bytes); /* of bytes as they are */
/* Of each of `n`: HASH_LANES at once where the processor can, which takes a half or a quarter of the time. */
void hash_of_each(const struct span *bytes, size_t n, struct hash *ret);
#define HASH_LANES 8

bool hash_equal(struct hash a, struct hash b);
bool hash_is_none(struct hash h);
void hash_to_bytes(struct hash h, unsigned char ret[16]);
struct hash hash_from_bytes(const unsigned char at[16]);
void hash_hex(struct hash h, char ret[33]); /* the 16 bytes in order */
bool hash_parse(struct span hex, struct hash *ret) MUST_USE;

/* The bucket of a record's id at a depth of 0…16 bits: the first bits of BLAKE2b-128(id), most significant
 * first. */
uint32_t hash_bucket(struct span id, unsigned bits);

/* A secret's child: hex(BLAKE2b-256(label, key = BLAKE2b-256(secret))): a node's token from the centre's
 * secret. */
void hash_derive_token(struct span secret, const char *label, char ret[65]);
/* hex(HMAC-SHA-256), by which a receiver knows whom a message is from. */
void hash_sign(struct span secret, struct span message, char ret[65]);
bool hash_same_secret(struct span a, struct span b); /* in constant time for equal lengths */

struct digest {
	uint64_t count;
	uint64_t lane[2];
};

void digest_add(struct digest *d, struct hash h);
void digest_drop(struct digest *d, struct hash h);
bool digest_equal(struct digest a, struct digest b);
/* {"count":3,"sum":"<lane 0 as 16 hex digits><lane 1>"} */
void digest_encode(struct digest d, struct buf *out);
bool digest_parse_sum(struct span sum, uint64_t lane[2]) MUST_USE;

#endif
