/* The scheduler with a real store, a real transfer and a real local: what has to happen at once does. */
#include "central/scheduler.h"
#include "central/transfer.h"
#include "local/apply.h"
#include "local/feed.h"
#include "local/routes.h"
#include "local/writer.h"
#include "shared/clock.h"
#include "shared/server.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

/* Called once, between a store_node() that found nobody and what its caller makes of that. */
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

static void must(struct lab *l, enum err e, const char *what)
{
	if (e != OK)
		fail_msg("%s: %s: %s", what, err_name(e), l->why.text);
}
#define MUST(call) must(l, (call), #call)

/* Requests of the centre that came to the local. */
static _Atomic unsigned arrived;

static atomic_bool unavailable; /* the feed, for a test */

static void feed_counted(void *ctx, struct http_request *q, struct http_reply *r)
{
	arrived++;
	if (unavailable)
		http_problem(r, "unavailable", "%s", "not now");
	else
		feed_get(ctx, q, r);
}

static void apply_counted(void *ctx, struct http_request *q, struct http_reply *r)
{
	arrived++;
	apply_post(ctx, q, r);
}

static void count_arrivals(struct lab *l)
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

static void open_local(struct lab *l, unsigned number)
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

static int set_up(void **state)
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

static int tear_down(void **state)
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

static struct node_view view(struct lab *l)
{
	struct node_view v;
	assert_true(scheduler_view(l->scheduler, NODE, &v, NULL));
	return v;
}

static void await(struct lab *l, holds_fn *holds, const char *what)
{
	int64_t until_us = clock_mono_us() + PATIENCE_MS * 1000;
	struct node_view v = view(l);
	while (!holds(l, &v)) {
		if (clock_mono_us() > until_us)
			fail_msg("not in time: %s; %s: %s", what, node_state_name(v.state), v.reason.text);
		poll(NULL, 0, 2);
		v = view(l);
	}
}
#define AWAIT(holds) await(l, holds, #holds)

static bool in_sync(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->state == NODE_IN_SYNC;
}

static bool waits(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->next_attempt_us > 0;
}

static void add(struct lab *l, const char *url)
{
	MUST(store_node_add(l->store, NULL, NODE, url, "", &l->why));
	scheduler_changed(l->scheduler, NODE);
}

static void add_and_settle(struct lab *l)
{
	add(l, server_url(l->server));
	AWAIT(in_sync);
}

static void put_at_centre(struct lab *l, const char *id)
{
	struct draft d = {
		.owner = span_of(NODE), .id = span_of(id), .type = span_of("t"), .body = span_of("1")};
	struct precondition none = {0};
	struct written w;
	MUST(store_put(l->store, NULL, &d, 1, &none, &w, &l->why));
	scheduler_edited(l->scheduler, NODE);
}

static enum err put_draft(void *ctx, struct replica *r, struct reason *why)
{
	struct written w;
	return replica_put(r, ctx, NULL, &w, why);
}

static void put_at_local(struct lab *l, const char *id)
{
	struct draft d = {.id = span_of(id), .type = span_of("t"), .body = span_of("2")};
	MUST(writer_run(l->local.writer, put_draft, &d, &l->why));
}

static uint64_t local_count(struct lab *l)
{
	struct replica_status s;
	MUST(replica_status(l->local.replica, &s, &l->why));
	return s.digest.count;
}

/* The time that the last request of the centre was given, and which it was. */
static struct {
	_Atomic int64_t timeout_ms;
	_Atomic unsigned n;
} counts;

void __real_transfer_start_soon(struct transfer *t, struct transfer_call *call);
void __wrap_transfer_start_soon(struct transfer *t, struct transfer_call *call);
void __wrap_transfer_start_soon(struct transfer *t, struct transfer_call *call)
{
	if (strstr(call->url.at, "recount=1")) {
		counts.timeout_ms = call->timeout_ms;
		counts.n++;
	}
	__real_transfer_start_soon(t, call);
}

static enum err refuse(enum err e, struct reason *why)
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

static void add_again(struct lab *l)
{
	add(l, server_url(l->server));
}

enum err __real_store_node(struct store *st, const char *name, struct node *ret, struct reason *why);
enum err __wrap_store_node(struct store *st, const char *name, struct node *ret, struct reason *why);
enum err __wrap_store_node(struct store *st, const char *name, struct node *ret, struct reason *why)
{
	enum err e = trouble.reads;
	e = e == OK ? __real_store_node(st, name, ret, why) : refuse(e, why);
	if (e != GONE)
		return e;
	bool test = pthread_equal(pthread_self(), overtaken.test);
	if (atomic_exchange(test ? &overtaken.in_test : &overtaken.in_worker, false))
		add_again(overtaken.lab);
	return e;
}

