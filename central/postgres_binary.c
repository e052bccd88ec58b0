#include "central/postgres_binary.h"

#include <assert.h>

static void big_endian(struct buf *b, uint64_t v, unsigned bytes)
{
	char at[8];

	for (unsigned i = 0; i < bytes; i++)
		at[i] = (char)(v >> (8 * (bytes - 1 - i)));
	buf_add(b, at, bytes);
}

void binary_u16(struct buf *b, uint16_t v)
{
	big_endian(b, v, 2);
}

void binary_u32(struct buf *b, uint32_t v)
{
	big_endian(b, v, 4);
}

void binary_u64(struct buf *b, uint64_t v)
{
	big_endian(b, v, 8);
}

uint64_t binary_read(const char *at, size_t len)
{
	uint64_t v = len > 0 && (at[0] & 0x80) ? UINT64_MAX : 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | (unsigned char)at[i];
	return v;
}

void binary_put_null(struct buf *b)
{
	binary_u32(b, UINT32_MAX);
}

void binary_put_bool(struct buf *b, bool v)
{
	binary_u32(b, 1);
	big_endian(b, v, 1);
}

void binary_put_u64(struct buf *b, uint64_t v)
{
	binary_u32(b, 8);
	binary_u64(b, v);
}

void binary_put_bytes(struct buf *b, struct span v)
{
	assert(v.len <= INT32_MAX);
	binary_u32(b, (uint32_t)v.len);
	buf_add(b, v.at, v.len);
}

void binary_array(struct buf *b, enum binary_element type, size_t n)
{
	assert(n <= INT32_MAX);
	binary_u32(b, n > 0); /* dimensions */
	binary_u32(b, 1);     /* may hold nulls */
	binary_u32(b, type);
	if (n == 0)
		return;
	binary_u32(b, (uint32_t)n);
	binary_u32(b, 1); /* the first element's number */
}

#define ARRAY_HEAD 20
#define ELEMENT 12 /* its length and eight bytes */

bool binary_next_u64(struct span array, size_t *at, uint64_t *ret)
{
	size_t from = *at == 0 ? ARRAY_HEAD : *at;

	if (from + ELEMENT > array.len)
		return false;
	*ret = binary_read(array.at + from + 4, 8);
	*at = from + ELEMENT;
	return true;
}
