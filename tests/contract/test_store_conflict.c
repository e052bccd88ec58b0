/* A store where versions meet: nothing is lost, the policy decides, a restored centre is noticed. */
#include "tests/support/stage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool archived(struct stage *g, const char *text)
{
	struct buf b = {0};
	bool found;

	assert_int_equal(store_conflicts(g->store, &(struct conflict_query){.owner = "site-a", .limit = 1000},
				 &b, &g->why),
		OK);
	found = strstr(b.at, text) != NULL;
	buf_done(&b);
	return found;
}

/* Both ends edit r0000 since they were last equal; the centre hears of it by a pull. */
static void edit_both(struct stage *g, struct far *f, const char *local, const char *centre)
{
	far_put(f, "r0000", "\"both\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	if (local)
		far_put(f, "r0000", local);
	else
		far_delete(f, "r0000");
	if (centre)
		stage_put(g, "site-a", "r0000", centre);
	else
		stage_delete(g, "site-a", "r0000");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, "site-a"), 1);
	assert_int_equal(stage_events(g, "conflict"), 1);
}

STAGE_TEST(the_owner_wins_and_the_centres_edit_is_kept)
{
	edit_both(g, f, "\"local\"", "\"centre\"");
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"local\"");
	assert_true(span_is(far_get(f, "r0000")->body, "\"local\""));
	assert_true(archived(g, "\"body\":\"centre\""));
	assert_true(archived(g, "\"why\":\"conflict\""));
}

STAGE_TEST_WITH(POLICY_CENTRE, the_centre_wins_and_the_locals_edit_is_kept)
{
	edit_both(g, f, "\"local\"", "\"centre\"");
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"centre\"");
	assert_true(span_is(far_get(f, "r0000")->body, "\"centre\""));
	assert_true(archived(g, "\"body\":\"local\""));
}

STAGE_TEST(a_centres_edit_beats_a_locals_delete)
{
	edit_both(g, f, NULL, "\"centre\"");
	assert_true(span_is(far_get(f, "r0000")->body, "\"centre\""));
	assert_true(archived(g, "\"deleted\":true"));
}

STAGE_TEST_WITH(POLICY_CENTRE, a_locals_edit_beats_a_centres_delete)
{
	edit_both(g, f, "\"local\"", NULL);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"local\"");
	assert_true(archived(g, "\"deleted\":true"));
}

/* The conflict first shows when the push is refused. */
STAGE_TEST(a_refused_push_is_a_conflict_too)
{
	struct push_apply p;

	far_put(f, "r0000", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0000", "\"centre\"");
	far_put(f, "r0000", "\"local\"");
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.refused, 1);
	assert_int_equal(p.conflicts, 1);
	assert_true(p.to_push);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"local\"");
	assert_int_equal(stage_conflicts(g, NULL), 1);
}

/* The centre edits while an older version of the local's is still on its way: two edits that know nothing of
 * each other. */
STAGE_TEST(an_edit_before_an_unseen_version_is_pulled_keeps_both)
{
	far_put(f, "r0000", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	far_put(f, "r0000", "\"unseen\"");
	stage_put(g, "site-a", "r0000", "\"edit\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"unseen\"");
	assert_true(archived(g, "\"body\":\"edit\""));
}

/* A local put back to an older copy holds a version that the centre's covers but did not expect: kept once,
 * then replaced. */
STAGE_TEST(an_older_version_that_was_not_known_is_kept)
{
	static struct far backup;

	far_put(f, "r0000", "\"old\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	backup = *f;
	far_put(f, "r0000", "\"new\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	*f = backup;
	far_restart(f);
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "r0000")->body, "\"new\""));
	assert_true(archived(g, "\"why\":\"superseded\""));
	*f = backup; /* the same once more: it is archived already */
	far_restart(f);
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, NULL), 1);
	assert_int_equal(stage_events(g, "conflict"), 0);
}

