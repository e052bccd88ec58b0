/*
 * outlook - of one node: what is known, what happens next, what somebody could do, and may it be reimaged?
 *
 * Sentences for people, made from what the centre has in memory and a few counts.  Pure: asks nobody, decides
 * nothing; what comes next is what plan_next() said, or what is under way.
 *
 * The answer to "may it be reimaged" (all it holds is at the centre and durable) is only ever SAFE by a proof
 * that began after the question; whatever is not known is not safe.
 */
#ifndef CENTRAL_OUTLOOK_H
#define CENTRAL_OUTLOOK_H

#include "central/plan.h"

/* Where the node is in the scheduler's hands. */
enum outlook_turn {
	OUTLOOK_PLANNED,   /* `plan` is what comes */
	OUTLOOK_UNDER_WAY, /* `plan` is what it was asked for, and has not been answered */
	OUTLOOK_HELD,      /* pages of others fill the room */
	OUTLOOK_STORE,     /* the centre's own store cannot be read */
};

struct outlook_count {
	bool known;
	uint64_t n;
};

struct outlook_seen {
	const struct node *node;
	const char *url;
	const struct node_run *run;
	const uint32_t *results; /* POLL_RESULTS of them: how often, in this run */
	enum node_state state;
	enum outlook_turn turn;
	struct plan plan, then; /* then: after a WAIT */
	int64_t now_us;         /* monotonic */
	int64_t wall_us;
	int64_t due_us;            /* wall: when a wait ends; -1: it does not wait */
	bool current;              /* what it last said of itself still holds */
	bool store_ok;             /* the centre's own store can be read and written */
	struct offset_claim clock; /* the centre's own */
	/* rejected: it cannot hold them.  quarantined: the centre could not take them. */
	struct outlook_count push, conflicts, rejected, quarantined;
};

/* One sentence about one thing: "exchange", "position", "waiting", "proof", …; the text is borrowed. */
typedef void outlook_fact_fn(void *ctx, const char *topic, struct span text);
void outlook_known(const struct outlook_seen *s, outlook_fact_fn *each, void *ctx);

/* What is wrong with a node that may be in step all the same: AILMENT_BIT() of each.  As last heard. */
unsigned outlook_ailing(const struct node *n, const struct node_run *run, int64_t now_us,
	const struct offset_claim *own_clock);
/* Those that are more than info. */
#define OUTLOOK_AILING_LOUD (AILMENT_BIT(AILMENT_CLOCK_FREE) - 1)
/* A clause about one of them; of `s` it needs node, run, now_us and clock. */
void outlook_say_ailment(const struct outlook_seen *s, enum ailment a, struct buf *out);
/* The node's clock against the centre's: offset_describe(). */
void outlook_clock(const struct outlook_seen *s, struct reason *ret);

/* Each appends one sentence without a full stop. */
void outlook_next(const struct outlook_seen *s, struct buf *out);
/* False, and nothing appended: nobody needs to do anything. */
bool outlook_unblock(const struct outlook_seen *s, struct buf *out);

enum outlook_safety {
	OUTLOOK_SAFE,    /* all it held when run.proof was made */
	OUTLOOK_UNSAFE,  /* something would be lost, or both ends are known to differ */
	OUTLOOK_UNKNOWN, /* and so not safe */
};
struct outlook_verdict {
	enum outlook_safety safety;
	bool pending; /* exchanges that go on by themselves may soon say more */
};
struct outlook_question {
	uint64_t since; /* run.polls_begun when it was asked: only a proof of a later one counts */
	/* It was asked before, and SAFE up to here: a log that went on since is written to. */
	bool again;
	uint64_t position;
};
/* Appends why, and for SAFE what is not covered. */
struct outlook_verdict outlook_safe(
	const struct outlook_seen *s, const struct outlook_question *q, struct buf *out);

/* Appends "4 s", "3 min", "2 h", "5 days". */
void outlook_put_age(struct buf *out, int64_t us);

#endif
