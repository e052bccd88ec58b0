#include "tests/sim/steps.h"

#include "shared/clock.h"
#include "tests/sim/accidents.h"
#include "tests/sim/carrier.h"
#include "tests/sim/operator.h"
#include "tests/sim/oracle.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/trace.h"
#include "tests/sim/writes.h"

#define INTERVAL_MS 1000
#define HEAL_EVERY 60
#define HEAL_TURNS 80 /* exchanges a node may need; tally.most_turns tells how many it did */

static void send(struct world *w, struct site *s)
{
	s->run.asked = chance_percent(30);
	if (s->flight.x == NULL)
		carrier_send(w, s);
	else if (!s->flight.answered)
		carrier_deliver(w, s, &s->flight);
}

static void deliver(struct world *w, struct site *s)
{
	if (s->flight.x != NULL && !s->flight.answered)
		carrier_deliver(w, s, &s->flight);
}

static void receive(struct world *w, struct site *s)
{
	if (s->flight.x != NULL && s->flight.answered)
		carrier_receive(w, s, &s->flight);
}

static void receive_all(struct world *w, struct site *s)
{
	(void)s;
	carrier_receive_all(w);
}

static void lose(struct world *w, struct site *s)
{
	if (s->flight.x != NULL)
		carrier_time_out(w, s);
}

static void twice(struct world *w, struct site *s)
{
	if (s->flight.x == NULL)
		return;
	trace_line("%s twice", s->name);
	carrier_deliver(w, s, &s->flight);
	carrier_deliver(w, s, &s->flight);
}

static const struct past *pick_past(const struct site *s)
{
	unsigned n = s->n_pasts < PASTS ? s->n_pasts : PASTS;

	return n == 0 ? NULL : &s->pasts[chance_below(n)];
}

static void stale_request(struct world *w, struct site *s)
{
	const struct past *p = pick_past(s);

	if (p != NULL)
		carrier_deliver_past(w, s, p);
}

/* Now and then it even comes from another node. */
static void stale_answer(struct world *w, struct site *s)
{
	struct site *from = chance_percent(80) ? s : &w->sites[chance_below(w->rules.sites)];
	const struct past *p = pick_past(from);

	if (s->flight.x != NULL && p != NULL && p->status != 0 &&
		!epoch_equal(&p->request, &s->flight.x->request))
		carrier_receive_other(w, s, p);
}

/* The centre stops waiting, and the exchange goes on without it. */
static void give_up(struct world *w, struct site *s)
{
	if (s->flight.x == NULL || s->late.x != NULL)
		return;
	trace_line("%s given up", s->name);
	s->late = s->flight;
	s->flight = (struct flight){0};
	w->tally.broken++;
}

static void late(struct world *w, struct site *s)
{
	if (s->late.x == NULL)
		return;
	trace_line("%s late", s->name);
	if (!s->late.answered)
		carrier_deliver(w, s, &s->late);
	else
		carrier_receive(w, s, &s->late);
}

/* Anywhere, and often between two lines, where nothing but the missing end tells. */
static void cut(struct world *w, struct site *s)
{
	const struct buf *body = &s->flight.body;
	size_t len;

	if (s->flight.x == NULL || !s->flight.answered || body->len == 0)
		return;
	len = chance_below((unsigned)body->len);
	if (chance_percent(50))
		while (len > 0 && body->at[len - 1] != '\n')
			len--;
	carrier_receive_cut(w, s, len);
}

static void crash_centre(struct world *w, struct site *s)
{
	(void)s;
	accident_crash_centre(w);
}

static void copy_site(struct world *w, struct site *s)
{
	(void)w;
	accident_copy_site(s);
}

static void copy_centre(struct world *w, struct site *s)
{
	(void)s;
	accident_copy_centre(w);
}

static void restore_centre(struct world *w, struct site *s)
{
	(void)s;
	accident_restore_centre(w);
}

static void restore_centre_under(struct world *w, struct site *s)
{
	(void)s;
	accident_restore_centre_under(w);
}

static void promote(struct world *w, struct site *s)
{
	(void)s;
	writes_promote(w);
}

/* The next step that commits, or one soon after, meets it. */
static void break_commit(struct world *w, struct site *s)
{
	enum commit_fate fate = COMMIT_FAILS + chance_below(3);

	commit_set_fate(fate, chance_below(2));
	w->tally.broken++;
	trace_line("a commit will %s", fate == COMMIT_FAILS         ? "fail"
				       : fate == COMMIT_UNSAID_DONE ? "be done and not said"
								    : "be lost and not said");
	switch (chance_below(4)) {
	case 0:
		writes_local(w, s);
		break;
	case 1:
		writes_centre(w, s);
		break;
	case 2:
		deliver(w, s);
		break;
	default:
		receive(w, s);
	}
	commit_fate_met();
}

