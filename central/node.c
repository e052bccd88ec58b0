#include "central/node.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A proof counts for three intervals, and at least for this long: a short interval is no reason to flap. */
#define PROOF_AGE_LEAST_US (3 * INT64_C(1000000))

static const char *const state_names[NODE_STATES] = {
	[NODE_IN_SYNC] = "in_sync",
	[NODE_CATCHING_UP] = "catching_up",
	[NODE_RECONCILING] = "reconciling",
	[NODE_OFFLINE] = "offline",
	[NODE_PAUSED] = "paused",
	[NODE_NEVER_SEEN] = "never_seen",
	[NODE_DIVERGED] = "diverged",
	[NODE_IDENTITY_CONFLICT] = "identity_conflict",
	[NODE_INCOMPATIBLE] = "incompatible",
};

static const char *const result_names[POLL_RESULTS] = {
	[POLL_OK] = "ok",
	[POLL_REFUSED] = "refused",
	[POLL_TIMEOUT] = "timeout",
	[POLL_RESOLVE] = "resolve",
	[POLL_TLS] = "tls",
	[POLL_NETWORK] = "network",
	[POLL_HTTP] = "http",
	[POLL_UNAUTHORISED] = "unauthorised",
	[POLL_NOT_TIDEMARK] = "not_tidemark",
	[POLL_WRONG_NODE] = "wrong_node",
	[POLL_BAD_BODY] = "bad_body",
	[POLL_EPOCH] = "epoch",
	[POLL_INCOMPATIBLE] = "incompatible",
	[POLL_STORE] = "store",
	[POLL_STALE] = "stale",
	[POLL_CANCELLED] = "cancelled",
};

const char *node_state_name(enum node_state s)
{
	return state_names[s];
}

bool node_state_parse(struct span word, enum node_state *ret)
{
	for (int i = 0; i < NODE_STATES; i++) {
		if (!span_is(word, state_names[i]))
			continue;
		*ret = (enum node_state)i;
		return true;
	}
	return false;
}

void node_change_text(
	enum node_state now, enum node_state was, const struct reason *cause, struct reason *ret)
{
	(void)fail(OK, ret, "%s (was %s): %.180s", state_names[now], state_names[was], cause->text);
}

/* Steps over `literal`; what stands before it is *ret_part. */
static bool split_at(struct span *text, const char *literal, struct span *ret_part)
{
	size_t n = strlen(literal);
	const char *at = memmem(text->at, text->len, literal, n);
	if (!at)
		return false;
	*ret_part = (struct span){text->at, (size_t)(at - text->at)};
	*text = (struct span){at + n, text->len - ret_part->len - n};
	return true;
}

bool node_change_parse(
	struct span text, enum node_state *ret_now, enum node_state *ret_was, struct span *ret_reason)
{
	struct span now, was;
	enum node_state n, w;
	if (!split_at(&text, " (was ", &now) || !split_at(&text, "): ", &was))
		return false;
	if (!node_state_parse(now, &n) || !node_state_parse(was, &w))
		return false;
	*ret_now = n;
	*ret_was = w;
	*ret_reason = text;
	return true;
}

const char *poll_result_name(enum poll_result r)
{
	return result_names[r];
}

bool node_sync_same_basis(const struct node_sync *a, const struct node_sync *b)
{
	return epoch_equal(&a->epoch, &b->epoch) && a->cursor == b->cursor &&
	       position_equal(a->witness, b->witness) && a->generation == b->generation &&
	       a->resets == b->resets && a->comparing == b->comparing &&
	       epoch_equal(&a->rename_to, &b->rename_to) && epoch_equal(&a->probe, &b->probe) &&
	       a->halt == b->halt && a->life == b->life;
}

