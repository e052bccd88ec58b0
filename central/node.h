/*
 * node - what the centre knows of one local: what is stored, what this run has seen, and the one word for it.
 *
 *                         add                     first valid exchange
 *   (nothing) ─────────────► never_seen ───────────────► catching_up ──head, equal──► in_sync
 *                                                          ▲    ▲                        │
 *                          epoch changed / rewound ─► reconciling ◄──────────────────────┤
 *                                                          ▲                             │
 *   any ──exchange failed──► offline ──works again─────────┘◄────────────────────────────┘
 *   any ──operator──► paused        any ──abandoned epoch came back──► identity_conflict
 *   any ──unequal twice, no write between──► diverged          any ──no common protocol──► incompatible
 *
 * node_state() is pure: the word follows from what is known, never the other way round.
 */
#ifndef CENTRAL_NODE_H
#define CENTRAL_NODE_H

#include "central/apart.h"
#include "central/offset.h"
#include "shared/chrony.h"
#include "shared/page.h"
#include "shared/position.h"
#include "shared/record.h"

enum node_state {
	NODE_IN_SYNC,
	NODE_CATCHING_UP,
	NODE_RECONCILING,
	NODE_OFFLINE,
	NODE_PAUSED,
	NODE_NEVER_SEEN,
	NODE_DIVERGED,
	NODE_IDENTITY_CONFLICT,
	NODE_INCOMPATIBLE,
};
#define NODE_STATES 9
const char *node_state_name(enum node_state s);
bool node_state_parse(struct span word, enum node_state *ret) MUST_USE;
/* The text of an event of a change of state, and its parts again; `ret_reason` is within it. */
void node_change_text(
	enum node_state now, enum node_state was, const struct reason *cause, struct reason *ret);
bool node_change_parse(struct span text, enum node_state *ret_now, enum node_state *ret_was,
	struct span *ret_reason) MUST_USE;

enum node_halt { HALT_NONE, HALT_IDENTITY, HALT_DIVERGED };

/* What moves only in the transactions that apply replies (PROTOCOL 8).  Stored. */
struct node_sync {
	struct epoch epoch; /* none: never exchanged */
	uint64_t cursor;
	struct position witness;
	uint64_t generation;
	uint64_t resets;        /* of either kind: what was asked before one is no longer wanted after it */
	bool comparing;         /* both ends are first compared by buckets: cursor 0, neither pull nor push */
	struct epoch rename_to; /* a pending (epoch → rename_to), of the centre's choosing; none = none */
	struct epoch probe; /* an abandoned epoch that answered and must show whether it has its witness; none
			       = none */
	enum node_halt halt;
	bool reconciling; /* since a reset, until the next equal proof */
	bool recount;     /* the next proof sums the rows themselves, at both ends */
	/* The sweep after a reset: records whose local_hash is of an older generation, by id. */
	bool swept;
	char sweep_after[RECORD_ID_MAX + 1];
	struct digest digest; /* of the centre's records of this owner */
	/* The first unequal proof of this doubt; seq 0 = none.  The same again with no write between:
	 * diverged. */
	uint64_t doubt_seq;
	struct digest doubt_local, doubt_centre;
	uint64_t quarantined; /* versions of this owner that are kept in quarantine */
	/*
	 * Not stored: how often the store has found its content replaced under it.  An old copy put back may
	 * stand at the same position with other records, so an answer to what was sent before is no answer.
	 */
	uint64_t life;
	/* Likewise not stored: the store's mark of the owner when this was read, if both ends were then proven equal; else 0. */
	uint64_t proven;
};

struct node {
	char name[RECORD_OWNER_MAX + 1];
	bool there; /* else it was removed */
	bool paused;
	uint64_t rotation; /* of its token */
	int64_t added_at_us;
	struct node_sync sync;
};

/* A row of the store: how it is called and where it is stands apart, since most of what looks at a node wants neither. */
struct node_row {
	struct node node;
	char title[256];
	char url[512]; /* "" where it was removed */
};

/* Did anything the request was built on move since? */
bool node_sync_same_basis(const struct node_sync *a, const struct node_sync *b);

/* Why the last exchange failed: the `result` label of the metrics. */
enum poll_result {
	POLL_OK,
	POLL_REFUSED, /* nobody listens */
	POLL_TIMEOUT,
	POLL_RESOLVE,
	POLL_TLS,
	POLL_NETWORK,      /* reset, cut short, … */
	POLL_HTTP,         /* a status that is no answer of ours */
	POLL_UNAUTHORISED, /* 401 or 403 */
	POLL_NOT_TIDEMARK, /* something else listens there */
	POLL_WRONG_NODE,   /* a Tidemark local of another name */
	POLL_BAD_BODY,     /* truncated or wrong page */
	POLL_EPOCH,        /* answered: epoch_changed or rewound */
	POLL_INCOMPATIBLE,
	POLL_STORE,     /* our own store failed */
	POLL_STALE,     /* discarded: the basis had moved */
	POLL_CANCELLED, /* given up here for a push, a question or a change of the node; only counted */
};
#define POLL_RESULTS 16
const char *poll_result_name(enum poll_result r);

