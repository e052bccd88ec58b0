#include "central/ahead.h"

#include <string.h>

void ahead_done(struct ahead *a)
{
	push_page_done(&a->page);
	buf_done(&a->body);
}

bool ahead_plan(struct ahead *a, const struct exchange *x, const struct exchange_limits *limits)
{
	const struct push_page *sent = &x->sent;

	a->wanted = x->kind == PLAN_PUSH && !sent->sweep_ends && sent->sweep_to[0];
	if (!a->wanted)
		return false;
	a->from = x->basis;
	memcpy(a->from.sweep_after, sent->sweep_to, sizeof a->from.sweep_after);
	a->limits = *limits;
	return true;
}

void ahead_read(struct ahead *a, struct store *st, const char *node)
{
	struct reason why;

	if (store_push_ahead(
		    st, node, &a->from, a->limits.push_records, a->limits.push_bytes, &a->page, &why) != OK)
		return; /* the next push meets the same, and says so */
	for (size_t i = 0; i < a->page.n; i++)
		push_item_encode(&a->page.items[i], &a->body);
	if (buf_failed(&a->body))
		ahead_done(a);
}

static bool is_next(const struct ahead *a, const struct node_sync *s, const struct exchange_limits *limits)
{
	return a->page.n > 0 && a->page.n <= limits->push_records && a->body.len <= limits->push_bytes &&
	       a->from.generation == s->generation && a->from.life == s->life &&
	       epoch_equal(&a->from.epoch, &s->epoch) && !s->swept &&
	       strcmp(a->from.sweep_after, s->sweep_after) == 0;
}

bool ahead_take(struct ahead *a, struct store *st, const struct node *n, const struct exchange_limits *limits,
	struct exchange *x)
{
	bool taken = is_next(a, &n->sync, limits) && exchange_begin_page(x, st, n, &a->page, &a->body);

	ahead_done(a);
	return taken;
}
