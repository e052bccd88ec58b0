/* Where a slot is: the lists, the heap of those that wait, and each node's turn in a period. */
#include "central/slots.h"

#include "shared/entropy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define N 500
#define PERIOD_MS 1000

struct table {
	pthread_cond_t news;
	struct slots slots;
};

static int set_up(void **state)
{
	static struct table t;

	pthread_cond_init(&t.news, NULL);
	slots_init(&t.slots, &t.news);
	for (unsigned i = 0; i < N; i++) {
		struct node_row n = {.url = "http://n"};

		snprintf(n.node.name, sizeof n.node.name, "n%u", i);
		slots_insert(&t.slots, slot_new(&n, PERIOD_MS));
	}
	*state = &t;
	return 0;
}

static int tear_down(void **state)
{
	struct table *t = *state;

	slots_done(&t->slots);
	pthread_cond_destroy(&t->news);
	return 0;
}

static void test_those_that_wait_come_in_order(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;
	int64_t last = 0;
	unsigned woken = 0, out = 0;

	for (unsigned i = 0; i < N; i++)
		slots_make_waiting(s, s->at[i], 1 + (int64_t)entropy_below(1000));
	for (unsigned i = 0; i < N; i += 3) { /* some are wanted sooner */
		slots_stop_waiting(s, s->at[i]);
		s->at[i]->place = SLOT_IDLE;
		out++;
	}
	for (int64_t now; (now = slots_next_due_us(s)) >= 0; last = now) {
		assert_true(now > last);
		slots_wake_due(s, now);
		for (; s->ready.first; woken++) {
			struct slot *slot = slots_take_ready(s);

			assert_true(slot->due_us == now);
			assert_int_equal(slot->place, SLOT_WORKING);
		}
	}
	assert_int_equal(woken, N - out);
}

static void test_nodes_that_could_be_asked_at_once_are_spread(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;
	int64_t first, last;
	unsigned together = 0;

	slots_begin(s, PERIOD_MS);
	first = last = slots_next_due_us(s);
	for (int64_t now; (now = slots_next_due_us(s)) >= 0;) {
		unsigned n = 0;

		slots_wake_due(s, now + 9999); /* ten milliseconds */
		for (; s->ready.first; n++)
			last = slots_take_ready(s)->due_us;
		together = n > together ? n : together;
	}
	assert_in_range(last - first, PERIOD_MS * 800, PERIOD_MS * 1000);
	assert_in_range(together, 1, N / 10);
}

/* Asked at its turn, a node's next turn is a period away, also when it comes a little early or late. */
static void test_a_turn_comes_once_a_period(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;
	int64_t now = 123456789;

	for (unsigned i = 0; i < N; i++) {
		int64_t turn = now + slot_turn_ms(s->at[i], now, PERIOD_MS) * 1000;

		assert_in_range(turn - now, 1, PERIOD_MS * 1000);
		assert_in_range(slot_turn_ms(s->at[i], turn, PERIOD_MS), PERIOD_MS - 1, PERIOD_MS);
		for (int64_t off = -PERIOD_MS * 100; off <= PERIOD_MS * 100; off += 10000)
			assert_in_range(
				slot_park_ms(s->at[i], turn + off, PERIOD_MS), PERIOD_MS * 8 / 10, PERIOD_MS);
		assert_in_range(slot_park_ms(s->at[i], turn - PERIOD_MS * 500, PERIOD_MS), PERIOD_MS / 2 - 1,
			PERIOD_MS / 2 + 1);
	}
}

/* Whenever they were asked, those of one turn are parked until the same moment, and each turn has a lane of its own. */
static void test_those_of_one_turn_come_back_together(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;
	unsigned members[SLOT_TURNS] = {0}, lanes[SLOT_TURNS];
	int64_t back[SLOT_TURNS], now = 123456789;

	for (unsigned i = 0; i < N; i++) {
		const struct slot *slot = s->at[i];
		int64_t asked = now + (int64_t)entropy_below(PERIOD_MS * 10);
		int64_t until = asked + slot_turn_ms(slot, asked, PERIOD_MS) * 1000;

		if (slot_turn_ms(slot, asked, PERIOD_MS) < 20) /* it may be the turn before */
			continue;
		if (members[slot->turn]++ == 0) {
			back[slot->turn] = until;
			lanes[slot->turn] = slot->call.lane % TRANSFER_LANES;
		}
		assert_in_range(until - back[slot->turn] + 1000, 0, 2000);
		assert_int_equal(slot->call.lane % TRANSFER_LANES, lanes[slot->turn]);
	}
	for (unsigned i = 0; i < SLOT_TURNS; i++) {
		assert_in_range(members[i], 0, 5 * (N / SLOT_TURNS + 1));
		for (unsigned k = 0; k < i && members[i] > 0; k++)
			assert_true(members[k] == 0 || lanes[i] != lanes[k]);
	}
}

