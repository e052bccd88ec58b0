/*
 * settle - what an answer moves once its rows are written: position, sweep, and what is told.
 *
 * Speaks no SQL: every back-end of the store uses it, so that they cannot drift.  Pure.
 */
#ifndef CENTRAL_SETTLE_H
#define CENTRAL_SETTLE_H

#include "central/store.h"

/* Are all stored fields the same, so that nothing need be written? */
bool settle_same_sync(const struct node_sync *a, const struct node_sync *b);
/* Are they, but for the cursor, the witness and the digest of what is here: what an ordinary page moves? */
bool settle_only_moved(const struct node_sync *a, const struct node_sync *b);

/* The cursor goes to the page's end; the witness only forward. */
void settle_page(struct node_sync *s, const struct page_end *end);
/* The witness forward; the comparison ends where nothing differs, and gives way to a reset where too much does. */
void settle_digest(struct node_sync *s, enum apart_verdict v, const struct page_end *end);
/* The witness forward; with the last buckets the comparison ends. */
void settle_fetched(struct node_sync *s, const struct fetched *f, const struct page_end *end);
/* The witness and the sweep, only forward. */
void settle_push(struct node_sync *s, const struct push_page *sent, const struct page_end *end);
/*
 * The cursor past records that were just applied, when the chain of heads proves that nothing else came
 * between: they need not be read back.  Before settle_push().
 */
void settle_own(struct node_sync *s, const struct push_page *sent, const struct push_answer *const *by_item,
	const struct page_end *end);
/* A decision made from an older reading of the node keeps what others may have moved since. */
void settle_change(const struct node_sync *now, struct node_sync *to);

/*
 * Which answer belongs to which item: ret[i] for sent->items[i], NULL = rejected by a local that could not
 * even read its id.  What a brief answer leaves out was applied.  INVALID unless there is one answer to each.
 */
enum err settle_match(const struct push_page *sent, const struct push_answers *answers,
	const struct push_answer **ret, struct reason *why) MUST_USE;

/* The events of an exchange, up to SETTLE_EVENTS; returns how many. */
#define SETTLE_EVENTS 6
unsigned settle_pull_events(const struct pull_apply *p, struct event ret[SETTLE_EVENTS]);
void settle_digest_event(const struct digest_apply *p, struct event *ret);
unsigned settle_push_events(
	const struct push_apply *p, const struct push_answer *rejection, struct event ret[SETTLE_EVENTS]);

#endif
