/* Those who follow what happens: they are told all of it, once, in order, and nobody waits for them. */
#include "central/stream.h"

#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/clock.h"

#define PATIENCE_US INT64_C(20000000)
#define STATUS_US 100000
#define HEARTBEAT_US 600000

struct desk {
	struct store *store;
	struct centre centre;
	struct networks allowed;
	struct reason why;
};

static void open_desk(struct desk *d, struct store *st)
{
	*d = (struct desk){.store = st, .centre = {.store = st, .interval_ms = 1000}};
	networks_add_loopback(&d->allowed);
	struct scheduler_config s = {.store = st, .allowed = &d->allowed, .interval_ms = 1000};
	assert_int_equal(scheduler_open(&d->centre.scheduler, &s, &d->why), OK);
	struct stream_config stream = {&d->centre, STATUS_US, HEARTBEAT_US};
	assert_int_equal(stream_open(&d->centre.stream, &stream, &d->why), OK);
}

static void close_desk(struct desk *d)
{
	stream_stop(d->centre.stream); /* its thread asks the scheduler */
	scheduler_close(d->centre.scheduler);
	stream_close(d->centre.stream);
}

static void tell_as(struct store *st, const char *node, enum log_level level, unsigned n)
{
	struct event evs[10];
	struct reason why;
	assert_true(n <= 10);
	for (unsigned i = 0; i < n; i++)
		evs[i] = (struct event){.level = level,
			.kind = "backup.made",
			.node = node,
			.text = {"a \"text\"\nof two lines"}};
	assert_int_equal(store_events_add(st, evs, n, &why), OK);
}

static void tell(struct store *st, unsigned n)
{
	tell_as(st, "site-a", LOG_INFO, n);
}

static uint64_t newest(struct store *st)
{
	struct event_query q = {.least_level = -1, .limit = 1};
	struct buf list = {0};
	struct reason why;
	assert_int_equal(store_events(st, &q, &list, &why), OK);
	const char *id = strstr(list.at, "\"id\":");
	uint64_t ret = id ? strtoull(id + 5, NULL, 10) : 0;
	buf_done(&list);
	return ret;
}

/* One who reads, and all that it was told. */
struct follower {
	struct stream_reader rd;
	struct buf heard;
};

static void follow(struct desk *d, struct follower *f)
{
	f->rd.wish.least_level = f->rd.wish.least_level ? f->rd.wish.least_level : -1;
	assert_int_equal(stream_join(d->centre.stream, &f->rd, &d->why), OK);
}

static void follow_from(struct desk *d, struct follower *f, uint64_t after)
{
	*f = (struct follower){.rd = {.from_past = true, .wish = {.after = after, .least_level = -1}}};
	follow(d, f);
}

static void leave(struct follower *f)
{
	stream_leave(&f->rd);
	buf_done(&f->heard);
}

static bool hear_more(struct follower *f)
{
	struct buf block = {0};
	bool more = stream_read(&f->rd, &block);
	buf_put(&f->heard, buf_span(&block));
	buf_done(&block);
	return more;
}

/* Until it has heard the text. */
static void hear(struct follower *f, const char *text)
{
	int64_t until = clock_mono_us() + PATIENCE_US;
	while (!f->heard.at || !strstr(f->heard.at, text)) {
		assert_true(hear_more(f));
		if (clock_mono_us() > until)
			fail_msg("never told: %s; but: %s", text, f->heard.at);
	}
}

static void hear_id(struct follower *f, uint64_t id)
{
	char text[48];
	snprintf(text, sizeof text, "id: %llu\nevent: event", (unsigned long long)id);
	hear(f, text);
}

/* The ids of events that were heard, which rise; returns how many, *ret_first the first. */
static unsigned ids_heard(const struct follower *f, uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t last = 0;
	unsigned n = 0;
	for (const char *at = f->heard.at; (at = strstr(at, "id: ")); at += 4) {
		char *end;
		uint64_t id = strtoull(at + 4, &end, 10);
		if (strncmp(end, "\nevent: event\ndata: {\"id\":", 26) != 0)
			continue;
		assert_true(id > last);
		assert_int_equal(strtoull(end + 26, NULL, 10), id);
		if (n++ == 0)
			*ret_first = id;
		last = id;
	}
	*ret_last = last;
	return n;
}

