/* A store's pages: what a pull moves, when it is discarded, that nothing is written for nothing. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

STAGE_TEST(a_page_moves_rows_position_and_digest)
{
	struct pull_apply p;

	far_put_many(f, 5);
	assert_int_equal(stage_pull(g, f, 3, &p), OK);
	assert_int_equal(p.taken, 3);
	assert_int_equal(p.sync.cursor, 3);
	assert_int_equal(p.sync.witness.seq, 3);
	assert_int_equal(p.sync.digest.count, 3);
	assert_int_equal(p.proof, PROOF_NONE);
	assert_string_equal(stage_body(g, "site-a", "r0002"), "{\"v\":1}");
	assert_string_equal(stage_body(g, "site-a", "r0003"), "");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.cursor, 5);
	assert_true(digest_equal(stage_node(g, "site-a").sync.digest, far_digest(f)));
	assert_false(stage_node(g, "site-a").sync.reconciling);
	assert_int_equal(stage_events(g, "pulled"), 2);
}

/* One record an answer: its events are bounded, what moved is not. */
STAGE_TEST(a_node_of_many_small_answers_does_not_flood_the_events)
{
	far_put_many(f, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(stage_pull(g, f, 1, NULL), OK);
	assert_in_range(
		stage_events(g, "pulled"), 60, 75); /* it takes a moment, in which a few more may be told */
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.digest.count, 200);
}

STAGE_TEST(the_same_page_twice_changes_nothing)
{
	struct node n = stage_node(g, "site-a");
	struct page page;
	struct pull_apply p = {.node = "site-a", .basis = &n.sync, .page = &page};
	const char *after;

	far_put_many(f, 4);
	far_page(f, 0, 10, &page);
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.result, OK);
	after = stage_dump(g);
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.result, CONFLICT);
	assert_string_equal(stage_dump(g), after);
	n = stage_node(g, "site-a"); /* the same records again, asked for */
	n.sync.cursor = 0;
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.result, CONFLICT);
	assert_string_equal(stage_dump(g), after);
}

STAGE_TEST(a_re_read_of_what_is_known_writes_no_record)
{
	struct node n;
	struct sync_change c;
	struct pull_apply p;
	const char *before;

	far_put_many(f, 4);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	before = stage_dump(g);
	n = stage_node(g, "site-a");
	c = (struct sync_change){.to = n.sync};
	c.to.cursor = 0;
	assert_int_equal(store_move_node(g->store, "site-a", &n.sync, &c, NULL, &g->why), OK);
	assert_int_equal(stage_pull(g, f, 10, &p), OK);
	assert_int_equal(p.taken + p.kept + p.conflicts + p.archived, 0);
	assert_int_equal(p.proof, PROOF_EQUAL);
	assert_string_equal(stage_dump(g), before);
}

STAGE_TEST(a_stale_basis_spoils_its_own_page_alone)
{
	static struct far other;
	struct node a, b;
	struct page page_a, page_b;
	struct pull_apply p[2];

	far_open(&other, "site-b", &g->arena);
	stage_meet(g, &other);
	far_put_many(f, 2);
	far_put_many(&other, 2);
	a = stage_node(g, "site-a");
	b = stage_node(g, "site-b");
	a.sync.generation--;
	far_page(f, 0, 10, &page_a);
	far_page(&other, 0, 10, &page_b);
	p[0] = (struct pull_apply){.node = "site-a", .basis = &a.sync, .page = &page_a};
	p[1] = (struct pull_apply){.node = "site-b", .basis = &b.sync, .page = &page_b};
	assert_int_equal(store_apply_pages(g->store, p, 2, &g->why), OK);
	assert_int_equal(p[0].result, CONFLICT);
	assert_int_equal(p[1].result, OK);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "");
	assert_string_equal(stage_body(g, "site-b", "r0000"), "{\"v\":1}");
}

/* Every part of the basis counts. */
STAGE_TEST(a_basis_that_moved_is_stale)
{
	const char *before;

	far_put_many(f, 3);
	assert_int_equal(stage_pull(g, f, 2, NULL), OK);
	before = stage_dump(g);
	for (unsigned part = 0; part < 7; part++) {
		struct node n = stage_node(g, "site-a");
		struct page page;
		struct pull_apply p = {.node = "site-a", .basis = &n.sync, .page = &page};

		far_page(f, 2, 10, &page);
		n.sync.epoch.hex[0] ^= part == 0;
		n.sync.cursor += part == 1;
		n.sync.witness.head.half[1] ^= part == 2;
		n.sync.generation += part == 3;
		n.sync.halt = part == 4 ? HALT_IDENTITY : HALT_NONE;
		if (part == 5)
			n.sync.rename_to = f->epoch;
		if (part == 6)
			n.sync.probe = f->epoch;
		assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
		assert_int_equal(p.result, CONFLICT);
		assert_string_equal(stage_dump(g), before);
	}
}

