/*
 * decoder - the records of a push, decoded by a thread of their own while the first of them are written already.
 *
 * A push of few is decoded at once, without a thread, as is one for which there is no thread to be had.
 * All functions are for the one thread that has started it.
 */
#ifndef LOCAL_DECODER_H
#define LOCAL_DECODER_H

#include "shared/push.h"

struct decoder;

/* `body` and `owner` are borrowed until decoder_free().  INVALID as push_begin(). */
enum err decoder_start(
	struct decoder **ret, struct span body, struct span owner, struct reason *why) MUST_USE;
/*
 * Waits for item `i`, counted from 0, of those that are records.  NULL: there are no more.  With it those behind it that are there as well:
 * *ret_n in a row.
 */
const struct push_item *decoder_items(struct decoder *d, size_t i, size_t *ret_n);
/* Waits until all is decoded. */
const struct push *decoder_push(struct decoder *d);
/* Also before all is decoded, which then remains undone. */
void decoder_free(struct decoder *d);

#endif
