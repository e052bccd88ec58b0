#include "central/roster.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Who has a URL. */
struct holder {
	const char *url, *name;
};

struct roster {
	const struct nodes *now;
	struct holder *holders; /* of those that are there, and then of those that are wanted */
	void *by_url;
	size_t n; /* nodes, with those that are to be added */
};

static int by_url(const void *a, const void *b)
{
	return strcmp(((const struct holder *)a)->url, ((const struct holder *)b)->url);
}

static int by_name(const void *name, const void *node)
{
	return strcmp(name, ((const struct node_row *)node)->node.name);
}

/* *ret is whoever has that URL already, or `h` itself. */
static void hold(struct roster *r, struct holder *h, const struct holder **ret)
{
	struct holder **found = tsearch(h, &r->by_url, by_url);

	if (!found)
		err_out_of_memory();
	*ret = *found;
}

static void leave_alone(void *holder)
{
	(void)holder;
}

static enum err plan_one(struct roster *r, const struct node_wanted *w, struct holder *own,
	enum roster_step *ret, struct reason *why)
{
	const struct node_row *is =
		r->now->n ? bsearch(w->name, r->now->at, r->now->n, sizeof(*is), by_name) : NULL;
	const struct holder *other;

	if (is && strcmp(is->url, w->url) == 0) {
		*ret = ROSTER_STAYS;
		return OK;
	}
	if (!is && r->n >= STORE_NODES_MAX)
		return fail(CONFLICT, why,
			"node %s: there are %d nodes, and a centre takes no more: remove one first", w->name,
			STORE_NODES_MAX);
	*own = (struct holder){w->url, w->name};
	hold(r, own, &other);
	if (other != own)
		return fail(CONFLICT, why, "node %s: %s is the URL of node %s", w->name, w->url, other->name);
	if (is)
		tdelete(&r->holders[is - r->now->at], &r->by_url, by_url);
	r->n += !is;
	*ret = is ? ROSTER_MOVE : ROSTER_ADD;
	return OK;
}

enum err roster_plan(const struct nodes *now, const struct node_wanted *wanted, size_t n,
	enum roster_step *ret, struct reason *why)
{
	struct roster r = {.now = now, .n = now->n};
	const struct holder *other;
	enum err e = OK;

	r.holders = calloc(now->n + n + 1, sizeof(*r.holders));
	if (!r.holders)
		err_out_of_memory();
	for (size_t i = 0; i < now->n; i++) {
		r.holders[i] = (struct holder){now->at[i].url, now->at[i].node.name};
		hold(&r, &r.holders[i], &other);
	}
	for (size_t i = 0; e == OK && i < n; i++)
		e = plan_one(&r, &wanted[i], &r.holders[now->n + i], &ret[i], why);
	tdestroy(r.by_url, leave_alone);
	free(r.holders);
	return e;
}