static bool is_shown(struct lab *l)
{
	int64_t until_us = clock_mono_us() + PATIENCE_MS * 1000;
	struct node_view v;
	while (!scheduler_view(l->scheduler, NODE, &v, NULL)) {
		if (clock_mono_us() > until_us)
			return false;
		poll(NULL, 0, 2);
	}
	return true;
}

/* --- tests --- */

static bool holds_one(struct lab *l, const struct node_view *v)
{
	return in_sync(l, v) && v->node.sync.digest.count == 1;
}

static bool holds_two(struct lab *l, const struct node_view *v)
{
	return v->state == NODE_IN_SYNC && v->node.sync.digest.count == 2 && local_count(l) == 2;
}

static void test_news_of_either_end_travel_at_once(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	put_at_centre(l, "from-the-centre");
	struct node_view edited = view(l);
	assert_true(edited.state != NODE_IN_SYNC || edited.run.pushed == 1); /* not until it is pushed */
	AWAIT(holds_one);
	assert_int_equal(local_count(l), 1);
	put_at_local(l, "from-the-local");
	AWAIT(holds_two);
	struct node_view v = view(l);
	assert_int_equal(v.run.polls_failed, 0); /* an interrupted pull is no failure */
	assert_int_equal(v.run.pushed, 1);
	assert_int_equal(v.run.pulled, 1);
}

#define EDITS 40

static bool holds_all_edits(struct lab *l, const struct node_view *v)
{
	return v->state == NODE_IN_SYNC && !v->run.to_push && local_count(l) == EDITS;
}

static void test_many_edits_in_a_row_all_arrive_with_few_interruptions(void **state)
{
	struct lab *l = *state;
	char id[24];
	int64_t start_us = clock_mono_us();
	add_and_settle(l);
	for (int i = 0; i < EDITS; i++) {
		snprintf(id, sizeof id, "edit-%d", i);
		put_at_centre(l, id);
		poll(NULL, 0, 5);
	}
	AWAIT(holds_all_edits);
	struct node_view v = view(l);
	int64_t seconds = (clock_mono_us() - start_us) / 1000000 + 1;
	assert_int_equal(v.run.polls_failed, 0);
	assert_true(v.run.polls_ok > 2);
	/* Each interruption leaves a request parked at the local: not more than one a second. */
	assert_in_range(arrived, v.run.polls_ok, v.run.polls_ok + (uint64_t)seconds + 1);
}

static bool failed_again(struct lab *l, const struct node_view *v)
{
	return waits(l, v) && v->run.polls_failed >= 2;
}

static void test_a_question_and_a_new_url_do_not_wait_for_the_backoff(void **state)
{
	struct lab *l = *state;
	add(l, "http://127.0.0.1:9");
	AWAIT(waits);
	struct node_view v = view(l);
	assert_int_equal(v.state, NODE_NEVER_SEEN);
	assert_int_equal(v.run.last_result, POLL_REFUSED);
	assert_int_equal(v.results[POLL_REFUSED], 1);
	scheduler_ask(l->scheduler, NODE);
	AWAIT(failed_again);
	MUST(store_node_edit(l->store, NULL, NODE, server_url(l->server), NULL, NULL, &l->why));
	scheduler_changed(l->scheduler, NODE);
	scheduler_ask(l->scheduler, NODE);
	AWAIT(in_sync);
}

static bool asked_twice(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->run.polls_ok >= 4;
}

static void test_a_question_interrupts_a_parked_pull(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	uint64_t before = view(l).run.polls_ok;
	assert_in_range(before, 1, 3);
	while (view(l).run.polls_ok < before + 2) {
		scheduler_ask(l->scheduler, NODE);
		poll(NULL, 0, 20);
	}
	AWAIT(asked_twice);
	assert_int_equal(view(l).run.polls_failed, 0);
}

