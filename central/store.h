/*
 * store - the durable state of the centre.
 *
 * Everything above this header speaks of nodes, pages and records; everything below it
 * speaks SQL.  tests/contract holds every back-end to these promises:
 *   - rows, positions, digests, archived losers and the event of an exchange move in one transaction;
 *   - a reply is applied only if its basis still stands (node_sync_same_basis); else CONFLICT, nothing
 * changes;
 *   - a transaction that would change nothing is not written;
 *   - after UNCERTAIN nothing is remembered: the next call reads the database.
 *   - what was proven equal is proven again from memory only while nobody has touched anything of the owner since;
 *   - a count that is wanted (recount) is only proven by a page whose request asked for one;
 *   - a record that the database refuses for what it is does not hold up the others: it goes into quarantine;
 * A store may be used from any thread; calls may block on the database, none calls back.
 *
 * Events it adds itself, in the transaction of what they tell of: node.added, node.changed, node.removed, node.paused,
 * node.resumed, node.rotated; token.added, token.removed; record.written, record.deleted, records.written, conflict.promoted where a person did it;
 * pulled, pushed, rejected, compared, conflict, quarantined, released, CENTRE_REWOUND, DIVERGED.
 *
 * Calls that change what people decide take their author: NULL = no person.  An event with an author is of the audit,
 * which is kept apart: no number of others takes its place.  There are four kinds, each with its own bound, beyond which
 * the oldest go by and by: those without an author (config.events_kept); of the audit (config.audit_kept) what only
 * administrators may do, who signed in and out, and all else.
 */
#ifndef CENTRAL_STORE_H
#define CENTRAL_STORE_H

#include "central/audit.h"
#include "central/keyring.h"
#include "central/merge.h"
#include "central/node.h"
#include "central/notice.h"
#include "central/proof.h"
#include "shared/log.h"
#include "shared/page.h"
#include "shared/push.h"

#define STORE_EVENTS_KEPT 100000
#define STORE_AUDIT_KEPT 100000
#define STORE_NOTICES_KEPT 10000
#define STORE_DELIVERIES_KEPT 1000

struct store;

enum store_url_kind { STORE_UNKNOWN, STORE_SQLITE, STORE_POSTGRES };
enum store_url_kind store_url_kind(const char *url);

struct store_config {
	/* sqlite:FILE (also sqlite:file:/x?vfs=memdb), or what libpq takes: postgresql://… with several hosts */
	const char *url;
	enum merge_policy policy;
	uint64_t events_kept;        /* at least so many of the newest; 0 = STORE_EVENTS_KEPT */
	uint64_t audit_kept;         /* the same of each kind of the audit; 0 = STORE_AUDIT_KEPT */
	bool notify;                 /* events become notices for the receivers (below): */
	enum log_level notify_level; /* those of this level and worse, and what ends them (notice_want()) */
	uint64_t notices_kept;       /* at least so many of the newest; 0 = STORE_NOTICES_KEPT */
};

/*
 * DENIED: locked by another centre; INVALID: not our database, newer schema, unknown kind of URL; RETRY: cannot
 * be reached (yet).
 */
enum err store_open(struct store **ret, const struct store_config *c, struct reason *why) MUST_USE;
void store_close(struct store *st); /* NULL is allowed */
/* The embedded store: has it written since it was last asked, or does it now? */
bool store_wrote(struct store *st);
/* Gives back the memory of what it keeps of the file, which is of most use to who writes. */
void store_rest(struct store *st);
/* Other values of the configuration's three, from the next transaction on. */
void store_retune(struct store *st, enum merge_policy policy, uint64_t events_kept, uint64_t audit_kept);
const char *store_kind(const struct store *st); /* "sqlite", "postgresql" */
/* Somebody wants it now: a server that is away is tried again at the next call, whatever was to be waited for. */
void store_hurry(struct store *st);
/*
 * Was the store's file deleted or replaced under us?  Then nobody will see what is written, and the program is to end.
 * Always false in PostgreSQL.
 */
bool store_is_lost(struct store *st, struct reason *why);
/* Can it write?  For readiness; cheap. */
enum err store_ping(struct store *st, struct reason *why) MUST_USE;
/* The id that locals keep acknowledgements under: made once, kept in the store. */
struct epoch store_centre_id(const struct store *st);

