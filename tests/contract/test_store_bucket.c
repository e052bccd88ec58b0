/* A store's comparison by buckets: what is believed against what is told, and only what differs is read. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* As a doubt or an accident does: the same epoch, or another one. */
static void compare_to(struct stage *g, const struct far *f, struct position witness)
{
	struct node n = stage_node(g, f->name);
	struct sync_change c = {.to = n.sync};

	sync_compare(&c.to, &f->epoch, witness);
	assert_true(c.to.comparing);
	assert_int_equal(store_move_node(g->store, f->name, &n.sync, &c, NULL, &g->why), OK);
}

static void settled(struct stage *g, struct far *f, unsigned records)
{
	far_put_many(f, records);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* The rest of the feed is not read: cursor and witness stand at the log's end at once. */
STAGE_TEST(equal_buckets_end_it)
{
	struct digest_apply p;
	struct pull_apply pull;

	settled(g, f, 40);
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_NONE);
	assert_false(p.sync.comparing);
	assert_int_equal(p.sync.cursor, f->head.seq);
	assert_true(position_equal(p.sync.witness, f->head));
	assert_int_equal(p.sync.generation, 1);
	assert_int_equal(stage_events(g, "compared"), 1);
	assert_int_equal(stage_pull(g, f, 10, &pull), OK);
	assert_int_equal(pull.proof, PROOF_EQUAL);
	assert_false(pull.sync.reconciling);
}

STAGE_TEST(one_record_differs)
{
	struct digest_apply p;
	struct pull_apply pull;

	settled(g, f, 40);
	far_put(f, "r0007", "\"other\"");
	compare_to(g, f, f->head);
	far_put(f, "r0008", "\"at the same time\"");
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_FEW);
	assert_in_range(p.apart.found, 1, 2);
	assert_true(p.sync.comparing);
	assert_int_equal(p.sync.cursor, 0);
	assert_true(position_equal(p.sync.witness, f->head)); /* learned, and kept */
	assert_int_equal(stage_fetch(g, f, &p.apart, APART_BUCKETS_MAX, &pull), OK);
	assert_int_equal(pull.taken, 2);
	assert_false(pull.sync.comparing);
	assert_int_equal(pull.sync.cursor, f->head.seq);
	assert_false(pull.to_push);
	assert_int_equal(pull.proof, PROOF_NONE); /* a pull proves */
	assert_string_equal(stage_body(g, "site-a", "r0007"), "\"other\"");
	assert_int_equal(stage_pull(g, f, 10, &pull), OK);
	assert_int_equal(pull.proof, PROOF_EQUAL);
}

/* A refill says by its sweep's place that the local holds them, not in each row: that is believed, too. */
STAGE_TEST(what_a_refill_sent_is_believed)
{
	struct digest_apply p;
	struct pull_apply pull;

	settled(g, f, 400);
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(far_digest(f).count, 400);
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_NONE);
	far_put(f, "r0007", "\"other\"");
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_FEW);
	assert_int_equal(p.apart.found, 1);
	assert_int_equal(stage_fetch(g, f, &p.apart, APART_BUCKETS_MAX, &pull), OK);
	assert_int_equal(pull.taken, 1);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* What is written between the digests and the records stays for the feed, wherever it lies. */
STAGE_TEST(what_is_written_meanwhile_is_pulled)
{
	struct digest_apply p;
	struct pull_apply pull;
	uint64_t then;

	settled(g, f, 40);
	far_put(f, "r0007", "\"other\"");
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	then = f->head.seq;
	for (unsigned i = 0; i < 40; i++) {
		char id[16];

		snprintf(id, sizeof(id), "new%u", i);
		far_put(f, id, "1");
	}
	assert_int_equal(stage_fetch(g, f, &p.apart, APART_BUCKETS_MAX, &pull), OK);
	assert_int_equal(pull.sync.cursor, then);
	assert_true(position_equal(pull.sync.witness, f->head));
	assert_true(pull.taken < 40);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "new39"), "1");
}

