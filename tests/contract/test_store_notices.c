/* Who is to be told what, and how far each has been told. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEPT 1000

static const struct receiver ann = {"a", "http://ann"}, ben = {"b", "/bin/ben"};
static const struct reason answer = {"204"};

static void know(struct stage *g, const struct receiver *one, const struct receiver *other)
{
	struct receiver rs[2];
	size_t n = 0;
	if (one)
		rs[n++] = *one;
	if (other)
		rs[n++] = *other;
	assert_int_equal(store_receivers(g->store, rs, n, &g->why), OK);
}

static void tell(struct stage *g, enum log_level level, const char *kind, const char *node, const char *text)
{
	struct event ev = {.level = level, .kind = kind, .node = node};
	(void)snprintf(ev.text.text, sizeof(ev.text.text), "%s", text);
	assert_int_equal(store_events_add(g->store, &ev, 1, &g->why), OK);
}

static void tell_many(struct stage *g, unsigned n)
{
	struct event evs[64];
	for (unsigned i = 0; i < n; i++) {
		evs[i % 64] = (struct event){
			.level = LOG_WARN, .kind = "rejected", .node = "site-a", .text = {"no"}};
		if (i % 64 == 63 || i + 1 == n)
			assert_int_equal(store_events_add(g->store, evs, i % 64 + 1, &g->why), OK);
	}
}

static struct delivery begin(struct stage *g, const struct receiver *r)
{
	struct delivery d;
	assert_int_equal(store_delivery_begin(g->store, r, &d, &g->why), OK);
	return d;
}

static void note(struct stage *g, const struct receiver *r, struct delivery *d, bool taken)
{
	assert_int_equal(store_delivery_note(g->store, r, d, taken, 1500, &answer, &g->why), OK);
	notices_done(&d->notices);
}

static void assert_nothing_waits(struct stage *g, const struct receiver *r)
{
	struct delivery d = begin(g, r);
	assert_int_equal(d.id, 0);
	notices_done(&d.notices);
}

/* What it is told next, as "text text …"; it takes that. */
static const char *next(struct stage *g, const struct receiver *r)
{
	struct delivery d = begin(g, r);
	struct buf out = {0};
	for (size_t i = 0; i < d.notices.n; i++)
		buf_printf(&out, "%s%s", i ? " " : "", d.notices.at[i].text);
	const char *text = arena_copy(&g->arena, out.at ? out.at : "", out.len);
	buf_done(&out);
	if (d.id > 0)
		note(g, r, &d, true);
	else
		notices_done(&d.notices);
	return text;
}

STAGE_TEST(what_happens_from_now_on_is_told_in_order)
{
	(void)f;
	stage_notice(g, KEPT);
	tell(g, LOG_ERROR, "DIVERGED", "site-a", "before");
	know(g, &ann, NULL);
	assert_nothing_waits(g, &ann);
	tell(g, LOG_WARN, "WIPED", "site-a", "one");
	tell(g, LOG_INFO, "pulled", "site-a", "unasked");
	tell(g, LOG_ERROR, "DIVERGED", "site-a", "two");
	tell(g, LOG_WARN, "clock", NULL, "three");
	struct delivery d = begin(g, &ann);
	assert_int_equal(d.notices.n, 3);
	assert_string_equal(d.notices.at[0].kind, "WIPED");
	assert_string_equal(d.notices.at[0].node, "site-a");
	assert_int_equal(d.notices.at[1].level, LOG_ERROR);
	assert_true(d.notices.at[1].id == d.notices.at[0].id + 2 && d.notices.at[0].at_us > 0);
	assert_null(d.notices.at[2].node);
	note(g, &ann, &d, true);
	assert_nothing_waits(g, &ann);
}

STAGE_TEST(without_receivers_nothing_is_noticed)
{
	(void)f;
	tell(g, LOG_ERROR, "DIVERGED", "site-a", "no");
	know(g, &ann, NULL);
	tell(g, LOG_ERROR, "DIVERGED", "site-a", "no");
	assert_nothing_waits(g, &ann);
	struct delivery d;
	assert_int_equal(store_delivery_begin(g->store, &ben, &d, &g->why), GONE);
	uint64_t position, waiting;
	assert_int_equal(store_receiver(g->store, "b", &position, &waiting, &g->why), GONE);
}