/* --- nodes --- */

struct nodes {
	struct node_row *at; /* by name */
	size_t n;
};
void nodes_done(struct nodes *ns);
enum err store_nodes(struct store *st, struct nodes *ret, struct reason *why) MUST_USE;
/* GONE: never added, or removed. */
enum err store_node(struct store *st, const char *name, struct node *ret, struct reason *why) MUST_USE;
enum err store_node_row(
	struct store *st, const char *name, struct node_row *ret, struct reason *why) MUST_USE;
#define STORE_NODES_MAX 20000
/* CONFLICT: the name or URL is taken, or there are STORE_NODES_MAX.  A removed node continues where it was. */
enum err store_node_add(struct store *st, const struct author *by, const char *name, const char *url,
	const char *title, struct reason *why) MUST_USE;
/* A node that is to be there. */
struct node_wanted {
	const char *name, *url;
	bool added; /* out */
};
/*
 * Adds those of which the store has never known a node, all in one transaction or none, whatever there are; the others are for
 * store_node_add().  The caller has seen that they go (roster.h); CONFLICT: somebody came in between.
 */
enum err store_nodes_add(struct store *st, const struct author *by, struct node_wanted *nodes, size_t n,
	struct reason *why) MUST_USE;
/* NULL = unchanged.  GONE, or CONFLICT for a taken URL.  *ret_told (or NULL) is what its event says; "" where nothing is another. */
enum err store_node_edit(struct store *st, const struct author *by, const char *name, const char *url,
	const char *title, struct reason *ret_told, struct reason *why) MUST_USE;
/* Its records and its position stay. */
enum err store_node_remove(
	struct store *st, const struct author *by, const char *name, struct reason *why) MUST_USE;
enum err store_node_pause(struct store *st, const struct author *by, const char *name, bool paused,
	struct reason *why) MUST_USE;
enum err store_node_rotate(struct store *st, const struct author *by, const char *name,
	uint64_t *ret_rotation, struct reason *why) MUST_USE;

/* --- events: changes of state, and every exchange that moved records --- */

struct event {
	enum log_level level;
	const char *kind;   /* "node.state", "pulled", "WIPED", … as documented */
	const char *node;   /* NULL: of the centre */
	struct reason text; /* a sentence */

	const struct author *by;   /* NULL: no person's doing, and not of the audit */
	const struct audit *audit; /* what it changed; NULL: nothing that is kept, or no person did */
};
/* All in one transaction. */
enum err store_events_add(struct store *st, const struct event *evs, size_t n, struct reason *why) MUST_USE;
struct event_query {
	const char *node;       /* NULL = any */
	int least_level;        /* -1 = any; else this enum log_level and worse */
	uint64_t after, before; /* 0 = not given; neither = the newest */
	unsigned limit;
	bool oldest;     /* without `after` the oldest ones */
	bool no_moves;   /* without those of kinds that listing_is_move() */
	bool audit;      /* only those with an author, */
	const char *who; /* only this one's; NULL = any */
};
/* Appends {"events":[{id, at, level, kind, node, text, who, address, before, after}…],"next":…}. */
enum err store_events(
	struct store *st, const struct event_query *q, struct buf *out, struct reason *why) MUST_USE;
/* The same, one by one, within a transaction that reads: `each` must not call the store. */
struct listed_event;
typedef void store_event_fn(void *ctx, const struct listed_event *e);
enum err store_events_each(struct store *st, const struct event_query *q, store_event_fn *each, void *ctx,
	struct reason *why) MUST_USE;
/* How many events there are after the one and up to the other; *ret_next: the first after it that is not of the audit, or 0. */
enum err store_events_between(struct store *st, uint64_t after, uint64_t last, uint64_t *ret_n,
	uint64_t *ret_next, struct reason *why) MUST_USE;
/*
 * `told` is called after each commit that stored events (or may have), by whichever thread it was, which holds nothing
 * of the store.  Set before there are other threads.
 */
void store_on_events(struct store *st, void (*told)(void *ctx), void *ctx);

/* --- notices: events for receivers, each of which takes them in order, at its own pace --- */

