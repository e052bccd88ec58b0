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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_follow_what_came_of_them),
		cmocka_unit_test(test_who_holds_room_for_long_gives_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
