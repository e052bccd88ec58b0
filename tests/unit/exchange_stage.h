/*
 * The stage for the tests of exchanges: a stand-in for the store that keeps one position a node and counts
 * what is asked of it (what a wrong answer may never do is call it), and what a local would send.
 */
#ifndef TESTS_UNIT_EXCHANGE_STAGE_H
#define TESTS_UNIT_EXCHANGE_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "central/exchange.h"
#include "central/settle.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define NODES 16

static const struct epoch centre = {"cccccccccccccccccccccccccccccccc"};
static const struct epoch e1 = {"11111111111111111111111111111111"};
static const struct epoch e2 = {"22222222222222222222222222222222"};
static const struct epoch e3 = {"33333333333333333333333333333333"};

/* --- the store's stand-in --- */

struct store {
	struct node_sync at[NODES]; /* of the nodes "a", "b", "c" … */
	enum err fails, abandoned_fails;
	const char *poison; /* a page of this node fails the whole transaction */
	unsigned transactions, events;
	struct sync_change change; /* the last one */
	char event[16];
	struct epoch abandoned; /* of every node */
	struct position abandoned_witness;
	size_t to_push;
	bool left_to_push;
	uint64_t conflicts, rejects;
	bool follows; /* the cursor, what was pushed */
	size_t not_applied;
	enum proof_verdict proof;
	bool recount_after;
	const struct digest *believed; /* NULL = nothing; 2^4 of them */
};
static struct store st;

static inline struct node_sync *sync_of(const char *node)
{
	return &st.at[node[0] - 'a'];
}

struct epoch store_centre_id(const struct store *s)
{
	(void)s;
	return centre;
}

enum err store_apply_pages(struct store *s, struct pull_apply *pages, size_t n, struct reason *why)
{
	s->transactions++;
	for (size_t i = 0; i < n; i++)
		if (s->fails != OK || (s->poison && strcmp(pages[i].node, s->poison) == 0))
			return (fail)(s->fails != OK ? s->fails : INVALID, why, "the store says no");
	for (size_t i = 0; i < n; i++) {
		struct node_sync *to = sync_of(pages[i].node);

		pages[i].result = node_sync_same_basis(pages[i].basis, to) ? OK : CONFLICT;
		if (pages[i].result != OK)
			continue;
		if (pages[i].fetched)
			settle_fetched(to, pages[i].fetched, &pages[i].page->end);
		else
			settle_page(to, &pages[i].page->end);
		to->recount = s->recount_after;
		pages[i].sync = *to;
		pages[i].taken = pages[i].page->n;
		pages[i].conflicts = s->conflicts;
		pages[i].to_push = s->left_to_push;
		pages[i].proof = s->proof;
	}
	return OK;
}

enum err store_apply_digest(struct store *s, struct digest_apply *p, struct reason *why)
{
	static const struct digest nothing[1 << 4];

	s->transactions++;
	if (s->fails != OK)
		return (fail)(s->fails, why, "the store says no");
	if (!node_sync_same_basis(p->basis, sync_of(p->node)))
		return (fail)(CONFLICT, why, "moved");
	assert_true(p->told->bits <= 4);
	p->verdict = apart_judge(s->believed ? s->believed : nothing, p->told, p->limits, &p->apart);
	settle_digest(sync_of(p->node), p->verdict, &p->told->end);
	p->sync = *sync_of(p->node);
	return OK;
}

enum err store_push_page(struct store *s, const char *node, const struct node_sync *basis, unsigned limit,
	size_t max_bytes, struct push_page *ret, struct reason *why)
{
	static struct push_item items[1];

	(void)limit;
	(void)max_bytes;
	if (s->fails != OK)
		return (fail)(s->fails, why, "the store says no");
	if (!node_sync_same_basis(basis, sync_of(node)))
		return (fail)(CONFLICT, why, "moved");
	items[0].record = (struct record){.owner = span_of("a"),
		.id = span_of("p1"),
		.type = span_of("t"),
		.body = span_of("7"),
		.dot = {5, 1}};
	items[0].record.hash = record_hash(&items[0].record);
	*ret = (struct push_page){.items = items, .n = s->to_push};
	return OK;
}

void push_page_done(struct push_page *p)
{
	*p = (struct push_page){.n = 0};
}