STAGE_TEST(a_paused_or_removed_node_takes_nothing)
{
	struct node n = stage_node(g, "site-a");
	struct page page;
	struct pull_apply p = {.node = "site-a", .basis = &n.sync, .page = &page};

	far_put_many(f, 1);
	far_page(f, 0, 10, &page);
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", true, &g->why), OK);
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.result, CONFLICT);
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", false, &g->why), OK);
	assert_int_equal(store_node_remove(g->store, NULL, "site-a", &g->why), OK);
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.result, CONFLICT);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "");
}

/* Bytes of files, versions of rows. */
STAGE_TEST(an_idle_poll_writes_nothing)
{
	struct hash before;
	struct push_apply push;

	if (g->kind == STAGE_MEMORY)
		return;
	far_put_many(f, 20);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	before = backstage_mark(g);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
		assert_int_equal(stage_push(g, f, 10, &push), OK);
		stage_put(g, "site-a", "r0003", "{\"v\":1}");
		assert_int_equal(store_ping(g->store, &g->why), OK);
	}
	assert_true(hash_equal(backstage_mark(g), before));
	far_put(f, "r0003", "2");
	assert_int_equal(stage_pull(g, f, 10, NULL), OK);
	assert_false(hash_equal(backstage_mark(g), before));
}

STAGE_TEST(what_was_applied_outlives_the_store)
{
	const char *before;
	struct epoch id;

	if (g->kind == STAGE_MEMORY)
		return;
	far_put_many(f, 20);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0003", "2");
	before = stage_dump(g);
	id = store_centre_id(g->store);
	stage_reopen(g);
	assert_string_equal(stage_dump(g), before);
	assert_string_equal(store_centre_id(g->store).hex, id.hex);
}

/* Behind the store's back: its counter is put out of step with its rows. */
static void spoil_counter(struct stage *g)
{
	store_close(g->store);
	g->store = NULL;
	backstage_run(g, "UPDATE nodes SET digest_lane0 = digest_lane0 + 1");
	stage_reopen(g);
}

STAGE_TEST(a_counter_out_of_step_is_summed_anew)
{

	if (g->kind == STAGE_MEMORY)
		return;
	far_put_many(f, 9);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	spoil_counter(g);
	assert_int_equal(stage_settle(g, f), PROOF_DOUBTED);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(digest_equal(stage_node(g, "site-a").sync.digest, far_digest(f)));
	assert_false(stage_node(g, "site-a").sync.recount);
}

STAGE_TEST(a_store_is_opened_once_and_only_as_its_own)
{
	struct store_config c = {.url = g->url};
	struct store *second = NULL;

	(void)f;
	if (g->kind != STAGE_MEMORY)
		assert_int_equal(store_open(&second, &c, &g->why), DENIED);
	c.url = "mysql://x";
	assert_int_equal(store_open(&second, &c, &g->why), INVALID);
	c.url = "sqlite:";
	assert_int_equal(store_open(&second, &c, &g->why), INVALID);
	c.url = "postgresql://?no_such_option=1";
	assert_int_equal(store_open(&second, &c, &g->why), INVALID);
	assert_null(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_moves_rows_position_and_digest),
		cmocka_unit_test(a_node_of_many_small_answers_does_not_flood_the_events),
		cmocka_unit_test(the_same_page_twice_changes_nothing),
		cmocka_unit_test(a_re_read_of_what_is_known_writes_no_record),
		cmocka_unit_test(a_stale_basis_spoils_its_own_page_alone),
		cmocka_unit_test(a_basis_that_moved_is_stale),
		cmocka_unit_test(a_paused_or_removed_node_takes_nothing),
		cmocka_unit_test(an_idle_poll_writes_nothing),
		cmocka_unit_test(what_was_applied_outlives_the_store),
		cmocka_unit_test(a_counter_out_of_step_is_summed_anew),
		cmocka_unit_test(a_store_is_opened_once_and_only_as_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
