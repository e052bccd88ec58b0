#include "tests/sim/oracle_private.h"

#include "tests/sim/poison.h"
#include "tests/sim/trace.h"

/* Who wins: the policy's side, but an edit beats a delete. */
static bool local_wins(const struct world *w, const struct version *l, const struct version *c)
{
	if (l->deleted != c->deleted)
		return c->deleted;
	return w->rules.policy == POLICY_OWNER;
}

static bool is_archived(const struct centre_view *v, struct hash h)
{
	for (size_t i = 0; i < v->n_archive; i++)
		if (hash_equal(v->archive[i].row.hash, h))
			return true;
	return false;
}

/* Two versions met and neither knew the other: a new one of the centre, and the loser is kept. */
static void check_merge(
	struct world *w, const struct site *s, unsigned id, struct centre_view *now, const struct cause *c)
{
	const struct row *was = &w->view.nodes[s->place].rows[id];
	struct row *r = &now->nodes[s->place].rows[id];
	const struct told *told = &c->told[s->place];
	int local = told->any[id] ? lineage_find(&w->lineage, told->hash[id]) : -1;
	int winner, loser;

	if (!was->present || local < 0)
		world_fail(w, "centre: %s/%c holds a version that nobody wrote", s->name, 'a' + (int)id);
	winner = local_wins(w, &w->lineage.at[local], &w->lineage.at[was->version]) ? local : was->version;
	loser = winner == local ? was->version : local;
	r->version = oracle_register(
		w, s, id, r, (struct version){.from = winner, .also = loser, .maker = BY_MERGE});
	w->tally.merges++;
	if (++w->sites[s->place].merges[id] > w->tally.most_merges)
		w->tally.most_merges = w->sites[s->place].merges[id];
	if (w->sites[s->place].merges[id] > MERGES_MAX)
		world_fail(w, "%s/%c: merged %u times, and nobody wrote between", s->name, 'a' + (int)id,
			w->sites[s->place].merges[id]);
	trace_line("  conflict: %s over %s -> %s", lineage_name(&w->lineage, winner),
		lineage_name(&w->lineage, loser), lineage_name(&w->lineage, r->version));
	if (!w->lineage.at[winner].wide && !w->lineage.at[loser].wide &&
		(lineage_knows(&w->lineage, winner, loser) || lineage_knows(&w->lineage, loser, winner)))
		world_fail(w, "centre: a conflict between %s and %s, though one knew the other",
			lineage_name(&w->lineage, winner), lineage_name(&w->lineage, loser));
	if (!is_archived(now, w->lineage.at[loser].hash))
		world_fail(w, "centre: the loser %s of a conflict was not kept",
			lineage_name(&w->lineage, loser));
}

static void check_answered(
	struct world *w, const struct site *s, unsigned id, struct centre_view *now, const struct cause *c)
{
	const struct row *was = &w->view.nodes[s->place].rows[id];
	struct row *r = &now->nodes[s->place].rows[id];
	const struct told *told = &c->told[s->place];

	r->version = lineage_find(&w->lineage, r->hash);
	if (r->version < 0) {
		check_merge(w, s, id, now, c);
		return;
	}
	r->version = oracle_version(w, s, id, r, "centre");
	if (!told->any[id] || !hash_equal(told->hash[id], r->hash))
		world_fail(w, "centre: took %s, which %s did not send", lineage_name(&w->lineage, r->version),
			s->name);
	if (was->present && !lineage_knows(&w->lineage, r->version, was->version))
		world_fail(w, "centre: put %s over %s, which it did not know",
			lineage_name(&w->lineage, r->version), lineage_name(&w->lineage, was->version));
}

static void check_written(
	struct world *w, const struct site *s, unsigned id, struct centre_view *now, const struct cause *c)
{
	const struct row *was = &w->view.nodes[s->place].rows[id];
	struct row *r = &now->nodes[s->place].rows[id];
	struct version made = {.from = was->present ? was->version : -1,
		.also = -1,
		.maker = BY_CENTRE,
		.acknowledged = c->acknowledged};

