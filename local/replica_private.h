/*
 * replica_private - what the parts of the replica share.
 *
 *   replica.c        opening, the write transaction
 *   replica_write.c  put, delete, apply, rename
 *   replica_replaced.c  versions that pushes replaced
 *   replica_row.c    rows <-> records, positions
 *   replica_known.c  what is known in memory: acknowledgements, news
 *   replica_read.c   the pool of readers; get, list, status
 *   replica_feed.c   pages, and the test of their basis
 *   replica_bucket.c bucket digests and their records
 */
#ifndef LOCAL_REPLICA_PRIVATE_H
#define LOCAL_REPLICA_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "gen/sql_local.h"
#include "local/replica.h"
#include "shared/entropy.h"
#include "shared/lite.h"

#define READERS_MAX 8

/* The state row. */
struct log_state {
	struct epoch epoch;
	struct position head;
	struct digest digest;
};

/* One centre's acknowledgement. */
struct heard {
	struct epoch centre;
	struct position witness;
	int64_t at_us; /* -1: not in this run */
};

/* In memory, under its lock; any thread. */
struct known {
	pthread_mutex_t lock;
	pthread_cond_t news; /* on the monotonic clock */
	uint64_t head_seq;   /* the log's end as last committed */
	uint64_t wakes;
	bool awake_for_good;
	struct heard heard[CENTRES_KEPT]; /* the latest first */
	size_t n_heard;
	uint64_t changes;          /* of heard[] */
	uint64_t stored;           /* `changes` when it was last written */
	struct epoch served_epoch; /* of the last page that was served, and where it ended */
	struct position served;
	unsigned contradictions;
};

/* How much is kept of what pushes replaced, as the transaction has it by now. */
struct shelf {
	bool known; /* false: to be read anew */
	uint64_t n, bytes;
};

struct readers {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct lite *idle[READERS_MAX];
	size_t n_idle;
	size_t n_open;
};

/* What of the database is not as it should be; for replica_ailments().  Any thread. */
struct complaints {
	pthread_mutex_t lock;
	bool writes_fail, damaged;
	struct reason write_why, damage_why;
	struct reason certificate; /* "": it holds for long, or there is none */
};

struct replica {
	char *path;
	char node[RECORD_OWNER_MAX + 1];
	uint64_t positions_kept, replaced_kept;
	int lock_fd;
	atomic_bool unusable;            /* the file is no longer ours */
	atomic_bool full;                /* the last write found no room on the disk, */
	_Atomic int64_t full_free_bytes; /* which then had so much left */
	atomic_bool low;                 /* as replica_room() last said */
	struct complaints complaints;
	struct known known;
	struct readers readers;

	/* The writer's, between begin and commit. */
	struct lite *lite;
	struct log_state tx; /* as the transaction has it by now */
	struct log_state before_job;
	bool changed, changed_before_job;
	uint64_t overwritten; /* rows, by this transaction */
	/* Positions before it may be gone; of an opening before this one it is not known, but not behind what a centre then had. */
	atomic_uint_fast64_t pruned_below;
	uint64_t actor;       /* 0: a fresh one is to be taken */
	struct position last; /* the log's end as this process left it */
	bool has_last;
	struct uuid7 made; /* the id that a record got last */
	struct shelf shelf;
	bool look_first;           /* the last record was there: new ones and others come in runs */
	bool error_known;          /* in this transaction */
	int64_t error_us;          /* the clock's */
	struct buf body, old_body; /* reused */
};

/* --- rows --- */

/* Columns of a whole record; spans until the next step.  `vv` is filled and pointed to. */
void row_read(struct query q, const struct replica *r, struct record *ret, struct vector *vv);
/* The same where anything may have been damaged.  False: its bytes do not give its hash. */
bool row_is_whole(struct query q, const struct replica *r, struct record *ret, struct vector *vv);
struct hash row_head(struct query q);
/* A copy that stays. */
void row_copy(const struct record *from, struct record *ret, struct arena *a);
void row_write(struct lite *l, const struct record *v, struct hash head);
/* False: the record has a row already, which stays. */
bool row_add(struct lite *l, const struct record *v, struct hash head);
struct hash column_hash(struct query q, int col); /* a blob of 16 bytes */
/* So many that are new, all or those before the first that is there already; returns how many. */
#define ROWS_AT_ONCE 16
size_t row_add_many(
	struct lite *l, const struct record v[ROWS_AT_ONCE], const struct hash head[ROWS_AT_ONCE]);
void bind_hash(struct query q, int place, const unsigned char bytes[16]);

/* False also after a failure, which sticks to `l`. */
bool state_read(struct lite *l, const char *node, struct log_state *ret);
void state_write(struct lite *l, const struct log_state *s);

/* --- positions --- */

bool position_find(struct lite *l, uint64_t seq, struct hash *ret);
/* Does a request with this basis speak of this log? */
enum feed_verdict position_verdict(
	struct lite *l, const struct log_state *s, const struct epoch *epoch, struct position witness);

/* --- versions that pushes replaced --- */

/*
 * Keeps the version whose row is at `seq`, before that is overwritten by a push; `bytes` are its body's.  False: there is no room
 * for it, since nobody is known to hold any of what is kept; nothing was done.
 */
bool replaced_keep(struct replica *r, uint64_t seq, size_t bytes);

/* --- answers framed like a page --- */

void frame_begin(
	const struct replica *r, const struct log_state *s, const struct page_request *q, struct buf *out);
/* Adds the times, the clock and what is wrong here, and writes the last line. */
void frame_end(struct replica *r, struct page_end *end, struct buf *out);
/* After the reading: notes what was answered, and refuses where the file was lost meanwhile. */
enum err served_end(struct replica *r, const struct page_request *q, const struct feed_served *served,
	struct feed_served *ret, struct reason *why) MUST_USE;

/* --- what is known --- */

void known_init(struct known *k);
void known_done(struct known *k);
void known_load(struct known *k, struct lite *l);
/* The oldest centre's; false when none has been heard of. */
bool known_oldest(struct known *k, struct heard *ret);
/* The furthest centre's; 0 when none has been heard of. */
uint64_t known_newest(struct known *k);
/* Within a write transaction, only if changed; returns what known_stored() is to be told after the commit. */
uint64_t known_write(struct known *k, struct lite *l);
void known_stored(struct known *k, uint64_t changes);
void known_head(struct known *k, uint64_t seq);
void known_serve(struct known *k, const struct epoch *epoch, struct position end);
/* A place was asked about that is not in the log; counted if it is what was served last. */
void known_contradict(struct known *k, const struct epoch *epoch, struct position refused);

/* --- readers --- */

void readers_init(struct readers *p);
void readers_done(struct readers *p);
/* A reader with a read transaction begun and the state row read; waits for one.  Pair with reader_end(). */
enum err reader_begin(
	struct replica *r, struct lite **ret, struct log_state *state, struct reason *why) MUST_USE;
/* A further connection; in replica.c, with the other things of the file. */
enum err replica_open_reader(struct replica *r, struct lite **ret, struct reason *why) MUST_USE;
int64_t reader_updated_after(struct lite *l, uint64_t seq); /* of the first record after seq; -1 = none */
/* Ends the transaction; the first failure within it, or that `out` has no memory (`out` may be NULL). */
enum err reader_end(struct replica *r, struct lite *l, const struct buf *out, struct reason *why) MUST_USE;

#endif
