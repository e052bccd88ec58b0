/*
 * scheduled - a scheduler with a real store, a real transfer and a real local, for the tests of it; between them stand-ins that
 * make the store refuse, a removal be overtaken, and count what is logged (tests.mk wraps the calls).
 */
#ifndef TESTS_CONTRACT_SCHEDULED_H
#define TESTS_CONTRACT_SCHEDULED_H

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/scheduler.h"
#include "central/transfer.h"
#include "local/apply.h"
#include "local/feed.h"
#include "local/routes.h"
#include "local/writer.h"
#include "shared/clock.h"
#include "shared/server.h"
#include "tests/support/eventually.h"

#include <cmocka.h> /* last: its fail() is a macro */

/* Long: whatever happens within PATIENCE_MS was not waited for. */
#define INTERVAL_MS 25000
#define PATIENCE_MS 8000
#define NODE "site-a"

#define ROUTES_MAX 32
struct lab {
	struct reason why;
	struct route routes[ROUTES_MAX];
	struct local local;
	struct router router;
	struct server *server;
	struct store *store;
	struct networks allowed;
	struct scheduler *scheduler;
};

/* Called once, between a store_node_row() that found nobody and what its caller makes of that. */
static struct {
	_Atomic bool in_worker, in_test;
	pthread_t test;
	struct lab *lab;
} overtaken;

/* What the store says for a while, instead of doing it. */
static struct {
	_Atomic enum err reads, writes, events; /* OK: it works */
	const char *why;
	_Atomic unsigned refused;                             /* calls */
	_Atomic unsigned stored;                              /* events */
	_Atomic unsigned told_fails, told_works, told_states; /* lines of the log */
} trouble;

static inline void must(struct lab *l, enum err e, const char *what)
{
	if (e != OK)
		fail_msg("%s: %s: %s", what, err_name(e), l->why.text);
}
#define MUST(call) must(l, (call), #call)

/* Requests of the centre that came to the local. */
static _Atomic unsigned arrived;

static atomic_bool unavailable; /* the feed, for a test */

static inline void feed_counted(void *ctx, struct http_request *q, struct http_reply *r)
{
	arrived++;
	if (unavailable)
		http_problem(r, "unavailable", "%s", "not now");
	else
		feed_get(ctx, q, r);
}

static inline void apply_counted(void *ctx, struct http_request *q, struct http_reply *r)
{
	arrived++;
	assert_true(http_prefers_minimal(q)); /* a push's answers are wanted in brief */
	apply_post(ctx, q, r);
}

static inline void count_arrivals(struct lab *l)
{
	assert_true(l->router.n <= ROUTES_MAX);
	memcpy(l->routes, l->router.routes, l->router.n * sizeof *l->routes);
	for (size_t i = 0; i < l->router.n; i++) {
		if (l->routes[i].handler == feed_get)
			l->routes[i].handler = feed_counted;
		if (l->routes[i].handler == apply_post)
			l->routes[i].handler = apply_counted;
	}
	l->router.routes = l->routes;
	arrived = 0;
	unavailable = false;
}

static inline void open_local(struct lab *l, unsigned number)
{
	char path[64];
	snprintf(path, sizeof path, "file:/scheduled%u?vfs=memdb", number);
	struct replica_config c = {.path = path, .node = NODE};
	MUST(replica_open(&l->local.replica, &c, &l->why));
	l->local.writer = writer_new(l->local.replica);
	routes_init(&l->router, &l->local);
	count_arrivals(l);
	struct server_config s = {.listen = "127.0.0.1:0", .router = &l->router};
	MUST(server_open(&l->server, &s, &l->why));
}

static inline int set_up(void **state)
{
	static struct lab lab;
	static unsigned number;
	struct lab *l = &lab;
	char url[64];
	memset(l, 0, sizeof *l);
	trouble.reads = trouble.writes = trouble.events = OK;
	trouble.refused = trouble.stored = trouble.told_fails = trouble.told_works = trouble.told_states = 0;
	overtaken.test = pthread_self();
	overtaken.lab = l;
	open_local(l, ++number);
	snprintf(url, sizeof url, "sqlite:file:/scheduler%u?vfs=memdb", number);
	struct store_config c = {.url = url};
	MUST(store_open(&l->store, &c, &l->why));
	networks_add_loopback(&l->allowed);
	struct scheduler_config s = {.store = l->store, .allowed = &l->allowed, .interval_ms = INTERVAL_MS};
	MUST(scheduler_open(&l->scheduler, &s, &l->why));
	MUST(scheduler_start(l->scheduler, &l->why));
	*state = l;
	return 0;
}

static inline int tear_down(void **state)
{
	struct lab *l = *state;
	int64_t start_us = clock_mono_us();
	scheduler_close(l->scheduler);
	assert_true(clock_mono_us() - start_us < INTERVAL_MS * 1000 / 5); /* also with a parked pull */
	replica_wake(l->local.replica, true);
	server_close(l->server);
	writer_free(l->local.writer);
	replica_close(l->local.replica);
	store_close(l->store);
	return 0;
}