/* Hundreds of them cut hundreds of requests short, until the local had no connection left. */
static void test_another_title_leaves_the_parked_pull_alone(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	for (int i = 0; i < 50; i++) {
		MUST(store_node_edit(l->store, NULL, NODE, NULL, i % 2 ? "odd" : "even", NULL, &l->why));
		scheduler_renamed(l->scheduler, NODE);
		assert_string_equal(view(l).node.title, i % 2 ? "odd" : "even");
	}
	put_at_local(l, "meanwhile");
	AWAIT(holds_one);
	assert_int_equal(view(l).results[POLL_CANCELLED], 0);
	assert_string_equal(view(l).node.title, "odd");
}

static bool paused(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->state == NODE_PAUSED;
}

static void test_a_paused_node_rests_until_it_is_resumed(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	MUST(store_node_pause(l->store, NULL, NODE, true, &l->why));
	scheduler_changed(l->scheduler, NODE);
	assert_int_equal(view(l).state, NODE_PAUSED); /* shown with the very next look */
	AWAIT(paused);
	put_at_local(l, "meanwhile");
	scheduler_ask(l->scheduler, NODE);
	poll(NULL, 0, 100);
	assert_int_equal(view(l).node.sync.digest.count, 0);
	MUST(store_node_pause(l->store, NULL, NODE, false, &l->why));
	scheduler_changed(l->scheduler, NODE);
	AWAIT(holds_one);
}

static void count_glance(void *ctx, const struct node_glance *g)
{
	(void)g;
	++*(unsigned *)ctx;
}

static void test_a_removed_node_is_gone_and_continues_when_added_again(void **state)
{
	struct lab *l = *state;
	struct node_view v;
	unsigned n = 0;
	put_at_local(l, "kept");
	add_and_settle(l);
	MUST(store_node_remove(l->store, NULL, NODE, &l->why));
	scheduler_changed(l->scheduler, NODE);
	assert_false(scheduler_view(l->scheduler, NODE, &v, NULL));
	scheduler_each(l->scheduler, count_glance, &n);
	assert_int_equal(n, 0);
	scheduler_ask(l->scheduler, NODE); /* of nobody: harmless */
	add(l, server_url(l->server));
	AWAIT(holds_one);
}

/* The node is added again when the worker has just read that it was removed. */
static void test_a_node_added_again_at_once_is_not_forgotten(void **state)
{
	struct lab *l = *state;
	put_at_local(l, "kept");
	add_and_settle(l);
	overtaken.in_worker = true;
	MUST(store_node_remove(l->store, NULL, NODE, &l->why));
	scheduler_changed(l->scheduler, NODE);
	int64_t until_us = clock_mono_us() + PATIENCE_MS * 1000;
	while (overtaken.in_worker && clock_mono_us() < until_us)
		poll(NULL, 0, 2);
	put_at_local(l, "later");
	assert_true(is_shown(l));
	AWAIT(holds_two);
}

/* Two operators at once: what the store says in the end holds, whoever tells the scheduler last. */
static void test_a_late_word_of_a_removal_does_not_hide_the_node(void **state)
{
	struct lab *l = *state;
	put_at_local(l, "kept");
	add_and_settle(l);
	overtaken.in_test = true;
	MUST(store_node_remove(l->store, NULL, NODE, &l->why));
	scheduler_changed(l->scheduler, NODE);
	assert_false(overtaken.in_test);
	assert_true(is_shown(l));
	AWAIT(holds_one);
}

static void apply_full(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	arrived++;
	http_problem(r, "disk_full", "%s", "no room");
}

static bool holds_both_ends(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->node.sync.digest.count == 3;
}

/* Whatever is wrong with a push, what is new at the local is pulled. */
static void test_a_push_that_fails_does_not_stop_the_pull(void **state)
{
	struct lab *l = *state;
	for (size_t i = 0; i < l->router.n; i++)
		if (l->routes[i].handler == apply_counted)
			l->routes[i].handler = apply_full;
	add_and_settle(l);
	put_at_centre(l, "from-the-centre");
	put_at_local(l, "first");
	put_at_local(l, "second");
	AWAIT(holds_both_ends);
	poll(NULL, 0, 500);
	assert_in_range(arrived, 4, 12); /* and neither is tried over and over */
}

static bool blames_the_store(struct lab *l, const struct node_view *v)
{
	(void)l;
	assert_int_not_equal(v->state, NODE_OFFLINE); /* at no time */
	return v->state == NODE_CATCHING_UP && strstr(v->reason.text, "own store") &&
	       strstr(v->reason.text, trouble.why);
}

static void await_refusals(unsigned n)
{
	int64_t until_us = clock_mono_us() + PATIENCE_MS * 1000;
	while (trouble.refused < n && clock_mono_us() < until_us)
		poll(NULL, 0, 2);
	assert_true(trouble.refused >= n);
}