/* Which of its tokens a node takes (token.h). */
enum node_token { NODE_TOKEN_UNKNOWN, NODE_TOKEN_NEWEST, NODE_TOKEN_BEFORE };

/* What this run has seen of a node that is not as it should be. */
struct node_trouble {
	struct reason last_reason; /* why the last exchange failed; "" = it did not */
	struct reason push_reason; /* with push_failures */
	/* What a comparison by buckets found and is still to be read; valid while `basis` is the node's. */
	struct {
		struct node_sync basis;
		struct apart what;
		unsigned failures; /* of comparing, in a row */
	} apart;
	struct ailments unwell;          /* as the local last told of itself */
	char damaged[RECORD_ID_MAX + 1]; /* with counted.damaged; "": its id cannot be read either */
	/* The last push of which it could not hold something; until a proof is judged. */
	struct {
		bool any;
		char first[RECORD_ID_MAX + 1];
		struct reason why;
	} rejected;
};

/* What this run has seen of a node: memory only, so that an idle system writes nothing. */
struct node_run {
	bool heard;                         /* a valid exchange in this run; the last one ended: */
	int64_t heard_at_us, heard_mono_us; /* wall, to show; monotonic, to age */
	unsigned failures;                  /* in a row, pushes apart */
	enum poll_result last_result;
	uint64_t failed_poll;  /* which of polls_begun was the last that failed */
	bool at_head;          /* the last pull ended at the head, and nothing but our pushes came after it */
	bool to_push;          /* something differs, or the sweep has not ended */
	bool fruitless;        /* the last push moved nothing */
	bool asked;            /* somebody wants it now */
	enum node_token token; /* that it took last */
	/* How often both ends had to begin anew, of either kind of reset: no accident happens again and again. */
	struct {
		unsigned in_a_row; /* without a proof between */
		unsigned n;        /* in the hour since */
		int64_t hour_us;   /* monotonic; 0 = there was none */
		int64_t last_us;   /* monotonic; 0 = there was none */
	} resets;
	struct node_trouble *trouble; /* NULL: none */
	uint64_t head_seq;            /* as last told; valid if heard */
	uint64_t pull_backlog;        /* records after the cursor, at most */
	int64_t oldest_us; /* wall clock of the centre: since when the oldest of them waits; -1 = none */
	struct {
		bool known, equal;
		bool outdated; /* since then it failed to answer or was sent a push: it is still shown, no more */
		int64_t at_us;   /* wall, to show */
		int64_t mono_us; /* monotonic, to age */
		uint64_t seq;
		struct digest digest;
		uint64_t poll; /* which of polls_begun gave it */
	} proof;
	/* When the local last summed its rows and hashed their bytes, if it did in this run. */
	struct {
		bool known;
		uint64_t
			damaged; /* records that no longer give their hash: trouble->damaged is one of them */
		int64_t at_us;   /* wall */
		uint64_t poll;   /* which of polls_begun */
	} counted;
	struct {
		struct offset measured; /* against the centre's */
		bool told;              /* the rest is valid: what the node last said of its own clock */
		enum chrony_state kept; /* by whom */
		struct chrony *chrony;  /* NULL: there is no more to say of that; node_chrony() */
		int64_t error_us;       /* -1: it is not synchronised */
		int64_t told_us;        /* monotonic: when */
	} clock;
	char version[32]; /* of the local's program; "" = not known */
	uint64_t polls_begun, polls_ok, polls_failed, pulled, pushed;
	int64_t last_ms;
	int64_t next_attempt_us; /* monotonic; not after now = not waiting */
	unsigned store_failures; /* answers in a row that our own store did not take */
	unsigned push_failures;  /* in a row, whatever pulls did between them */
	int64_t next_push_us;    /* monotonic */
};

/* Where there is none, one that says nothing: of thousands of nodes it would fill half of what is held of each. */
const struct node_trouble *node_trouble(const struct node_run *run);
/* To be changed; it is there from now on, and its owner is who owns the run. */
struct node_trouble *node_troubled(struct node_run *run);
/* Where it says nothing any more it is freed. */
void node_run_calm(struct node_run *run);
void node_run_done(struct node_run *run); /* frees it, whatever it says, and what is said of the clock */

/*
 * So often is no accident: it claims to be another database, or to hold other records, each time it is asked.  It
 * stops (exchange_decide_restless()) and stays HALT_DIVERGED, which without a doubt means this.
 */
#define NODE_RESETS_IN_A_ROW 8
#define NODE_RESETS_AN_HOUR 100
bool node_is_restless(const struct node_run *run);
/* Is there a proof that was unequal, and not yet one that ends the matter? */
bool node_sync_doubts(const struct node_sync *s);

/* What keeps the node's clock, as it last said. */
struct chrony node_chrony(const struct node_run *run);
void node_hear_chrony(struct node_run *run, const struct chrony *c);
/* What the node last said of its own clock. */
struct offset_claim node_clock_claim(const struct node_run *run);

/* Pure.  `reason` gets a sentence for people; NULL: the word alone.  now and interval: monotonic µs, ms. */
enum node_state node_state(const struct node *n, const struct node_run *run, int64_t now_us,
	int64_t interval_ms, struct reason *reason);

#endif