STAGE_TEST(trouble_and_its_end_are_told_but_no_other_progress)
{
	(void)f;
	stage_notice(g, KEPT);
	know(g, &ann, NULL);
	tell(g, LOG_INFO, "node.state", "site-a", "in_sync (was catching_up): new");
	tell(g, LOG_WARN, "node.state", "site-a", "offline (was in_sync): gone");
	tell(g, LOG_INFO, "node.state", "site-b", "in_sync (was catching_up): another");
	tell(g, LOG_INFO, "node.state", "site-a", "catching_up (was offline): nearly");
	tell(g, LOG_INFO, "node.state", "site-a", "in_sync (was catching_up): well");
	tell(g, LOG_INFO, "node.state", "site-a", "catching_up (was in_sync): work");
	tell(g, LOG_INFO, "node.state", "site-a", "in_sync (was catching_up): done");
	assert_string_equal(next(g, &ann), "offline (was in_sync): gone in_sync (was catching_up): well");
}

STAGE_TEST(each_goes_at_its_own_pace)
{
	(void)f;
	stage_notice(g, KEPT);
	know(g, &ann, &ben);
	tell(g, LOG_WARN, "x", NULL, "one");
	assert_string_equal(next(g, &ann), "one");
	tell(g, LOG_WARN, "x", NULL, "two");
	assert_string_equal(next(g, &ben), "one two");
	assert_string_equal(next(g, &ann), "two");
	assert_string_equal(next(g, &ben), "");
	uint64_t position, waiting;
	tell(g, LOG_WARN, "x", NULL, "three");
	assert_int_equal(store_receiver(g->store, "a", &position, &waiting, &g->why), OK);
	assert_int_equal(waiting, 1);
}

/* Until it was taken, whatever comes meanwhile, and whoever opens the store. */
STAGE_TEST(a_batch_stays_as_it_is)
{
	(void)f;
	stage_notice(g, KEPT);
	know(g, &ann, NULL);
	tell(g, LOG_WARN, "x", NULL, "one");
	struct delivery d = begin(g, &ann), again;
	uint64_t id = d.id;
	note(g, &ann, &d, false);
	tell(g, LOG_WARN, "x", NULL, "two");
	if (g->kind != STAGE_MEMORY)
		stage_reopen(g);
	know(g, &ann, &ben);
	again = begin(g, &ann);
	assert_int_equal(again.id, id);
	assert_int_equal(again.attempts, 1);
	assert_int_equal(again.notices.n, 1);
	struct delivery twice = again;
	assert_int_equal(store_delivery_note(g->store, &ann, &twice, true, 1, &answer, &g->why), OK);
	/* As after a commit that was not told: once more changes nothing. */
	tell(g, LOG_WARN, "x", NULL, "three");
	note(g, &ann, &again, true);
	assert_string_equal(next(g, &ann), "two three");
	assert_string_equal(next(g, &ben), "three");
}

STAGE_TEST(a_flood_comes_in_batches)
{
	(void)f;
	stage_notice(g, KEPT);
	know(g, &ann, NULL);
	tell_many(g, 250);
	static const size_t sizes[] = {100, 100, 50, 0};
	for (size_t i = 0; i < 4; i++) {
		struct delivery d = begin(g, &ann);
		assert_int_equal(d.notices.n, sizes[i]);
		assert_int_equal(d.dropped, 0);
		note(g, &ann, &d, true);
	}
}

/* Who lags behind all that is kept is told how much went by, of a batch under way too. */
STAGE_TEST(what_goes_by_is_counted)
{
	(void)f;
	stage_notice(g, 10);
	know(g, &ann, &ben);
	tell(g, LOG_WARN, "x", NULL, "one");
	struct delivery d = begin(g, &ann), last;
	note(g, &ann, &d, false);
	assert_string_equal(next(g, &ben), "one");
	tell_many(g, 300);
	uint64_t told = 0, dropped = 0;
	for (bool first = true; (last = begin(g, &ann)).id > 0; first = false) {
		if (first)
			assert_int_equal(last.id, d.id);
		assert_true(last.dropped == 0 || first);
		told += last.notices.n;
		dropped += last.dropped;
		note(g, &ann, &last, true);
	}
	notices_done(&last.notices);
	assert_int_equal(told + dropped, 301);
	assert_true(told >= 10 && told < 100);
	last = begin(g, &ben);
	assert_int_equal(last.notices.n + last.dropped, 300);
	note(g, &ben, &last, true);
	assert_nothing_waits(g, &ben);
}

