/*
 * store_sql_private - what the files of the store share: connections, rows to structs and back.
 *
 * The store speaks SQL through db.h, to SQLite or PostgreSQL.  Functions that take a `struct db` run inside a
 * transaction of it and stick their failures to it.
 */
#ifndef CENTRAL_STORE_SQL_PRIVATE_H
#define CENTRAL_STORE_SQL_PRIVATE_H

#include <stdatomic.h>

#include <pthread.h>

#include "central/db.h"
#include "central/spate.h"
#include "central/store.h"
#include "gen/sql_central.h"

#define POOL_MAX 6
#define STORE_MARKS 4096

/* Connections of one kind, each used by one call at a time. */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct db *all[POOL_MAX], *free[POOL_MAX];
	unsigned n, n_free;
	unsigned most; /* more than n: the others are opened when they are first needed, */
	char *path;    /* SQLite's, on this file */
};

struct store {
	_Atomic enum merge_policy policy;
	atomic_uint_fast64_t events_kept, audit_kept;
	bool notify;
	enum log_level notify_level;
	uint64_t notices_kept;
	atomic_uint noticed;          /* by this opening */
	atomic_uint_fast64_t audited; /* the same of events with an author */
	struct spate *spate;
	struct epoch centre_id;
	struct pool writers, readers; /* SQLite has one writer, which alone checkpoints */
	bool tells[POOL_MAX];         /* this writer's transaction holds events; its user's */
	void (*told)(void *ctx);      /* or NULL */
	void *told_ctx;
	int lock_fd;               /* SQLite; else -1 */
	struct postgres *postgres; /* or NULL */

	pthread_mutex_t minting;
	struct dot last;           /* of this opening's own versions; actor 0 = none made yet */
	atomic_bool lost;          /* the file is no longer ours */
	atomic_uint_fast64_t life; /* see struct node_sync */
	/* By the owner's hash: pages lately held records that were there, so look before inserting, so often (PostgreSQL). */
	atomic_uchar look_first[256];
	/* By the owner's hash: rises when anything of the owner may be written; from a start that is this opening's alone. */
	atomic_uint_fast64_t touched[STORE_MARKS];
};

/* --- transactions --- */

struct db *store_write_begin(struct store *st);
/* Commits if `e` is OK, else rolls back; a failure that stuck comes before `e`. */
enum err store_write_end(struct store *st, struct db *db, enum err e, struct reason *why) MUST_USE;
struct db *store_read_begin(struct store *st);
enum err store_read_end(struct store *st, struct db *db, enum err e, struct reason *why) MUST_USE;
/*
 * Before anything of an owner is read in a transaction that may write it; all owners of a transaction at once.
 * Whoever writes an owner's records or its row holds this.
 */
void store_lock_owner(struct store *st, struct db *db, struct span owner);
void store_lock_owners(struct store *st, struct db *db, const struct span *owners, size_t n);
/*
 * The dot of the next version this centre makes; a fresh actor after a commit of unknown outcome, and when
 * the content may have been replaced under us.
 */
struct dot store_next_dot(struct store *st);

/* --- equal again (store_sql_proven.c) --- */

/* Something of the owner may be about to be written; its lock is held.  Locking touches, too. */
void store_touch_owner(struct store *st, struct span owner);
/* The owner's mark: while it is the same, nobody has locked the owner, and so written anything of it, since it was read under the lock. */
uint64_t store_mark_of(struct store *st, struct span owner);
/* For who mostly looks, and touches when it writes. */
void store_lock_owners_untouched(struct db *db, const struct span *owners, size_t n);
/* Within a transaction: true where the page is what it was before, of a node that was proven equal; it is then applied. */
bool store_prove_again(struct store *st, struct pull_apply *p);
/* Both ends are equal as of this transaction, whatever came of the page: notes the mark if that can be proven again by it. */
void store_note_proven(struct store *st, struct pull_apply *p);

/* --- nodes and events (store_sql_nodes.c, store_sql_operators.c, store_sql_events.c) --- */