static void heard_all(const struct follower *f, uint64_t first, uint64_t last)
{
	uint64_t from, to;
	unsigned n = ids_heard(f, &from, &to);
	assert_int_equal(from, first);
	assert_int_equal(to, last);
	assert_int_equal(n, last - first + 1);
	assert_null(strstr(f->heard.at, "event: gap"));
}

/* --- complete, in order --- */

#define WRITERS 4
#define ROUNDS 40

static void *write_events(void *ctx)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		tell(ctx, 1 + i % 3);
	return NULL;
}

STAGE_TEST(all_are_told_once_in_order_whoever_writes)
{
	pthread_t writers[WRITERS];
	struct follower now = {.rd.live = false}, past;
	struct desk d;
	(void)f;
	open_desk(&d, g->store);
	uint64_t before = newest(g->store);
	follow(&d, &now);
	follow_from(&d, &past, 0);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_events, g->store), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	uint64_t last = newest(g->store);
	hear_id(&now, last);
	hear_id(&past, last);
	heard_all(&now, before + 1, last);
	heard_all(&past, 1, last);
	leave(&now);
	leave(&past);
	close_desk(&d);
}

struct late {
	struct desk *d;
	uint64_t last;
	atomic_bool over;
};

/* Comes, hears what there was and what came meanwhile, and goes; again and again, and once when all is written. */
static void *come_and_go(void *ctx)
{
	struct late *l = ctx;
	uint64_t known = 1;
	bool over;
	do {
		struct follower f;
		over = atomic_load(&l->over);
		follow_from(l->d, &f, known);
		tell(l->d->store, 1);
		uint64_t to = newest(l->d->store);
		hear_id(&f, to);
		uint64_t first, last;
		unsigned n = ids_heard(&f, &first, &last);
		assert_int_equal(first, known + 1);
		assert_int_equal(n, last - known);
		known = last;
		leave(&f);
	} while (!over);
	l->last = known;
	return NULL;
}

STAGE_TEST(who_comes_back_misses_nothing_between)
{
	struct desk d;
	(void)f;
	open_desk(&d, g->store);
	struct late l = {.d = &d};
	pthread_t reader, writers[WRITERS];
	tell(g->store, 2);
	assert_int_equal(pthread_create(&reader, NULL, come_and_go, &l), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_events, g->store), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	atomic_store(&l.over, true);
	pthread_join(reader, NULL);
	assert_int_equal(l.last, newest(g->store));
	close_desk(&d);
}

static void tell_kind(struct store *st, const char *kind)
{
	const struct event ev = {.level = LOG_INFO, .kind = kind, .node = "site-a"};
	struct reason why;
	assert_int_equal(store_events_add(st, &ev, 1, &why), OK);
}

STAGE_TEST(moved_records_are_told_to_those_who_want_them)
{
	struct follower all, changes;
	struct desk d;
	(void)f;
	tell_kind(g->store, "pulled");
	open_desk(&d, g->store);
	all = (struct follower){.rd = {.from_past = true, .wish = {.least_level = -1, .after = 1}}};
	changes = all;
	changes.rd.wish.no_moves = true;
	follow(&d, &all);
	follow(&d, &changes);
	hear(&all, "event: nodes"); /* the past is over */
	hear(&changes, "event: nodes");
	tell_kind(g->store, "pushed");
	tell_kind(g->store, "conflict");
	hear_id(&all, newest(g->store));
	hear_id(&changes, newest(g->store));
	assert_non_null(strstr(all.heard.at, "pulled"));
	assert_non_null(strstr(all.heard.at, "pushed"));
	assert_null(strstr(changes.heard.at, "pulled"));
	assert_null(strstr(changes.heard.at, "pushed"));
	assert_null(strstr(changes.heard.at, "event: gap"));
	leave(&all);
	leave(&changes);
	close_desk(&d);
}