enum err store_apply_push(struct store *s, struct push_apply *p, struct reason *why)
{
	s->transactions++;
	if (s->fails != OK)
		return (fail)(s->fails, why, "the store says no");
	if (p->answers->n != p->sent->n)
		return (fail)(INVALID, why, "%zu answers to %zu records", p->answers->n, p->sent->n);
	if (!node_sync_same_basis(p->basis, sync_of(p->node)))
		return (fail)(CONFLICT, why, "moved");
	sync_of(p->node)->witness = p->answers->end.to;
	if (s->follows)
		sync_of(p->node)->cursor = p->answers->end.to.seq;
	p->sync = *sync_of(p->node);
	p->applied = p->answers->n - s->not_applied;
	p->refused = s->not_applied;
	p->rejected = s->rejects;
	p->to_push = s->left_to_push;
	return OK;
}

enum err store_move_node(struct store *s, const char *node, const struct node_sync *basis,
	const struct sync_change *change, const struct event *ev, struct reason *why)
{
	s->transactions++;
	if (s->fails != OK)
		return (fail)(s->fails, why, "the store says no");
	if (!node_sync_same_basis(basis, sync_of(node)))
		return (fail)(CONFLICT, why, "moved");
	*sync_of(node) = change->to;
	s->change = *change;
	if (ev) {
		assert_string_equal(ev->node, node);
		s->events++;
		snprintf(s->event, sizeof s->event, "%s", ev->kind);
	}
	return OK;
}

enum err store_abandoned(struct store *s, const char *node, const struct epoch *epoch,
	struct position *ret_witness, struct reason *why)
{
	(void)node;
	if (s->abandoned_fails != OK)
		return (fail)(s->abandoned_fails, why, "the store says no");
	if (!epoch_equal(&s->abandoned, epoch))
		return (fail)(GONE, why, "never abandoned");
	*ret_witness = s->abandoned_witness;
	return OK;
}

/* --- the other end --- */

static inline int setup(void **state)
{
	(void)state;
	st = (struct store){.fails = OK};
	for (int i = 0; i < NODES; i++)
		st.at[i] = (struct node_sync){
			.epoch = e1, .cursor = 3, .witness = {.seq = 4, .head = {{9, 9}}}, .generation = 1};
	return 0;
}

static inline struct node node_named(const char *name)
{
	struct node n = {.sync = *sync_of(name)};

	snprintf(n.name, sizeof n.name, "%s", name);
	return n;
}

static inline struct exchange begin(const char *name, enum plan_step step)
{
	const struct node n = node_named(name);
	const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
	struct exchange x;
	struct reason why;

	assert_int_equal(exchange_begin(&x, &st, &n, (struct plan){.step = step}, &limits, &why), OK);
	assert_int_equal(st.transactions, 0);
	return x;
}

static inline void add_begin(struct buf *out, const char *node, struct epoch epoch, struct epoch request)
{
	struct page_begin b = {.epoch = epoch, .request = request, .version = "9.9", .protocol = 1};

	snprintf(b.node, sizeof b.node, "%s", node);
	page_encode_begin(&b, out);
}

static inline void add_record(struct buf *out, const char *owner, uint64_t seq)
{
	struct record r = {.owner = span_of(owner),
		.id = span_of("r1"),
		.type = span_of("t"),
		.body = span_of("{\"v\": 1}"),
		.dot = {77, seq},
		.clock_error_us = -1,
		.seq = seq};

	r.hash = record_hash(&r);
	record_encode(&r, out);
	buf_char(out, '\n');
}

static inline void add_end(struct buf *out, uint64_t to, uint64_t head)
{
	const struct page_end e = {.to = {.seq = to, .head = {{to, to}}},
		.head_seq = head,
		.more = to < head,
		.oldest_after_us = to < head ? 5 : -1,
		.t_recv_us = 10,
		.t_send_us = 20,
		.clock_error_us = -1};

	page_encode_end(&e, out);
}

/* One record at seq 5, which is the head. */
static inline void add_page(struct buf *out, const struct exchange *x)
{
	add_begin(out, x->node, x->basis.epoch, x->request);
	add_record(out, x->node, 5);
	add_end(out, 5, 5);
}

static inline enum err finish(struct exchange *x, int status, struct span body, struct outcome *out)
{
	const struct answer a = {.status = status, .body = body};
	struct reason why = {""};

	return exchange_finish(x, &st, &a, out, &why);
}

static inline void moved(
	struct buf *out, const char *code, const char *node, struct epoch epoch, struct epoch request)
{
	buf_printf(out,
		"{\"status\":409,\"code\":\"%s\",\"node\":\"%s\",\"epoch\":\"%s\",\"request\":\"%s\"}", code,
		node, epoch.hex, request.hex);
}

#endif