/* The key names a receiver for ever: a hash of what may be a secret.  `shown` is for people. */
#define RECEIVER_KEY 16
struct receiver {
	char key[RECEIVER_KEY + 1];
	char shown[160];
};
/* From now on there are these: a new one begins with the next event, whoever is missing is forgotten. */
enum err store_receivers(struct store *st, const struct receiver *rs, size_t n, struct reason *why) MUST_USE;

/* A batch that a receiver is to take. */
struct delivery {
	uint64_t id;       /* 0: nothing waits */
	uint64_t last;     /* up to this event */
	uint64_t dropped;  /* notices that went by before it could take them */
	uint64_t attempts; /* that failed */
	struct notices notices;
};
enum delivery_outcome { DELIVERY_UNDER_WAY, DELIVERY_TAKEN, DELIVERY_ABANDONED };
/*
 * The batch that is under way for this receiver, as it was, or a new one of at most NOTICE_BATCH_MAX; written before
 * it is returned, so that it is the same one after a crash.  Writes nothing where nothing waits.  GONE: no receiver.
 */
enum err store_delivery_begin(
	struct store *st, const struct receiver *r, struct delivery *ret, struct reason *why) MUST_USE;
/* What became of an attempt; taken: the receiver moves behind it. */
enum err store_delivery_note(struct store *st, const struct receiver *r, const struct delivery *d, bool taken,
	int64_t took_us, const struct reason *answer, struct reason *why) MUST_USE;
/* How far it is, and how many notices wait for it.  GONE. */
enum err store_receiver(struct store *st, const char *key, uint64_t *ret_position, uint64_t *ret_waiting,
	struct reason *why) MUST_USE;
/* An event that every receiver is told, whatever its level. */
enum err store_notify_test(
	struct store *st, const struct author *by, uint64_t *ret_event, struct reason *why) MUST_USE;
/*
 * Appends {"notifications":[{id, at, receiver, first, last, events, dropped, attempts, outcome, tried_at, took_ms,
 * answer}…],"next":…}, rising; after 0 = the newest.
 */
enum err store_deliveries(
	struct store *st, uint64_t after, unsigned limit, struct buf *out, struct reason *why) MUST_USE;

/* --- API tokens, of which only hashes are stored --- */

enum err store_keys(struct store *st, struct keys *ret, struct reason *why) MUST_USE; /* all; keys_done() */
/* CONFLICT: the name is taken, or there are KEYS_MOST. */
enum err store_key_add(
	struct store *st, const struct author *by, const struct key *k, struct reason *why) MUST_USE;
/* GONE. */
enum err store_key_remove(
	struct store *st, const struct author *by, const char *name, struct reason *why) MUST_USE;
/* Its last use; nothing where it is gone. */
enum err store_key_used(struct store *st, const struct key *k, struct reason *why) MUST_USE;

/* --- exchanges --- */

/*
 * Quarantine keeps the lines of a local that are no record, and the records that the database refuses (a constraint
 * somebody added, a character its encoding lacks), whole and with the reason.  Proofs leave such a version out, and
 * what the centre holds of the same record is not pushed over it.  An entry goes when the local has another version,
 * or when the store takes it after all.
 */
#define QUARANTINE_MOST 1000 /* entries of one node; a page that would need more is refused, */
#define QUARANTINE_BYTES_MOST (32 * 1024 * 1024) /* as is one that would need more bytes */
/* A page of at least so many records none of which is taken says something of the store, not of them. */
#define QUARANTINE_WHOLE_PAGE 16

struct quarantine_moves {
	uint64_t in, out;
	char first[RECORD_ID_MAX + 1]; /* of those that went in */
	struct reason why;             /* for its sake */
};

/* That a page holds the records of some buckets, not what follows the cursor. */
struct fetched {
	struct bucket_set buckets;
	bool last;       /* nothing else differs: the comparison ends with them, */
	uint64_t cursor; /* and the feed goes on where the log ended when the digests were taken */
};

/* A page and what became of it. */
struct pull_apply {
	const char *node;
	const struct node_sync *basis; /* as the request was built */
	const struct page *page;
	const struct fetched
		*fetched; /* NULL: of the feed.  What is missing in it the local does not hold. */
	/* out: */
	enum err result; /* OK; CONFLICT: stale, discarded */
	struct reason why;
	struct node_sync sync; /* as stored now */
	uint64_t taken, kept, conflicts, archived, centre_restored;
	struct quarantine_moves quarantine;
	bool to_push; /* something differs, or the sweep has not ended */
	enum proof_verdict proof;
};
/*
 * All pages in one transaction (each node at most once); not OK: nothing of any was applied.  INVALID: the database
 * refuses something of the pages, to be tried one by one; of a single page: all of it, or more than quarantine
 * holds.
 */
