#include "central/exchange_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/seal.h"

void exchange_done(struct exchange *x)
{
	buf_done(&x->target);
	buf_done(&x->body);
	if (x->kind == PLAN_PUSH) {
		push_page_done(&x->sent);
		x->sent = (struct push_page){0};
	} else if (exchange_compares(x)) {
		free(x->compare.buckets);
		x->compare.buckets = NULL;
	}
}

static enum err begin(struct exchange *x, struct store *st, struct plan plan,
	const struct exchange_limits *limits, struct reason *why)
{
	switch (plan.step) {
	case PLAN_PULL:
		return exchange_begin_pull(x, st, plan, limits);
	case PLAN_PUSH:
		return exchange_begin_push(x, st, limits, why);
	case PLAN_RENAME:
		return exchange_begin_rename(x, st);
	case PLAN_PROBE:
		return exchange_begin_probe(x, st, why);
	case PLAN_DIGEST:
		return exchange_begin_digest(x, st, plan, limits);
	case PLAN_FETCH:
		return exchange_begin_fetch(x, st, plan, limits);
	case PLAN_REST:
	case PLAN_WAIT:
		break;
	}
	assert(!"a plan that asks for an exchange");
	return INTERNAL;
}

enum err exchange_begin(struct exchange *x, struct store *st, const struct node *n, struct plan plan,
	const struct exchange_limits *limits, struct reason *why)
{
	*x = (struct exchange){.kind = plan.step, .basis = n->sync, .request = epoch_new()};
	(void)snprintf(x->node, sizeof x->node, "%s", n->name);
	enum err e = begin(x, st, plan, limits, why);

	if (e == OK)
		seal_request(&x->target, buf_span(&x->body));
	if (e == OK && (buf_failed(&x->target) || buf_failed(&x->body)))
		e = fail(RETRY, why, "no memory left for a request");
	if (e != OK)
		exchange_done(x);
	return e;
}

/* A whole answer of any kind but a page of records. */
static enum err finish_served(
	struct exchange *x, struct store *st, const struct answer *a, struct outcome *out, struct reason *why)
{
	if (x->kind == PLAN_PUSH)
		return exchange_finish_push(x, st, a, out, why);
	if (x->kind == PLAN_RENAME)
		return exchange_finish_renamed(x, st, a, out, why);
	if (x->kind == PLAN_DIGEST)
		return exchange_finish_digest(x, st, a, out, why);
	assert(x->kind == PLAN_PROBE);
	return exchange_decode_probe(x, a, out) ? exchange_finish_probed(x, st, true, out, why) : OK;
}

/* *is_page: it is a page of records and has been decoded, to be applied together with others. */
static enum err finish_alone(struct exchange *x, struct store *st, const struct answer *a,
	struct outcome *out, struct page *page, bool *is_page, struct reason *why)
{
	struct epoch now;

	*is_page = false;
	switch (exchange_read_answer(x, a, &now, out)) {
	case ANSWER_WRONG:
		return exchange_finish_failed(x, st, out, why);
	case ANSWER_UNABLE:
		return exchange_finish_unable(x, st, a, out, why);
	case ANSWER_EPOCH_CHANGED:
		return exchange_finish_epoch_changed(x, st, &now, out, why);
	case ANSWER_REWOUND:
		return x->kind == PLAN_PROBE ? exchange_finish_probed(x, st, false, out, why)
					     : exchange_finish_rewound(x, st, out, why);
	case ANSWER_SERVED:
		break;
	}
	if (x->kind == PLAN_PULL)
		*is_page = exchange_decode_pull(x, a, page, out);
	else if (x->kind == PLAN_FETCH)
		*is_page = exchange_decode_fetch(x, a, page, out);
	else
		return finish_served(x, st, a, out, why);
	return *is_page ? OK : exchange_finish_failed(x, st, out, why);
}

struct pulls {
	struct pull_apply *applies;
	struct page *pages;
	size_t *of; /* which exchange */
	size_t n;
	struct arena arena;
};

static void pulls_init(struct pulls *p, size_t most)
{
	*p = (struct pulls){.n = 0};
	p->applies = arena_alloc(&p->arena, most * sizeof *p->applies);
	p->pages = arena_alloc(&p->arena, most * sizeof *p->pages);
	p->of = arena_alloc(&p->arena, most * sizeof *p->of);
}

static void pulls_done(struct pulls *p)
{
	for (size_t i = 0; i < p->n; i++)
		page_done(&p->pages[i]);
	arena_done(&p->arena);
}

static void settle_pull(const struct pull_apply *p, struct outcome *out, enum err *result, struct reason *why)
{
	*why = p->why;
	if (p->result == OK)
		exchange_told_pull(p, out);
	*result = exchange_settle(p->result, out, why);
}

/*
 * One page that the store cannot take must not hold up the others, nor cost a transaction for each of them: it is found by
 * halves.
 */
static void apply_pulls(struct store *st, struct pull_apply *applies, size_t n)
{
	struct reason why = {""};
	enum err e = store_apply_pages(st, applies, n, &why);
	bool may_be_one_page = e != OK && e != RETRY && e != UNCERTAIN && n > 1;

	if (e == OK)
		return;
	if (may_be_one_page) {
		apply_pulls(st, applies, n / 2);
		apply_pulls(st, applies + n / 2, n - n / 2);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		applies[i].why = why;
		applies[i].result = e;
	}
}

void exchange_finish_all(struct exchange *const *xs, struct store *st, const struct answer *answers, size_t n,
	struct outcome *outs, enum err *results, struct reason *whys)
{
	struct pulls p;
	bool is_page;

	pulls_init(&p, n);
	for (size_t i = 0; i < n; i++) {
		outs[i] = (struct outcome){.result = POLL_OK};
		whys[i] = (struct reason){""};
		results[i] =
			finish_alone(xs[i], st, &answers[i], &outs[i], &p.pages[p.n], &is_page, &whys[i]);
		if (!is_page)
			continue;
		p.applies[p.n] = (struct pull_apply){
			.node = xs[i]->node, .basis = &xs[i]->basis, .page = &p.pages[p.n]};
		if (xs[i]->kind == PLAN_FETCH)
			p.applies[p.n].fetched = &xs[i]->compare.fetched;
		p.of[p.n++] = i;
	}
	if (p.n > 0)
		apply_pulls(st, p.applies, p.n);
	for (size_t i = 0; i < p.n; i++)
		settle_pull(&p.applies[i], &outs[p.of[i]], &results[p.of[i]], &whys[p.of[i]]);
	for (size_t i = 0; i < n; i++)
		outs[i].event.node = xs[i]->node;
	pulls_done(&p);
}

enum err exchange_finish(
	struct exchange *x, struct store *st, const struct answer *a, struct outcome *out, struct reason *why)
{
	enum err result;
	struct reason text;

	exchange_finish_all(&x, st, a, 1, out, &result, &text);
	if (result != OK && why)
		*why = text;
	return result;
}