/* False: never added (or the read failed).  A removed node is given as well. */
bool store_load_node(struct store *st, struct db *db, struct span name, struct node *ret);
bool store_load_row(struct store *st, struct db *db, struct span name, struct node_row *ret);
/* The columns of a node's row, from `col` on, but for the texts. */
void store_read_node(struct store *st, struct stmt q, int col, struct node *n);
/* The node of an exchange, if the basis still stands; else CONFLICT. */
enum err store_check_basis(struct store *st, struct db *db, const char *name, const struct node_sync *basis,
	struct node *n, struct reason *why) MUST_USE;
void store_save_sync(struct db *db, const char *name, const struct node_sync *s);
bool *store_tells(struct store *st, const struct db *db);                     /* of a writer */
uint64_t store_tell(struct store *st, struct db *db, const struct event *ev); /* its number */
void store_tell_all(struct store *st, struct db *db, const struct event *evs, size_t n);
/* What an answer of this node moved, as far as it is not held back (spate.h), and what was held back before. */
void store_tell_moves(struct store *st, struct db *db, const char *node, struct event *evs, unsigned n);
/* The same to be told later, together with others. */
struct told {
	struct event *at;
	size_t n, room;
};
void store_gather_moves(
	struct store *st, const char *node, const struct event *evs, unsigned n, struct told *ret);
void store_told_done(struct told *t);
/* The event becomes a notice if receivers want it (store_sql_notices.c). */
void store_notice(struct store *st, struct db *db, uint64_t id, int64_t at_us, const struct event *ev);

/* --- records (store_sql_rows.c) --- */

/* What the owner is known to hold of a record; `generation` says in which one that was learned. */
struct known {
	bool held;
	struct hash hash;
	uint64_t generation;
};
/*
 * What of it is valid now: what was learned in the present generation, and of a row that stands as it was known
 * before, what the sweep has passed.  For the sweep has sent that row and the owner took it, which is not written to
 * the row: a refill would write the whole table.  So whoever changes a row writes what is valid with it.
 */
struct known store_known(const struct known *k, const struct record *row, const struct node_sync *sync);

/* Enough of the present row to compare with. */
struct standing {
	bool present;
	struct record record; /* deleted, dot, vv and hash alone */
	struct vector vv;
	struct known known;
	bool refused;
};
void store_look(struct db *db, struct span owner, struct span id, struct standing *ret);
/* deleted, dot, vv, hash, known, refused from `col` on; `id` is borrowed. */
void store_read_standing(struct stmt q, int col, struct span owner, struct span id, struct standing *ret);

/* Where a row stands in PostgreSQL (ctid), as it sends it: until somebody changes it. */
struct row_place {
	char bytes[6];
};
void store_read_place(struct stmt q, int col, struct row_place *ret);

/* The record columns of a row, borrowed until the next step. */
void store_read_record(struct stmt q, struct record *ret, struct vector *vv);
struct known store_read_known(struct stmt q, int col);
/* The same in the arena's memory. */
struct hash store_read_hash(struct stmt q, int col); /* of its two halves */
void store_keep_record(struct record *r, struct arena *a);
/* The query's one record; ends the query.  False: not there. */
bool store_take_record(struct stmt q, struct record *ret, struct arena *a);
bool store_load_record(struct db *db, struct span owner, struct span id, struct record *ret, struct arena *a);

/* False: there is a row already, and it stays as it is. */
bool store_insert_record(struct db *db, const struct record *r, const struct known *k);
/* INVALID sticks where no row is changed: the digest would count what is not there. */
void store_replace_record(struct db *db, const struct record *r, const struct known *k);
/* The same, of one that was to be inserted. */
void store_record_left_out(struct db *db, const struct record *r);
/* Writes nothing where the row is gone or says so already. */
void store_note_known(struct db *db, const struct record *r, const struct known *k, bool refused);
/* False: this version is archived already. */
bool store_archive(struct db *db, const struct record *r, const char *cause);
bool store_any(struct db *db, int statement, const char *owner);
/* What the statement `of` counts for an owner, `all` where that is NULL. */
enum err store_count(
	struct store *st, int all, int of, const char *owner, uint64_t *ret, struct reason *why) MUST_USE;

/* --- one record of a local meets the store's (store_sql_meet.c) --- */