enum err store_apply_pages(struct store *st, struct pull_apply *pages, size_t n, struct reason *why) MUST_USE;

/*
 * The local's digests of buckets, against those of what it is believed to hold.  Equal: the comparison ends and the
 * feed goes on from there.  Too much differs: a sync_reset().  Otherwise only the witness moves.
 */
struct digest_apply {
	const char *node;
	const struct node_sync *basis;
	const struct buckets *told;
	const struct apart_limits *limits;
	/* out: */
	struct node_sync sync;
	enum apart_verdict verdict;
	struct apart apart;
};
/* CONFLICT: stale. */
enum err store_apply_digest(struct store *st, struct digest_apply *p, struct reason *why) MUST_USE;

/* What differs of a node, oldest keys first; after a reset also what the sweep finds. */
struct push_page {
	struct push_item *items; /* n = 0: nothing (left) to push; a sweep that found its end is then ended */
	size_t n;
	size_t differing;                 /* the first so many differ, the others are the sweep's */
	char sweep_to[RECORD_ID_MAX + 1]; /* the sweep has looked up to here; "" = did not move */
	bool sweep_ends;
	size_t bytes;               /* encoded it has no more than so many */
	struct arena arena, bodies; /* the items' bodies, which nobody needs once they are encoded */
};
void push_page_done(struct push_page *p);
/* CONFLICT: the basis moved. */
enum err store_push_page(struct store *st, const char *node, const struct node_sync *basis, unsigned limit,
	size_t max_bytes, struct push_page *ret, struct reason *why) MUST_USE;

/*
 * What the sweep will find from `basis->sweep_after` on, which is where a page that is still on its way will move it; the
 * node is at `basis` otherwise.  Nothing is ended by it.
 */
enum err store_push_ahead(struct store *st, const char *node, const struct node_sync *basis, unsigned limit,
	size_t max_bytes, struct push_page *ret, struct reason *why) MUST_USE;

struct push_apply {
	const char *node;
	const struct node_sync *basis;
	const struct push_page *sent;
	const struct push_answers *answers;
	/* out: */
	struct node_sync sync;
	/*
	 * refused: the local held something else.  rejected: it cannot hold the record; that version is not
	 * offered again until it changes, the node is reset or the store is opened anew, and no proof is
	 * judged meanwhile.
	 */
	uint64_t applied, already, refused, rejected, conflicts, archived, centre_restored;
	struct quarantine_moves quarantine; /* of what the local holds in the place of what was pushed */
	bool to_push;
};
/* CONFLICT: stale.  INVALID: the answers are not to what was sent, each once; nothing is applied. */
enum err store_apply_push(struct store *st, struct push_apply *p, struct reason *why) MUST_USE;

/* A decision of exchange_reset.c: the node's new sync, and what to remember of epochs. */
struct sync_change {
	struct node_sync to;
	bool abandon; /* remember `abandoned` with its witness (an older memory of it stays) */
	struct epoch abandoned;
	struct position abandoned_witness;
	struct epoch forget; /* none = none: no longer abandoned */
};
/*
 * CONFLICT: stale.  GONE: removed.  `ev` may be NULL.  The digest is the store's own (an edit may have moved
 * it since the basis was read), and so is the sweep unless the generation changes.
 */
enum err store_move_node(struct store *st, const char *node, const struct node_sync *basis,
	const struct sync_change *change, const struct event *ev, struct reason *why) MUST_USE;
/* GONE: never abandoned. */
enum err store_abandoned(struct store *st, const char *node, const struct epoch *epoch,
	struct position *ret_witness, struct reason *why) MUST_USE;

