/* What a run remembers of a comparison by buckets: what is fetched next, and when it is given up. */
#include "tests/unit/scene.h"

static struct scene comparison(enum plan_step kind)
{
	struct scene s = idle_pull(1000);

	s.n.sync.comparing = s.x.basis.comparing = true;
	s.x.kind = kind;
	s.out = (struct outcome){.sync = s.n.sync, .sync_known = true};
	return s;
}

static void test_what_was_found_is_fetched(void **state)
{
	SCENE s = comparison(PLAN_DIGEST);

	(void)state;
	node_troubled(&s.run)->apart.failures = 2;
	s.out.compared = true;
	s.out.apart =
		(struct apart){.bits_known = true, .bits = 4, .n = 3, .records = 9, .buckets = {1, 2, 3}};
	s.out.sync.witness.seq = 10; /* learned with the digests */
	note(&s);
	assert_int_equal(node_trouble(&s.run)->apart.failures, 0);
	assert_int_equal(delay_ms(&s, PLAN_FETCH), 0);

	s.x.kind = PLAN_FETCH; /* too large: fewer at once */
	s.x.compare.fetched.buckets.n = 3;
	s.out = (struct outcome){.result = POLL_OK, .too_large = true};
	note(&s);
	assert_int_equal(node_trouble(&s.run)->apart.what.n, 3);
	assert_int_equal(node_trouble(&s.run)->apart.what.most, 1);
	assert_int_equal(delay_ms(&s, PLAN_FETCH), 0);

	s.x.compare.fetched.buckets.n = 1;
	s.out = (struct outcome){.sync = s.n.sync, .sync_known = true, .pulled = true};
	s.out.sync.witness.seq = 11; /* somebody wrote there meanwhile */
	note(&s);
	assert_int_equal(node_trouble(&s.run)->apart.what.n, 2);
	assert_int_equal(node_trouble(&s.run)->apart.what.buckets[0], 2);
	assert_int_equal(delay_ms(&s, PLAN_FETCH), 0);

	s.x.compare.fetched.buckets.n = 2; /* the last ones */
	s.out.sync.comparing = false;
	note(&s);
	assert_false(node_trouble(&s.run)->apart.what.bits_known);
	assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
}

/* Everything is read again: what the buckets told is of no use any more. */
static void test_a_comparison_given_up_is_forgotten(void **state)
{
	static const enum plan_step kinds[] = {PLAN_DIGEST, PLAN_FETCH};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		SCENE s = comparison(kinds[i]);

		node_troubled(&s.run)->apart.what = (struct apart){.bits_known = true, .bits = 4, .n = 3};
		node_troubled(&s.run)->apart.failures = 2;
		s.out = (struct outcome){.result = POLL_OK, .sync = s.n.sync, .sync_known = true};
		s.out.sync.comparing = false;
		note(&s);
		assert_int_equal(node_trouble(&s.run)->apart.failures, 0);
		assert_false(node_trouble(&s.run)->apart.what.bits_known);
		assert_int_equal(delay_ms(&s, PLAN_PULL), 0);
	}
}

static void test_failures_of_comparing_count(void **state)
{
	static const struct {
		enum poll_result result;
		unsigned expected;
	} rows[] = {{POLL_TIMEOUT, 4}, {POLL_BAD_BODY, 4}, {POLL_HTTP, 4}, {POLL_NETWORK, 4},
		{POLL_REFUSED, 3}, {POLL_EPOCH, 3}, {POLL_UNAUTHORISED, 3}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		SCENE s = comparison(PLAN_DIGEST);

		node_troubled(&s.run)->apart.failures = 3;
		s.out = (struct outcome){.result = rows[i].result};
		note(&s);
		assert_int_equal(node_trouble(&s.run)->apart.failures, rows[i].expected);
	}
	SCENE last = comparison(PLAN_FETCH); /* too many: everything is read again */
	node_troubled(&last.run)->apart.failures = 4;
	last.out.result = POLL_TIMEOUT;
	last.out.sync.comparing = false;
	note(&last);
	assert_int_equal(node_trouble(&last.run)->apart.failures, 0);
	SCENE pull = idle_pull(1000); /* of nothing else */
	pull.out = (struct outcome){.result = POLL_TIMEOUT};
	note(&pull);
	assert_int_equal(node_trouble(&pull.run)->apart.failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_found_is_fetched),
		cmocka_unit_test(test_a_comparison_given_up_is_forgotten),
		cmocka_unit_test(test_failures_of_comparing_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