static unsigned moments_of(const struct slots *s, int64_t period_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N; i++) {
		int64_t turn_ms = slot_turn_ms(s->at[i], 0, period_ms);
		bool seen = false;

		assert_in_range(turn_ms, 1, period_ms);
		for (unsigned k = 0; k < i && !seen; k++)
			seen = slot_turn_ms(s->at[k], 0, period_ms) == turn_ms;
		n += !seen;
	}
	return n;
}

static void test_a_long_period_has_half_as_many_turns(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;

	assert_in_range(moments_of(s, SLOT_LONG_MS - 1), SLOT_TURNS / 2 + 1, SLOT_TURNS);
	assert_in_range(moments_of(s, SLOT_LONG_MS), SLOT_TURNS / 4, SLOT_TURNS / 2);
}

/* What brings nothing is gathered, but not for long, and never held back once somebody works anyway. */
static void test_those_in_no_hurry_are_gathered(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;

	slots_make_ready_soon(s, s->at[0], 1000);
	slots_make_ready_soon(s, s->at[1], 2000);
	assert_int_equal(slots_next_due_us(s), 1000 + SLOTS_QUIET_US);
	slots_wake_due(s, 1000 + SLOTS_QUIET_US - 1);
	assert_null(s->ready.first);
	slots_wake_due(s, 1000 + SLOTS_QUIET_US);
	assert_ptr_equal(slots_take_ready(s), s->at[0]);
	assert_ptr_equal(slots_take_ready(s), s->at[1]);
	assert_null(s->ready.first);
	assert_int_equal(slots_next_due_us(s), -1);

	s->at[0]->exchange.parked_ms = 25000; /* what was parked for long is in no hurry at all */
	slots_make_ready_soon(s, s->at[0], 1000);
	assert_int_equal(slots_next_due_us(s), 1000 + SLOTS_QUIET_MOST_US);
	slots_make_ready_soon(s, s->at[1], 2000); /* unless another is */
	assert_int_equal(slots_next_due_us(s), 2000 + SLOTS_QUIET_US);
	slots_wake_due(s, 2000 + SLOTS_QUIET_US);
	assert_ptr_equal(slots_take_ready(s), s->at[0]);
	assert_ptr_equal(slots_take_ready(s), s->at[1]);

	slots_make_ready_soon(s, s->at[0], 1000);
	slots_make_ready(s, s->at[2]);
	slots_wake_due(s, 1001);
	assert_ptr_equal(slots_take_ready(s), s->at[2]);
	assert_ptr_equal(slots_take_ready(s), s->at[0]);
	slots_make_waiting(s, s->at[3], 1500);
	slots_make_ready_soon(s, s->at[1], 1000);
	assert_int_equal(slots_next_due_us(s), 1500);
	slots_wake_due(s, 1500);
	assert_ptr_equal(slots_take_ready(s), s->at[3]);
	slots_wake_due(s, 1000 + SLOTS_QUIET_US);
	assert_ptr_equal(slots_take_ready(s), s->at[1]);
}

/* What is ready, or in no hurry for another reason, does not end the gathering: its time does, or that they are enough. */
static void test_small_answers_are_gathered_until_their_time(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;

	slots_gather(s, s->at[0], 1000, 100000, 3);
	slots_gather(s, s->at[1], 50000, 100000, 3);
	slots_make_ready(s, s->at[2]);
	slots_make_ready_soon(s, s->at[3], 50000);
	slots_wake_due(s, 50001);
	assert_ptr_equal(slots_take_ready(s), s->at[2]);
	assert_ptr_equal(slots_take_ready(s), s->at[3]);
	assert_null(s->ready.first);
	assert_int_equal(slots_next_due_us(s), 101000);
	slots_wake_due(s, 100999);
	assert_null(s->ready.first);
	slots_wake_due(s, 101000);
	assert_ptr_equal(slots_take_ready(s), s->at[0]);
	assert_ptr_equal(slots_take_ready(s), s->at[1]);
	assert_int_equal(slots_next_due_us(s), -1);

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(slots_next_due_us(s), i > 0 ? 300000 : -1);
		slots_gather(s, s->at[i], 200000, 100000, 3);
	}
	slots_wake_due(s, 200000);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(slots_take_ready(s), s->at[i]);
	assert_null(s->ready.first);
}