static bool says_that_it_works(struct lab *l, const struct node_view *v)
{
	(void)l;
	(void)v;
	return trouble.told_works > 0;
}

static void test_a_store_that_is_away_is_waited_for(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	trouble.why = "could not connect to server";
	trouble.reads = trouble.writes = RETRY;
	put_at_local(l, "meanwhile");
	AWAIT(blames_the_store);
	int64_t start_us = clock_mono_us();
	unsigned before = trouble.refused, asked = arrived;
	await_refusals(before + 3);
	/* It is tried again and again, but not over and over, and the node is left alone. */
	unsigned most = before + 2 + (unsigned)((clock_mono_us() - start_us) * 8 / 1000000);
	assert_in_range(trouble.refused, before + 3, most > before + 3 ? most : before + 3);
	assert_int_equal(arrived, asked);
	assert_int_equal(trouble.told_fails, 1);
	trouble.reads = trouble.writes = OK;
	AWAIT(holds_one);
	AWAIT(says_that_it_works);
	AWAIT(says_that_it_works);
	assert_int_equal(view(l).run.failures, 0);
	assert_int_equal(trouble.told_fails, 1);
	assert_int_equal(trouble.told_works, 1);
	assert_false(scheduler_totals(l->scheduler).store_failed);
}

/* It can be read, and says that it cannot be written. */
static void test_a_store_whose_disk_is_full_heals(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	trouble.why = REASON_DISK_FULL;
	trouble.writes = RETRY;
	put_at_local(l, "first");
	AWAIT(blames_the_store);
	await_refusals(trouble.refused + 2);
	assert_int_equal(trouble.told_fails, 1);
	assert_int_equal(trouble.told_works, 0);
	assert_true(scheduler_totals(l->scheduler).store_failed);
	trouble.writes = OK;
	AWAIT(holds_one);
	AWAIT(says_that_it_works);
	assert_int_equal(trouble.told_fails, 1);
	assert_int_equal(trouble.told_works, 1);
}

static void test_a_node_added_when_the_store_cannot_be_read_is_asked_later(void **state)
{
	struct lab *l = *state;
	struct node_view v;
	trouble.why = "could not connect to server";
	trouble.reads = RETRY;
	add(l, server_url(l->server));
	await_refusals(3);
	assert_false(scheduler_view(l->scheduler, NODE, &v, NULL)); /* nothing is known of it yet */
	trouble.reads = OK;
	assert_true(is_shown(l));
	AWAIT(in_sync);
}

static bool store_works(struct lab *l, const struct node_view *v)
{
	(void)v;
	return !scheduler_totals(l->scheduler).store_failed;
}

/* An event that was not stored is no longer wanted when the state is again what was stored last. */
static void test_a_store_is_well_when_nothing_is_owed_to_it(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	trouble.why = REASON_DISK_FULL;
	trouble.writes = trouble.events = RETRY;
	put_at_local(l, "first");
	AWAIT(blames_the_store);
	await_refusals(trouble.refused + 2);
	trouble.writes = OK;
	AWAIT(holds_one);
	AWAIT(says_that_it_works);
	trouble.events = OK;
	scheduler_ask(l->scheduler, NODE);
	AWAIT(store_works);
	assert_int_equal(trouble.told_fails, 1);
}

/* Its answer was not taken, and it will give no other one. */
static void test_a_paused_node_does_not_blame_the_store(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	trouble.why = REASON_DISK_FULL;
	trouble.writes = RETRY;
	put_at_local(l, "first");
	AWAIT(blames_the_store);
	trouble.events = trouble.writes;
	trouble.writes = OK;
	MUST(store_node_pause(l->store, NULL, NODE, true, &l->why));
	scheduler_changed(l->scheduler, NODE);
	await_refusals(trouble.refused + 2); /* nor is the event of its pause given up */
	trouble.events = OK;
	AWAIT(store_works);
	MUST(store_node_pause(l->store, NULL, NODE, false, &l->why));
	scheduler_changed(l->scheduler, NODE);
	AWAIT(holds_one);
}

