#include "tests/sim/operator.h"

#include <stdio.h>

#include "tests/sim/oracle.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/trace.h"

static void look(struct world *w, const struct site *s, enum err e, const struct reason *why)
{
	if (e != OK && !commit_fate_met())
		world_fail(w, "%s: the operator is refused: %s", s->name, why->text);
	oracle_look(w, &(struct cause){.kind = CAUSE_OPERATOR, .sites = 1u << s->place});
}

static struct node node_of(struct world *w, const struct site *s)
{
	struct node n;
	struct reason why;

	if (store_node(w->store, s->name, &n, &why) != OK)
		world_fail(w, "%s is not in the store: %s", s->name, why.text);
	return n;
}

static void set_paused(struct world *w, struct site *s, bool paused)
{
	struct reason why;

	if (node_of(w, s).paused == paused)
		return;
	trace_line("%s %s", s->name, paused ? "pause" : "goes on");
	look(w, s, store_node_pause(w->store, NULL, s->name, paused, &why), &why);
}

void operator_pause(struct world *w, struct site *s)
{
	set_paused(w, s, true);
}

void operator_unpause(struct world *w, struct site *s)
{
	set_paused(w, s, false);
}

void operator_add_again(struct world *w, struct site *s)
{
	struct node_row r;
	struct reason why;

	trace_line("%s removed and added again", s->name);
	look(w, s, store_node_row(w->store, s->name, &r, &why), &why);
	look(w, s, store_node_remove(w->store, NULL, s->name, &why), &why);
	look(w, s, store_node_add(w->store, NULL, s->name, r.url, r.title, &why), &why);
}