struct offset_claim node_clock_claim(const struct node_run *run)
{
	if (!run->clock.told)
		return (struct offset_claim){OFFSET_NOT_TOLD, -1};
	if (run->clock.error_us < 0)
		return (struct offset_claim){OFFSET_FREE, -1};
	return (struct offset_claim){OFFSET_SYNCHRONISED, run->clock.error_us};
}

struct chrony node_chrony(const struct node_run *run)
{
	return run->clock.chrony ? *run->clock.chrony : (struct chrony){.state = run->clock.kept};
}

/* Of a clock that follows nothing only that is known. */
void node_hear_chrony(struct node_run *run, const struct chrony *c)
{
	bool follows = c->state == CHRONY_SYNCHRONISED || c->state == CHRONY_ALONE;

	run->clock.kept = c->state;
	if (!follows) {
		free(run->clock.chrony);
		run->clock.chrony = NULL;
		return;
	}
	if (!run->clock.chrony)
		run->clock.chrony = malloc(sizeof *run->clock.chrony);
	if (!run->clock.chrony)
		err_out_of_memory();
	*run->clock.chrony = *c;
}

const struct node_trouble *node_trouble(const struct node_run *run)
{
	static const struct node_trouble none;
	return run->trouble ? run->trouble : &none;
}

struct node_trouble *node_troubled(struct node_run *run)
{
	if (!run->trouble)
		run->trouble = calloc(1, sizeof *run->trouble);
	if (!run->trouble)
		err_out_of_memory();
	return run->trouble;
}

static void drop_trouble(struct node_run *run)
{
	free(run->trouble);
	run->trouble = NULL;
}

void node_run_calm(struct node_run *run)
{
	const struct node_trouble *t = node_trouble(run);
	if (!t->last_reason.text[0] && run->push_failures == 0 && !t->apart.what.bits_known &&
		t->apart.failures == 0 && t->unwell.kinds == 0 && !t->rejected.any && !t->damaged[0])
		drop_trouble(run);
}

void node_run_done(struct node_run *run)
{
	drop_trouble(run);
	free(run->clock.chrony);
	run->clock.chrony = NULL;
}

/* Sets the reason as fail() does, if there is one, and gives the state. */
#define SAY(state, why, ...) ((void)fail(OK, (why), __VA_ARGS__), (state))

bool node_is_restless(const struct node_run *run)
{
	return run->resets.in_a_row >= NODE_RESETS_IN_A_ROW || run->resets.n >= NODE_RESETS_AN_HOUR;
}

/*
 * An empty log can be doubted too, so the seq alone does not tell; two unequal digests are
 * never both zero.
 */
bool node_sync_doubts(const struct node_sync *s)
{
	static const struct digest nothing;

	return s->doubt_seq > 0 || !digest_equal(s->doubt_local, nothing) ||
	       !digest_equal(s->doubt_centre, nothing);
}

static enum node_state state_of_halt(const struct node_sync *s, struct reason *why)
{
	switch (s->halt) {
	case HALT_IDENTITY:
		return SAY(NODE_IDENTITY_CONFLICT, why,
			"a database that was left behind (epoch %.8s) is back: a clone or an older disk; "
			"nothing "
			"moves until an operator resumes it and so accepts what answers now",
			s->probe.hex);
	case HALT_DIVERGED:
		if (!node_sync_doubts(s))
			return SAY(NODE_DIVERGED, why,
				"it never came to rest: each time it was asked it was another database, or "
				"held other records; nothing moves until an operator resumes it");
		return SAY(NODE_DIVERGED, why,
			"both ends counted their records again and still differ, and nothing was written "
			"between; nothing moves "
			"until an operator resumes it");
	case HALT_NONE:
		break;
	}
	return SAY(NODE_CATCHING_UP, why, "not halted");
}

static enum node_state state_of_failure(const struct node *n, const struct node_run *run, struct reason *why)
{
	const char *text = node_trouble(run)->last_reason.text[0] ? node_trouble(run)->last_reason.text
								  : poll_result_name(run->last_result);

