#include "tests/support/stage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "central/settle.h"
#include "tests/support/backstage.h"
#include "tests/support/occurrences.h"

static void must(struct stage *g, enum err e, const char *what)
{
	if (e == OK)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, err_name(e), g->why.text);
	abort();
}
#define MUST(call) must(g, (call), #call)

static void open_store(struct stage *g)
{
	struct store_config c = {.url = g->url,
		.policy = g->policy,
		.notify = g->notices_kept > 0,
		.notify_level = LOG_WARN,
		.notices_kept = g->notices_kept};

	MUST(store_open(&g->store, &c, &g->why));
}

struct stage *stage_open(enum stage_kind kind, enum merge_policy policy)
{
	struct stage *g = calloc(1, sizeof(*g));

	assert(g);
	g->kind = kind;
	g->policy = policy;
	backstage_create(g);
	open_store(g);
	return g;
}

void stage_reopen(struct stage *g)
{
	assert(g->kind != STAGE_MEMORY);
	store_close(g->store);
	open_store(g);
}

void stage_notice(struct stage *g, uint64_t kept)
{
	g->notices_kept = kept;
	store_close(g->store);
	open_store(g);
}

void stage_close(struct stage *g)
{
	store_close(g->store);
	backstage_drop(g);
	arena_done(&g->arena);
	free(g);
}

void stage_each(enum merge_policy policy, stage_text *text)
{
	for (unsigned kind = 0; kind < STAGE_KINDS; kind++) {
		struct stage *g = stage_open((enum stage_kind)kind, policy);
		struct far *f = calloc(1, sizeof(*f));

		assert(f);
		far_open(f, "site-a", &g->arena);
		stage_meet(g, f);
		text(g, f);
		stage_close(g);
		free(f);
	}
}

/* --- what is there --- */

static void dump_node(struct buf *b, const struct node_row *r)
{
	const struct node *n = &r->node;
	const struct node_sync *s = &n->sync;

	buf_printf(b, "%s '%s' %s paused %d rotation %llu\n", n->name, r->title, r->url, n->paused,
		(unsigned long long)n->rotation);
	buf_printf(b, " %s %llu ", s->epoch.hex, (unsigned long long)s->cursor);
	position_encode(s->witness, b);
	buf_printf(b,
		" g%llu resets %llu comparing %d rename '%s' probe '%s' halt %d reconciling %d recount %d "
		"swept %d '%s'",
		(unsigned long long)s->generation, (unsigned long long)s->resets, s->comparing,
		s->rename_to.hex, s->probe.hex, s->halt, s->reconciling, s->recount, s->swept,
		s->sweep_after);
	digest_encode(s->digest, b);
	buf_printf(b, " doubt %llu ", (unsigned long long)s->doubt_seq);
	digest_encode(s->doubt_local, b);
	digest_encode(s->doubt_centre, b);
	buf_char(b, '\n');
}

static void dump_to_push(struct stage *g, struct buf *b, const struct node *n)
{
	struct push_page p;
	char hex[33];

	if (n->paused || !n->sync.swept)
		return; /* looking for what is left may end the sweep, which is a write */
	MUST(store_push_page(g->store, n->name, &n->sync, 1000, 1 << 30, &p, &g->why));
	for (size_t i = 0; i < p.n; i++) {
		hash_hex(p.items[i].expected, hex);
		buf_printf(b, "push %.*s over %s\n", (int)p.items[i].record.id.len, p.items[i].record.id.at,
			hex);
	}
	push_page_done(&p);
}

const char *stage_dump(struct stage *g)
{
	struct record_query rq = {.deleted = true, .limit = 1000};
	struct event_query eq = {.least_level = -1, .limit = 1000};
	struct nodes ns;
	struct buf b = {0};
	const char *text;

	MUST(store_nodes(g->store, &ns, &g->why));
	for (size_t i = 0; i < ns.n; i++) {
		dump_node(&b, &ns.at[i]);
		dump_to_push(g, &b, &ns.at[i].node);
	}
	nodes_done(&ns);
	MUST(store_records(g->store, &rq, &b, &g->why));
	MUST(store_conflicts(g->store, &(struct conflict_query){.limit = 1000}, &b, &g->why));
	MUST(store_events(g->store, &eq, &b, &g->why));
	assert(!buf_failed(&b));
	text = arena_copy(&g->arena, b.at, b.len);
	buf_done(&b);
	return text;
}

const char *stage_body(struct stage *g, const char *owner, const char *id)
{
	struct record r;
	enum err e = store_record(g->store, span_of(owner), span_of(id), &r, &g->arena, &g->why);

	if (e == GONE)
		return "";
	must(g, e, "store_record");
	return r.deleted ? "-" : arena_copy(&g->arena, r.body.at, r.body.len);
}

uint64_t stage_conflicts(struct stage *g, const char *owner)
{
	uint64_t n = 0;

	MUST(store_conflict_count(g->store, owner, &n, &g->why));
	return n;
}

bool stage_quarantines(struct stage *g, const char *text)
{
	struct buf b = {0};
	bool found;

	MUST(store_quarantine(g->store, "site-a", 0, 1000, &b, &g->why));
	found = strstr(b.at, text) != NULL;
	buf_done(&b);
	return found;
}

unsigned stage_events(struct stage *g, const char *kind)
{
	struct event_query eq = {.least_level = -1, .limit = 1000};
	struct buf b = {0};
	char key[64];
	unsigned n;

	snprintf(key, sizeof(key), "\"kind\":\"%s\"", kind);
	MUST(store_events(g->store, &eq, &b, &g->why));
	n = occurrences(b.at, key);
	buf_done(&b);
	return n;
}

