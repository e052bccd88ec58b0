/*
 * audit - who changed something, and what it was before and is after, as an event keeps it.  Pure.
 *
 * Both ends of a change are small JSON objects with what the change is about: never a secret, never a record's body.  An
 * end that was never written is null: there was nothing, or is nothing any more.
 */
#ifndef CENTRAL_AUDIT_H
#define CENTRAL_AUDIT_H

#include "central/node.h"
#include "shared/record.h"

#define AUTHOR_MAX 63              /* bytes of a name */
#define AUTHOR_SETTINGS "settings" /* who wrote the command line, the environment or the file */

struct author {
	const char *who;     /* a token's name, or "secret", "anyone", AUTHOR_SETTINGS */
	const char *address; /* where the request came from; NULL: by none */
};

struct audit {
	struct buf before, after; /* a JSON object, or nothing */
};
void audit_done(struct audit *a);

/* {"url", "title", "paused"}: of a node that came or went (NULL) all, else what is another.  False: nothing is. */
bool audit_node(struct audit *a, const struct node_row *before, const struct node_row *after);
/* {"id", "type", "hash"}, and "deleted" of a tombstone.  NULL: no such record. */
void audit_record(struct audit *a, const struct record *before, const struct record *after);
/* Another member, with a text, number or word of each end; an end that has none (NULL) is left alone. */
void audit_text(struct buf *end, const char *member, struct span value);
void audit_number(struct buf *end, const char *member, uint64_t value);
void audit_word(struct buf *end, const char *member, bool value);
void audit_time(struct buf *end, const char *member, int64_t us); /* -1: null */
/* No more members: {} where there is none. */
void audit_end(struct buf *end);

#endif