STAGE_TEST(only_what_was_asked_for_is_told)
{
	struct follower node, worse;
	struct desk d;
	uint64_t first, last;
	(void)f;
	for (unsigned i = 0; i < 30; i++) {
		tell_as(g->store, "site-b", LOG_INFO, 9);
		tell_as(g->store, "site-c", LOG_WARN, 1);
	}
	open_desk(&d, g->store);
	node = (struct follower){
		.rd = {.from_past = true, .wish = {.node = "site-b", .least_level = -1, .after = 1}}};
	worse = (struct follower){.rd = {.from_past = true, .wish = {.least_level = LOG_WARN, .after = 1}}};
	follow(&d, &node);
	follow(&d, &worse);
	hear(&node, "event: nodes"); /* the past is over */
	hear(&worse, "event: nodes");
	tell_as(g->store, "site-b", LOG_INFO, 1);
	tell_as(g->store, "site-c", LOG_ERROR, 1);
	tell_as(g->store, "site-b", LOG_INFO, 1);
	hear_id(&node, newest(g->store));
	hear_id(&worse, newest(g->store) - 1);
	assert_int_equal(ids_heard(&node, &first, &last), 272);
	assert_int_equal(ids_heard(&worse, &first, &last), 31);
	assert_null(strstr(node.heard.at, "site-c\",\"text"));
	assert_null(strstr(worse.heard.at, "site-b\",\"text"));
	leave(&node);
	leave(&worse);
	close_desk(&d);
}

/* --- what cannot be told --- */

static struct store *open_keeping(uint64_t events)
{
	static unsigned number;
	struct store *st = NULL;
	struct reason why;
	char url[64];
	snprintf(url, sizeof url, "sqlite:file:/stream%u?vfs=memdb", number++);
	const struct store_config c = {.url = url, .events_kept = events};
	assert_int_equal(store_open(&st, &c, &why), OK);
	return st;
}

static void what_was_removed_is_a_gap(void **state)
{
	struct store *st = open_keeping(20);
	struct follower f;
	struct desk d;
	uint64_t first, last;
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		tell(st, 10);
	open_desk(&d, st);
	follow_from(&d, &f, 5);
	hear_id(&f, 100);
	unsigned n = ids_heard(&f, &first, &last);
	assert_in_range(n, 20, 22);
	assert_int_equal(last - first + 1, n);
	char text[64];
	snprintf(text, sizeof text, "event: gap\ndata: {\"after\":5,\"next\":%llu}\n\nid: %llu\n",
		(unsigned long long)first, (unsigned long long)first);
	assert_non_null(strstr(f.heard.at, text));
	leave(&f);
	follow_from(&d, &f, 0); /* all there is */
	hear_id(&f, 100);
	assert_null(strstr(f.heard.at, "event: gap"));
	leave(&f);
	close_desk(&d);
	store_close(st);
}

/* Those of the audit stay where the others go: that the next one is there does not say that nothing is missing. */
static void what_was_removed_is_a_gap_also_between_what_stays(void **state)
{
	const struct author ann = {.who = "ann"};
	struct event by_ann = {.level = LOG_INFO, .kind = "node.asked", .by = &ann, .text = {"kept"}};
	struct store *st = open_keeping(20);
	struct follower f;
	struct desk d;
	struct reason why;
	(void)state;
	tell(st, 5);
	assert_int_equal(store_events_add(st, &by_ann, 1, &why), OK); /* 6 */
	tell(st, 10);
	assert_int_equal(store_events_add(st, &by_ann, 1, &why), OK); /* 17 */
	for (unsigned i = 0; i < 9; i++)
		tell(st, 10);
	open_desk(&d, st);
	follow_from(&d, &f, 5);
	hear_id(&f, 107);
	const char *gap = strstr(f.heard.at, "event: gap");
	assert_non_null(gap);
	assert_null(strstr(gap + 1, "event: gap")); /* told once */
	assert_true(gap < strstr(f.heard.at, "id: 6\n") && strstr(f.heard.at, "id: 17\n"));
	leave(&f);
	/* only what she did: she is told that others are missing, and all of hers */
	f = (struct follower){
		.rd = {.from_past = true, .wish = {.after = 5, .least_level = -1, .audit = true}}};
	follow(&d, &f);
	assert_int_equal(store_events_add(st, &by_ann, 1, &why), OK);
	hear_id(&f, 108);
	assert_non_null(strstr(f.heard.at, "id: 6\n"));
	assert_non_null(strstr(f.heard.at, "id: 17\n"));
	assert_null(strstr(f.heard.at, "backup.made"));
	leave(&f);
	close_desk(&d);
	store_close(st);
}

