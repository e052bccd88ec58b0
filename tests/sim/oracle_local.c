#include "shared/record.h"
#include "tests/sim/oracle_private.h"

#include <stdio.h>

/* The rows of `now` that took a place in the log since; in its order. */
static unsigned written_rows(const struct site_view *was, struct site_view *now, struct row *ret[IDS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < IDS_MAX; i++) {
		struct row *r = &now->rows[i];
		unsigned k;

		if (!r->present || r->seq <= was->end.seq)
			continue;
		for (k = n++; k > 0 && ret[k - 1]->seq > r->seq; k--)
			ret[k] = ret[k - 1];
		ret[k] = r;
	}
	return n;
}

/* Each change takes the next seq, and the head is chained over it. */
static void check_chain(struct world *w, const struct site *s, struct site_view *now)
{
	struct row *rows[IDS_MAX];
	unsigned n = written_rows(&s->view, now, rows);
	struct position at = s->view.end;

	for (unsigned i = 0; i < n; i++) {
		char id[2] = {(char)('a' + (rows[i] - now->rows)), '\0'};

		if (rows[i]->seq != at.seq + 1)
			world_fail(w, "%s: the log goes from %llu to %llu", s->name,
				(unsigned long long)at.seq, (unsigned long long)rows[i]->seq);
		at.seq++;
		at.head = record_chain(at.head, at.seq, span_of(id), rows[i]->hash);
		if (!hash_equal(at.head, rows[i]->head))
			world_fail(w, "%s: the head of %s at %llu does not follow", s->name, id,
				(unsigned long long)at.seq);
	}
	if (!position_equal(at, now->end))
		world_fail(w, "%s: the log ends at %llu, its newest row is at %llu, or their heads differ",
			s->name, (unsigned long long)now->end.seq, (unsigned long long)at.seq);
}

/* A kept head is one that the log had there. */
static void check_positions(struct world *w, const struct site *s, const struct site_view *now)
{
	for (size_t i = 0; i < now->positions.n; i++) {
		struct position p = now->positions.at[i];

		if (p.seq <= s->view.end.seq && !site_view_has(&s->view, p))
			world_fail(w, "%s: the kept head of %llu is not what the log had", s->name,
				(unsigned long long)p.seq);
	}
}

static void check_written(
	struct world *w, const struct site *s, unsigned id, struct row *r, const struct cause *c)
{
	const struct row *was = &s->view.rows[id];

	if ((c->ids >> id & 1) == 0)
		world_fail(w, "%s: %c was written, which nobody asked for", s->name, 'a' + (int)id);
	if (lineage_find(&w->lineage, r->hash) >= 0)
		world_fail(
			w, "%s: a write of %c made a version that was there before", s->name, 'a' + (int)id);
	if (!c->acknowledged && !c->uncertain)
		world_fail(w, "%s: a refused write of %c was made", s->name, 'a' + (int)id);
	r->version = oracle_register(w, s, id, r,
		(struct version){.from = was->present ? was->version : -1,
			.also = -1,
			.maker = BY_LOCAL,
			.acknowledged = c->acknowledged});
	if (r->deleted != c->deleted)
		world_fail(w, "%s: %s is not what was asked for", s->name,
			lineage_name(&w->lineage, r->version));
}

/* A push only ever brings what its writer knew to be newer. */
static void check_pushed(struct world *w, const struct site *s, unsigned id, struct row *r)
{
	const struct row *was = &s->view.rows[id];

	r->version = oracle_version(w, s, id, r, s->name);
	if (was->present && !lineage_knows(&w->lineage, r->version, was->version))
		world_fail(w, "%s: a push put %s over %s, which it did not know", s->name,
			lineage_name(&w->lineage, r->version), lineage_name(&w->lineage, was->version));
}

static void check_rows(struct world *w, const struct site *s, struct site_view *now, const struct cause *c)
{
	for (unsigned i = 0; i < IDS_MAX; i++) {
		const struct row *was = &s->view.rows[i];
		struct row *r = &now->rows[i];

		if (was->present && !r->present)
			world_fail(w, "%s: %s is gone", s->name, lineage_name(&w->lineage, was->version));
		if (!r->present)
			continue;
		if (was->present && was->seq == r->seq) {
			if (!hash_equal(was->hash, r->hash) || !hash_equal(was->head, r->head))
				world_fail(
					w, "%s: %c changed in its place in the log", s->name, 'a' + (int)i);
			r->version = was->version;
		} else if (was->present && hash_equal(was->hash, r->hash)) {
			world_fail(w, "%s: %s was written again", s->name,
				lineage_name(&w->lineage, was->version));
		} else if (c->kind == CAUSE_LOCAL_WRITE) {
			check_written(w, s, i, r, c);
		} else if (c->kind == CAUSE_DELIVERY) {
			check_pushed(w, s, i, r);
		} else {
			world_fail(w, "%s: %c changed, which nobody asked for", s->name, 'a' + (int)i);
		}
	}
}

void oracle_check_local_step(
	struct world *w, const struct site *s, struct site_view *now, const struct cause *c)
{
	bool asked = c->kind == CAUSE_LOCAL_WRITE || c->kind == CAUSE_DELIVERY || c->kind == CAUSE_RENAME;
	bool renamed = !epoch_equal(&now->epoch, &s->view.epoch);

	if (!asked || (c->sites >> s->place & 1) == 0)
		world_fail(w, "%s wrote, which nobody asked for", s->name);
	if (c->writes_nothing)
		world_fail(w, "%s wrote, and was only to read", s->name);
	if (now->end.seq < s->view.end.seq)
		world_fail(w, "%s: the log went back from %llu to %llu", s->name,
			(unsigned long long)s->view.end.seq, (unsigned long long)now->end.seq);
	if (renamed && c->kind != CAUSE_RENAME)
		world_fail(w, "%s took another epoch by itself", s->name);
	if (!renamed && now->end.seq == s->view.end.seq)
		world_fail(w, "%s wrote, though nothing changed", s->name);
	check_chain(w, s, now);
	check_positions(w, s, now);
	check_rows(w, s, now, c);
}
