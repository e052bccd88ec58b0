/* What is counted for those who look: what waits to be pushed, since when, what was rejected, conflicts. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

STAGE_TEST(the_backlog_counts_what_differs_and_what_the_sweep_has_left)
{
	uint64_t records = 99;
	int64_t oldest = 0;

	far_put_many(f, 5);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(store_push_backlog(g->store, "site-a", &records, &oldest, &g->why), OK);
	assert_int_equal(records, 0);
	assert_int_equal(oldest, -1);
	stage_put(g, "site-a", "r0001", "2");
	assert_int_equal(store_push_backlog(g->store, "site-a", &records, &oldest, &g->why), OK);
	assert_int_equal(records, 1);
	assert_true(oldest > 0);
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(store_push_backlog(g->store, "site-a", &records, &oldest, &g->why), OK);
	assert_int_equal(records, 5);
	assert_int_equal(store_push_backlog(g->store, "nobody", &records, &oldest, &g->why), GONE);
}

/* What differs may be older than all that the sweep has left, or younger. */
STAGE_TEST(the_oldest_of_the_backlog_is_that_of_both_parts)
{
	uint64_t records;
	int64_t first, oldest, later;

	stage_put(g, "site-a", "early", "1");
	assert_int_equal(store_push_backlog(g->store, "site-a", &records, &first, &g->why), OK);
	far_put_many(f, 3);
	assert_int_equal(stage_pull(g, f, 10, NULL), OK);
	stage_reset(g, f);
	assert_int_equal(store_push_backlog(g->store, "site-a", &records, &oldest, &g->why), OK);
	assert_int_equal(records, 4);
	assert_true(oldest == first);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "late", "1");
	assert_int_equal(store_push_backlog(g->store, "site-a", &records, &later, &g->why), OK);
	assert_true(later > first);
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(store_push_backlog(g->store, "site-a", &records, &oldest, &g->why), OK);
	assert_int_equal(records, 5);
	assert_true(oldest == first);
}

/* All kinds of counts of several owners, of each only what is asked for. */
STAGE_TEST(what_is_counted_of_owners_comes_at_once)
{
	const unsigned all = STORE_COUNT_PUSH | STORE_COUNT_REJECTED | STORE_COUNT_CONFLICTS;
	struct owner_counts c[] = {{.owner = "nobody",
					   .wanted = all,
					   .to_push = 9,
					   .oldest_us = 9,
					   .rejected = 9,
					   .conflicts = 9},
		{.owner = "site-a", .wanted = all},
		{.owner = "site-b",
			.wanted = STORE_COUNT_REJECTED,
			.to_push = 9,
			.oldest_us = 9,
			.rejected = 9},
		{.owner = "site-b", .wanted = STORE_COUNT_PUSH, .rejected = 9}};

	assert_int_equal(store_node_add(g->store, NULL, "site-b", "http://127.0.0.1:9", "", &g->why), OK);
	far_put_many(f, 3);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "bad", "1");
	stage_put(g, "site-b", "x", "1");
	f->reject = "bad";
	(void)stage_push(g, f, 10, NULL);
	stage_put(g, "site-a", "r0001", "2");
	assert_int_equal(store_counts(g->store, c, 4, &g->why), OK);
	assert_int_equal(c[0].to_push + c[0].rejected + c[0].conflicts, 0);
	assert_int_equal(c[0].oldest_us, -1);
	assert_int_equal(c[1].to_push, 1);
	assert_true(c[1].oldest_us > 0);
	assert_int_equal(c[1].rejected, 1);
	assert_int_equal(c[1].conflicts, 0);
	assert_int_equal(c[2].rejected, 0);
	assert_int_equal(c[2].to_push + (uint64_t)c[2].oldest_us, 18);
	assert_int_equal(c[3].to_push, 1);
	assert_int_equal(c[3].rejected, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_backlog_counts_what_differs_and_what_the_sweep_has_left),
		cmocka_unit_test(the_oldest_of_the_backlog_is_that_of_both_parts),
		cmocka_unit_test(what_is_counted_of_owners_comes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
