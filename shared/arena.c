#include "shared/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/err.h"

#define BLOCK_BYTES ((size_t)16 * 1024)
#define FIRST_BYTES ((size_t)960) /* enough for many a request; so little that malloc has it at hand */

struct arena_block {
	struct arena_block *next;
	size_t used, size; /* of `bytes` */
	alignas(max_align_t) unsigned char bytes[];
};

void arena_done(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
}

/* Not by calloc(), which passes by what malloc() keeps for the thread. */
static struct arena_block *add_first(struct arena *a)
{
	struct arena_block *block = malloc(sizeof *block + FIRST_BYTES);
	if (!block)
		err_out_of_memory();
	memset(block, 0, sizeof *block + FIRST_BYTES);
	block->size = FIRST_BYTES;
	a->blocks = block;
	return block;
}

/* Something large gets a block of its own behind the first, whose room is left to small things. */
static struct arena_block *add_block(struct arena *a, size_t bytes)
{
	size_t size = bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES;
	if (!a->blocks && bytes <= FIRST_BYTES)
		return add_first(a);
	struct arena_block *block = calloc(1, sizeof *block + size);
	if (!block)
		err_out_of_memory();
	block->size = size;
	if (a->blocks && size != BLOCK_BYTES) {
		block->next = a->blocks->next;
		a->blocks->next = block;
	} else {
		block->next = a->blocks;
		a->blocks = block;
	}
	return block;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	const size_t align = alignof(max_align_t);
	assert(bytes <= SIZE_MAX / 2);
	bytes = (bytes + align - 1) / align * align;
	if (bytes == 0)
		bytes = align;
	struct arena_block *block = a->blocks;
	if (!block || block->size - block->used < bytes)
		block = add_block(a, bytes);
	void *ret = block->bytes + block->used;
	block->used += bytes;
	return ret;
}

char *arena_copy(struct arena *a, const char *bytes, size_t len)
{
	char *ret = arena_alloc(a, len + 1);
	if (len > 0)
		memcpy(ret, bytes, len);
	return ret;
}
