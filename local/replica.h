/*
 * replica - a local's database: its records, its log, its epoch.
 *
 * Every change takes the next seq in the writing transaction, and the head is chained
 * over it.  Digest, seq and head move with the rows.  The feed is state-based: the newest version of
 * each record, by seq.  Heads of overwritten rows are kept (`positions`) from the older of
 * every centre's acknowledged position and the last POSITIONS_KEPT seqs, so that a centre's witness can be
 * looked up; a position below that horizon which is in no row counts as not in the log.
 *
 * Threads: one writer connection, used only between replica_write_begin() and the commit or rollback
 * (writer.h sees to that), and a pool of readers; all reading functions may be called from any thread.
 */
#ifndef LOCAL_REPLICA_H
#define LOCAL_REPLICA_H

#include "shared/bucket.h"
#include "shared/push.h"

struct replica;

#define POSITIONS_KEPT 100000
#define CENTRES_KEPT 8
/*
 * Versions that pushes replaced are kept, the latest of them and so many bytes of bodies: what no centre has acknowledged never goes.  More than
 * two pages hold, so that a centre that has pulled before it pushes never meets the limit.
 */
#define REPLACED_KEPT 20000
#define REPLACED_BYTES (48 * 1024 * 1024)

struct replica_config {
	const char *path;
	const char *node;        /* DENIED when the database is another node's */
	uint64_t positions_kept; /* 0 = POSITIONS_KEPT; small in tests */
	uint64_t replaced_kept;  /* 0 = REPLACED_KEPT; the same */
};

/* Takes the file's lock.  DENIED: locked by another process, or another node's; INVALID: not our database. */
enum err replica_open(struct replica **ret, const struct replica_config *c, struct reason *why) MUST_USE;
void replica_close(struct replica *r);
const char *replica_node(const struct replica *r);

/* --- writing: between begin and commit, from the one thread that holds the writer --- */

enum err replica_write_begin(struct replica *r, struct reason *why) MUST_USE;
/*
 * OK: durable, and the file is still ours.  UNCERTAIN: unknown; a fresh actor is taken.
 * INTERNAL: the file was deleted or replaced: nothing may be acknowledged any more.
 * A transaction that changed nothing is not written.
 */
enum err replica_write_commit(struct replica *r, struct reason *why) MUST_USE;
void replica_write_rollback(struct replica *r);
/* One job of several in a transaction: a failed one is undone alone. */
void replica_job_begin(struct replica *r);
void replica_job_end(struct replica *r, bool keep);

/* Makes a version of a draft.  CONFLICT: the precondition failed.  The draft's limits have been checked. */
enum err replica_put(struct replica *r, const struct draft *d, const struct precondition *p,
	struct written *ret, struct reason *why) MUST_USE;
/* GONE when there never was one; deleting a deleted one changes nothing. */
enum err replica_delete(struct replica *r, struct span id, const struct precondition *p, struct written *ret,
	struct reason *why) MUST_USE;

/*
 * Compare-and-set of one pushed record: *ret says what to answer.  conflict: with the local's version, in `a`; also where
 * nothing more that is replaced can be kept before a centre has acknowledged what is.  rejected: it vouches for writes of this process that were never
 * made, and would have the real ones taken for old.
 */
enum err replica_apply(struct replica *r, const struct push_item *item, struct push_answer *ret,
	struct arena *a, struct reason *why) MUST_USE;
/*
 * The same for the first of `n` that are in a row, if there are many and nothing is expected of any: returns how many were applied, quicker
 * than one by one.  0, or fewer than `n`: the next one is for replica_apply().
 */
size_t replica_apply_new(struct replica *r, const struct push_item *items, size_t n);
/* Has the commit write, though nothing is new: tells whether it can be. */
void replica_touch(struct replica *r);
/* Within the same transaction: where the log and digest stand now. */
void replica_position(struct replica *r, struct position *ret, struct digest *digest);

/* CONFLICT: neither `from` nor `to` is the epoch (*ret_now says which). */
enum err replica_rename_epoch(struct replica *r, const struct rename_request *q, enum rename_result *ret,
	struct epoch *ret_now, struct reason *why) MUST_USE;

/* --- reading, any thread --- */

/* Is the basis of a request ours?  epoch_changed and rewound are answers, not failures. */
enum feed_verdict { FEED_SERVED, FEED_EPOCH_CHANGED, FEED_REWOUND };
struct feed_served {
	enum feed_verdict verdict;
	bool ahead; /* rewound, though the witness is in the log: it is `after` that is beyond its end */
	struct epoch epoch;  /* the present one */
	size_t records;      /* in the page; 0 unless served */
	struct page_end end; /* valid when served */
};
/*
 * One page in one read transaction, appended to `out` from the first line to the last.
 * `after` beyond the log is FEED_REWOUND too.
 */
