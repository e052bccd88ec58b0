/* How large a node's pages are, and who gives way while others wait for room. */
#include "central/slot.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LEAST 65536
#define S INT64_C(1000000)

static const struct {
	const char *what;
	enum plan_step kind;
	enum poll_result result;
	int status;
	size_t came, room;
	unsigned before, after;
} pages[] = {
	{"all in time", PLAN_PULL, POLL_OK, 200, PAGE_BYTES_DEFAULT, PAGE_BYTES_DEFAULT, 0, 0},
	{"a full one grows", PLAN_PULL, POLL_OK, 200, PAGE_BYTES_DEFAULT / 4, PAGE_BYTES_DEFAULT / 4, 2, 1},
	{"a small one says nothing", PLAN_PULL, POLL_OK, 200, 100, 0, 2, 2},
	{"a part of it came", PLAN_PULL, POLL_TIMEOUT, 200, PAGE_BYTES_DEFAULT / 2, PAGE_BYTES_DEFAULT, 0, 2},
	{"hardly any came", PLAN_PULL, POLL_TIMEOUT, 200, 1, PAGE_BYTES_DEFAULT, 0, SLOT_SHRINK_MAX},
	{"nothing came, and no room was kept", PLAN_PULL, POLL_TIMEOUT, 0, 0, 0, 0, 0},
	{"nothing came of what room was kept for", PLAN_PULL, POLL_TIMEOUT, 0, 0, PAGE_BYTES_DEFAULT, 0, 1},
	{"again and again", PLAN_FETCH, POLL_TIMEOUT, 0, 0, LEAST, SLOT_SHRINK_MAX - 1, SLOT_SHRINK_MAX - 1},
	{"a proxy does not take it", PLAN_PUSH, POLL_OK, 413, 0, PAGE_BYTES_DEFAULT, 0, 1},
	{"it is down", PLAN_PULL, POLL_REFUSED, 0, 0, PAGE_BYTES_DEFAULT, 3, 3},
};

static void test_pages_follow_what_came_of_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		struct slot s = {.shrink = pages[i].before, .exchange.kind = pages[i].kind};
		s.room.taken = pages[i].room;
		s.call.answer.result = pages[i].result;
		s.call.answer.status = pages[i].status;
		s.call.reply.len = pages[i].came;
		slot_adapt_pages(&s);
		if (s.shrink != pages[i].after)
			fail_msg("%s: %u", pages[i].what, s.shrink);
	}
}

static const struct {
	const char *what;
	enum slot_place place;
	enum plan_step kind;
	size_t room;
	int64_t since_us;
	bool gives;
} ways[] = {
	{"a page that does not come", SLOT_TRANSFER, PLAN_PULL, LEAST + 1, 4 * S, true},
	{"buckets that do not", SLOT_TRANSFER, PLAN_FETCH, LEAST + 1, 4 * S, true},
	{"one that was asked for just now", SLOT_TRANSFER, PLAN_PULL, LEAST + 1, 2 * S, false},
	{"one that has little", SLOT_TRANSFER, PLAN_PULL, LEAST, 4 * S, false},
	{"one that has none", SLOT_TRANSFER, PLAN_PULL, 0, 4 * S, false},
	{"a push", SLOT_TRANSFER, PLAN_PUSH, 3 * LEAST, 4 * S, false},
	{"one that has come, and waits for the store", SLOT_READY, PLAN_PULL, LEAST + 1, 4 * S, false},
	{"one that is in line itself", SLOT_HELD, PLAN_PULL, LEAST + 1, 4 * S, false},
};

static void test_who_holds_room_for_long_gives_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct slot s = {.place = ways[i].place, .exchange.kind = ways[i].kind, .sent_us = 100 * S};
		s.room.taken = ways[i].room;
		if (slot_gives_way(&s, 100 * S + ways[i].since_us, LEAST) != ways[i].gives)
			fail_msg("%s", ways[i].what);
		assert_int_equal(s.shrink, ways[i].gives); /* it comes again for less */
	}
}

static void test_what_moves_is_kept_while_it_does(void **state)
{
	struct slot s = {.shrink = 0};
	(void)state;
	slot_moved(&s, 0, 0, 0, 1000 * S);
	assert_null(s.flow);
	slot_moved(&s, 10, 0, 12, 1000 * S);
	slot_moved(&s, 0, 5, 0, 1001 * S);
	assert_true(rate_per_s(&s.flow->pulled, 1002 * S) == 5);
	assert_true(rate_per_s(&s.flow->pushed, 1002 * S) == 5);
	assert_true(rate_per_s(&s.flow->read, 1002 * S) == 6);
	slot_moved(&s, 0, 0, 0, 1011 * S);
	assert_non_null(s.flow); /* the push is not yet ten seconds ago */
	slot_moved(&s, 0, 0, 0, 1012 * S);
	assert_null(s.flow);
}

static void test_what_is_wrong_has_its_time_until_its_end_is_told(void **state)
{
	struct slot s = {.node.sync.quarantined = 1};
	struct slot_moment now = {.mono_us = 1000 * S, .interval_ms = 1000};
	(void)state;
	slot_settle_word(&s, &now);
	assert_int_equal(s.ailing.now, AILMENT_BIT(AILMENT_QUARANTINED));
	int64_t since_us = s.ailing.since_us[AILMENT_QUARANTINED];
	assert_true(since_us > 0);
	slot_settle_word(&s, &now);
	assert_true(s.ailing.since_us[AILMENT_QUARANTINED] == since_us);
	s.ailing.told = s.ailing.stored = s.ailing.now;
	s.node.sync.quarantined = 0;
	slot_settle_word(&s, &now);
	assert_int_equal(s.ailing.now, 0);
	assert_non_null(s.ailing.since_us); /* that it is over after so long is still to be told */
	s.ailing.told = 0;
	slot_settle_word(&s, &now);
	assert_non_null(s.ailing.since_us); /* and stored */
	s.ailing.stored = 0;
	slot_settle_word(&s, &now);
	assert_null(s.ailing.since_us);
}

static void test_its_row_is_followed(void **state)
{
	const struct node_row a = {{.name = "a"}, "A", "http://a:1"},
			      b = {{.name = "a", .paused = true}, "", "http://b"};
	struct slot *s = slot_new(&a, 1000);
	(void)state;
	assert_string_equal(s->url, "http://a:1");
	assert_string_equal(s->title, "A");
	slot_take_row(s, &b);
	assert_string_equal(s->url, "http://b");
	assert_string_equal(s->title, "");
	assert_true(s->node.paused);
	slot_free(s);
}

/* There are thousands: what most of them do not need stands apart, and is there where it is needed. */
static void test_a_node_takes_little(void **state)
{
	(void)state;
	assert_in_range(sizeof(struct slot), 1, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_follow_what_came_of_them),
		cmocka_unit_test(test_who_holds_room_for_long_gives_way),
		cmocka_unit_test(test_what_moves_is_kept_while_it_does),
		cmocka_unit_test(test_what_is_wrong_has_its_time_until_its_end_is_told),
		cmocka_unit_test(test_its_row_is_followed),
		cmocka_unit_test(test_a_node_takes_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