/* All rows of a large local on a slow disk: the same time again and again would never be enough. */
static void test_a_count_is_given_more_time_each_time(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	struct node n = view(l).node;
	struct sync_change count = {.to = n.sync};
	unavailable = true;
	counts.n = 0;
	count.to.recount = true;
	MUST(store_move_node(l->store, NODE, &n.sync, &count, NULL, &l->why));
	scheduler_changed(l->scheduler, NODE);
	scheduler_ask(l->scheduler, NODE); /* a pull that was just to be parked may have failed, and wait */
	int64_t most = 0, until_us = clock_mono_us() + PATIENCE_MS * 1000;
	for (unsigned seen = 0; most < 80000 && clock_mono_us() < until_us; poll(NULL, 0, 1)) {
		if (counts.n == seen)
			continue;
		most = counts.timeout_ms;
		seen = counts.n;
		scheduler_ask(l->scheduler, NODE);
	}
	assert_in_range(most, 80000, 700000);
}

static void test_each_change_of_state_is_one_event(void **state)
{
	struct lab *l = *state;
	struct event_query q = {.node = NODE, .least_level = -1, .limit = 100};
	struct buf out = {0};
	add_and_settle(l);
	int states = 0;
	int64_t until_us = clock_mono_us() + PATIENCE_MS * 1000;
	while (states < 2 && clock_mono_us() < until_us) {
		buf_clear(&out);
		MUST(store_events(l->store, &q, &out, &l->why));
		states = 0;
		for (const char *at = out.at; (at = strstr(at, "\"node.state\"")); at++)
			states++;
	}
	assert_int_equal(states, 2); /* never_seen → catching_up → in_sync */
	buf_done(&out);
}

static unsigned events_of_states(struct lab *l, struct buf *out)
{
	struct event_query q = {.node = NODE, .least_level = -1, .limit = 1000};
	unsigned n = 0;
	buf_clear(out);
	MUST(store_events(l->store, &q, out, &l->why));
	for (const char *at = out->at; (at = strstr(at, "\"node.state\"")); at++)
		n++;
	return n;
}

static bool offline(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->state == NODE_OFFLINE;
}

/* Shown at once, told within bounds; but that it was stopped is told at once, since nothing would come after it. */
static void test_a_node_that_is_up_and_down_all_the_time_does_not_flood_the_events(void **state)
{
	struct lab *l = *state;
	struct buf out = {0};
	add_and_settle(l);
	int64_t start_us = clock_mono_us();
	for (int i = 0; i < 12;
		i++) { /* each time its parked pull is interrupted, which is not done at once */
		unavailable = true;
		scheduler_ask(l->scheduler, NODE);
		AWAIT(offline);
		unavailable = false;
		scheduler_ask(l->scheduler, NODE);
		AWAIT(in_sync);
	}
	unsigned more = (unsigned)((clock_mono_us() - start_us) / SLOT_TELLS.every_us);
	assert_in_range(events_of_states(l, &out), SLOT_TELLS.at_once - 1, SLOT_TELLS.at_once + more);
	assert_in_range(trouble.told_states, SLOT_TELLS.at_once - 1, SLOT_TELLS.at_once + more);
	MUST(store_node_pause(l->store, NULL, NODE, true, &l->why));
	scheduler_changed(l->scheduler, NODE);
	int64_t until_us = clock_mono_us() + PATIENCE_MS * 1000;
	while (!strstr(out.at, "paused (was") && clock_mono_us() < until_us)
		events_of_states(l, &out);
	assert_non_null(strstr(out.at, "paused (was"));
	assert_non_null(strstr(out.at, "times since that"));
	buf_done(&out);
}

/* --- many, looked at while others come and go --- */

#define MANY 600

struct passing {
	char last[RECORD_OWNER_MAX + 1];
	unsigned n;
};

static void pass(void *ctx, const struct node_glance *g)
{
	struct passing *p = ctx;
	if (strcmp(p->last, g->node->name) >= 0)
		fail_msg("%s after %s", g->node->name, p->last);
	memcpy(p->last, g->node->name, sizeof p->last);
	p->n += g->node->name[0] == 's';
}

/* Names before, between and behind those that stay. */
static void *come_and_go(void *ctx)
{
	static char failed[] = "a node could not be added or removed";
	static const char *const names[] = {"a", "s-0255x", "s-0300x", "z"};
	struct lab *l = ctx;
	struct reason why;
	for (int i = 0; i < 40; i++) {
		char url[64];
		(void)snprintf(url, sizeof url, "http://127.0.0.1:%d", 30000 + i % 4);
		if (store_node_add(l->store, NULL, names[i % 4], url, "", &why) != OK)
			return failed;
		scheduler_changed(l->scheduler, names[i % 4]);
		if (store_node_remove(l->store, NULL, names[i % 4], &why) != OK)
			return failed;
		scheduler_changed(l->scheduler, names[i % 4]);
	}
	return NULL;
}