	if ((c->ids >> id & 1) == 0)
		world_fail(w, "centre: %s/%c was written, which nobody asked for", s->name, 'a' + (int)id);
	if (lineage_find(&w->lineage, r->hash) >= 0)
		world_fail(w, "centre: a write of %s/%c made a version that was there before", s->name,
			'a' + (int)id);
	if (!c->acknowledged && !c->uncertain)
		world_fail(w, "centre: a refused write of %s/%c was made", s->name, 'a' + (int)id);
	if (c->kind == CAUSE_PROMOTION) {
		made.also = c->archived;
		made.both = true;
		made.maker = BY_PROMOTION;
	}
	r->version = oracle_register(w, s, id, r, made);
	if (c->kind == CAUSE_CENTRE_WRITE && r->deleted != c->deleted)
		world_fail(w, "centre: %s is not what was asked for", lineage_name(&w->lineage, r->version));
}

static void check_row(
	struct world *w, const struct site *s, unsigned id, struct centre_view *now, const struct cause *c)
{
	const struct row *was = &w->view.nodes[s->place].rows[id];
	struct row *r = &now->nodes[s->place].rows[id];
	bool here = (c->sites >> s->place & 1) != 0;

	if (was->present && !r->present)
		world_fail(w, "centre: %s is gone", lineage_name(&w->lineage, was->version));
	if (!r->present)
		return;
	r->version = was->version;
	if (was->present && hash_equal(was->hash, r->hash))
		return;
	if (here && c->kind == CAUSE_ANSWER)
		check_answered(w, s, id, now, c);
	else if (here && (c->kind == CAUSE_CENTRE_WRITE || c->kind == CAUSE_PROMOTION))
		check_written(w, s, id, now, c);
	else
		world_fail(w, "centre: %s/%c changed, which nobody asked for", s->name, 'a' + (int)id);
}

/* The archive only grows. */
static void check_archive(struct world *w, struct centre_view *now)
{
	for (size_t i = 0; i < now->n_archive; i++) {
		struct archived *a = &now->archive[i];

		if (i < w->view.n_archive) {
			if (!hash_equal(a->row.hash, w->view.archive[i].row.hash))
				world_fail(w, "centre: the archive changed at %lld", (long long)a->number);
			a->row.version = w->view.archive[i].row.version;
			continue;
		}
		a->row.version = oracle_version(w, &w->sites[a->site], a->id, &a->row, "archive");
		w->tally.archived++;
	}
	if (now->n_archive < w->view.n_archive)
		world_fail(w, "centre: the archive lost a version");
}

/*
 * An epoch that is left is remembered for good.  One that comes back is only taken up again where its
 * log lacks what the centre had seen of it; else an operator decides.
 */
static void check_epochs(
	struct world *w, const struct site *s, const struct centre_view *now, const struct cause *c)
{
	const struct epoch *old = &w->view.nodes[s->place].epoch, *new = &now->nodes[s->place].epoch;
	const struct abandoned *back = centre_view_abandoned(&w->view, s->place, new);
	bool changed = !epoch_equal(old, new);

	if (changed && !epoch_is_none(old) && centre_view_abandoned(now, s->place, old) == NULL)
		world_fail(w, "centre: left epoch %.4s of %s behind and forgot it", old->hex, s->name);
	if (changed && back != NULL && c->kind == CAUSE_ANSWER &&
		(back->witness.seq == 0 || epoch_is_none(&now->nodes[s->place].rename_to)))
		world_fail(w, "centre: took epoch %.4s of %s back as if nothing had been", new->hex, s->name);
	for (size_t i = 0; i < w->view.n_abandoned; i++) {
		const struct abandoned *a = &w->view.abandoned[i];

		if (a->site == s->place && c->kind != CAUSE_OPERATOR &&
			centre_view_abandoned(now, s->place, &a->epoch) == NULL)
			world_fail(w, "centre: forgot that %s left epoch %.4s", s->name, a->epoch.hex);
	}
}

void oracle_find_quarantined(struct world *w, struct centre_view *v)
{
	uint64_t n[SITES_MAX] = {0};

	for (size_t i = 0; i < v->n_quarantine; i++) {
		struct quarantined *q = &v->quarantine[i];
		const struct version *at;

		n[q->site]++;
		q->version = lineage_find(&w->lineage, q->hash);
		if (q->version < 0)
			world_fail(w, "quarantine: holds a version of %s/%c that nobody wrote",
				w->sites[q->site].name, 'a' + (int)q->id);
		at = &w->lineage.at[q->version];
		if (at->site != q->site || at->id != q->id)
			world_fail(w, "quarantine: %s is kept as another",
				lineage_name(&w->lineage, q->version));
		if ((w->rules.faults & FAULT_POISON) == 0 || !poison_is(at->type))
			world_fail(w, "quarantine: %s is in it without a reason",
				lineage_name(&w->lineage, q->version));
	}
	for (unsigned i = 0; i < w->rules.sites; i++)
		if (n[i] != v->nodes[i].quarantined)
			world_fail(w, "%s has %llu in quarantine, its row says %llu", w->sites[i].name,
				(unsigned long long)n[i], (unsigned long long)v->nodes[i].quarantined);
}

