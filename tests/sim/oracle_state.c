#include "tests/sim/oracle_private.h"

static struct digest recount(const struct row rows[IDS_MAX])
{
	struct digest d = {0};

	for (unsigned i = 0; i < IDS_MAX; i++)
		if (rows[i].present)
			digest_add(&d, rows[i].hash);
	return d;
}

void oracle_check_local(struct world *w, const struct site *s)
{
	if (!digest_equal(recount(s->view.rows), s->view.digest))
		world_fail(w, "%s: the digest is not that of the rows", s->name);
}

void oracle_check_centre(struct world *w)
{
	for (unsigned i = 0; i < w->rules.sites; i++)
		if (!digest_equal(recount(w->view.nodes[i].rows), w->view.nodes[i].digest))
			world_fail(w, "centre: the digest of %s is not that of the rows", w->sites[i].name);
}

/* What lies behind the cursor is known to the centre, or in quarantine. */
static void check_cursor(struct world *w, const struct site *s, unsigned id)
{
	const struct row *l = &s->view.rows[id], *c = &w->view.nodes[s->place].rows[id];

	if (!l->present || l->seq > w->view.nodes[s->place].cursor ||
		centre_view_explains(&w->view, s->place, id, l->hash))
		return;
	if (!c->present || !lineage_knows(&w->lineage, c->version, l->version))
		world_fail(w, "%s: the cursor %llu passed %s at %llu, the centre holds %s", s->name,
			(unsigned long long)w->view.nodes[s->place].cursor,
			lineage_name(&w->lineage, l->version), (unsigned long long)l->seq,
			c->present ? lineage_name(&w->lineage, c->version) : "nothing");
}

static bool is_quarantined(const struct centre_view *v, unsigned site, unsigned id)
{
	for (size_t i = 0; i < v->n_quarantine; i++)
		if (v->quarantine[i].site == site && v->quarantine[i].id == id &&
			quarantined_held(v, &v->quarantine[i]))
			return true;
	return false;
}

/*
 * What the centre believes the local to hold is what it held once.  Beside a version in quarantine it believes
 * nothing new.
 */
static void check_local_hash(struct world *w, const struct site *s, unsigned id)
{
	const struct row *l = &s->view.rows[id], *c = &w->view.nodes[s->place].rows[id];
	int believed;

	if (!c->present || !c->local_known || c->local_generation != w->view.nodes[s->place].generation ||
		is_quarantined(&w->view, s->place, id))
		return;
	believed = lineage_find(&w->lineage, c->local);
	if (believed < 0 || !l->present || !lineage_knows(&w->lineage, l->version, believed))
		world_fail(w, "centre: believes %s to hold %s, it holds %s", s->name,
			lineage_name(&w->lineage, believed),
			l->present ? lineage_name(&w->lineage, l->version) : "nothing");
}

void oracle_check_progress(struct world *w, const struct site *s)
{
	unsigned i = s->place;

	if (s->disturbed || epoch_is_none(&w->view.nodes[i].epoch))
		return;
	if (!epoch_equal(&w->view.nodes[i].epoch, &s->view.epoch))
		world_fail(w, "centre: has another epoch of %s than it has", s->name);
	if (!site_view_has(&s->view, w->view.nodes[i].witness))
		world_fail(w, "%s: the witness %llu of the centre is no longer in the log", s->name,
			(unsigned long long)w->view.nodes[i].witness.seq);
	for (unsigned id = 0; id < w->rules.ids; id++) {
		check_cursor(w, s, id);
		check_local_hash(w, s, id);
	}
}
