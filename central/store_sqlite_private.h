/*
 * store_sqlite_private - what the files of the SQLite store share: connections, rows to structs and back.
 *
 * One writer connection, used under `writing`; it alone checkpoints.  A pool of readers, each used by one
 * call at a time.  Functions that take a `struct lite` run inside a transaction of it and stick their
 * failures to it.
 */
#ifndef CENTRAL_STORE_SQLITE_PRIVATE_H
#define CENTRAL_STORE_SQLITE_PRIVATE_H

#include <stdatomic.h>

#include <pthread.h>

#include "central/store.h"
#include "gen/sql_central.h"
#include "shared/lite.h"

#define STORE_APPLICATION_ID 0x54644d43 /* "TdMC" */
#define STORE_READERS 4
#define STORE_EVENTS_KEPT 100000

struct store {
	enum merge_policy policy;
	struct epoch centre_id;
	int lock_fd;

	pthread_mutex_t writing;
	struct lite *writer;
	struct dot last;           /* of this opening's own versions; actor 0 = none made yet */
	uint64_t data_version;     /* as the writer saw it last */
	atomic_uint_fast64_t life; /* see struct node_sync */

	pthread_mutex_t pooling;
	pthread_cond_t returned;
	struct lite *readers[STORE_READERS]; /* the first n_free are free */
	unsigned n_free;
};

/* --- transactions --- */

struct lite *store_write_begin(struct store *st);
/* Commits if `e` is OK, else rolls back; a failure that stuck comes before `e`. */
enum err store_write_end(struct store *st, enum err e, struct reason *why) MUST_USE;
struct lite *store_read_begin(struct store *st);
enum err store_read_end(struct store *st, struct lite *l, enum err e, struct reason *why) MUST_USE;
/*
 * The dot of the next version this centre makes; a fresh actor after a commit of unknown outcome, and when
 * somebody else has written to the database (an old copy may have been put back under us).
 */
struct dot store_next_dot(struct store *st);

/* --- nodes and events (store_sqlite_nodes.c, store_sqlite_events.c) --- */

/* False: never added (or the read failed).  A removed node is given with an empty URL. */
bool store_load_node(struct store *st, struct lite *l, struct span name, struct node *ret);
void store_save_sync(struct lite *l, const char *name, const struct node_sync *s);
void store_tell(struct lite *l, const struct event *ev);

/* --- records (store_sqlite_rows.c) --- */

/* What the owner is known to hold of a record; `generation` says in which one that was learned. */
struct known {
	bool held;
	struct hash hash;
	uint64_t generation;
};
struct known store_known(const struct known *k, uint64_t generation); /* as valid now */

/* Enough of the present row to compare with. */
struct standing {
	bool present;
	struct record record; /* deleted, dot, vv and hash alone */
	struct vector vv;
	struct known known;
	bool refused;
};
void store_look(struct lite *l, struct span owner, struct span id, struct standing *ret);

/* The record columns of a row, borrowed until the next step. */
void store_read_record(struct query q, struct record *ret, struct vector *vv);
struct known store_read_known(struct query q, int col);
/* The same in the arena's memory. */
void store_keep_record(struct record *r, struct arena *a);
/* False: not there. */
bool store_load_record(
	struct lite *l, struct span owner, struct span id, struct record *ret, struct arena *a);

/* False: there is a row already, and it stays as it is. */
bool store_insert_record(struct lite *l, const struct record *r, const struct known *k);
void store_replace_record(struct lite *l, const struct record *r, const struct known *k);
/* Writes nothing where the row is gone or says so already. */
void store_note_known(struct lite *l, const struct record *r, const struct known *k, bool refused);
/* False: this version is archived already. */
bool store_archive(struct lite *l, const struct record *r, const char *cause);
bool store_any(struct lite *l, int statement, const char *owner);

/* --- one record of a local meets the store's (store_sqlite_meet.c) --- */

struct meeting {
	struct store *st;
	struct lite *l;
	struct node_sync *sync;
	bool look_first; /* the last record was there: new ones and changed ones come in runs */
	struct arena arena;
	uint64_t taken, kept, conflicts, archived, centre_restored;
};
void store_meet(struct meeting *m, const struct record *l);
void store_sum_rows(struct lite *l, const char *owner, struct digest *ret);

#endif