static void test_many_are_looked_at_once_each_while_others_come_and_go(void **state)
{
	struct lab *l = *state;
	pthread_t thread;
	void *failed;
	for (unsigned i = 0; i < MANY; i++) {
		char name[32], url[64];
		(void)snprintf(name, sizeof name, "s-%04u", i);
		(void)snprintf(url, sizeof url, "http://127.0.0.1:%u", 20000 + i);
		MUST(store_node_add(l->store, NULL, name, url, "", &l->why));
		MUST(store_node_pause(l->store, NULL, name, true, &l->why));
		scheduler_changed(l->scheduler, name);
	}
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, l), 0);
	for (int i = 0; i < 50; i++) {
		struct passing p = {.n = 0};
		scheduler_each(l->scheduler, pass, &p);
		assert_in_range(p.n, MANY, MANY + 2);
	}
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	unsigned states[NODE_STATES];
	scheduler_states(l->scheduler, states);
	assert_int_equal(states[NODE_PAUSED], MANY);
}

static void add_many(struct lab *l, const char *names[MANY])
{
	static char text[MANY][32];
	for (unsigned i = 0; i < MANY; i++) {
		char url[64];
		(void)snprintf(text[i], sizeof text[i], "s-%04u", i);
		(void)snprintf(url, sizeof url, "http://127.0.0.1:%u", 20000 + i);
		MUST(store_node_add(l->store, NULL, text[i], url, "", &l->why));
		names[i] = text[i];
	}
	scheduler_changed_all(l->scheduler, names, MANY);
}

static bool all_told(struct lab *l, const struct node_view *v)
{
	(void)v;
	return trouble.stored >= MANY && !scheduler_totals(l->scheduler).store_failed;
}

/* Each try may take seconds, and the workers are there for answers: one tries at a time, and now and then; and all is stored at last. */
static void test_words_of_many_do_not_queue_before_a_store_that_takes_none(void **state)
{
	struct lab *l = *state;
	const char *names[MANY];
	add_and_settle(l);
	add_many(l, names);
	trouble.why = REASON_DISK_FULL;
	trouble.stored = 0;
	trouble.events = RETRY;
	int64_t start_us = clock_mono_us();
	for (unsigned i = 0; i < MANY; i++)
		MUST(store_node_pause(l->store, NULL, names[i], true, &l->why));
	scheduler_changed_all(l->scheduler, names, MANY);
	await_refusals(4);
	unsigned most = 4 + (unsigned)((clock_mono_us() - start_us) * 8 / 1000000);
	assert_in_range(trouble.refused, 4, most);
	assert_int_equal(trouble.told_fails, 1);
	trouble.events = OK;
	AWAIT(all_told);
	assert_int_equal(trouble.stored, MANY);
	assert_int_equal(trouble.told_works, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_news_of_either_end_travel_at_once),
		TEST(test_many_edits_in_a_row_all_arrive_with_few_interruptions),
		TEST(test_a_question_and_a_new_url_do_not_wait_for_the_backoff),
		TEST(test_a_question_interrupts_a_parked_pull),
		TEST(test_another_title_leaves_the_parked_pull_alone),
		TEST(test_a_paused_node_rests_until_it_is_resumed),
		TEST(test_a_removed_node_is_gone_and_continues_when_added_again),
		TEST(test_a_node_added_again_at_once_is_not_forgotten),
		TEST(test_a_late_word_of_a_removal_does_not_hide_the_node),
		TEST(test_a_push_that_fails_does_not_stop_the_pull),
		TEST(test_a_store_that_is_away_is_waited_for),
		TEST(test_a_node_added_when_the_store_cannot_be_read_is_asked_later),
		TEST(test_a_store_whose_disk_is_full_heals),
		TEST(test_a_store_is_well_when_nothing_is_owed_to_it),
		TEST(test_a_paused_node_does_not_blame_the_store),
		TEST(test_a_count_is_given_more_time_each_time),
		TEST(test_each_change_of_state_is_one_event),
		TEST(test_a_node_that_is_up_and_down_all_the_time_does_not_flood_the_events),
		TEST(test_words_of_many_do_not_queue_before_a_store_that_takes_none),
		TEST(test_many_are_looked_at_once_each_while_others_come_and_go),
	};
	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
