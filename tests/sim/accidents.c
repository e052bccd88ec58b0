#include "tests/sim/accidents.h"

#include <stdio.h>

#include "tests/sim/carrier.h"
#include "tests/sim/oracle.h"
#include "tests/sim/poison.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/trace.h"
#include "tests/sim/writes.h"

void accident_crash_site(struct world *w, struct site *s)
{
	trace_line("%s CRASH", s->name);
	site_stop(s);
	site_start(w, s);
	oracle_look(w, &(struct cause){.kind = CAUSE_NOTHING});
}

void accident_crash_centre(struct world *w)
{
	trace_line("centre CRASH");
	centre_stop(w);
	centre_start(w);
	oracle_look(w, &(struct cause){.kind = CAUSE_NOTHING});
}

void accident_copy_site(struct site *s)
{
	copy_take(&s->copies[chance_below(COPIES)], &s->db);
}

void accident_copy_centre(struct world *w)
{
	copy_take(&w->copies[chance_below(COPIES)], &w->db);
}

static void look_after(struct world *w, unsigned sites, bool centre)
{
	struct cause c = {.kind = CAUSE_ACCIDENT, .sites = sites, .centre = centre};

	w->tally.accidents++;
	for (unsigned i = 0; i < w->rules.sites; i++)
		if (centre || (sites >> i & 1) != 0) {
			w->sites[i].disturbed = true;
			w->sites[i].accidents++;
		}
	oracle_look(w, &c);
}

void accident_wipe(struct world *w, struct site *s)
{
	trace_line("%s WIPED", s->name);
	s->wiped = true;
	site_stop(s);
	database_wipe(&s->db);
	site_start(w, s);
	look_after(w, 1u << s->place, false);
}

static const struct copy *pick(const struct copy copies[COPIES])
{
	const struct copy *c = &copies[chance_below(COPIES)];

	return c->bytes == NULL ? NULL : c;
}

/* Before its log goes back. */
static void note_restored(const struct world *w, struct site *s)
{
	s->restored = true;
	s->passed_over |= w->view.nodes[s->place].cursor < s->view.end.seq;
}

static void put_back_site(struct world *w, struct site *s, const struct copy *c)
{
	note_restored(w, s);
	site_stop(s);
	copy_put_back(c, &s->db);
	site_start(w, s);
	look_after(w, 1u << s->place, false);
	trace_line("%s RESTORED to %llu of epoch %.4s", s->name, (unsigned long long)s->view.end.seq,
		s->view.epoch.hex);
}

/* Its copy may be of the middle of a reading, whose end a local that was put back no longer has. */
static void note_centre_restored(struct world *w)
{
	w->restored = true;
	w->life++;
	for (unsigned i = 0; i < w->rules.sites; i++)
		w->sites[i].passed_over |= w->sites[i].restored;
}

static void put_back_centre(struct world *w, const struct copy *c)
{
	centre_stop(w);
	copy_put_back(c, &w->db);
	poison_put(w);
	note_centre_restored(w);
	centre_start(w);
	look_after(w, 0, true);
	trace_line("centre RESTORED");
}

void accident_restore_site(struct world *w, struct site *s)
{
	const struct copy *c = pick(s->copies);

	if (c != NULL)
		put_back_site(w, s, c);
}

void accident_restore_past(struct world *w, struct site *s)
{
	const struct copy *c = pick(s->copies);

	if (c == NULL)
		return;
	put_back_site(w, s, c);
	for (unsigned i = 0; i < 12 && s->view.end.seq <= w->view.nodes[s->place].cursor; i++)
		writes_local(w, s);
}

void accident_restore_under(struct world *w, struct site *s)
{
	const struct copy *c = pick(s->copies);

	if (c == NULL)
		return;
	trace_line("%s unnoticed:", s->name);
	note_restored(w, s);
	copy_put_back(c, &s->db);
	look_after(w, 1u << s->place, false);
	trace_line("%s RESTORED to %llu of epoch %.4s", s->name, (unsigned long long)s->view.end.seq,
		s->view.epoch.hex);
}

/* What is on its way stays so: the answers meet a store that has gone back. */
void accident_restore_centre_under(struct world *w)
{
	const struct copy *c = pick(w->copies);

	if (c == NULL)
		return;
	database_end_sessions(&w->db);
	copy_put_back(c, &w->db);
	poison_put(w);
	note_centre_restored(w);
	look_after(w, 0, true);
	trace_line("centre unnoticed: RESTORED");
}