STAGE_TEST(who_is_no_receiver_any_more_is_forgotten)
{
	(void)f;
	stage_notice(g, KEPT);
	know(g, &ann, &ben);
	tell(g, LOG_WARN, "x", NULL, "one");
	struct delivery d = begin(g, &ann);
	note(g, &ann, &d, false);
	know(g, &ben, NULL);
	assert_int_equal(store_delivery_begin(g->store, &ann, &d, &g->why), GONE);
	know(g, &ann, &ben);
	assert_nothing_waits(g, &ann);
	assert_string_equal(next(g, &ben), "one");
	struct buf out = {0};
	assert_int_equal(store_deliveries(g->store, 0, 10, &out, &g->why), OK);
	assert_non_null(strstr(out.at, "\"receiver\":\"http://ann\""));
	assert_non_null(strstr(out.at, "\"outcome\":\"abandoned\""));
	buf_done(&out);
}

STAGE_TEST(the_history_is_bounded_and_in_pages)
{
	struct buf out = {0};
	(void)f;
	stage_notice(g, KEPT);
	know(g, &ann, &ben);
	tell(g, LOG_WARN, "x", NULL, "kept");
	struct delivery open = begin(g, &ben);
	note(g, &ben, &open, false);
	for (unsigned i = 0; i < 3; i++) {
		tell(g, LOG_WARN, "x", NULL, "one");
		assert_string_equal(next(g, &ann), i ? "one" : "kept one");
	}
	assert_int_equal(store_deliveries(g->store, 1, 2, &out, &g->why), OK);
	assert_non_null(strstr(out.at, "{\"id\":2,"));
	assert_non_null(strstr(out.at, "\"outcome\":\"delivered\""));
	assert_non_null(strstr(out.at, "\"took_ms\":1.500,\"answer\":\"204\"}"));
	assert_non_null(strstr(out.at, "],\"next\":3}"));
	buf_clear(&out);
	assert_int_equal(store_deliveries(g->store, 0, 2, &out, &g->why), OK);
	assert_non_null(strstr(out.at, "{\"id\":4,"));
	assert_null(strstr(out.at, "{\"id\":2,"));
	buf_done(&out);
	if (g->kind == STAGE_MEMORY)
		return; /* its tables cannot be reached */
	backstage_run(g, g->kind == STAGE_POSTGRES ? "UPDATE counters SET delivery = 5000"
						   : "UPDATE sqlite_sequence SET seq = 5000 WHERE name = "
						     "'deliveries'");
	for (unsigned i = 0; i < 70; i++) {
		tell(g, LOG_WARN, "x", NULL, "one");
		(void)next(g, &ann);
	}
	/* What is under way stays, however old. */
	assert_string_equal(backstage_ask(g, "SELECT count(*) FROM deliveries WHERE delivery < 5000"), "1");
}

STAGE_TEST(a_test_is_told_whatever_its_level)
{
	uint64_t event = 0;
	(void)f;
	stage_notice(g, KEPT);
	know(g, &ann, NULL);
	assert_int_equal(store_notify_test(g->store, NULL, &event, &g->why), OK);
	struct delivery d = begin(g, &ann);
	assert_int_equal(d.last, event);
	assert_string_equal(d.notices.at[0].kind, NOTICE_TEST);
	note(g, &ann, &d, true);
	uint64_t position = 0, waiting = 9;
	assert_int_equal(store_receiver(g->store, "a", &position, &waiting, &g->why), OK);
	assert_int_equal(position, event);
	assert_int_equal(waiting, 0);
}

STAGE_TEST(an_idle_look_writes_nothing)
{
	(void)f;
	stage_notice(g, KEPT);
	know(g, &ann, NULL);
	if (g->kind == STAGE_MEMORY)
		return;
	struct hash before = backstage_mark(g);
	know(g, &ann, NULL);
	assert_nothing_waits(g, &ann);
	assert_true(hash_equal(before, backstage_mark(g)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happens_from_now_on_is_told_in_order),
		cmocka_unit_test(without_receivers_nothing_is_noticed),
		cmocka_unit_test(trouble_and_its_end_are_told_but_no_other_progress),
		cmocka_unit_test(each_goes_at_its_own_pace),
		cmocka_unit_test(a_batch_stays_as_it_is),
		cmocka_unit_test(a_flood_comes_in_batches),
		cmocka_unit_test(what_goes_by_is_counted),
		cmocka_unit_test(who_is_no_receiver_any_more_is_forgotten),
		cmocka_unit_test(the_history_is_bounded_and_in_pages),
		cmocka_unit_test(a_test_is_told_whatever_its_level),
		cmocka_unit_test(an_idle_look_writes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
