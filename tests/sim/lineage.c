#include "tests/sim/lineage.h"

#include <stdio.h>
#include <stdlib.h>

void lineage_done(struct lineage *l)
{
	free(l->at);
	*l = (struct lineage){0};
}

/* The newest are asked for most. */
int lineage_find(const struct lineage *l, struct hash h)
{
	for (size_t i = l->n; i-- > 0;)
		if (hash_equal(l->at[i].hash, h))
			return (int)i;
	return -1;
}

int lineage_find_dot(const struct lineage *l, unsigned site, unsigned id, struct dot d)
{
	for (size_t i = l->n; i-- > 0;) {
		const struct version *v = &l->at[i];

		if (v->site == site && v->id == id && v->dot.actor == d.actor && v->dot.n == d.n)
			return (int)i;
	}
	return -1;
}

int lineage_add(struct lineage *l, const struct version *v)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 256 : 2 * l->cap;
		l->at = realloc(l->at, l->cap * sizeof *l->at);
		if (l->at == NULL)
			abort();
	}
	l->at[l->n] = *v;
	l->at[l->n].mark = 0;
	return (int)l->n++;
}

/* Parents stand before their children, so the walk ends. */
static bool reaches(struct lineage *l, int v, int earlier)
{
	while (v >= earlier && v >= 0) {
		struct version *at = &l->at[v];

		if (v == earlier)
			return true;
		if (at->mark == l->mark)
			return false;
		at->mark = l->mark;
		if (at->also >= 0 && reaches(l, at->also, earlier))
			return true;
		v = at->from;
	}
	return false;
}

bool lineage_knows(struct lineage *l, int v, int earlier)
{
	l->mark++;
	return reaches(l, v, earlier);
}

void lineage_keep_begin(struct lineage *l)
{
	l->mark++;
}

void lineage_keep(struct lineage *l, int v)
{
	while (v >= 0 && l->at[v].mark != l->mark) {
		l->at[v].mark = l->mark;
		if (l->at[v].both)
			lineage_keep(l, l->at[v].also);
		v = l->at[v].from;
	}
}

bool lineage_kept(const struct lineage *l, int v)
{
	return l->at[v].mark == l->mark;
}

const char *lineage_name(const struct lineage *l, int v)
{
	static char text[8][64];
	static unsigned next;
	static const char by[] = {
		[BY_LOCAL] = 'l', [BY_CENTRE] = 'c', [BY_MERGE] = 'm', [BY_PROMOTION] = 'p'};
	char *to = text[next++ % 8];

	if (v < 0)
		return "nothing";
	snprintf(to, sizeof text[0], "n%u/%c#%d%c %s%s", l->at[v].site, 'a' + (int)l->at[v].id, v,
		by[l->at[v].maker], l->at[v].type, l->at[v].deleted ? " deleted" : "");
	return to;
}
