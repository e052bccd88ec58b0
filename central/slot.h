/*
 * slot - one node in the scheduler's hands, and where it is.
 *
 *   idle ◄── nothing to do ──┐            nudged
 *     │                      │ ┌─────────────────────────┐
 *     └──── nudged ───► ready ─┴► working ──► in transfer ┘ (answered or cancelled) ──► ready
 *                         ▲        │   │
 *                         ├─ due ─ waiting
 *                         │            │
 *                         └─ room ─ held (room.h: in line)
 *
 * A slot is in exactly one place, so a node has at most one exchange and every queue is bounded by the number
 * of nodes.  node, run, the flags and what is shown are guarded by the scheduler's lock; exchange and call
 * belong to the worker while working, to the transfer while in transfer; then a worker may make `ahead` ready, for
 * which the next one waits.
 */
#ifndef CENTRAL_SLOT_H
#define CENTRAL_SLOT_H

#include "central/ahead.h"
#include "central/meter.h"
#include "central/outlook.h"
#include "central/ratelimit.h"
#include "central/room.h"
#include "central/token.h"
#include "central/transfer.h"

/* Which ailments there are, since when, and which of them were told. */
struct slot_ailing {
	unsigned now, told, stored; /* AILMENT_BIT(): as it is; as last logged; of the last events stored */
	bool clock_heard;           /* a clock that nobody kept from the start is no news */
	int64_t *since_us;          /* AILMENTS of them, wall; of those in `now`: NULL where there is none */
};

/* What moved lately. */
struct slot_flow {
	struct rate pulled, pushed, read; /* records; places of its log */
};

#define SLOT_TELLS ((struct rate_rule){20, INT64_C(10000000)})

enum slot_place { SLOT_IDLE, SLOT_WAITING, SLOT_READY, SLOT_WORKING, SLOT_HELD, SLOT_TRANSFER };

struct slot {
	unsigned
		turn; /* of SLOT_TURNS, by a hash of its name: when it is asked, and where its connection is */
	enum slot_place place;
	struct slot *next; /* in the ready or the held list */
	int64_t due_us;    /* waiting: monotonic */
	size_t heap_at;    /* waiting: its place among those that wait */

	struct node node;
	char *url, *title; /* of its row, both in one piece of memory */
	struct node_run run;

	/* What came in meanwhile; seen before the next request goes out. */
	bool changed; /* the node's row is to be read again */
	bool gone;    /* removed: not shown any more, and soon forgotten */
	bool asked;   /* somebody wants it now */
	bool edited;  /* a record of it was changed at the centre */

	unsigned shrink; /* pages are halved this often: the line is slow */
	struct exchange exchange;
	struct transfer_call call;
	struct token_memory token; /* as exchange and call */
	struct ahead ahead;        /* the next page of a refill; `busy` under the lock */
	struct room_ticket room;   /* for the answer that is on its way or being applied */
	bool answered;             /* call holds an answer to apply */
	bool refused, untold;      /* our own store did not take its last answer, its last event (health.h) */
	int64_t sent_us;           /* monotonic: when its last request was */
	int64_t cancelled_us;      /* monotonic: when a parked pull was last cancelled; 0 = never */

	/* What is shown. */
	enum node_state state, told_state,
		stored_state; /* as it is; as last logged; of the last event stored */
	int64_t since_us;     /* wall */
	struct slot_ailing ailing;
	struct { /* a node that is up and down all the time tells its last word of it in a while */
		struct ratelimit words, lines; /* of states and ailments; of the log's lines about answers */
		unsigned changes;              /* of the state since words were told */
		unsigned lines_held;           /* since one was written */
		bool held;                     /* words are, since then */
	} telling;
	uint32_t results[POLL_RESULTS];
	struct slot_flow *flow; /* NULL: nothing moves, as at most nodes */
	struct history history;
};

struct slot *slot_new(const struct node_row *row, int64_t interval_ms);
/* Follows what the store has of it. */
void slot_take_row(struct slot *s, const struct node_row *row);
void slot_free(struct slot *s); /* not in transfer */

/* So much moved just now, perhaps nothing. */
void slot_moved(struct slot *s, uint64_t pulled, uint64_t pushed, uint64_t read, int64_t now_us);

/*
 * A period has so many turns.  Nodes are spread over them; those of one turn are asked together, come back together unless
 * they have news, and share a lane of the transfer.  To wake up for each of them, and to find nothing of it in the processor's
 * caches, costs more than to ask it.
 */
#define SLOT_TURNS TRANSFER_LANES
/* Nobody minds when in a long period he is asked: half as many turns, of twice as many nodes. */
#define SLOT_LONG_MS 10000
/* How long until the node's turn in a period that all nodes share: 1 … period_ms. */
int64_t slot_turn_ms(const struct slot *s, int64_t now_us, int64_t period_ms);
/* How long a pull that may be parked for a period is parked: until its turn, or for all of it where its turn is
 * near, since it may have come back a little early. */
int64_t slot_park_ms(const struct slot *s, int64_t now_us, int64_t period_ms);

/* Follows the word, and what is wrong, from what is known; `since` moves when it changes.  *why: the sentence. */
void slot_settle(struct slot *s, int64_t interval_ms, struct reason *why);
/* The same but for the sentence that says why, for who looks at thousands and shows none. */
struct slot_moment {
	int64_t mono_us, interval_ms;
	struct offset_claim own; /* what the centre's own clock claims */
};
struct slot_moment slot_moment(int64_t interval_ms);
void slot_settle_word(struct slot *s, const struct slot_moment *now);

/* What is under way, or else what plan_next() says now; `then` is what follows a wait. */
struct slot_plan {
	enum outlook_turn turn; /* never OUTLOOK_STORE: that is not the slot's to know */
	struct plan plan, then;
};
struct slot_plan slot_plan(const struct slot *s, int64_t now_us, int64_t interval_ms);

/*
 * Should what is under way be cancelled for a push or a question?  Only a parked pull, and not again
 * within SLOT_INTERRUPT_US, since a cancelled request stays at the local until its time is over; true
 * counts as done.
 */
bool slot_interrupt(struct slot *s, int64_t now_us) MUST_USE;
#define SLOT_INTERRUPT_US 1000000
#define SLOT_SHRINK_MAX 6

/*
 * May the answer that it waits with share a transaction?  A page may, and so may what needs none, as a failure.  All others have one each,
 * and to count the rows of a large node takes long: those that are taken together with them would only wait.
 */
bool slot_shares(const struct slot *s);
/*
 * By what came of its last request: halved pages for a line that cannot carry whole ones in time, or a proxy that does not
 * take them, or a node that was kept room for and sent nothing.  They grow again only after one of about the allowed size went
 * through quickly: small answers say nothing about the line.
 */
void slot_adapt_pages(struct slot *s);
/*
 * Others wait for room, of which it has more than the least, and its page has been on its way for long: is it to be cancelled, and to
 * come again for less?  Never a push, of which nobody would know what became.  True counts as done.
 */
bool slot_gives_way(struct slot *s, int64_t now_us, size_t least) MUST_USE;
#define SLOT_GIVES_WAY_US 3000000

#endif