struct node_row stage_row(struct stage *g, const char *name)
{
	struct node_row r;

	MUST(store_node_row(g->store, name, &r, &g->why));
	return r;
}

struct node stage_node(struct stage *g, const char *name)
{
	return stage_row(g, name).node;
}

/* --- exchanges --- */

void stage_reset(struct stage *g, const struct far *f)
{
	struct node n = stage_node(g, f->name);
	struct sync_change c = {.to = n.sync};

	sync_reset(&c.to, &f->epoch, (struct position){0});
	MUST(store_move_node(g->store, f->name, &n.sync, &c, NULL, &g->why));
}

void far_put_many(struct far *f, unsigned n)
{
	char id[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "r%04u", i);
		far_put(f, id, "{\"v\":1}");
	}
}

void stage_meet(struct stage *g, struct far *f)
{
	char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1/%s", f->name);
	MUST(store_node_add(g->store, NULL, f->name, url, "", &g->why));
	stage_reset(g, f);
}

enum err stage_pull(struct stage *g, const struct far *f, unsigned limit, struct pull_apply *ret)
{
	struct node n;
	struct page page;
	struct pull_apply p = {.node = f->name, .basis = &n.sync, .page = &page};
	enum err e = store_node(g->store, f->name, &n, &g->why);

	if (e != OK)
		return e;
	far_page(f, n.sync.cursor, limit, &page);
	e = store_apply_pages(g->store, &p, 1, &g->why);
	p.basis = NULL;
	p.page = NULL;
	if (ret)
		*ret = p;
	return e == OK ? p.result : e;
}

enum err stage_push(struct stage *g, struct far *f, unsigned limit, struct push_apply *ret)
{
	struct node n;
	struct push_page sent;
	struct push_answers answers;
	struct push_apply p = {.node = f->name, .basis = &n.sync, .sent = &sent, .answers = &answers};
	enum err e = store_node(g->store, f->name, &n, &g->why);

	if (e == OK)
		e = store_push_page(g->store, f->name, &n.sync, limit, 1 << 20, &sent, &g->why);

	if (e != OK)
		return e;
	if (sent.n > 0) {
		far_answer(f, sent.items, sent.n, &answers);
		e = store_apply_push(g->store, &p, &g->why);
	}
	push_page_done(&sent);
	p.basis = NULL;
	p.sent = NULL;
	p.answers = NULL;
	if (ret)
		*ret = p;
	return e;
}

enum err stage_digest(struct stage *g, const struct far *f, struct digest_apply *ret)
{
	const struct apart_limits limits = {.records = 100, .bytes = 1 << 20, .bucket_records = 4};
	struct node n;
	struct buckets told;
	struct digest_apply p = {.node = f->name, .basis = &n.sync, .told = &told, .limits = &limits};
	enum err e = store_node(g->store, f->name, &n, &g->why);

	if (e != OK)
		return e;
	far_digests(f, apart_bits(n.sync.digest.count, &limits), &told);
	e = store_apply_digest(g->store, &p, &g->why);
	p.basis = NULL;
	p.told = NULL;
	p.limits = NULL;
	if (ret)
		*ret = p;
	return e;
}

enum err stage_fetch(
	struct stage *g, const struct far *f, struct apart *apart, unsigned share, struct pull_apply *ret)
{
	unsigned n_buckets = share < apart->n ? share : apart->n;
	const struct fetched fetched = {
		.buckets = {.bits = apart->bits, .at = apart->buckets, .n = n_buckets},
		.last = n_buckets == apart->n,
		.cursor = apart->seq,
	};
	struct node n;
	struct page page;
	struct pull_apply p = {.node = f->name, .basis = &n.sync, .page = &page, .fetched = &fetched};
	enum err e = store_node(g->store, f->name, &n, &g->why);

	if (e != OK)
		return e;
	far_fetch(f, &fetched.buckets, &page);
	e = store_apply_pages(g->store, &p, 1, &g->why);
	if (e == OK && p.result == OK)
		apart_drop(apart, n_buckets);
	p.basis = NULL;
	p.page = NULL;
	p.fetched = NULL;
	if (ret)
		*ret = p;
	return e == OK ? p.result : e;
}

static void compare(struct stage *g, const struct far *f)
{
	struct digest_apply p;

	MUST(stage_digest(g, f, &p));
	while (p.apart.n > 0)
		MUST(stage_fetch(g, f, &p.apart, APART_BUCKETS_MAX, NULL));
}

enum proof_verdict stage_settle(struct stage *g, struct far *f)
{
	struct pull_apply p;

	for (unsigned turn = 0; turn < 1000; turn++) {
		if (stage_node(g, f->name).sync.comparing)
			compare(g, f);
		MUST(stage_pull(g, f, 100, &p));
		if (p.proof == PROOF_DOUBTED)
			return p.proof;
		if (p.sync.cursor < f->head.seq)
			continue;
		if (!p.to_push)
			return p.proof;
		MUST(stage_push(g, f, 100, NULL));
	}
	return PROOF_NONE;
}

struct hash stage_put(struct stage *g, const char *owner, const char *id, const char *body)
{
	struct draft d = {span_of(owner), span_of(id), span_of("reading"), span_of(body)};
	struct written w;

	MUST(store_put(g->store, NULL, &d, 1, NULL, &w, &g->why));
	return w.hash;
}

struct hash stage_delete(struct stage *g, const char *owner, const char *id)
{
	struct written w;

	MUST(store_delete(g->store, NULL, span_of(owner), span_of(id), NULL, &w, &g->why));
	return w.hash;
}
