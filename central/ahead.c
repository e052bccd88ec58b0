#include "central/ahead.h"

#include <stdlib.h>
#include <string.h>

struct ahead_page {
	struct node_sync from; /* as it will be when the page before has been taken */
	struct exchange_limits limits;
	struct push_page page; /* n = 0: none */
	struct buf body;
};

void ahead_done(struct ahead *a)
{
	if (!a->next)
		return;
	push_page_done(&a->next->page);
	buf_done(&a->next->body);
	free(a->next);
	a->next = NULL;
}

bool ahead_plan(struct ahead *a, const struct exchange *x, const struct exchange_limits *limits)
{
	const struct push_page *sent = &x->sent;

	a->wanted = x->kind == PLAN_PUSH && !sent->sweep_ends && sent->sweep_to[0];
	if (!a->wanted)
		return false;
	ahead_done(a);
	a->next = calloc(1, sizeof *a->next);
	if (!a->next)
		err_out_of_memory();
	a->next->from = x->basis;
	memcpy(a->next->from.sweep_after, sent->sweep_to, sizeof a->next->from.sweep_after);
	a->next->limits = *limits;
	return true;
}

void ahead_drop(struct ahead *a)
{
	ahead_done(a);
	a->wanted = false;
}

void ahead_read(struct ahead *a, struct store *st, const char *node)
{
	struct ahead_page *p = a->next;
	struct reason why;

	if (store_push_ahead(
		    st, node, &p->from, p->limits.push_records, p->limits.push_bytes, &p->page, &why) != OK)
		return; /* the next push meets the same, and says so */
	exchange_encode_page(&p->page, &p->body);
	if (buf_failed(&p->body))
		ahead_done(a);
}

static bool is_next(
	const struct ahead_page *p, const struct node_sync *s, const struct exchange_limits *limits)
{
	return p->page.n > 0 && p->page.n <= limits->push_records && p->body.len <= limits->push_bytes &&
	       p->from.generation == s->generation && p->from.life == s->life &&
	       epoch_equal(&p->from.epoch, &s->epoch) && !s->swept &&
	       strcmp(p->from.sweep_after, s->sweep_after) == 0;
}

bool ahead_take(struct ahead *a, struct store *st, const struct node *n, const struct exchange_limits *limits,
	struct exchange *x)
{
	struct ahead_page *p = a->next;
	bool taken = p && is_next(p, &n->sync, limits) && exchange_begin_page(x, st, n, &p->page, &p->body);

	ahead_done(a);
	return taken;
}
