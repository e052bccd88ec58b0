#include "central/postgres_binary.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

void binary_u16(struct buf *b, uint16_t v)
{
	uint16_t big = htobe16(v);

	buf_add(b, &big, sizeof(big));
}

void binary_u32(struct buf *b, uint32_t v)
{
	uint32_t big = htobe32(v);

	buf_add(b, &big, sizeof(big));
}

void binary_u64(struct buf *b, uint64_t v)
{
	uint64_t big = htobe64(v);

	buf_add(b, &big, sizeof(big));
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

/* One addition each: a page has as many of these as it has records, sixteen times. */
void binary_put_bool(struct buf *b, bool v)
{
	const char field[5] = {0, 0, 0, 1, v};

	buf_add(b, field, sizeof(field));
}

void binary_put_u64(struct buf *b, uint64_t v)
{
	char field[12] = {0, 0, 0, 8};
	uint64_t big = htobe64(v);

	memcpy(field + 4, &big, sizeof(big));
	buf_add(b, field, sizeof(field));
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