static void exchange(struct world *w, struct site *s)
{
	if (s->flight.x == NULL)
		carrier_send(w, s);
	if (s->flight.x == NULL)
		return;
	if (!s->flight.answered)
		carrier_deliver(w, s, &s->flight);
	carrier_receive(w, s, &s->flight);
}

void accident_restore_twice(struct world *w, struct site *s)
{
	const struct copy *c = pick(s->copies);

	if (c == NULL)
		return;
	put_back_site(w, s, c);
	if (chance_percent(50))
		writes_local(w, s);
	for (unsigned i = chance_below(4); i > 0; i--)
		exchange(w, s);
	put_back_site(w, s, c);
}

void accident_clone(struct world *w, struct site *s)
{
	struct copy now = {0};

	copy_take(&now, &s->db);
	if (s->twin.bytes == NULL) {
		trace_line("%s CLONED", s->name);
	} else {
		trace_line("%s and its twin change places", s->name);
		put_back_site(w, s, &s->twin);
	}
	copy_done(&s->twin);
	s->twin = now;
}

void accident_restore_centre(struct world *w)
{
	const struct copy *c = pick(w->copies);

	if (c != NULL)
		put_back_centre(w, c);
}

void accident_restore_both(struct world *w, struct site *s)
{
	accident_restore_centre(w);
	for (unsigned i = chance_below(7); i > 0; i--)
		exchange(w, s);
	accident_restore_site(w, s);
}

void accident_restore_amid(struct world *w, struct site *s)
{
	struct node n;
	struct reason why;

	if (store_node(w->store, s->name, &n, &why) != OK)
		world_fail(w, "%s is not in the store: %s", s->name, why.text);
	if (epoch_is_none(&n.sync.rename_to) && epoch_is_none(&n.sync.probe) && !n.sync.reconciling)
		return;
	trace_line("%s amid a %s:", s->name,
		!epoch_is_none(&n.sync.rename_to) ? "rename"
		: !epoch_is_none(&n.sync.probe)   ? "probe"
						  : "reset");
	switch (chance_below(4)) {
	case 0:
		accident_restore_site(w, s);
		break;
	case 1:
		accident_restore_under(w, s);
		break;
	case 2:
		accident_restore_centre(w);
		break;
	default:
		accident_restore_centre_under(w);
	}
}

/* The digest of what is left, as SQL. */
static struct digest without(struct digest d, struct hash h)
{
	digest_drop(&d, h);
	return d;
}

void accident_vanish_site(struct world *w, struct site *s)
{
	unsigned id = chance_below(w->rules.ids);
	const struct row *r = &s->view.rows[id];
	struct digest d = without(s->view.digest, r->hash);
	char sql[300];

	if (!r->present || s->lost)
		return;
	s->lost = true;
	trace_line("%s LOSES %s", s->name, lineage_name(&w->lineage, r->version));
	snprintf(sql, sizeof sql,
		"BEGIN; DELETE FROM records WHERE id = '%c'; UPDATE state SET digest_count = %lld,"
		" digest_lane0 = %lld, digest_lane1 = %lld; COMMIT",
		'a' + (int)id, (long long)d.count, (long long)d.lane[0], (long long)d.lane[1]);
	s->damaged = true;
	site_stop(s); /* a running one's actor vouches for what it wrote */
	database_run(&s->db, sql);
	site_start(w, s);
	look_after(w, 1u << s->place, false);
}

void accident_vanish_centre(struct world *w, struct site *s)
{
	unsigned id = chance_below(w->rules.ids);
	const struct row *r = &w->view.nodes[s->place].rows[id];
	struct digest d = without(w->view.nodes[s->place].digest, r->hash);
	char sql[300];

	if (!r->present || s->lost)
		return;
	s->lost = true;
	trace_line("centre LOSES %s", lineage_name(&w->lineage, r->version));
	snprintf(sql, sizeof sql,
		"BEGIN; DELETE FROM records WHERE owner = '%s' AND id = '%c'; UPDATE nodes SET digest_count "
		"= %lld,"
		" digest_lane0 = %lld, digest_lane1 = %lld WHERE name = '%s'; COMMIT",
		s->name, 'a' + (int)id, (long long)d.count, (long long)d.lane[0], (long long)d.lane[1],
		s->name);
	w->damaged = true;
	centre_stop(w);
	database_run(&w->db, sql);
	centre_start(w);
	look_after(w, 0, true);
}