	if (run->last_result == POLL_INCOMPATIBLE)
		return SAY(NODE_INCOMPATIBLE, why, "no common version of the protocol: %s", text);
	if (epoch_is_none(&n->sync.epoch) && !run->heard)
		return SAY(NODE_NEVER_SEEN, why, "it has never answered; the last attempt failed: %s", text);
	return SAY(NODE_OFFLINE, why, "the last exchange failed: %s", text);
}

static enum node_state state_of_comparison(
	const struct node_sync *s, const struct node_run *run, struct reason *why)
{
	const struct apart *a = &node_trouble(run)->apart.what;
	unsigned long long all = 1ULL << a->bits;

	if (!a->bits_known || !node_sync_same_basis(&node_trouble(run)->apart.basis, s))
		return SAY(NODE_RECONCILING, why, "both ends are compared by the digests of buckets");
	if (a->n == 0)
		return SAY(NODE_RECONCILING, why, "both ends are compared: %llu buckets", all);
	return SAY(NODE_RECONCILING, why, "both ends are compared: reading %u of %llu buckets, which differ",
		a->n, all);
}

/* What was pushed and cannot be held keeps a proof from being judged, whatever else goes on. */
static enum node_state state_of_rejection(enum node_state s, const struct node_run *run, struct reason *why)
{
	return SAY(s, why,
		"it cannot hold records of the centre, so nothing is proven; one is %s: %.70s; change or "
		"delete that one, or "
		"upgrade the node",
		node_trouble(run)->rejected.first[0] ? node_trouble(run)->rejected.first : "without an id",
		node_trouble(run)->rejected.why.text);
}

static enum node_state state_of_repair(
	const struct node_sync *s, const struct node_run *run, struct reason *why)
{
	if (!epoch_is_none(&s->rename_to))
		return SAY(NODE_RECONCILING, why,
			"its database went back to an older state; it is being given a new epoch");
	if (!epoch_is_none(&s->probe))
		return SAY(NODE_RECONCILING, why,
			"a database that was left behind answers; it is being asked what it holds");
	if (s->comparing)
		return state_of_comparison(s, run, why);
	if (!run->at_head && run->head_seq > s->cursor)
		return SAY(NODE_RECONCILING, why,
			"both ends are compared record by record: read %" PRIu64 " of %" PRIu64, s->cursor,
			run->head_seq);
	if (run->to_push && run->push_failures > 0)
		return SAY(NODE_RECONCILING, why,
			"it answers, but the last push of what it lacks failed and is to be tried again: "
			"%.150s",
			node_trouble(run)->push_reason.text);
	if (node_trouble(run)->rejected.any && !run->to_push)
		return state_of_rejection(NODE_RECONCILING, run, why);
	if (run->to_push)
		return SAY(NODE_RECONCILING, why,
			"the node has been read to its end; what it lacks is being pushed");
	return SAY(NODE_RECONCILING, why, "both ends are compared record by record");
}

static bool proof_is_fresh(const struct node_run *run, int64_t now_us, int64_t interval_ms)
{
	int64_t most = 3 * interval_ms * 1000;

	if (most < PROOF_AGE_LEAST_US)
		most = PROOF_AGE_LEAST_US;
	return run->proof.known && run->proof.equal && !run->proof.outdated &&
	       now_us - run->proof.mono_us <= most;
}

static void say_proven(int64_t age_s, struct reason *ret)
{
	if (age_s == 0) /* as it stands in the event of a node that came into step */
		(void)fail(OK, ret, "just proven");
	else
		(void)fail(OK, ret, "proven %" PRId64 " s ago", age_s);
}