static void an_id_that_was_never_given_is_a_gap(void **state)
{
	struct store *st = open_keeping(20);
	struct follower f;
	struct desk d;
	(void)state;
	tell(st, 3);
	open_desk(&d, st);
	follow_from(&d, &f, 70);
	hear(&f, "event: gap\ndata: {\"after\":70,\"next\":4}\n\nid: 3\nevent: nodes\n");
	tell(st, 1);
	hear_id(&f, 4);
	leave(&f);
	close_desk(&d);
	store_close(st);
}

/* --- nobody waits for anybody --- */

static void who_is_too_slow_is_dropped_alone(void **state)
{
	struct store *st = open_keeping(20);
	struct follower slow = {.rd.live = false}, quick = {.rd.live = false};
	struct desk d;
	struct buf out = {0};
	(void)state;
	open_desk(&d, st);
	follow(&d, &slow);
	follow(&d, &quick);
	hear(&slow, "event: nodes");
	for (unsigned i = 0; i < RING_FRAMES / 10 + 2; i++) {
		tell(st, 10);
		hear_id(&quick, newest(st));
	}
	heard_all(&quick, 1, newest(st));
	assert_false(stream_read(&slow.rd, &out));
	buf_done(&out);
	leave(&slow);
	leave(&quick);
	close_desk(&d);
	store_close(st);
}

static void a_block_is_bounded(void **state)
{
	struct store *st = open_keeping(2000);
	struct follower f = {.rd.live = false}, quick = {.rd.live = false};
	struct desk d;
	struct buf out = {0};
	(void)state;
	open_desk(&d, st);
	follow(&d, &f);
	follow(&d, &quick);
	hear(&f, "event: nodes");
	for (unsigned i = 0; i < RING_FRAMES / 10 - 1; i++)
		tell(st, 10);
	hear_id(&quick, newest(st));
	heard_all(&quick, 1, newest(st));
	assert_true(stream_read(&f.rd, &out));
	assert_in_range(out.len, 60000, 80000);
	buf_done(&out);
	leave(&f);
	leave(&quick);
	close_desk(&d);
	store_close(st);
}

static void so_many_may_follow_and_no_more(void **state)
{
	static struct follower all[STREAM_READERS_MAX];
	struct store *st = open_keeping(20);
	struct stream_reader one_more = {.wish.least_level = -1};
	struct desk d;
	(void)state;
	memset(all, 0, sizeof all);
	open_desk(&d, st);
	for (unsigned i = 0; i < STREAM_READERS_MAX; i++)
		follow(&d, &all[i]);
	assert_int_equal(stream_join(d.centre.stream, &one_more, &d.why), RETRY);
	leave(&all[7]);
	assert_int_equal(stream_join(d.centre.stream, &one_more, &d.why), OK);
	tell(st, 1);
	hear_id(&all[63], 1);
	stream_leave(&one_more);
	for (unsigned i = 0; i < STREAM_READERS_MAX; i++)
		if (i != 7)
			leave(&all[i]);
	close_desk(&d);
	store_close(st);
}

static void *listen(void *ctx)
{
	struct follower *f = ctx;
	while (hear_more(f))
		;
	return NULL;
}