/* A centre's edit comes back that this store never made: it was put back to an older copy. */
STAGE_TEST(a_restored_centre_takes_its_lost_edit_back)
{
	struct dot lost = {actor_new(true), 5};
	struct vector vv;
	struct record r;

	far_put(f, "r0000", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	r = *far_get(f, "r0000");
	vector_succeed(&vv, lost, r.dot, r.vv, (struct dot){0}, NULL);
	r.dot = lost;
	r.vv = &vv;
	r.body = span_of("\"lost edit\"");
	r.hash = record_hash(&r);
	far_hold(f, &r);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"lost edit\"");
	assert_int_equal(stage_events(g, "CENTRE_REWOUND"), 1);
	assert_true(archived(g, "\"why\":\"centre_restored\""));
	assert_true(archived(g, "\"body\":1"));
}

STAGE_TEST(a_promoted_loser_becomes_the_present_version)
{
	char owner[RECORD_OWNER_MAX + 1];
	struct written w;

	edit_both(g, f, "\"local\"", "\"centre\"");
	assert_int_equal(store_conflict_promote(g->store, NULL, 99, owner, &w, &g->why), GONE);
	assert_int_equal(store_conflict_promote(g->store, NULL, 1, owner, &w, &g->why), OK);
	assert_string_equal(owner, "site-a");
	assert_string_equal(w.id, "r0000");
	assert_true(w.changed);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"centre\"");
	assert_int_equal(store_conflict_promote(g->store, NULL, 1, owner, &w, &g->why), OK);
	assert_false(w.changed);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "r0000")->body, "\"centre\""));
	assert_int_equal(stage_conflicts(g, NULL), 1);
}

STAGE_TEST(a_page_of_conflicts_is_one_event)
{
	char id[16];

	far_put_many(f, 7);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "r%04d", i);
		stage_put(g, "site-a", id, "\"centre\"");
		far_put(f, id, "\"local\"");
	}
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, "site-a"), 5);
	assert_int_equal(stage_conflicts(g, "site-b"), 0);
	assert_int_equal(stage_events(g, "conflict"), 1);
}

/* The record of each conflict of a page of two, in order, and its `next`. */
static void assert_page(struct stage *g, const char *owner, bool newest, uint64_t after, const char *want)
{
	struct conflict_query cq = {.owner = owner, .after = after, .limit = 2, .newest = newest};
	struct buf b = {0}, seen = {0};

	assert_int_equal(store_conflicts(g->store, &cq, &b, &g->why), OK);
	for (const char *at = b.at; (at = strstr(at, "\"record_id\":\"")) != NULL; at++)
		buf_printf(&seen, "%.5s ", at + strlen("\"record_id\":\""));
	buf_text(&seen, strstr(b.at, "\"next\":") + strlen("\"next\":"));
	assert_string_equal(seen.at, want);
	buf_done(&b);
	buf_done(&seen);
}

STAGE_TEST(conflicts_are_listed_from_either_end)
{
	static const char *const ids[] = {"r0000", "r0001", "r0002"};

	far_put_many(f, 3);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	for (int i = 0; i < 3; i++) {
		stage_put(g, "site-a", ids[i], "\"centre\"");
		far_put(f, ids[i], "\"local\"");
		assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	}
	for (int i = 0; i < 2; i++) {
		const char *owner = i == 0 ? NULL : "site-a";

		assert_page(g, owner, false, 0, "r0000 r0001 2}");
		assert_page(g, owner, false, 2, "r0002 null}");
		assert_page(g, owner, true, 0, "r0002 r0001 2}");
		assert_page(g, owner, true, 2, "r0000 null}");
	}
	assert_page(g, "site-b", true, 0, "null}");
}

static struct owner_counts conflicts_of(const char *owner)
{
	return (struct owner_counts){.owner = owner,
		.wanted = STORE_COUNT_CONFLICTS,
		.conflicts = 9,
		.to_push = 8,
		.oldest_us = 7};
}