struct meeting {
	struct store *st;
	struct db *db;
	struct node_sync *sync;
	bool look_first; /* the last record was there: new ones and changed ones come in runs */
	struct arena arena;
	uint64_t taken, kept, conflicts, archived, centre_restored;
	struct quarantine_moves quarantine;
	const struct record *culprit; /* which one failed, as far as can be told; NULL = not known */
};
void store_meet(struct meeting *m, const struct record *l);
/* Its two halves, where the store's row has been looked at. */
struct merge store_compare(
	const struct meeting *m, const struct record *l, const struct standing *s, bool *ret_was_known);
void store_meet_present(struct meeting *m, const struct record *l, const struct standing *s);
/* What is to be done with one whose row has been looked at, where many are written at once. */
enum fate {
	FATE_STAYS, /* nothing */
	FATE_NOTED, /* known to be held */
	FATE_TAKEN, /* it takes the row's place */
	FATE_HARD   /* store_meet_present() */
};
enum fate store_fate(const struct meeting *m, const struct record *l, const struct standing *s);
/* FATE_TAKEN: of the digest and the count. */
void store_count_replaced(struct meeting *m, const struct record *l, const struct standing *s);
void store_sum_rows(struct db *db, const char *owner, struct digest *ret);

/* --- buckets (store_sql_bucket.c) --- */

/* A page of some buckets' records has been applied: what is missing in it is held no longer. */
void store_note_missing(struct db *db, const struct pull_apply *p);
/* The comparison has ended: what the owner had rejected is offered again. */
void store_unrefuse(struct db *db, const char *owner);

/* --- many at once, in PostgreSQL (store_sql_bulk.c) --- */

/*
 * All records of a page are new, so that they can go in as they are: CONFLICT sticks if one is not.  Else the
 * store is looked at first; CONFLICT where two lines of the page are of one record.
 */
void store_bulk_insert(struct meeting *m, const struct page *p);
void store_bulk_meet(struct meeting *m, const struct page *p, bool *ret_any_present);
/* The owner is known to hold these versions. */
void store_bulk_known(struct meeting *m, const struct record *const *rs, size_t n);

/* Small pages of several nodes: their records go in together (store_sql_small.c). */
struct small_page {
	struct meeting *m;
	const struct page *page;
	bool look; /* what is there is looked at first; else CONFLICT sticks if any record is */
	bool any_present;
};
bool store_is_small(const struct page *p);
void store_small_meet(struct db *db, struct small_page *pages, size_t n);

/* --- several nodes at once (store_sql_many.c): with PostgreSQL one statement for all --- */

/* ret[i]: an empty name where store_load_node() would say false.  `places`: where their rows stand, of PostgreSQL's; or NULL. */
void store_load_nodes(struct store *st, struct db *db, const char *const *names, size_t n, struct node *ret,
	struct row_place *places);
/* Has a node anything that is to be pushed, or that it refused? */
struct pushable {
	bool differs, refused;
};
void store_pushable(
	struct store *st, struct db *db, const char *const *names, size_t n, struct pushable *ret);
/* Where nothing has changed nothing is written. */
struct sync_move {
	const char *node;
	const struct row_place *at; /* as store_load_nodes() found it in this transaction */
	const struct node_sync *from, *to;
};
void store_save_syncs(struct store *st, struct db *db, const struct sync_move *moves, size_t n);

/* --- what the database refuses of a page (store_sql_sift.c, store_sql_quarantine.c) --- */

/*
 * A page that failed with INVALID, again, in halves until each record that is refused is alone.  *ret are those, in
 * the meeting's arena; refused[i] tells it of page->records[i].  INVALID sticks where it is not the records' fault.
 */
void store_sift(
	struct meeting *m, const struct page *page, bool *refused, struct page_refused **ret, size_t *ret_n);
/* Entries in and out, after the page's records have been met; `refused` (NULL = none) as above. */
void store_quarantine_settle(struct meeting *m, const struct page *page, const bool *refused,
	const struct page_refused *by_store, size_t n);
/* The owner holds no version of this record any more that is in quarantine; what is there stays. */
void store_quarantine_unheld(struct db *db, struct span owner, struct span id, uint64_t generation);
void store_quarantine_forget(struct db *db, struct node_sync *sync, uint64_t number);
/* So that any encoding of the database can hold it. */
void store_quarantine_plain(char *text);
void store_quarantine_explained(struct db *db, const char *owner, struct explained *ret);

#endif