/* Each part is a transaction of its own; only the last one ends the comparison. */
STAGE_TEST(some_buckets_at_a_time)
{
	struct digest_apply p;
	struct pull_apply pull;
	unsigned parts = 0;

	settled(g, f, 100);
	for (unsigned i = 0; i < 9; i++) {
		char id[16];

		snprintf(id, sizeof(id), "r%04u", 11 * i);
		far_put(f, id, "2");
	}
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_FEW);
	assert_true(p.apart.n > 3);
	while (p.apart.n > 0) {
		assert_int_equal(stage_fetch(g, f, &p.apart, 2, &pull), OK);
		assert_true(pull.sync.comparing == (p.apart.n > 0));
		assert_int_equal(pull.sync.cursor, p.apart.n > 0 ? 0 : p.apart.seq);
		parts++;
	}
	assert_true(parts > 1);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(what_the_local_lost_is_pushed)
{
	struct digest_apply p;
	struct pull_apply pull;
	struct push_apply push;

	settled(g, f, 40);
	far_lose(f, "r0007");
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.apart.found, 1);
	assert_int_equal(stage_fetch(g, f, &p.apart, 1, &pull), OK);
	assert_int_equal(pull.taken, 0);
	assert_true(pull.to_push);
	assert_int_equal(stage_push(g, f, 100, &push), OK);
	assert_int_equal(push.applied, 1);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_non_null(far_get(f, "r0007"));
}

STAGE_TEST(what_the_centre_lost_is_read)
{
	struct digest_apply p;
	struct pull_apply pull;

	settled(g, f, 40);
	backstage_run(g, "DELETE FROM records WHERE id = 'r0007'");
	(void)stage_pull(g, f, 10, NULL); /* the store notices that it was written to */
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.apart.found, 1);
	assert_int_equal(stage_fetch(g, f, &p.apart, 1, &pull), OK);
	assert_int_equal(pull.taken, 1);
	assert_string_equal(stage_body(g, "site-a", "r0007"), "{\"v\":1}");
}

/* An edit that waits is no difference: what the local is believed to hold is compared, not what the centre holds. */
STAGE_TEST(what_is_still_to_be_pushed_stays_so)
{
	struct digest_apply p;
	struct pull_apply pull;
	struct push_apply push;

	settled(g, f, 40);
	stage_put(g, "site-a", "r0007", "\"edited\"");
	stage_put(g, "site-a", "new", "\"born here\"");
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_NONE);
	assert_int_equal(stage_pull(g, f, 10, &pull), OK);
	assert_true(pull.to_push);
	assert_int_equal(stage_push(g, f, 100, &push), OK);
	assert_int_equal(push.applied, 2);
	assert_int_equal(push.refused, 0);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* Edited at both ends while it differs: as in any pull, one wins and the other is kept. */
STAGE_TEST(a_conflict_is_met_as_in_a_page)
{
	struct digest_apply p;
	struct pull_apply pull;

	settled(g, f, 40);
	stage_put(g, "site-a", "r0007", "\"edited\"");
	far_put(f, "r0007", "\"other\"");
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(stage_fetch(g, f, &p.apart, 1, &pull), OK);
	assert_int_equal(pull.conflicts, 1);
	assert_true(pull.to_push);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, "site-a"), 1);
	assert_string_equal(stage_body(g, "site-a", "r0007"), "\"other\"");
}

STAGE_TEST(too_much_is_read_as_a_whole)
{
	struct digest_apply p;

	settled(g, f, 40);
	far_wipe(f);
	compare_to(g, f, (struct position){0});
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_MUCH);
	assert_false(p.sync.comparing);
	assert_int_equal(p.sync.generation, 2);
	assert_int_equal(p.sync.cursor, 0);
	assert_false(p.sync.swept);
	assert_true(p.sync.reconciling);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(far_digest(f).count, 40);
}