/* Those that have none, between and around one that has, get 0. */
STAGE_TEST(conflicts_of_many_owners_are_counted_at_once)
{
	struct owner_counts all[] = {conflicts_of("z"), conflicts_of("site"), conflicts_of("site-a"),
		conflicts_of("site-a1"), conflicts_of("site-b"), conflicts_of("a")};

	far_put_many(f, 2);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0000", "\"centre\"");
	far_put(f, "r0000", "\"local\"");
	stage_put(g, "site-a", "r0001", "\"centre\"");
	far_put(f, "r0001", "\"local\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(store_counts(g->store, all, 6, &g->why), OK);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(all[i].conflicts, i == 2 ? 2 : 0);
		assert_int_equal(all[i].to_push, 8); /* was not asked for */
		assert_int_equal(all[i].oldest_us, 7);
	}
	all[2].conflicts = all[4].conflicts = 9;
	assert_int_equal(store_counts(g->store, all + 2, 1, &g->why), OK);
	assert_int_equal(all[2].conflicts, 2);
	assert_int_equal(store_counts(g->store, all + 4, 1, &g->why), OK);
	assert_int_equal(all[4].conflicts, 0);
	assert_int_equal(store_counts(g->store, NULL, 0, &g->why), OK);
}

/* --- proofs --- */

STAGE_TEST(a_difference_that_stays_stops_the_node)
{
	struct pull_apply p;

	far_put_many(f, 3);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	f->lie = 1;
	assert_int_equal(stage_pull(g, f, 10, &p), OK);
	assert_int_equal(p.proof, PROOF_DOUBTED);
	assert_true(p.sync.comparing);
	assert_int_equal(stage_settle(g, f), PROOF_DIVERGED);
	assert_int_equal(stage_node(g, "site-a").sync.halt, HALT_DIVERGED);
	assert_int_equal(stage_events(g, "DIVERGED"), 1);
}

STAGE_TEST(a_difference_that_mends_is_forgotten)
{
	struct pull_apply p;

	far_put_many(f, 3);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	f->lie = 1;
	assert_int_equal(stage_pull(g, f, 10, &p), OK);
	assert_int_equal(p.proof, PROOF_DOUBTED);
	f->lie = 0;
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.doubt_seq, 0);
	assert_false(stage_node(g, "site-a").sync.recount);
	assert_int_equal(stage_events(g, "DIVERGED"), 0);
}

/* An operator asks for a count while a page is on its way whose digest was not counted. */
STAGE_TEST(a_page_asked_for_without_a_count_is_no_counted_proof)
{
	struct sync_change count;
	struct node_sync basis;
	struct page page;
	struct pull_apply p = {.node = f->name, .basis = &basis, .page = &page};

	far_put_many(f, 3);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	basis = stage_node(g, "site-a").sync;
	far_page(f, basis.cursor, 10, &page);
	count = (struct sync_change){.to = basis};
	count.to.recount = true;
	assert_int_equal(store_move_node(g->store, f->name, &basis, &count, NULL, &g->why), OK);
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.result, OK);
	assert_int_equal(p.proof, PROOF_NONE);
	assert_true(p.sync.recount);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_false(stage_node(g, "site-a").sync.recount);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_wins_and_the_centres_edit_is_kept),
		cmocka_unit_test(the_centre_wins_and_the_locals_edit_is_kept),
		cmocka_unit_test(a_centres_edit_beats_a_locals_delete),
		cmocka_unit_test(a_locals_edit_beats_a_centres_delete),
		cmocka_unit_test(a_refused_push_is_a_conflict_too),
		cmocka_unit_test(an_edit_before_an_unseen_version_is_pulled_keeps_both),
		cmocka_unit_test(an_older_version_that_was_not_known_is_kept),
		cmocka_unit_test(a_restored_centre_takes_its_lost_edit_back),
		cmocka_unit_test(a_promoted_loser_becomes_the_present_version),
		cmocka_unit_test(a_page_of_conflicts_is_one_event),
		cmocka_unit_test(conflicts_are_listed_from_either_end),
		cmocka_unit_test(conflicts_of_many_owners_are_counted_at_once),
		cmocka_unit_test(a_difference_that_stays_stops_the_node),
		cmocka_unit_test(a_difference_that_mends_is_forgotten),
		cmocka_unit_test(a_page_asked_for_without_a_count_is_no_counted_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
