/*
 * scheduler - keeps every node's exchange going: who is asked when, by which worker, and what is known of it.
 *
 * A few workers apply answers and prepare requests (applier.h), one thread carries them (transfer.h).  Each
 * node is in one place (slot.h); nothing waits for a node that is down.  All calls may come from any thread.
 */
#ifndef CENTRAL_SCHEDULER_H
#define CENTRAL_SCHEDULER_H

#include "central/address.h"
#include "central/slot.h"
#include "central/store.h"

struct scheduler;

struct scheduler_config {
	struct store *store;
	const struct networks *allowed; /* outlives the scheduler */
	const struct tls *tls;     /* of the centre towards nodes, likewise; NULL: the system's authorities */
	const char *secret;        /* likewise; NULL or "": nodes are asked without a token */
	enum coding_use compress;  /* of what nodes send */
	int64_t interval_ms;       /* the longest time without a finished exchange */
	unsigned workers;          /* 0 = 2 */
	int64_t retry_interval_ms; /* between tries of what is in quarantine; 0 = RETRY_INTERVAL_MS */
};

/* Reads the nodes of the store; nothing is asked before scheduler_start(). */
enum err scheduler_open(
	struct scheduler **ret, const struct scheduler_config *c, struct reason *why) MUST_USE;
enum err scheduler_start(struct scheduler *s, struct reason *why) MUST_USE;
/* Cancels what is under way; what was not applied yet is simply asked for again another time.  NULL is
 * allowed. */
void scheduler_close(struct scheduler *s);

/* Other settings, of which what is under way sees nothing.  What was given before outlives the scheduler, too. */
void scheduler_set_interval(struct scheduler *s, int64_t interval_ms);
void scheduler_set_secret(struct scheduler *s, const char *secret);
void scheduler_set_compress(struct scheduler *s, enum coding_use compress);
void scheduler_set_networks(struct scheduler *s, const struct networks *allowed);
void scheduler_set_tls(struct scheduler *s, const struct tls *tls);

/*
 * Has each of its threads gone round since it was last found to have?  Wakes those that sleep, so that the next call finds
 * out.  One thread; not before scheduler_start().
 */
bool scheduler_turns(struct scheduler *s);

/*
 * The node's row was added, removed, paused, resumed or changed in the store, or may have been: what is under
 * way is cancelled, and the row read again as soon as the store can.
 */
void scheduler_changed(struct scheduler *s, const char *name);
/* The same of many. */
void scheduler_changed_all(struct scheduler *s, const char *const *names, size_t n);
/* The same of its title alone: what is under way goes on. */
void scheduler_renamed(struct scheduler *s, const char *name);
/* Somebody wants an exchange now, backoff or not. */
void scheduler_ask(struct scheduler *s, const char *name);
/* A record of this owner was changed at the centre: push it. */
void scheduler_edited(struct scheduler *s, const char *name);

/* A node as it is shown. */
struct node_view {
	struct node node;
	char title[sizeof((struct node_row *)0)->title], url[sizeof((struct node_row *)0)->url];
	struct node_run run;
	struct node_trouble trouble; /* run.trouble, where there is any */
	struct chrony chrony;        /* run.clock.chrony, likewise */
	enum node_state state;
	int64_t since_us; /* wall; the state's beginning in this run */
	struct reason reason;
	int64_t next_attempt_us; /* wall; -1 = not waiting */
	struct slot_plan next;
	unsigned ailing;                   /* AILMENT_BIT() of each, */
	int64_t ailing_since_us[AILMENTS]; /* wall */
	double pull_s, push_s;             /* records a second, over the last RATE_WINDOW_S */
	double pull_pace, push_pace;       /* while they move: rate_pace() */
	uint32_t results[POLL_RESULTS];
};
/* `history` may be NULL; else it is to be done with.  False: no such node. */
bool scheduler_view(
	struct scheduler *s, const char *name, struct node_view *ret, struct history *history) MUST_USE;

/* A node in passing: the scheduler's own, while it is looked at. */
struct node_glance {
	const struct node *node;
	const char *title;
	const struct node_run *run;
	const uint32_t *results; /* POLL_RESULTS of them */
	enum node_state state;
	unsigned ailing; /* AILMENT_BIT() of each */
};
typedef void scheduler_look_fn(void *ctx, const struct node_glance *g);
/*
 * Looks at each, by name.  The scheduler's lock is held, and let go of every few hundred, so that polls go on: `look` is quick,
 * and asks neither the scheduler nor the store.  One that is added or removed meanwhile may be among them, or not.
 */
void scheduler_each(struct scheduler *s, scheduler_look_fn *look, void *ctx);

/* How many nodes are in each state. */
void scheduler_states(struct scheduler *s, unsigned ret[NODE_STATES]);

struct scheduler_totals {
	double pulled_per_s, pushed_per_s;
	double pull_pace, push_pace;
	struct histogram applied;
	struct traffic traffic;
	bool store_failed;
	struct reason store_why; /* where it failed */
};
struct scheduler_totals scheduler_totals(struct scheduler *s);

#endif