static const struct step {
	unsigned weight;
	unsigned faults; /* taken only where all of them are allowed */
	void (*take)(struct world *w, struct site *s);
} steps[] = {
	{120, 0, writes_local},
	{20, 0, writes_local_delete},
	{8, 0, writes_local_same},
	{80, 0, writes_centre},
	{15, 0, writes_centre_delete},
	{6, 0, promote},
	{20, 0, writes_resume},
	{6, 0, writes_verify},
	{8, 0, operator_pause},
	{30, 0, operator_unpause},
	{5, 0, operator_add_again},
	{220, 0, send},
	{180, 0, deliver},
	{180, 0, receive},
	{40, 0, receive_all},
	{30, FAULT_LOST, lose},
	{25, FAULT_TWICE, twice},
	{40, FAULT_STALE, stale_request},
	{20, FAULT_STALE, stale_answer},
	{30, FAULT_LATE, give_up},
	{40, FAULT_LATE, late},
	{25, FAULT_CUT, cut},
	{20, FAULT_CRASH, accident_crash_site},
	{20, FAULT_CRASH, crash_centre},
	{40, FAULT_COMMIT, break_commit},
	{12, FAULT_WIPE, accident_wipe},
	{60, FAULT_RESTORE, copy_site},
	{18, FAULT_RESTORE, accident_restore_site},
	{12, FAULT_RESTORE, accident_restore_past},
	{8, FAULT_RESTORE, accident_restore_twice},
	{8, FAULT_RESTORE, accident_restore_under},
	{12, FAULT_CLONE, accident_clone},
	{45, FAULT_CRESTORE, copy_centre},
	{18, FAULT_CRESTORE, restore_centre},
	{8, FAULT_CRESTORE, restore_centre_under},
	{20, FAULT_RESTORE | FAULT_CRESTORE, accident_restore_both},
	{8, FAULT_VANISH, accident_vanish_site},
	{8, FAULT_VANISH, accident_vanish_centre},
};
#define STEPS (sizeof steps / sizeof steps[0])

static void step(struct world *w)
{
	unsigned total = 0, at;
	struct site *s = &w->sites[chance_below(w->rules.sites)];
	const struct step *t = steps;

	for (size_t i = 0; i < STEPS; i++)
		total += (steps[i].faults & ~w->rules.faults) == 0 ? steps[i].weight : 0;
	at = chance_below(total);
	for (; (t->faults & ~w->rules.faults) != 0 || at >= t->weight; t++)
		at -= (t->faults & ~w->rules.faults) == 0 ? t->weight : 0;
	w->step++;
	time_pass(1 + chance_below(400000));
	t->take(w, s);
}

void steps_run(struct world *w, unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		step(w);
		if (i % HEAL_EVERY == 0 && i < n)
			steps_heal(w);
	}
	steps_heal(w);
}

static void exchange(struct world *w, struct site *s)
{
	carrier_send(w, s);
	deliver(w, s);
	receive(w, s);
}

/* Proven by the system itself.  After a doubt the rows have been counted, and the counters are still to
 * agree. */
static bool is_at_rest(struct world *w, struct site *s)
{
	struct node n;
	struct reason why;

	if (store_node(w->store, s->name, &n, &why) != OK)
		world_fail(w, "%s is not in the store: %s", s->name, why.text);
	return s->run.proof.known && s->run.proof.equal && s->run.at_head && !s->run.to_push &&
	       n.sync.doubt_seq == 0 && n.sync.doubt_local.count == 0 && n.sync.doubt_centre.count == 0 &&
	       node_state(&n, &s->run, clock_mono_us(), INTERVAL_MS, &why) == NODE_IN_SYNC;
}

static void settle(struct world *w, struct site *s)
{
	unsigned turns = 0;

	s->run.proof.known = false; /* only what is proven from now on counts */
	do {
		if (++turns > HEAL_TURNS)
			world_fail(w, "%s does not come to rest in %u exchanges", s->name, HEAL_TURNS);
		if (w->view.nodes[s->place].halt == HALT_IDENTITY)
			writes_resume(w, s);
		exchange(w, s);
	} while (!is_at_rest(w, s));
	if (turns > w->tally.most_turns)
		w->tally.most_turns = turns;
}

/*
 * Its newest row vanished: the place is forgotten with the next write, so a centre that saw it
 * will notice.
 */
static bool has_lost_its_end(const struct site *s)
{
	for (unsigned id = 0; id < IDS_MAX; id++)
		if (s->view.rows[id].present && s->view.rows[id].seq == s->view.end.seq)
			return false;
	return s->view.end.seq > 0;
}

void steps_heal(struct world *w)
{
	trace_line("heal");
	for (unsigned i = 0; i < w->rules.sites; i++) {
		struct site *s = &w->sites[i];

		carrier_drop(&s->flight);
		carrier_drop(&s->late);
		s->run.at_head = false;
		operator_unpause(w, s);
		settle(w, s);
	}
	oracle_check_healed(w);
	w->quiet = true;
	for (unsigned turn = 0; turn < 4; turn++)
		for (unsigned i = 0; i < w->rules.sites; i++)
			exchange(w, &w->sites[i]);
	w->quiet = false;
	for (unsigned i = 0; i < w->rules.sites; i++) {
		w->sites[i].disturbed = has_lost_its_end(&w->sites[i]);
		w->sites[i].lost = false;
	}
	w->tally.heals++;
	trace_line("healed");
}