/* What is counted of a node, for those who look. */
enum { STORE_COUNT_PUSH = 1, STORE_COUNT_REJECTED = 2, STORE_COUNT_CONFLICTS = 4 };
struct owner_counts {
	const char *owner;
	unsigned wanted; /* of the above; what is not stays as it is */
	/* out: */
	uint64_t to_push;  /* records that wait to be pushed; */
	int64_t oldest_us; /* since when the oldest of them does; -1 = none waits */
	uint64_t rejected; /* by its local: they are not offered again, and no proof is judged */
	uint64_t conflicts;
};
/* Thousands cost hardly more than one.  Nobody's are none. */
enum err store_counts(struct store *st, struct owner_counts *counts, size_t n, struct reason *why) MUST_USE;
/* How much waits to be pushed; counts rows, so for status only. */
enum err store_push_backlog(struct store *st, const char *node, uint64_t *ret_records, int64_t *ret_oldest_us,
	struct reason *why) MUST_USE;

/* --- records, for operators and applications of the centre --- */

/* A tombstone is returned as one.  GONE. */
enum err store_record(struct store *st, struct span owner, struct span id, struct record *ret,
	struct arena *a, struct reason *why) MUST_USE;
/* Appends {"records":[…],"next":"owner/id"|null}. */
enum err store_records(
	struct store *st, const struct record_query *q, struct buf *out, struct reason *why) MUST_USE;
/*
 * Hashes the bytes of some records of `owner` anew, from the id after `after` on: appends {"checked":N,"damaged":
 * [ID…],"next":ID|null}.  Damaged: its bytes no longer give its hash.  Bounded; reads only.
 */
enum err store_check(
	struct store *st, struct span owner, struct span after, struct buf *out, struct reason *why) MUST_USE;
/*
 * New versions of the centre, all or none.  GONE: an unknown or removed owner; CONFLICT: the precondition
 * (of that draft; the first that has no id in *ret).
 */
enum err store_put(struct store *st, const struct author *by, const struct draft *drafts, size_t n,
	const struct precondition *p, struct written *ret, struct reason *why) MUST_USE;
enum err store_delete(struct store *st, const struct author *by, struct span owner, struct span id,
	const struct precondition *p, struct written *ret, struct reason *why) MUST_USE;

struct conflict_query {
	const char *owner; /* NULL = any */
	uint64_t after;    /* 0 = from the first of the order */
	unsigned limit;
	bool newest; /* the newest first, not the oldest */
};

/* Appends {"conflicts":[{id, at, owner, record_id, why, record:{…}}…],"next":…}. */
enum err store_conflicts(
	struct store *st, const struct conflict_query *cq, struct buf *out, struct reason *why) MUST_USE;
/* Makes the archived version the present one, as a new version of the centre; says whose it is.  GONE. */
enum err store_conflict_promote(struct store *st, const struct author *by, uint64_t id,
	char ret_owner[RECORD_OWNER_MAX + 1], struct written *ret, struct reason *why) MUST_USE;
enum err store_conflict_count(
	struct store *st, const char *owner, uint64_t *ret, struct reason *why) MUST_USE;

/*
 * Appends {"quarantine":[{id, at, owner, record_id, hash, seq, held, reason, attempts, tried_at, line}…],"next":…};
 * `line` is the text as it came, bytes that are not UTF-8 as U+FFFD; `held`: the node is known to hold it now.
 * `owner` NULL = any.
 */
enum err store_quarantine(struct store *st, const char *owner, uint64_t after, unsigned limit,
	struct buf *out, struct reason *why) MUST_USE;
/* Entries of `owner`, NULL = all. */
enum err store_quarantine_count(
	struct store *st, const char *owner, uint64_t *ret, struct reason *why) MUST_USE;
/*
 * Once more; OK: the record is in the store, and the entry gone.  INVALID: still refused, for the reason given, which
 * the entry now has.  GONE: no such entry.  ret_owner is set where there was one.
 */
enum err store_quarantine_retry(struct store *st, const struct author *by, uint64_t id,
	char ret_owner[RECORD_OWNER_MAX + 1], struct reason *why) MUST_USE;
/* For ever.  CONFLICT: the node, which was not removed, still holds that version, and would bring it again.  GONE. */
enum err store_quarantine_drop(struct store *st, const struct author *by, uint64_t id,
	char ret_owner[RECORD_OWNER_MAX + 1], struct reason *why) MUST_USE;
/* The entry after *id, 0 = the first; GONE: none. */
enum err store_quarantine_next(struct store *st, uint64_t *id, struct reason *why) MUST_USE;

#endif