/* What brings nothing goes with what brings a little, where there is any, and waits for it. */
static void test_those_in_no_hurry_go_with_small_answers(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;

	slots_make_ready_soon(s, s->at[0], 1000);
	assert_int_equal(slots_next_due_us(s), 1000 + SLOTS_QUIET_US);
	slots_gather(s, s->at[1], 2000, 100000, 3);
	slots_make_ready_soon(s, s->at[2], 3000);
	assert_int_equal(slots_next_due_us(s), 102000);
	slots_wake_due(s, 101999);
	assert_null(s->ready.first);
	slots_wake_due(s, 102000);
	assert_ptr_equal(slots_take_ready(s), s->at[1]);
	assert_ptr_equal(slots_take_ready(s), s->at[0]);
	assert_ptr_equal(slots_take_ready(s), s->at[2]);
	assert_int_equal(slots_next_due_us(s), -1);
}

static void test_those_that_are_held_come_when_there_is_room(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;
	struct room r = {.bytes = 100};
	struct slot *in = s->at[0], *first = s->at[1], *second = s->at[2];

	assert_true(room_enter(&r, &in->room, 100));
	assert_false(room_enter(&r, &first->room, 60));
	assert_false(room_enter(&r, &second->room, 60));
	slots_hold(s, first);
	slots_hold(s, second);
	slots_admit(s, &r);
	assert_null(s->ready.first);
	room_leave(&r, &in->room);
	slots_admit(s, &r);
	assert_ptr_equal(slots_take_ready(s), first);
	assert_true(room_enter(&r, &first->room, 60));
	slots_admit(s, &r);
	assert_null(s->ready.first);
	slots_release(s, second); /* somebody removes it */
	assert_null(s->held.first);
	room_leave(&r, &second->room);
	room_leave(&r, &first->room);
	assert_int_equal(r.takers, 0);
}

static void test_the_refused_hurry_and_the_others_wait(void **state)
{
	struct slots *s = &((struct table *)*state)->slots;
	int64_t far = INT64_MAX / 2;

	for (unsigned i = 0; i < N; i++) {
		s->at[i]->refused = i % 2;
		slots_make_waiting(s, s->at[i], far);
	}
	slots_hurry_refused(s, PERIOD_MS);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(s->at[i]->due_us < far, i % 2);
}

/* What has a transaction of its own, or one that takes long, keeps nobody else's answer waiting. */
static void test_only_pages_and_failures_are_taken_together(void **state)
{
	static const struct {
		enum plan_step kind;
		bool recount;
		enum poll_result result;
		int status;
		bool shares;
	} rows[] = {
		{PLAN_PULL, false, POLL_OK, 200, true},
		{PLAN_FETCH, false, POLL_OK, 200, true},
		{PLAN_PULL, true, POLL_OK, 200, false},
		{PLAN_PUSH, false, POLL_OK, 200, false},
		{PLAN_DIGEST, false, POLL_OK, 200, false},
		{PLAN_RENAME, false, POLL_OK, 200, false},
		{PLAN_PULL, false, POLL_OK, 409, false},
		{PLAN_PUSH, false, POLL_OK, 409, false},
		{PLAN_PULL, false, POLL_OK, 503, true},
		{PLAN_PUSH, false, POLL_TIMEOUT, 0, true},
		{PLAN_PULL, true, POLL_REFUSED, 0, true},
	};
	struct slot *s = ((struct table *)*state)->slots.at[0];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		s->exchange.kind = rows[i].kind;
		s->exchange.basis.recount = rows[i].recount;
		s->call.answer.result = rows[i].result;
		s->call.answer.status = rows[i].status;
		s->answered = true;
		if (slot_shares(s) != rows[i].shares)
			fail_msg("row %zu", i);
		s->answered = false;
		assert_false(slot_shares(s));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_those_that_wait_come_in_order),
		TEST(test_nodes_that_could_be_asked_at_once_are_spread),
		TEST(test_a_turn_comes_once_a_period),
		TEST(test_those_of_one_turn_come_back_together),
		TEST(test_a_long_period_has_half_as_many_turns),
		TEST(test_those_in_no_hurry_are_gathered),
		TEST(test_small_answers_are_gathered_until_their_time),
		TEST(test_those_in_no_hurry_go_with_small_answers),
		TEST(test_those_that_are_held_come_when_there_is_room),
		TEST(test_the_refused_hurry_and_the_others_wait),
		TEST(test_only_pages_and_failures_are_taken_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
