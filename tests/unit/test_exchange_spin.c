/* What a run remembers of exchanges, with the plan: nothing that a local does makes the centre spin. */
#include "tests/unit/scene.h"

static void test_early_answer_waits(void **state)
{
	SCENE s = idle_pull(3000);

	(void)state;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS - 3);
	s = idle_pull(3000); /* news: at once */
	s.out.end.to.seq = s.out.end.head_seq = 10;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), INTERVAL_MS);
	s = idle_pull(3000); /* something to push: at once */
	s.out.to_push = true;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PUSH), 0);
	s = idle_pull(3000); /* the rows are to be summed: at once */
	s.out.at_head = false;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	s = idle_pull(3000); /* it was not allowed to be parked: now it is */
	s.x.parked_ms = 0;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), INTERVAL_MS);
}

/* Against a local that never parks and never has news: an exchange an interval, counted on a clock of its
 * own. */
static void test_idle_rate(void **state)
{
	SCENE s = idle_pull(1000);
	int64_t now = NOW, exchanges = 0;

	(void)state;
	s.run.asked = false;
	while (now < NOW + 100 * INTERVAL_MS * 1000) {
		struct plan p = plan_next(&s.n, &s.run, now, INTERVAL_MS);

		if (p.step == PLAN_WAIT) {
			now += p.delay_ms * 1000;
			continue;
		}
		assert_int_equal(p.step, PLAN_PULL);
		now += 1000;
		s.x.parked_ms = p.delay_ms;
		exchange_note(&s.n, &s.run, &s.x, &s.a, &s.out, now, INTERVAL_MS);
		exchanges++;
	}
	assert_in_range(exchanges, 99, 101);
}

/* One refusal by epoch starts a repair at once; a local that goes on so is asked once an interval. */
static void test_epochs_in_a_row_wait(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.out = (struct outcome){.result = POLL_EPOCH, .sync = at(0), .sync_known = true};
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS);
	s.out.result = POLL_OK;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

static void test_push_of_the_impossible_waits(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.x.kind = PLAN_PUSH;
	s.out = (struct outcome){.sync = at(9), .sync_known = true, .rejected = 2, .to_push = true};
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS);
	s.run.fruitless = false;
	s.out.refused = 1; /* a version that the centre did not know: at once, */
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	note(&s); /* but not again and again */
	assert_int_equal(delay_ms(&s, PLAN_WAIT), CALM_MS);
	s.out.pushed = 1;
	note(&s);
	assert_false(s.run.fruitless);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

static void test_resets_again_and_again_wait_and_end(void **state)
{
	SCENE s = idle_pull(1000), proven = s;

	(void)state;
	s.out.sync.resets++;
	s.out.at_head = false;
	s.out.proof = PROOF_NONE;
	for (unsigned i = 1; i < NODE_RESETS_IN_A_ROW; i++) {
		note(&s);
		if (i <= 3) /* accidents are repaired at once */
			assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
		else
			assert_int_equal(delay_ms(&s, PLAN_WAIT), CALM_MS);
		assert_false(node_is_restless(&s.run));
	}
	note(&s);
	assert_true(node_is_restless(&s.run));
	s.out = proven.out; /* a proof between: these were accidents */
	note(&s);
	assert_false(node_is_restless(&s.run));
	for (unsigned i = NODE_RESETS_IN_A_ROW; i < NODE_RESETS_AN_HOUR; i++) {
		assert_false(node_is_restless(&s.run));
		s.out.sync.resets++;
		note(&s); /* with a proof each time */
		if (s.run.resets.n > 20)
			assert_int_equal(delay_ms(&s, PLAN_WAIT), CALM_MS);
	}
	assert_true(node_is_restless(&s.run));
	exchange_note(&s.n, &s.run, &s.x, &s.a, &s.out, NOW + INT64_C(3600000000), INTERVAL_MS);
	assert_false(node_is_restless(&s.run)); /* another hour */
}

static void test_rename_in_vain_waits(void **state)
{
	SCENE s = idle_pull(1000);

	(void)state;
	s.x.kind = PLAN_RENAME;
	s.out = (struct outcome){.sync = at(9), .sync_known = true};
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_WAIT), INTERVAL_MS);
	s.out.sync.resets++;
	note(&s);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_early_answer_waits),
		cmocka_unit_test(test_idle_rate),
		cmocka_unit_test(test_epochs_in_a_row_wait),
		cmocka_unit_test(test_push_of_the_impossible_waits),
		cmocka_unit_test(test_resets_again_and_again_wait_and_end),
		cmocka_unit_test(test_rename_in_vain_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
