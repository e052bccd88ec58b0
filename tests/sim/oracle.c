#include "tests/sim/oracle_private.h"

#include <string.h>

#include "shared/clock.h"
#include "tests/sim/trace.h"

int oracle_register(
	struct world *w, const struct site *s, unsigned id, const struct row *r, struct version made)
{
	if (lineage_find_dot(&w->lineage, s->place, id, r->dot) >= 0)
		world_fail(w, "%s/%c: the dot of a new version was used before", s->name, 'a' + (int)id);
	made.obliged = made.acknowledged;
	made.site = s->place;
	made.id = id;
	made.deleted = r->deleted;
	memcpy(made.type, r->type, sizeof made.type);
	made.hash = r->hash;
	made.dot = r->dot;
	made.wide = r->wide;
	return lineage_add(&w->lineage, &made);
}

int oracle_version(struct world *w, const struct site *s, unsigned id, const struct row *r, const char *where)
{
	int v = lineage_find(&w->lineage, r->hash);
	const struct version *at = v < 0 ? NULL : &w->lineage.at[v];

	if (at == NULL)
		world_fail(
			w, "%s: holds a version of %s/%c that nobody wrote", where, s->name, 'a' + (int)id);
	if (at->site != s->place || at->id != id || at->deleted != r->deleted ||
		strcmp(at->type, r->type) != 0 || at->dot.actor != r->dot.actor || at->dot.n != r->dot.n)
		world_fail(w, "%s: %s is not what was written", where, lineage_name(&w->lineage, v));
	return v;
}

void oracle_excuse(struct site *s)
{
	s->resets = 0;
	memset(s->merges, 0, sizeof s->merges);
}

bool oracle_lost_its_end(const struct site *s)
{
	for (unsigned id = 0; id < IDS_MAX; id++)
		if (s->view.rows[id].present && s->view.rows[id].seq == s->view.end.seq)
			return false;
	return s->view.end.seq > 0;
}

/* Each write may meet another, and cause one merge; an accident, anything. */
static void note_causes(struct world *w, const struct cause *c)
{
	bool any = c->kind == CAUSE_ACCIDENT || c->kind == CAUSE_OPERATOR || c->again;

	for (unsigned i = 0; i < w->rules.sites; i++) {
		struct site *s = &w->sites[i];

		if ((c->sites >> i & 1) == 0 && !c->centre)
			continue;
		if (any)
			oracle_excuse(s);
		for (unsigned id = 0; id < IDS_MAX; id++)
			if ((c->ids >> id & 1) != 0)
				s->merges[id] = 0;
	}
}

/* After an accident anything may have gone, but what is there was written once. */
static void look_at_ruins(struct world *w, const struct cause *c)
{
	for (unsigned i = 0; i < w->rules.sites; i++) {
		struct site *s = &w->sites[i];

		if ((c->sites >> i & 1) == 0)
			continue;
		database_written(&s->db);
		site_view_read(&s->view, &s->db);
		for (unsigned id = 0; id < IDS_MAX; id++)
			if (s->view.rows[id].present)
				s->view.rows[id].version =
					oracle_version(w, s, id, &s->view.rows[id], s->name);
	}
	if (!c->centre)
		return;
	database_written(&w->db);
	centre_view_read(&w->view, &w->db, 0);
	for (unsigned i = 0; i < w->rules.sites; i++)
		for (unsigned id = 0; id < IDS_MAX; id++) {
			struct row *r = &w->view.nodes[i].rows[id];

			if (r->present)
				r->version = oracle_version(w, &w->sites[i], id, r, "centre");
		}
	for (size_t i = 0; i < w->view.n_archive; i++) {
		struct archived *a = &w->view.archive[i];

		a->row.version = oracle_version(w, &w->sites[a->site], a->id, &a->row, "archive");
	}
	oracle_find_quarantined(w, &w->view);
}

static void keep_rows(struct world *w, const struct row rows[IDS_MAX])
{
	for (unsigned id = 0; id < IDS_MAX; id++)
		if (rows[id].present)
			lineage_keep(&w->lineage, rows[id].version);
}

/* Marks every version whose content is carried on by something that is held somewhere. */
static void mark_kept(struct world *w, bool locals)
{
	lineage_keep_begin(&w->lineage);
	for (unsigned i = 0; i < w->rules.sites; i++) {
		if (locals)
			keep_rows(w, w->sites[i].view.rows);
		keep_rows(w, w->view.nodes[i].rows);
	}
	for (size_t i = 0; i < w->view.n_archive; i++)
		lineage_keep(&w->lineage, w->view.archive[i].row.version);
	for (size_t i = 0; i < w->view.n_quarantine; i++)
		lineage_keep(&w->lineage, w->view.quarantine[i].version);
}

/* Remembers what the archive has carried on, also when it is lost later. */
static void note_archived(struct world *w)
{
	lineage_keep_begin(&w->lineage);
	for (size_t i = 0; i < w->view.n_archive; i++)
		lineage_keep(&w->lineage, w->view.archive[i].row.version);
	for (size_t i = 0; i < w->view.n_quarantine; i++)
		lineage_keep(&w->lineage, w->view.quarantine[i].version);
	for (size_t i = 0; i < w->lineage.n; i++)
		w->lineage.at[i].archived |= lineage_kept(&w->lineage, (int)i);
}

