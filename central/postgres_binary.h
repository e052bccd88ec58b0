/*
 * postgres_binary - values in PostgreSQL's binary format: the fields of COPY (FORMAT binary), and arrays as
 * parameters.  Each value stands behind its length; all big-endian.  Pure.
 */
#ifndef CENTRAL_POSTGRES_BINARY_H
#define CENTRAL_POSTGRES_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"

/* Without their lengths. */
void binary_u16(struct buf *b, uint16_t v);
void binary_u32(struct buf *b, uint32_t v);
void binary_u64(struct buf *b, uint64_t v);
uint64_t binary_read(const char *at, size_t len); /* 1, 2, 4 or 8 bytes, with their sign */

/* A field of a row, or an element of an array. */
void binary_put_null(struct buf *b);
void binary_put_bool(struct buf *b, bool v);
void binary_put_u64(struct buf *b, uint64_t v);      /* bigint of the same bits */
void binary_put_bytes(struct buf *b, struct span v); /* text, json, bytea, tid */

/* One dimension; `n` elements must follow. */
enum binary_element {
	BINARY_BOOL = 16,
	BINARY_BYTEA = 17,
	BINARY_BIGINT = 20,
	BINARY_TEXT = 25,
	BINARY_TID = 27,
	BINARY_JSON = 114,
};
void binary_array(struct buf *b, enum binary_element type, size_t n);
/* The elements of an array of bigint without nulls, one after the other; *at is 0 at first.  False: the end. */
bool binary_next_u64(struct span array, size_t *at, uint64_t *ret);

#endif
