/* store_sql_heap - records of one page that share a fate, written to PostgreSQL in one statement. */
#ifndef CENTRAL_STORE_SQL_HEAP_H
#define CENTRAL_STORE_SQL_HEAP_H

#include "central/store_sql_private.h"

struct heap {
	const struct record **at; /* of one owner, in the page's order */
	size_t n;
};
void store_heap_init(struct heap *h, size_t most, struct arena *a);
void store_heap_add(struct heap *h, const struct record *r);
/* As many as one statement takes; borrowed. */
#define HEAP_PART 1000
struct heap store_heap_part(const struct heap *h, size_t from);

/*
 * An empty heap writes nothing.  CONFLICT sticks where a record is there already (insert), or they are not each
 * in one row (replace, remove, note).  Insert and replace count what is taken and add it to the digest.
 */
void store_heap_insert(struct meeting *m, const struct heap *h);
/* Rows of which it was seen in this transaction where they are. */
void store_heap_replace(struct meeting *m, const struct heap *h, const struct row_place *places);
/*
 * Are so many rather removed, and inserted?  Rows put anew take half of what an UPDATE does, which joins each with its new version and
 * carries that through thirteen arrays.  But they leave their places, and their entries in the index, to a vacuum, where an
 * UPDATE of some rows again and again mostly finds room beside them (HOT); so only of as many as a node brings that catches up.
 */
bool store_heap_is_put_anew(const struct heap *h);
void store_heap_remove(struct meeting *m, const struct heap *h, const struct row_place *places);
/* The owner is known to hold these versions. */
void store_heap_note(struct meeting *m, const struct heap *h);
/* The same for those alone that the store has in this version and did not know to be held; sets their noted[i]. */
void store_heap_note_same(struct meeting *m, const struct heap *h, bool *noted);

/*
 * Small pages' records, of several owners, each with its page's meeting.  The caller counts them and adds to the digests.
 */
struct mixed_heap {
	struct heap heap;
	struct meeting **of;
};
void store_mixed_init(struct mixed_heap *h, size_t most, struct arena *a);
void store_mixed_add(struct mixed_heap *h, struct meeting *m, const struct record *r);
void store_mixed_insert(struct db *db, const struct mixed_heap *h);
void store_mixed_replace(struct db *db, const struct mixed_heap *h);
void store_mixed_note(struct db *db, const struct mixed_heap *h);

#endif
