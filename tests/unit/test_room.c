/* How many bytes of pages may be held at once, and who is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "central/room.h"

#include <cmocka.h>

#define LEAST 64
#define MOST 4000

static void test_takers_enter_until_it_is_full(void **state)
{
	struct room r = {.bytes = 10000};
	struct room_ticket a = {0}, b = {0}, c = {0};

	(void)state;
	assert_int_equal(room_enter(&r, &a, 4000), 4000);
	assert_int_equal(room_enter(&r, &b, 4000), 4000);
	assert_int_equal(room_enter(&r, &c, 4000), 0);
	assert_false(room_admit(&r, &c));
	assert_false(room_admit(&r, &a)); /* it does not wait */
	assert_int_equal(r.taken, 8000);
	room_leave(&r, &a);
	assert_true(room_admit(&r, &c));
	assert_int_equal(room_enter(&r, &a, 4000), 0); /* it is kept */
	assert_int_equal(room_enter(&r, &c, 5000), 4000);
	room_leave(&r, &a);
	room_leave(&r, &b);
	room_leave(&r, &b);
	room_leave(&r, &c);
	assert_int_equal(r.taken, 0);
	assert_int_equal(r.takers, 0);
}

/* Otherwise a page larger than all of it would wait for ever. */
static void test_who_is_alone_always_enters(void **state)
{
	struct room r = {.bytes = 1000};
	struct room_ticket a = {0}, b = {0};

	(void)state;
	assert_int_equal(room_enter(&r, &a, 5000), 5000);
	assert_int_equal(room_enter(&r, &b, 6000), 0);
	room_leave(&r, &a);
	assert_true(room_admit(&r, &b));
	assert_int_equal(room_enter(&r, &b, 7000), 6000);
	assert_int_equal(room_enter(&r, &b, 7000), 7000); /* once more */
}

static void test_the_share_falls_with_the_takers(void **state)
{
	struct room r = {.bytes = 10000};
	struct room_ticket t[200] = {0}, one = {0};
	size_t before = MOST, got = 0;

	(void)state;
	assert_int_equal(room_share(&r, &one, LEAST, MOST), MOST);
	for (unsigned i = 0; i < 200; i++) {
		size_t share = room_share(&r, &t[i], LEAST, MOST);

		assert_in_range(share, LEAST, before);
		got += room_enter(&r, &t[i], share); /* waiting, it is a taker as well */
		before = share;
	}
	assert_int_equal(before, LEAST);
	assert_true(r.taken <= r.bytes);
	assert_int_equal(r.taken, got);
	assert_int_equal(r.takers, 200);
	assert_true(r.waiting > 0 && r.waiting < 200);
	for (unsigned i = 0; i < 200; i++)
		room_leave(&r, &t[i]);
	assert_int_equal(r.takers, 0);
	assert_int_equal(r.waiting, 0);
	assert_int_equal(r.taken, 0);
}

static void test_what_is_not_needed_is_given_back(void **state)
{
	struct room r = {.bytes = 1000};
	struct room_ticket a = {0}, b = {0};

	(void)state;
	assert_int_equal(room_enter(&r, &a, 900), 900);
	room_trim(&r, &a, 100);
	assert_int_equal(r.taken, 100);
	room_trim(&r, &a, 500); /* never more */
	assert_int_equal(r.taken, 100);
	assert_int_equal(room_enter(&r, &b, 900), 900);
	room_leave(&r, &a);
	room_leave(&r, &b);
	assert_int_equal(r.taken, 0);
}

#define CROWD 20

/* All want more than there is; those who are in come back at once when they have left. */
static void test_nobody_waits_while_others_come_again(void **state)
{
	struct room r = {.bytes = 10000};
	struct room_ticket t[CROWD] = {{0}};
	unsigned line[CROWD], n = 0, entered[CROWD] = {0};

	(void)state;
	for (unsigned turn = 0; turn < 100 * CROWD; turn++) {
		unsigned i = turn % CROWD;

		if (t[i].wanted > 0)
			continue;
		if (room_enter(&r, &t[i], 2 * room_share(&r, &t[i], LEAST, MOST)) > 0)
			entered[i]++;
		else
			line[n++] = i;
		while (n > 0 && room_admit(&r, &t[line[0]]))
			memmove(line, line + 1, --n * sizeof(*line));
		assert_true(n == 0 || r.taken > 0);
		assert_true(r.taken <= r.bytes);
	}
	for (unsigned i = 0; i < CROWD; i++)
		assert_in_range(entered[i], 10, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takers_enter_until_it_is_full),
		cmocka_unit_test(test_who_is_alone_always_enters),
		cmocka_unit_test(test_the_share_falls_with_the_takers),
		cmocka_unit_test(test_what_is_not_needed_is_given_back),
		cmocka_unit_test(test_nobody_waits_while_others_come_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
