/*
 * Pages of a world hold a few records.  What the store does only with very many it here does with every other page, as
 * the content has it, so that equal worlds go the same way.  Linked in place of its own (--wrap).
 */
#include "central/store_sql_heap.h"

bool __real_store_is_small(const struct page *p);
bool __wrap_store_is_small(const struct page *p);
bool __wrap_store_is_small(const struct page *p)
{
	return p->end.to.seq % 2 == 0 && __real_store_is_small(p);
}

bool __wrap_store_heap_is_put_anew(const struct heap *h);
bool __wrap_store_heap_is_put_anew(const struct heap *h)
{
	return h->n > 0 && h->at[0]->hash.half[0] % 2 == 0;
}