static void an_end_wakes_all(void **state)
{
	struct store *st = open_keeping(20);
	struct follower f[3] = {{.rd.live = false}};
	struct stream_reader late = {.wish.least_level = -1};
	pthread_t threads[3];
	struct desk d;
	(void)state;
	open_desk(&d, st);
	for (int i = 0; i < 3; i++) {
		follow(&d, &f[i]);
		hear(&f[i], "event: status");
		assert_int_equal(pthread_create(&threads[i], NULL, listen, &f[i]), 0);
	}
	int64_t began = clock_mono_us();
	stream_stop(d.centre.stream);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_true(clock_mono_us() - began < 2000000);
	assert_int_equal(stream_join(d.centre.stream, &late, &d.why), RETRY);
	for (int i = 0; i < 3; i++)
		leave(&f[i]);
	close_desk(&d);
	store_close(st);
}

/* --- nodes and status --- */

STAGE_TEST(nodes_that_change_are_named)
{
	struct follower w = {.rd.live = false};
	struct desk d;
	(void)f;
	open_desk(&d, g->store);
	follow(&d, &w);
	hear(&w, "event: nodes\ndata: {\"nodes\":[],\"all\":true}\n\n");
	hear(&w, "event: status\ndata: {\"version\"");
	hear(&w, "\"paused\":0,");
	buf_clear(&w.heard);
	backstage_run(g, "UPDATE nodes SET quarantined = 2 WHERE name = 'site-a'"); /* and the same state */
	scheduler_changed(d.centre.scheduler, "site-a");
	hear(&w, "event: nodes\ndata: {\"nodes\":[\"site-a\"],\"all\":false}\n\n");
	buf_clear(&w.heard);
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", true, &g->why), OK);
	scheduler_changed(d.centre.scheduler, "site-a");
	hear(&w, "event: nodes\ndata: {\"nodes\":[\"site-a\"],\"all\":false}\n\n");
	hear(&w, "\"paused\":1,");
	buf_clear(&w.heard);
	assert_int_equal(store_node_add(g->store, NULL, "site-b", "http://127.0.0.1:8", "", &g->why), OK);
	scheduler_changed(d.centre.scheduler, "site-b");
	hear(&w, "{\"nodes\":[\"site-b\"],\"all\":false}");
	buf_clear(&w.heard);
	assert_int_equal(store_node_remove(g->store, NULL, "site-b", &g->why), OK);
	scheduler_changed(d.centre.scheduler, "site-b");
	hear(&w, "{\"nodes\":[\"site-b\"],\"all\":false}");
	leave(&w);
	close_desk(&d);
}

static void a_steady_status_is_told_only_as_a_heartbeat(void **state)
{
	struct store *st = open_keeping(20);
	struct follower f = {.rd.live = false};
	struct desk d;
	(void)state;
	open_desk(&d, st);
	follow(&d, &f);
	hear(&f, "event: status");
	int64_t began = clock_mono_us();
	buf_clear(&f.heard);
	hear(&f, "event: status");
	assert_in_range(clock_mono_us() - began, HEARTBEAT_US - STATUS_US, PATIENCE_US);
	leave(&f);
	close_desk(&d);
	store_close(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_told_once_in_order_whoever_writes),
		cmocka_unit_test(who_comes_back_misses_nothing_between),
		cmocka_unit_test(only_what_was_asked_for_is_told),
		cmocka_unit_test(moved_records_are_told_to_those_who_want_them),
		cmocka_unit_test(what_was_removed_is_a_gap),
		cmocka_unit_test(what_was_removed_is_a_gap_also_between_what_stays),
		cmocka_unit_test(an_id_that_was_never_given_is_a_gap),
		cmocka_unit_test(who_is_too_slow_is_dropped_alone),
		cmocka_unit_test(a_block_is_bounded),
		cmocka_unit_test(so_many_may_follow_and_no_more),
		cmocka_unit_test(an_end_wakes_all),
		cmocka_unit_test(nodes_that_change_are_named),
		cmocka_unit_test(a_steady_status_is_told_only_as_a_heartbeat),
	};
	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