enum err replica_feed(struct replica *r, const struct page_request *q, int64_t t_recv_us,
	struct feed_served *ret, struct buf *out, struct reason *why) MUST_USE;
/* The same test for a push or rename, inside the write transaction. */
enum err replica_check_basis(struct replica *r, const struct epoch *epoch, struct position witness,
	enum feed_verdict *ret, struct epoch *ret_epoch, struct reason *why) MUST_USE;

/*
 * A centre's request says how far it holds everything.  Kept in memory at once, and on disk with the next
 * write: an older one on disk only makes more be kept.
 */
void replica_acknowledge(struct replica *r, const struct epoch *centre, struct position held);

/* Asked about once a second while somebody waits (NULL: never), without a lock: is there nobody any more who waits? */
typedef bool replica_over_fn(const void *ctx);
/* Waits until the log's end is past `after`, the deadline passes, it is over, or replica_wake().  Any thread. */
void replica_wait_news(
	struct replica *r, uint64_t after, int64_t timeout_ms, replica_over_fn *over, const void *ctx);
/* Lets all waiters go; `for_good` also all later ones (before stopping). */
void replica_wake(struct replica *r, bool for_good);

/* Has the file been deleted or replaced under us?  Then nothing is stored any more, and the program is to end.  Any thread. */
bool replica_is_lost(struct replica *r);
/* INTERNAL, in those words. */
enum err replica_refuse(struct reason *why);

/*
 * How often in this run the log did not hold what this very process had served from it.  Once: another copy was written
 * over the database, which the centre's repair sets right.  Again: it is damaged, and would be repaired for ever.  Any thread.
 */
unsigned replica_contradictions(struct replica *r);

/*
 * Free bytes where the database lies; -1: not known.  *ret_low: less than the next writes may need, until there is
 * clearly more.  Any thread.
 */
int64_t replica_room(struct replica *r, bool *ret_low);
/* Did the last write find no room on the disk?  Until one finds some, or some is seen.  Any thread. */
bool replica_is_full(struct replica *r);

/* Somebody found it damaged; it stays so in this run.  Any thread. */
void replica_note_damage(struct replica *r, const char *what);
/* What the program's certificate comes to, told with the others; "": it is well.  Any thread. */
void replica_note_certificate(struct replica *r, const char *what);
/* What is wrong with it though it serves.  Any thread. */
void replica_ailments(struct replica *r, struct ailments *ret);

/* A record and its bytes, in `a`.  GONE when there is none; a tombstone is returned as one. */
enum err replica_get(
	struct replica *r, struct span id, struct record *ret, struct arena *a, struct reason *why) MUST_USE;

/* Appends `{"records":[…],"next":…}`; fewer than the limit when they are large. */
enum err replica_list(
	struct replica *r, const struct record_query *q, struct buf *out, struct reason *why) MUST_USE;

/* The same of versions that pushes replaced, by the place in the log that each had, after `after`. */
enum err replica_replaced(
	struct replica *r, uint64_t after, unsigned limit, struct buf *out, struct reason *why) MUST_USE;

struct replica_status {
	struct epoch epoch;
	struct position head;
	struct digest digest;
	struct position acknowledged;     /* the oldest centre's; seq 0 = none */
	int64_t acknowledged_at_us;       /* -1 = never in this run */
	uint64_t unacknowledged;          /* records with a later seq */
	int64_t oldest_unacknowledged_us; /* -1 = none */
	int64_t disk_free_bytes;          /* -1 = not known */
	bool usable;
	bool full; /* the last write found no room on the disk, and none has come since */
	bool low;  /* there is less than the next writes may need */
};
enum err replica_status(struct replica *r, struct replica_status *ret, struct reason *why) MUST_USE;

/*
 * The digest of each bucket that is not empty, from the rows; and the records of some buckets by rising seq.  Each in one
 * read transaction, framed like a page that ends at the head, after the same test of the basis as replica_feed();
 * `records` counts what was sent.
 */
enum err replica_buckets(struct replica *r, const struct page_request *q, unsigned bits, int64_t t_recv_us,
	struct feed_served *ret, struct buf *out, struct reason *why) MUST_USE;
/* INVALID: more than q->max_bytes, or more records than a page may hold. */
enum err replica_fetch(struct replica *r, const struct page_request *q, const struct bucket_set *wanted,
	int64_t t_recv_us, struct feed_served *ret, struct buf *out, struct reason *why) MUST_USE;

#endif
