/*
 * record - what is replicated: its fields, its limits, its hash, its one line of JSON.
 *
 * A record is checked once, where it is born; its bytes never change from then on.
 * The one line is the same everywhere: feed, push, API.  Pure; thread-safe.
 */
#ifndef SHARED_RECORD_H
#define SHARED_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/err.h"
#include "shared/hash.h"
#include "shared/members.h"
#include "shared/version.h"

#define RECORD_OWNER_MAX 63
#define RECORD_ID_MAX 64
#define RECORD_TYPE_MAX 32
#define RECORD_BODY_MAX (256 * 1024)
/* An upper bound on one encoded line: body, names, a full vector, times, braces. */
#define RECORD_LINE_MAX (RECORD_BODY_MAX + 4096)

/* All spans and `vv` are borrowed from whoever made the record. */
struct record {
	struct span owner, id, type;
	struct span body; /* JSON text on one line; `null` for a tombstone */
	bool deleted;
	struct dot dot;
	const struct vector *vv; /* NULL: only the dot */
	struct hash hash;
	int64_t created_at_us, updated_at_us;
	int64_t clock_error_us; /* -1: the writer's clock was not synchronised */
	uint64_t seq;           /* its place in a local's log; 0 = not said */
};

/* Said to whoever broke it. */
#define RECORD_OWNER_RULE "not a node's name: 1 to 63 of a-z 0-9 . _ -, a letter or digit first"
#define RECORD_ID_RULE "not 1 to 64 of A-Z a-z 0-9 . _ : -"
#define RECORD_TYPE_RULE "not 1 to 32 of a-z 0-9 _ -"
#define RECORD_BODY_RULE "larger than 262144 bytes"
#define RECORD_HASH_RULE "does not fit the record"

bool record_owner_ok(struct span owner); /* [a-z0-9][a-z0-9._-]{0,62} */
bool record_id_ok(struct span id);
bool record_type_ok(struct span type);

/* The hash of all fields but the times and seq. */
struct hash record_hash(const struct record *r);
/* Of each of `n`, at most HASH_LANES: is its hash that of its fields?  Quicker than one by one. */
void record_prove(const struct record *const *r, size_t n, bool *ret);
/* The log's next head: BLAKE2b-128(head ‖ seq ‖ id ‖ hash). */
struct hash record_chain(struct hash head, uint64_t seq, struct span id, struct hash hash);

/* One JSON object without a line end. */
void record_encode(const struct record *r, struct buf *out);
/* The same without the closing brace, for more members. */
void record_encode_open(const struct record *r, struct buf *out);

/*
 * Reads one such object, strictly, and checks limits and hash.  Unknown fields are passed
 * over, an absent `owner` is taken from `owner`; another owner than `owner` (unless that is
 * empty) is refused.  Spans point into `line` or `a`.  INVALID with the cause.
 */
struct record_decode {
	struct span owner;           /* empty: any */
	struct json_value *expected; /* out, of a push: raw.at == NULL = absent; else NULL */
	bool unproven;               /* its hash is read, and left to record_prove() */
};
enum err record_decode(struct record *ret, struct span line, const struct record_decode *how, struct arena *a,
	struct reason *why) MUST_USE;

/* What a line that record_decode() refuses still says: which record, which version, where in the log. */
struct record_claim {
	struct span id; /* fits RECORD_ID_RULE */
	struct hash hash;
	uint64_t seq; /* 1 or more */
};
/*
 * False: not even that.  Also where the line is no JSON (a byte of its body was lost), as long as the members before
 * and after the body stand as record_encode() writes them.  `id` points into `line` or `a`.
 */
bool record_claim(struct span line, struct record_claim *ret, struct arena *a) MUST_USE;

/* What a person or application hands in: not yet a version. */
struct draft {
	struct span owner; /* the centre's API only; empty at a local */
	struct span id;    /* empty: one is made */
	struct span type;
	struct span body; /* as it came; put on one line when it becomes a version */
};
/* What became of a draft. */
struct written {
	char id[RECORD_ID_MAX + 1];
	uint64_t seq;
	struct hash hash;
	bool created, changed; /* changed = false: the same content was there already */
};
/* What must hold of the present version (If-Match, If-None-Match). */
struct precondition {
	bool must_match; /* the hash is this one */
	struct hash hash;
	bool must_be_absent; /* absent or deleted */
};
/* So many rows a page of a list looks at, at most: of those that are asked for there may be few, or none, among millions. */
#define RECORD_LOOKS 10000
struct record_query {
	struct span owner; /* the centre's; empty = any */
	struct span after; /* the last key of the page before ("id" at a local, "owner/id" at the centre);
			      empty = from the start */
	struct span type;  /* empty = any */
	bool deleted;      /* include tombstones */
	unsigned limit;    /* 1 … 1000 */
	unsigned looks;    /* 0: RECORD_LOOKS */
};

struct drafts {
	struct draft *at;
	size_t n;
	struct arena arena;
};
void drafts_done(struct drafts *d);

/*
 * One object, an array of objects, or objects one a line.  At most 10,000. INVALID:
 * `*ret_line` (from 1) and `*ret_code` ("bad_json", "bad_id", "bad_type", "bad_request",
 * "too_many_records", "body_too_large") say where and what.  `owner_wanted`: `owner` is a
 * required member; else it is passed over, as all members of a record that a draft does not
 * have (what was exported can be imported).
 */
enum err drafts_parse(struct drafts *ret, struct span text, bool owner_wanted, size_t *ret_line,
	const char **ret_code, struct reason *why) MUST_USE;
/* The body of PUT: {type, body}. */
enum err draft_parse_put(struct draft *ret, struct span text, struct arena *a, const char **ret_code,
	struct reason *why) MUST_USE;

#endif