/* Proven equal, and nothing came since. */
static enum node_state state_of_proof(
	const struct node_sync *s, const struct node_run *run, int64_t age_s, struct reason *why)
{
	const char *damaged = node_trouble(run)->damaged;
	const char *records = run->proof.digest.count == 1 ? "record" : "records";
	struct reason proven;

	if (!why) /* thousands are asked for their word alone */
		return NODE_IN_SYNC;
	say_proven(age_s, &proven);
	if (run->counted.known && run->counted.damaged > 0)
		return SAY(NODE_IN_SYNC, why,
			"both ends name the same %" PRIu64 " %s, %s, but at the node the bytes of %" PRIu64
			" are damaged, one is %s: wipe its database (the centre refills it), or write each "
			"anew there",
			run->proof.digest.count, records, proven.text, run->counted.damaged,
			damaged[0] ? damaged : "without an id");
	if (s->quarantined > 0)
		return SAY(NODE_IN_SYNC, why,
			"both ends hold the same, %s, but for %" PRIu64 " in quarantine", proven.text,
			s->quarantined);
	return SAY(NODE_IN_SYNC, why, "both ends hold the same %" PRIu64 " %s, %s", run->proof.digest.count,
		records, proven.text);
}

/* Neither failed nor in repair: how much is left? */
static enum node_state state_of_progress(
	const struct node_sync *s, const struct node_run *run, int64_t now_us, bool fresh, struct reason *why)
{
	int64_t age_s = run->proof.known ? (now_us - run->proof.mono_us) / 1000000 : 0;

	if (fresh && !run->to_push && !node_trouble(run)->rejected.any)
		return state_of_proof(s, run, age_s, why);
	if (run->pull_backlog > 0)
		return SAY(NODE_CATCHING_UP, why, "%" PRIu64 " change%s left to pull", run->pull_backlog,
			run->pull_backlog == 1 ? "" : "s");
	if (run->to_push && run->push_failures > 0)
		return SAY(NODE_CATCHING_UP, why,
			"it answers, but the last push of the centre's records failed and is to be tried "
			"again: "
			"%.150s",
			node_trouble(run)->push_reason.text);
	if (node_trouble(run)->rejected.any && !run->to_push)
		return state_of_rejection(NODE_CATCHING_UP, run, why);
	if (run->to_push)
		return SAY(NODE_CATCHING_UP, why, "it is being sent what is left to push, if anything");
	if (run->proof.known && run->proof.equal && run->proof.outdated)
		return SAY(NODE_CATCHING_UP, why,
			"it is about to be proven equal again: since the last proof, %" PRId64
			" s ago, it failed to answer or was sent records of the centre",
			age_s);
	if (run->proof.known && run->proof.equal)
		return SAY(NODE_CATCHING_UP, why,
			"the last proof that both ends are equal is %" PRId64 " s old", age_s);
	return SAY(NODE_CATCHING_UP, why, "it answers; no proof yet that both ends are equal");
}

enum node_state node_state(const struct node *n, const struct node_run *run, int64_t now_us,
	int64_t interval_ms, struct reason *reason)
{
	const struct node_sync *s = &n->sync;

	if (n->paused)
		return SAY(NODE_PAUSED, reason,
			"paused by an operator; nothing is exchanged until it is resumed");
	if (s->halt != HALT_NONE)
		return state_of_halt(s, reason);
	if (run->failures > 0)
		return state_of_failure(n, run, reason);
	if (run->store_failures > 0) /* no fault of the node */
		return SAY(NODE_CATCHING_UP, reason, "the centre's own store did not take its answer: %s",
			node_trouble(run)->last_reason.text);
	if (epoch_is_none(&s->epoch) && !run->heard)
		return SAY(NODE_NEVER_SEEN, reason, "not yet asked; it has never answered before");
	if (!run->heard)
		return SAY(NODE_CATCHING_UP, reason, "not yet asked since the centre started");
	if (s->reconciling || !epoch_is_none(&s->rename_to) || !epoch_is_none(&s->probe))
		return state_of_repair(s, run, reason);
	return state_of_progress(s, run, now_us, proof_is_fresh(run, now_us, interval_ms), reason);
}