/*
 * What an accident destroyed before it was anywhere else is owed no longer.  What it brought back, in an
 * old copy, is there again and must not be lost silently a second time.
 */
static void settle_debts(struct world *w)
{
	mark_kept(w, true);
	for (size_t i = 0; i < w->lineage.n; i++)
		w->lineage.at[i].obliged = w->lineage.at[i].acknowledged && lineage_kept(&w->lineage, (int)i);
}

/*
 * A push that a restored centre had sent before, and that arrives after the restore, does what it would
 * have done had it come just in time: it replaces a version that was kept in the archive which the accident
 * destroyed.  No local can tell the two apart before the centre has asked it again.
 */
static bool is_undone(const struct world *w, const struct cause *c, const struct version *v)
{
	return c->kind == CAUSE_DELIVERY && c->ghost && v->archived && (c->sites >> v->site & 1) != 0 &&
	       w->restored;
}

static void check_obligations(struct world *w, const struct cause *c)
{
	mark_kept(w, c != NULL);
	for (size_t i = 0; i < w->lineage.n; i++) {
		struct version *v = &w->lineage.at[i];

		if (!v->obliged || lineage_kept(&w->lineage, (int)i))
			continue;
		if (c == NULL || !is_undone(w, c, v))
			world_fail(w, "%s was acknowledged and is lost", lineage_name(&w->lineage, (int)i));
		trace_line("  %s is lost with the archive", lineage_name(&w->lineage, (int)i));
		v->obliged = false;
		w->tally.ghosts++;
	}
}

static bool look_at_steps(struct world *w, const struct cause *c)
{
	bool any = false;

	for (unsigned i = 0; i < w->rules.sites; i++) {
		struct site *s = &w->sites[i];
		struct site_view now = {0};

		if (!database_written(&s->db))
			continue;
		any = true;
		if (w->quiet)
			world_fail(w, "%s wrote, though all was at rest", s->name);
		site_view_read(&now, &s->db);
		oracle_check_local_step(w, s, &now, c);
		site_view_done(&s->view);
		s->view = now;
		oracle_check_local(w, s);
	}
	if (database_written(&w->db)) {
		struct centre_view now = {0};

		any = true;
		if (w->quiet)
			world_fail(w, "the centre wrote, though all was at rest");
		centre_view_read(&now, &w->db, w->view.last_event);
		oracle_check_centre_step(w, &now, c);
		centre_view_done(&w->view);
		w->view = now;
		oracle_check_centre(w);
	}
	return any;
}

void oracle_look(struct world *w, const struct cause *c)
{
	note_causes(w, c);
	if (c->kind == CAUSE_ACCIDENT) {
		look_at_ruins(w, c);
		settle_debts(w);
	} else if (!look_at_steps(w, c)) {
		return;
	}
	note_archived(w);
	if (c->drops)
		settle_debts(w);
	check_obligations(w, c);
	for (unsigned i = 0; i < w->rules.sites; i++)
		oracle_check_progress(w, &w->sites[i]);
}

void oracle_begin(struct world *w)
{
	struct cause all = {.kind = CAUSE_ACCIDENT, .sites = (1u << w->rules.sites) - 1, .centre = true};

	oracle_look(w, &all);
}

void oracle_check_proof(struct world *w, struct site *s, const struct flight *f, const struct node *n)
{
	struct reason why;

	w->tally.proofs++;
	if (f->accidents != s->accidents)
		return; /* what was proven then has gone since */
	for (unsigned id = 0; id < IDS_MAX; id++) {
		const struct row *r = &w->view.nodes[s->place].rows[id];
		bool equal = f->held[id].any == r->present &&
			     (!r->present || hash_equal(f->held[id].hash, r->hash));

		if (!equal &&
			!(f->held[id].any && centre_view_explains(&w->view, s->place, id, f->held[id].hash)))
			world_fail(w, "%s is said to be equal, and was not when it answered: %c", s->name,
				'a' + (int)id);
	}
	if (n->sync.doubt_seq != 0 || n->sync.doubt_local.count != 0 || n->sync.doubt_centre.count != 0 ||
		node_state(n, &s->run, clock_mono_us(), INTERVAL_MS, &why) != NODE_IN_SYNC)
		return;
	/* What was proven may have been written past meanwhile, where its newest row had vanished. */
	s->disturbed = oracle_lost_its_end(s) ||
		       (s->damaged && !site_view_has(&s->view, w->view.nodes[s->place].witness));
	s->lost = s->passed_over = false;
}

void oracle_check_healed(struct world *w)
{
	for (unsigned i = 0; i < w->rules.sites; i++)
		for (unsigned id = 0; id < w->rules.ids; id++) {
			const struct row *l = &w->sites[i].view.rows[id], *c = &w->view.nodes[i].rows[id];

			if (l->present && centre_view_explains(&w->view, i, id, l->hash))
				continue;
			if (l->present != c->present || (l->present && !hash_equal(l->hash, c->hash)))
				world_fail(w,
					"%s is said to be equal, and %c differs: it holds %s, the centre %s",
					w->sites[i].name, 'a' + (int)id,
					l->present ? lineage_name(&w->lineage, l->version) : "nothing",
					c->present ? lineage_name(&w->lineage, c->version) : "nothing");
		}
	check_obligations(w, NULL);
}