/* In the middle of a full re-read what has not been read yet is not believed to be held. */
STAGE_TEST(a_half_read_node_is_compared)
{
	struct digest_apply p;
	struct pull_apply pull;

	settled(g, f, 40);
	stage_reset(g, f);
	assert_int_equal(stage_pull(g, f, 20, &pull), OK);
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_true(p.verdict == APART_FEW && p.apart.found > 1);
	while (p.apart.n > 0)
		assert_int_equal(stage_fetch(g, f, &p.apart, 3, &pull), OK);
	assert_int_equal(pull.taken, 0);
	assert_true(pull.to_push); /* the sweep is still to come */
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(what_was_rejected_is_offered_again)
{
	struct digest_apply p;
	struct push_apply push;

	settled(g, f, 40);
	stage_put(g, "site-a", "big", "1");
	f->reject = "big";
	assert_int_equal(stage_pull(g, f, 10, NULL), OK);
	assert_int_equal(stage_push(g, f, 10, &push), OK);
	assert_int_equal(push.rejected, 1);
	assert_false(push.to_push);
	f->reject = NULL;
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_NONE);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_non_null(far_get(f, "big"));
}

/* Neither a page nor an answer from before it counts, though cursor and witness may stand where they stood. */
STAGE_TEST(nothing_old_is_applied_while_comparing_or_after_it)
{
	struct node n;
	struct page page;
	struct pull_apply late = {.node = "site-a", .basis = &n.sync, .page = &page};
	const char *before;

	settled(g, f, 40);
	n = stage_node(g, "site-a");
	far_page(f, n.sync.cursor, 10, &page);
	compare_to(g, f, f->head);
	before = stage_dump(g);
	assert_int_equal(store_apply_pages(g->store, &late, 1, &g->why), OK);
	assert_int_equal(late.result, CONFLICT);
	assert_string_equal(stage_dump(g), before);
	assert_int_equal(stage_digest(g, f, NULL), OK);
	assert_int_equal(store_apply_pages(g->store, &late, 1, &g->why), OK);
	assert_int_equal(late.result, CONFLICT);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(stale_digests_are_discarded)
{
	const struct apart_limits limits = {.records = 100, .bytes = 1 << 20, .bucket_records = 4};
	struct buckets told;
	struct node n;
	struct digest_apply p = {.node = "site-a", .basis = &n.sync, .told = &told, .limits = &limits};
	const char *before;

	settled(g, f, 40);
	compare_to(g, f, f->head);
	n = stage_node(g, "site-a");
	far_digests(f, 4, &told);
	far_put(f, "r0009", "2");
	assert_int_equal(stage_digest(g, f, NULL), OK);
	before = stage_dump(g);
	assert_int_equal(store_apply_digest(g->store, &p, &g->why), CONFLICT); /* the witness moved */
	assert_string_equal(stage_dump(g), before);
}

STAGE_TEST(an_answer_to_what_was_asked_before_the_content_was_replaced_is_discarded)
{
	const struct apart_limits limits = {.records = 100, .bytes = 1 << 20, .bucket_records = 4};
	struct buckets told;
	struct node n;
	struct digest_apply p = {.node = "site-a", .basis = &n.sync, .told = &told, .limits = &limits};

	settled(g, f, 40);
	compare_to(g, f, f->head);
	n = stage_node(g, "site-a");
	far_digests(f, 4, &told);
	backstage_replace(g);
	assert_int_equal(store_apply_digest(g->store, &p, &g->why), CONFLICT);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(a_paused_node_is_not_compared)
{
	settled(g, f, 40);
	compare_to(g, f, f->head);
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", true, &g->why), OK);
	assert_int_equal(stage_digest(g, f, NULL), CONFLICT);
	assert_true(stage_node(g, "site-a").sync.comparing);
}

/* --- quarantine --- */

static const char *poison(const struct stage *g)
{
	return g->kind == STAGE_POSTGRES ? "body::text LIKE '%poison%'" : "body LIKE '%poison%'";
}

/* A version in quarantine is what the local is believed to hold, whatever was known of the record before. */
STAGE_TEST(what_is_in_quarantine_is_no_difference)
{
	struct digest_apply p;

	backstage_forbid(g, poison(g));
	settled(g, f, 40);
	far_put(f, "r0007", "\"poison\"");
	far_put(f, "new", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.quarantined, 2);
	compare_to(g, f, f->head);
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_NONE);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.quarantined, 2);
}

