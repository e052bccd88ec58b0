#include "tests/support/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"

#define NODE "site-a"
#define INTERVAL_MS 1000

void pair_init(struct pair *p, const char *dir)
{
	memset(p, 0, sizeof(*p));
	snprintf(p->db, sizeof(p->db), "%s/a.db", dir);
	snprintf(p->url, sizeof(p->url), "sqlite:%s/centre.db", dir);
}

enum err pair_open_local(struct pair *p)
{
	struct replica_config c = {.path = p->db, .node = NODE};
	enum err e = replica_open(&p->replica, &c, &p->why);

	if (e != OK)
		return e;
	p->writer = writer_new(p->replica);
	p->local = (struct local){.replica = p->replica, .writer = p->writer, .never_wait = true};
	routes_init(&p->router, &p->local);
	p->router.hosts = "";
	return OK;
}

void pair_close_local(struct pair *p)
{
	writer_free(p->writer);
	replica_close(p->replica);
	p->writer = NULL;
	p->replica = NULL;
}

enum err pair_open_centre(struct pair *p)
{
	struct store_config c = {.url = p->url, .policy = POLICY_OWNER};
	struct node n;
	enum err e = store_open(&p->store, &c, &p->why);

	memset(&p->run, 0, sizeof(p->run));
	if (e == OK)
		e = store_node(p->store, NODE, &n, &p->why);
	if (e == GONE)
		e = store_node_add(p->store, NULL, NODE, "http://" NODE, "", &p->why);
	if (e != OK)
		pair_close_centre(p);
	return e;
}

void pair_close_centre(struct pair *p)
{
	node_run_done(&p->run);
	store_close(p->store);
	p->store = NULL;
}

void pair_wipe(struct pair *p)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char name[sizeof(p->db) + 8];

		snprintf(name, sizeof(name), "%s%s", p->db, ends[i]);
		(void)unlink(name);
	}
}

/* --- the local's side --- */

int pair_call(struct pair *p, enum http_method method, const char *target, struct span body, struct buf *ret)
{
	struct http_request q = {
		.method = method,
		.target = span_of(target),
		.body = body,
		.content_type = span_of(body.len > 0 ? "application/x-ndjson" : ""),
		.host = span_of("localhost"),
		.loopback = true,
		.received_us = clock_wall_us(),
	};
	struct http_reply r = {0};
	int status;

	router_dispatch(&p->router, &q, &r);
	/* As the server does: what has no memory is not sent. */
	status = buf_failed(&r.body) ? 500 : r.status;
	buf_put(ret, buf_span(&r.body));
	http_reply_done(&r);
	arena_done(&q.arena);
	return status;
}

static bool edit_local(struct pair *p, enum http_method method, const char *id, const char *body)
{
	struct buf answer = {0};
	char target[64];
	int status;

	if (!p->replica)
		return false;
	snprintf(target, sizeof(target), "/v1/records/%s", id);
	status = pair_call(p, method, target, span_of(body), &answer);
	buf_done(&answer);
	return status == 200 || status == 201;
}

bool pair_write_local(struct pair *p, const char *id, unsigned value)
{
	char body[64];

	snprintf(body, sizeof(body), "{\"type\":\"t\",\"body\":%u}", value);
	return edit_local(p, HTTP_PUT, id, body);
}

bool pair_delete_local(struct pair *p, const char *id)
{
	return edit_local(p, HTTP_DELETE, id, "");
}

/* --- the centre's side --- */

bool pair_write_centre(struct pair *p, const char *id, unsigned value)
{
	char body[16];
	struct draft d = {.owner = span_of(NODE), .id = span_of(id), .type = span_of("t")};
	struct written w;

	if (!p->store)
		return false;
	snprintf(body, sizeof(body), "%u", value);
	d.body = span_of(body);
	return store_put(p->store, NULL, &d, 1, NULL, &w, &p->why) == OK;
}

static struct answer carry(struct pair *p, const struct exchange *x, struct buf *answer)
{
	int64_t now_us = clock_wall_us();
	struct answer a = {
		.result = POLL_TIMEOUT, .took_us = 10, .t_sent_us = now_us - 10, .t_done_us = now_us};

	if (p->replica && x->target.at) {
		a.status = pair_call(p, x->method, x->target.at, buf_span(&x->body), answer);
		a.body = buf_span(answer);
		a.result = buf_failed(answer) ? POLL_NETWORK : POLL_OK;
	}
	return a;
}

/* The store failed: nothing that was in memory is believed. */
static void distrust(struct pair *p)
{
	p->run.at_head = false;
	p->run.to_push = false;
}

static void carry_out(struct pair *p, struct exchange *x, struct node *n)
{
	struct buf answer = {0};
	struct answer a = carry(p, x, &answer);
	struct outcome o = {0};
	enum err e = exchange_finish(x, p->store, &a, &o, &p->why);

	if (e == OK)
		exchange_note(n, &p->run, x, &a, &o, clock_mono_us(), INTERVAL_MS);
	else
		distrust(p);
	buf_done(&answer);
}

void pair_exchange(struct pair *p)
{
	struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
	struct exchange x;
	struct node n;
	enum err e;

	limits.pull_records = limits.push_records = 3; /* several pages */
	if (!p->store || store_node(p->store, NODE, &n, &p->why) != OK)
		return;
	p->run.asked = true; /* nothing is waited for */
	struct plan plan = plan_next(&n, &p->run, clock_mono_us(), INTERVAL_MS);
	if (plan.step == PLAN_REST)
		return;
	p->run.asked = false;
	e = exchange_begin(&x, p->store, &n, plan, &limits, &p->why);
	if (e == OK)
		carry_out(p, &x, &n);
	else if (e == GONE)
		exchange_note_nothing(&p->run);
	else
		distrust(p);
	exchange_done(&x);
}

/* The next proof sums the rows. */
static bool want_recount(struct pair *p)
{
	struct node n;
	struct sync_change change = {0};

	if (store_node(p->store, NODE, &n, &p->why) != OK)
		return false;
	change.to = n.sync;
	change.to.recount = true;
	return n.sync.recount || store_move_node(p->store, NODE, &n.sync, &change, NULL, &p->why) == OK;
}

bool pair_is_even(struct pair *p)
{
	struct node n;
	struct replica_status s;
	uint64_t waiting;
	int64_t oldest_us;

	return p->store && p->replica && store_node(p->store, NODE, &n, &p->why) == OK &&
	       replica_status(p->replica, &s, &p->why) == OK && epoch_equal(&s.epoch, &n.sync.epoch) &&
	       n.sync.cursor == s.head.seq && digest_equal(n.sync.digest, s.digest) &&
	       store_push_backlog(p->store, NODE, &waiting, &oldest_us, &p->why) == OK && waiting == 0;
}

bool pair_settle(struct pair *p, unsigned turns)
{
	struct node n;

	if (!want_recount(p))
		return false;
	node_run_done(&p->run);
	memset(&p->run, 0, sizeof(p->run)); /* only what is seen from now on counts */
	for (unsigned i = 0; i < turns; i++) {
		pair_exchange(p);
		if (p->run.proof.known && p->run.proof.equal && pair_is_even(p) &&
			store_node(p->store, NODE, &n, &p->why) == OK && !n.sync.recount)
			return true;
	}
	return false;
}