/* --- short words --- */

typedef bool holds_fn(struct lab *l, const struct node_view *v);

static inline struct node_view view(struct lab *l)
{
	struct node_view v;
	assert_true(scheduler_view(l->scheduler, NODE, &v, NULL));
	return v;
}

static inline void await(struct lab *l, holds_fn *holds, const char *what)
{
	struct node_view v;
	if (!EVENTUALLY(PATIENCE_MS, (v = view(l), holds(l, &v))))
		fail_msg("not in time: %s; %s: %s", what, node_state_name(v.state), v.reason.text);
}
#define AWAIT(holds) await(l, holds, #holds)

static inline bool in_sync(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->state == NODE_IN_SYNC;
}

static inline bool waits(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->next_attempt_us > 0;
}

static inline void add(struct lab *l, const char *url)
{
	MUST(store_node_add(l->store, NULL, NODE, url, "", &l->why));
	scheduler_changed(l->scheduler, NODE);
}

static inline void add_and_settle(struct lab *l)
{
	add(l, server_url(l->server));
	AWAIT(in_sync);
}

static inline void put_at_centre(struct lab *l, const char *id)
{
	struct draft d = {
		.owner = span_of(NODE), .id = span_of(id), .type = span_of("t"), .body = span_of("1")};
	struct precondition none = {0};
	struct written w;
	MUST(store_put(l->store, NULL, &d, 1, &none, &w, &l->why));
	scheduler_edited(l->scheduler, NODE);
}

static inline enum err put_draft(void *ctx, struct replica *r, struct reason *why)
{
	struct written w;
	return replica_put(r, ctx, NULL, &w, why);
}

static inline void put_at_local(struct lab *l, const char *id)
{
	struct draft d = {.id = span_of(id), .type = span_of("t"), .body = span_of("2")};
	MUST(writer_run(l->local.writer, put_draft, &d, &l->why));
}

static inline uint64_t local_count(struct lab *l)
{
	struct replica_status s;
	MUST(replica_status(l->local.replica, &s, &l->why));
	return s.digest.count;
}

static inline enum err refuse(enum err e, struct reason *why)
{
	trouble.refused++;
	return (fail)(e, why, "%s", trouble.why);
}

void __wrap_log_event(enum log_level level, const char *event, ...);
void __wrap_log_event(enum log_level level, const char *event, ...)
{
	(void)level;
	if (!strcmp(event, "store.failed"))
		trouble.told_fails++;
	if (!strcmp(event, "store.works"))
		trouble.told_works++;
	if (!strcmp(event, "node.state"))
		trouble.told_states++;
}

enum err __real_store_apply_pages(struct store *st, struct pull_apply *pages, size_t n, struct reason *why);
enum err __wrap_store_apply_pages(struct store *st, struct pull_apply *pages, size_t n, struct reason *why);
enum err __wrap_store_apply_pages(struct store *st, struct pull_apply *pages, size_t n, struct reason *why)
{
	bool writes = false;
	for (size_t i = 0; i < n; i++)
		writes = writes || pages[i].page->n > 0;
	enum err e = writes ? trouble.writes : trouble.reads;
	return e == OK ? __real_store_apply_pages(st, pages, n, why) : refuse(e, why);
}

enum err __real_store_events_add(struct store *st, const struct event *evs, size_t n, struct reason *why);
enum err __wrap_store_events_add(struct store *st, const struct event *evs, size_t n, struct reason *why);
enum err __wrap_store_events_add(struct store *st, const struct event *evs, size_t n, struct reason *why)
{
	enum err e = trouble.writes != OK ? trouble.writes : trouble.events;
	e = e == OK ? __real_store_events_add(st, evs, n, why) : refuse(e, why);
	trouble.stored += e == OK ? (unsigned)n : 0;
	return e;
}

static inline void add_again(struct lab *l)
{
	add(l, server_url(l->server));
}

enum err __real_store_node_row(struct store *st, const char *name, struct node_row *ret, struct reason *why);
enum err __wrap_store_node_row(struct store *st, const char *name, struct node_row *ret, struct reason *why);
enum err __wrap_store_node_row(struct store *st, const char *name, struct node_row *ret, struct reason *why)
{
	enum err e = trouble.reads;
	e = e == OK ? __real_store_node_row(st, name, ret, why) : refuse(e, why);
	if (e != GONE)
		return e;
	bool test = pthread_equal(pthread_self(), overtaken.test);
	if (atomic_exchange(test ? &overtaken.in_test : &overtaken.in_worker, false))
		add_again(overtaken.lab);
	return e;
}

static inline bool is_shown(struct lab *l)
{
	struct node_view v;
	return EVENTUALLY(PATIENCE_MS, scheduler_view(l->scheduler, NODE, &v, NULL));
}

static inline bool holds_one(struct lab *l, const struct node_view *v)
{
	return in_sync(l, v) && v->node.sync.digest.count == 1;
}

#define SCHEDULER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