/* A reset has a reason: an accident, and nothing else. */
static void check_node(struct world *w, struct site *s, const struct centre_view *now, const struct cause *c)
{
	unsigned i = s->place;
	uint64_t was = w->view.nodes[i].resets;
	/* of the same reset: a comparison found that everything is to be read */
	bool gave_way = w->view.nodes[i].comparing && !now->nodes[i].comparing &&
			epoch_equal(&now->nodes[i].epoch, &w->view.nodes[i].epoch);
	bool halted = now->nodes[i].halt != HALT_NONE && now->nodes[i].halt != w->view.nodes[i].halt;

	if (now->nodes[i].halt == HALT_DIVERGED)
		world_fail(w, "%s: unequal twice without a write between: the proof gave up", s->name);
	if (halted)
		w->tally.halts++;
	if (halted && !s->disturbed)
		world_fail(w, "%s: an identity conflict without a cause", s->name);
	if (now->nodes[i].generation < w->view.nodes[i].generation)
		world_fail(w, "%s: the generation went back", s->name);
	if (now->nodes[i].resets == was)
		return;
	w->tally.resets++;
	w->tally.reread += gave_way;
	s->resets += !gave_way;
	if (s->resets > w->tally.most_resets)
		w->tally.most_resets = s->resets;
	if (s->resets > RESETS_MAX)
		world_fail(w, "%s: reset %u times after one accident", s->name, s->resets);
	if (now->nodes[i].resets < was)
		world_fail(w, "%s: the resets went back", s->name);
	if (c->kind != CAUSE_ANSWER && c->kind != CAUSE_OPERATOR)
		world_fail(w, "%s: a reset that nobody asked for", s->name);
	if (!s->disturbed && !epoch_is_none(&w->view.nodes[i].epoch))
		world_fail(w, "%s: a reset without a cause", s->name);
}

/* No alarm without a cause. */
static void check_alarms(struct world *w, const struct site *s, const struct centre_view *now)
{
	bool named_by_centre = !epoch_is_none(&w->view.nodes[s->place].rename_to) &&
			       epoch_equal(&w->view.nodes[s->place].rename_to, &now->nodes[s->place].epoch);
	const bool cause[ALARMS] = {
		/* a copy may have an epoch that the centre gave it and was never told of */
		[ALARM_WIPED] = (s->wiped || s->restored || w->restored) && !named_by_centre,
		[ALARM_REWOUND] = s->restored || s->damaged || w->restored,
		[ALARM_CLONED] = s->restored,
		[ALARM_CENTRE_REWOUND] = w->restored || w->damaged,
		[ALARM_DIVERGED] = false,
	};

	for (unsigned i = 0; i < ALARMS; i++)
		if ((now->told[s->place] >> i & 1) != 0 && !cause[i])
			world_fail(w, "%s is said to be %s, and it never was", s->name, alarm_names[i]);
}

void oracle_check_centre_step(struct world *w, struct centre_view *now, const struct cause *c)
{
	if (c->kind < CAUSE_CENTRE_WRITE)
		world_fail(w, "the centre wrote, which nobody asked for");
	if (c->writes_nothing)
		world_fail(w, "the centre wrote, though the answer was stale, cut, foreign or none");
	if (now->content == w->view.content)
		world_fail(w, "the centre wrote, though nothing changed");
	for (unsigned i = 0; i < w->rules.sites; i++) {
		for (unsigned id = 0; id < IDS_MAX; id++)
			check_row(w, &w->sites[i], id, now, c);
		check_node(w, &w->sites[i], now, c);
		check_epochs(w, &w->sites[i], now, c);
		check_alarms(w, &w->sites[i], now);
	}
	check_archive(w, now);
	oracle_find_quarantined(w, now);
	if (now->n_quarantine > w->view.n_quarantine)
		w->tally.quarantined += now->n_quarantine - w->view.n_quarantine;
}
