#include "tests/sim/steps.h"

#include "shared/clock.h"
#include "tests/sim/accidents.h"
#include "tests/sim/carrier.h"
#include "tests/sim/operator.h"
#include "tests/sim/oracle.h"
#include "tests/sim/past.h"
#include "tests/sim/poison.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/trace.h"
#include "tests/sim/writes.h"

#define HEAL_EVERY 60
#define HEAL_TURNS 24 /* exchanges a node may need; tally.most_turns tells how many it did */
#define QUIET_TURNS 6

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

static void stale_request(struct world *w, struct site *s)
{
	const struct past *p = past_pick(s);

	if (p != NULL)
		carrier_deliver_past(w, s, p);
}

/* Now and then it even comes from another node. */
static void stale_answer(struct world *w, struct site *s)
{
	struct site *from = chance_percent(80) ? s : &w->sites[chance_below(w->rules.sites)];
	const struct past *p = past_pick(from);

	if (s->flight.x != NULL && p != NULL && p->status != 0 &&
		!epoch_equal(&p->request, &s->flight.x->request))
		carrier_receive_other(w, s, p);
}

/* The centre stops waiting, and the exchange goes on without it. */
static void give_up(struct world *w, struct site *s)
{
	struct flight *to = &s->lates[chance_below(LATES)];

	if (s->flight.x == NULL || to->x != NULL)
		return;
	trace_line("%s given up", s->name);
	*to = s->flight;
	s->flight = (struct flight){0};
	w->tally.broken++;
}

/* In any order among several, before and after newer ones. */
static void late(struct world *w, struct site *s)
{
	struct flight *f = &s->lates[chance_below(LATES)];

	if (f->x == NULL)
		return;
	trace_line("%s late", s->name);
	if (!f->answered)
		carrier_deliver(w, s, f);
	else
		carrier_receive(w, s, f);
}

static void astray(struct world *w, struct site *s)
{
	struct site *at = &w->sites[chance_below(w->rules.sites)];

	if (s->flight.x != NULL && !s->flight.answered && at != s)
		carrier_deliver_astray(w, s, at);
}

static void nothing_for_long(struct world *w, struct site *s)
{
	static const int64_t seconds[] = {90, 4000, 90000, 3000000};

	(void)w;
	(void)s;
	time_pass(seconds[chance_below(4)] * 1000000);
}

/* An hour or ten years, there and back, and never twice the same. */
static void jump(struct world *w, struct site *s)
{
	static const int64_t seconds[] = {3600, -3600, 315360000, -315360000, 2, -2, 0, 0};
	int64_t off_us = seconds[chance_below(8)] * 1000000 + chance_below(1000);

	if (chance_percent(40))
		w->clock_off_us = off_us;
	else
		s->clock_off_us = off_us;
	(void)clock_use(w->clock_off_us);
}

/* At both ends, before either can know of the other's: edits and deletes in all combinations. */
static void write_both(struct world *w, struct site *s)
{
	unsigned id = chance_below(w->rules.ids);

	if (chance_percent(70))
		writes_local_at(w, s, id);
	else
		writes_local_delete_at(w, s, id);
	if (chance_percent(70))
		writes_centre_at(w, s, id);
	else
		writes_centre_delete_at(w, s, id);
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

static void exchange(struct world *w, struct site *s)
{
	carrier_send(w, s);
	deliver(w, s);
	receive(w, s);
}

/* Between the digests and the records that differ, too, which seldom comes about by itself. */
static void write_while_comparing(struct world *w, struct site *s)
{
	for (unsigned i = 0; i < 2; i++) {
		if (s->flight.x != NULL || !w->view.nodes[s->place].comparing)
			return;
		trace_line("%s is compared", s->name);
		exchange(w, s);
		if (chance_percent(70))
			writes_local(w, s);
		else
			writes_centre(w, s);
	}
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
	{10, 0, write_both},
	{3, FAULT_POISON, poison_repair},
	{8, FAULT_POISON, poison_retry},
	{3, FAULT_POISON, poison_drop},
	{4, FAULT_DELAY, nothing_for_long},
	{10, FAULT_CLOCK, jump},
	{25, FAULT_ASTRAY, astray},
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
	{14, FAULT_CRESTORE, restore_centre_under},
	{45, FAULT_RESTORE | FAULT_CRESTORE, accident_restore_both},
	{20, FAULT_RESTORE | FAULT_CRESTORE, accident_restore_amid},
	{8, FAULT_VANISH, accident_vanish_site},
	{8, FAULT_VANISH, accident_vanish_centre},
};
#define STEPS (sizeof steps / sizeof steps[0])

/* By its weight, of those that the world's faults allow. */
static const struct step *draw_step(const struct world *w)
{
	unsigned total = 0, at;
	const struct step *t = steps;

	for (size_t i = 0; i < STEPS; i++)
		total += (steps[i].faults & ~w->rules.faults) == 0 ? steps[i].weight : 0;
	at = chance_below(total);
	for (; (t->faults & ~w->rules.faults) != 0 || at >= t->weight; t++)
		at -= (t->faults & ~w->rules.faults) == 0 ? t->weight : 0;
	return t;
}

static void step(struct world *w)
{
	struct site *s = &w->sites[chance_below(w->rules.sites)];

	time_pass(1 + chance_below(400000));
	draw_step(w)->take(w, s);
}

void steps_run(struct world *w, unsigned n, const struct choice *left_out)
{
	for (w->step = 1; w->step <= n; w->step++) {
		if (choice_has(left_out, w->step))
			continue;
		stand_in_step(w->step);
		step(w);
		if (w->rules.mode == MODE_LIVENESS && w->step % HEAL_EVERY == 0 && w->step < n)
			steps_heal(w);
	}
	if (w->rules.mode == MODE_LIVENESS)
		steps_heal(w);
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
		if (chance_percent(40))
			write_while_comparing(w, s);
		exchange(w, s);
	} while (!is_at_rest(w, s));
	if (turns > w->tally.most_turns)
		w->tally.most_turns = turns;
}

/* Idle polls write nothing, also not when the processes have been started anew. */
static void check_quiet(struct world *w)
{
	w->quiet = true;
	for (unsigned turn = 0; turn < QUIET_TURNS; turn++) {
		for (unsigned i = 0; i < w->rules.sites; i++)
			exchange(w, &w->sites[i]);
		time_pass(1000 * INTERVAL_MS);
	}
	w->quiet = false;
}

void steps_heal(struct world *w)
{
	trace_line("heal");
	for (unsigned i = 0; i < w->rules.sites; i++) {
		struct site *s = &w->sites[i];

		carrier_drop(&s->flight);
		carrier_drop_lates(s);
		s->run.at_head = false;
		operator_unpause(w, s);
		settle(w, s);
	}
	oracle_check_healed(w);
	check_quiet(w);
	w->tally.heals++;
	trace_line("healed");
}
