#include "tests/sim/poison.h"

#include <string.h>

#include "tests/sim/oracle.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/trace.h"

/* Types are "w1", "w2", …; these are "w7", "w17" and so on. */
#define POISON "'%7'"

bool poison_is(const char *type)
{
	size_t len = strlen(type);

	return len > 0 && type[len - 1] == '7';
}

void poison_put(struct world *w)
{
	if (w->rules.postgres)
		database_run(&w->db, "ALTER TABLE records DROP CONSTRAINT IF EXISTS poison");
	else
		database_run(&w->db, "DROP TRIGGER IF EXISTS poison; DROP TRIGGER IF EXISTS poison_too");
	if (!w->poison)
		return;
	if (w->rules.postgres)
		database_run(
			&w->db, "ALTER TABLE records ADD CONSTRAINT poison CHECK (type NOT LIKE " POISON ")");
	else
		database_run(&w->db,
			"CREATE TRIGGER poison BEFORE INSERT ON records WHEN NEW.type LIKE " POISON
			" BEGIN SELECT RAISE(ABORT, 'poison'); END;"
			"CREATE TRIGGER poison_too BEFORE UPDATE ON records WHEN NEW.type LIKE " POISON
			" BEGIN SELECT RAISE(ABORT, 'poison'); END");
}

void poison_repair(struct world *w, struct site *s)
{
	(void)s;
	if (!w->poison)
		return;
	trace_line("centre takes all types from now on");
	w->poison = false;
	w->touched = true;
	poison_put(w);
	oracle_look(w, &(struct cause){.kind = CAUSE_NOTHING});
}

static const struct quarantined *pick(const struct world *w)
{
	return w->view.n_quarantine == 0 ? NULL
					 : &w->view.quarantine[chance_below((unsigned)w->view.n_quarantine)];
}

void poison_retry(struct world *w, struct site *s)
{
	const struct quarantined *q = pick(w);
	struct told told[SITES_MAX] = {0};
	struct cause c = {.kind = CAUSE_ANSWER, .told = told};
	char owner[RECORD_OWNER_MAX + 1];
	struct reason why;
	enum err e;

	(void)s;
	if (q == NULL)
		return;
	c.sites = 1u << q->site;
	told[q->site].any[q->id] = true;
	told[q->site].hash[q->id] = q->hash;
	trace_line("n%u: %s is tried again", q->site, lineage_name(&w->lineage, q->version));
	e = store_quarantine_retry(w->store, NULL, (uint64_t)q->number, owner, &why);
	if (e != OK && e != INVALID && !commit_fate_met())
		world_fail(w, "centre: what is in quarantine is not tried again: %s", why.text);
	if (e == INVALID && !w->poison)
		world_fail(w, "centre: refuses what it has no reason to: %s", why.text);
	if (e == OK)
		trace_line("  taken");
	/* Somebody may have to hear of it. */
	w->sites[q->site].run.at_head = false;
	oracle_look(w, &c);
}

void poison_drop(struct world *w, struct site *s)
{
	const struct quarantined *q = pick(w);
	char owner[RECORD_OWNER_MAX + 1];
	struct reason why;
	enum err e;

	(void)s;
	if (q == NULL)
		return;
	trace_line(
		"n%u: %s is to be dropped from quarantine", q->site, lineage_name(&w->lineage, q->version));
	e = store_quarantine_drop(w->store, NULL, (uint64_t)q->number, owner, &why);
	if ((e == CONFLICT) != quarantined_held(&w->view, q) && e != RETRY && e != UNCERTAIN)
		world_fail(w, "centre: %s what the local %s holds: %s", e == OK ? "drops" : "does not drop",
			e == OK ? "still" : "no longer", e == OK ? "" : why.text);
	oracle_look(w, &(struct cause){.kind = CAUSE_OPERATOR, .sites = 1u << q->site, .drops = e == OK});
}
