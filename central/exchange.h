/*
 * exchange - one request to a local and what its answer changes.
 *
 * exchange_begin() makes the bytes of the request from the store; somebody carries them;
 * exchange_finish() reads the answer and applies it in one transaction, or discards it.
 * No sockets, no threads, no clocks but for showing: the scheduler and the simulation use
 * the same two functions.  exchange_pull.c, exchange_push.c and exchange_reset.c hold the kinds,
 * exchange_buckets.c the two of a comparison by buckets, exchange_answer.c judges an answer's head, exchange_note.c keeps the run's memory.
 *
 * exchange_decide_…() are the pure decisions of a reset.
 */
#ifndef CENTRAL_EXCHANGE_H
#define CENTRAL_EXCHANGE_H

#include "central/plan.h"
#include "central/store.h"
#include "shared/http.h"

struct exchange_limits {
	unsigned pull_records, push_records;
	unsigned pull_bytes, push_bytes;
	unsigned bucket_records; /* about so many in a bucket at first */
};
#define EXCHANGE_BUCKET_RECORDS 64
#define EXCHANGE_LIMITS_DEFAULT                                                               \
	((struct exchange_limits){PAGE_LIMIT_DEFAULT, PAGE_LIMIT_DEFAULT, PAGE_BYTES_DEFAULT, \
		PAGE_BYTES_DEFAULT, EXCHANGE_BUCKET_RECORDS})

/* Comparing came to nothing so often in a row: everything is read again instead. */
#define EXCHANGE_COMPARE_TRIES 5

struct exchange {
	enum plan_step kind; /* PULL, PUSH, RENAME, PROBE, DIGEST or FETCH */
	enum http_method method;
	char node[RECORD_OWNER_MAX + 1];
	struct node_sync basis;
	struct epoch request;
	/* what to send: */
	struct buf target; /* "/v1/changes?…" */
	struct buf body;
	bool minimal;      /* the least answer is enough: HTTP_PREFER_MINIMAL, for who knows of it */
	int64_t parked_ms; /* how long the local may hold it: added to the time allowed */
	union {
		struct push_page sent; /* PUSH */
		struct {               /* DIGEST, FETCH */
			struct apart_limits limits;
			unsigned bits, failures;
			uint16_t *buckets; /* FETCH: what fetched.buckets lists */
			struct fetched fetched;
		} compare;
	};
	uint64_t poll; /* which of the node's it is: run.polls_begun, noted by whoever sends it */
};
void exchange_done(struct exchange *x); /* again is harmless */

/*
 * OK with x->method set: send it.  GONE: there was nothing to push after all (a sweep that found its
 * end is then ended): exchange_note_nothing(), read the node again and plan.  CONFLICT: the node moved:
 * read it again and plan.  Otherwise the store failed.  `x` need not be initialised; after a failure it
 * holds nothing.
 */
enum err exchange_begin(struct exchange *x, struct store *st, const struct node *n, struct plan plan,
	const struct exchange_limits *limits, struct reason *why) MUST_USE;

/* Afterwards the page has no bodies. */
void exchange_encode_page(struct push_page *page, struct buf *body);
/* A push of a page that has been read and encoded before: both move to `x`, which is to be sent.  False: no memory. */
bool exchange_begin_page(
	struct exchange *x, struct store *st, const struct node *n, struct push_page *page, struct buf *body);

/* What came back, as the carrier saw it. */
struct answer {
	enum poll_result result; /* POLL_OK: a status and a whole body came */
	const char *why;         /* else, for people; the carrier's */
	int status;
	struct span body;
	int64_t took_us;
	int64_t t_sent_us, t_done_us; /* wall clock at the centre, for the node's offset */
};

/* What an exchange did, for the run's memory, events, logs and metrics. */
struct outcome {
	enum poll_result result;
	struct reason why;     /* when not POLL_OK */
	bool stale;            /* discarded */
	struct node_sync sync; /* as stored now; valid when applied or changed */
	bool sync_known;
	bool pulled; /* a page was applied; then page_end is valid */
	struct page_end end;
	char version[32];
	bool at_head, to_push; /* after a push at_head only if more is to be pushed */
	bool compared;         /* the local's digests were: apart is what is to be done */
	struct apart apart;
	bool too_large; /* FETCH: fewer buckets at once */
	enum proof_verdict proof;
	uint64_t taken, conflicts, archived, pushed;
	uint64_t refused;  /* pushed, but the local held another version */
	uint64_t rejected; /* pushed, but the local cannot hold such a record; then the first one and why: */
	char rejected_id[RECORD_ID_MAX + 1];
	struct reason rejected_why;
	struct event
		event; /* already stored, this is for the log; kind NULL = nothing; its node is x->node */
};

/*
 * Applies one answer.  A wrong or stale answer changes nothing, and is OK with its result in *out.  Not OK
 * only when our own store failed (RETRY, UNCERTAIN, INTERNAL): forget and plan anew; *out then says
 * POLL_STORE, for exchange_note().
 */
enum err exchange_finish(struct exchange *x, struct store *st, const struct answer *a, struct outcome *out,
	struct reason *why) MUST_USE;

/* The same for several exchanges of different nodes; their pages are applied in one transaction.  results[i]
 * as above. */
void exchange_finish_all(struct exchange *const *xs, struct store *st, const struct answer *answers, size_t n,
	struct outcome *outs, enum err *results, struct reason *whys);

/* Moves the run's memory by an outcome: counters, failures, proof, clock, backlog.  Pure but for the
 * backoff's chance. */
void exchange_note(struct node *n, struct node_run *run, const struct exchange *x, const struct answer *a,
	const struct outcome *out, int64_t now_us, int64_t interval_ms);
/* exchange_begin() found nothing to push: the next step is a pull, which brings the proof. */
void exchange_note_nothing(struct node_run *run);

/* --- decisions: *ret is the whole change, *ev what to tell (kind NULL = nothing) --- */

/*
 * 409 epoch_changed with the local's own epoch. `known_as_abandoned`: it is one of the node's abandoned
 * epochs. False: nothing changes.
 */
bool exchange_decide_epoch_changed(const struct node_sync *s, const struct epoch *now,
	bool known_as_abandoned, struct sync_change *ret, struct event *ev);
/* 409 rewound; `fresh` is the epoch the centre would rename to. False: nothing changes. */
bool exchange_decide_rewound(
	const struct node_sync *s, const struct epoch *fresh, struct sync_change *ret, struct event *ev);
/* The answer to POST /v1/epoch. */
void exchange_decide_renamed(
	const struct node_sync *s, enum rename_result r, struct sync_change *ret, struct event *ev);
/* The probe of an abandoned epoch: does its log contain that epoch's witness? */
void exchange_decide_probed(const struct node_sync *s, bool contains_witness,
	struct position abandoned_witness, const struct epoch *fresh, struct sync_change *ret,
	struct event *ev);
/* Comparing by buckets came to nothing: everything is read again. */
void exchange_decide_reread(
	const struct node_sync *s, const struct reason *cause, struct sync_change *ret, struct event *ev);
/* node_is_restless(): it stops, until an operator resumes it. */
void exchange_decide_restless(const struct node_sync *s, struct sync_change *ret, struct event *ev);
/* An operator resumes a halted node: what answers now is accepted. False: it was not halted. */
bool exchange_decide_resumed(const struct node_sync *s, struct sync_change *ret, struct event *ev);

#endif