STAGE_TEST(what_is_fetched_goes_into_quarantine_as_well)
{
	struct digest_apply p;
	struct pull_apply pull;

	settled(g, f, 40);
	backstage_forbid(g, poison(g));
	compare_to(g, f, f->head);
	far_put(f, "r0007", "\"poison\"");
	far_put(f, "r0008", "\"sound\"");
	assert_int_equal(stage_digest(g, f, &p), OK);
	while (p.apart.n > 0)
		assert_int_equal(stage_fetch(g, f, &p.apart, APART_BUCKETS_MAX, &pull), OK);
	assert_int_equal(pull.quarantine.in, 1);
	assert_string_equal(stage_body(g, "site-a", "r0008"), "\"sound\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(stage_quarantines(g, "\"held\":true"));
}

/* A database that went back holds another version, or none: what quarantine has of it is all that is left. */
STAGE_TEST(a_version_that_only_quarantine_has_stays)
{
	struct far *before = arena_alloc(&g->arena, sizeof(*before));
	struct digest_apply p;
	struct pull_apply pull;

	settled(g, f, 40);
	*before = *f;
	backstage_forbid(g, poison(g));
	far_put(f, "r0007", "\"poison\"");
	far_put(f, "new", "\"poison as well\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	*f = *before;
	far_restart(f);
	compare_to(g, f, (struct position){0});
	assert_int_equal(stage_digest(g, f, &p), OK);
	assert_int_equal(p.verdict, APART_FEW);
	while (p.apart.n > 0)
		assert_int_equal(stage_fetch(g, f, &p.apart, 1, &pull), OK);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.quarantined, 2);
	assert_true(stage_quarantines(g, "poison as well") && stage_quarantines(g, "\"held\":false"));
	assert_false(stage_quarantines(g, "\"held\":true"));
	assert_string_equal(stage_body(g, "site-a", "r0007"), "{\"v\":1}");
	/* what comes later in the feed is an ordinary change */
	far_put(f, "r0007", "\"poison once more\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.quarantined, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_buckets_end_it),
		cmocka_unit_test(one_record_differs),
		cmocka_unit_test(what_a_refill_sent_is_believed),
		cmocka_unit_test(what_is_written_meanwhile_is_pulled),
		cmocka_unit_test(some_buckets_at_a_time),
		cmocka_unit_test(what_the_local_lost_is_pushed),
		cmocka_unit_test(what_the_centre_lost_is_read),
		cmocka_unit_test(what_is_still_to_be_pushed_stays_so),
		cmocka_unit_test(a_conflict_is_met_as_in_a_page),
		cmocka_unit_test(too_much_is_read_as_a_whole),
		cmocka_unit_test(a_half_read_node_is_compared),
		cmocka_unit_test(what_was_rejected_is_offered_again),
		cmocka_unit_test(nothing_old_is_applied_while_comparing_or_after_it),
		cmocka_unit_test(stale_digests_are_discarded),
		cmocka_unit_test(an_answer_to_what_was_asked_before_the_content_was_replaced_is_discarded),
		cmocka_unit_test(a_paused_node_is_not_compared),
		cmocka_unit_test(what_is_in_quarantine_is_no_difference),
		cmocka_unit_test(what_is_fetched_goes_into_quarantine_as_well),
		cmocka_unit_test(a_version_that_only_quarantine_has_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
