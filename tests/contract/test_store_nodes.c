/* A store's nodes, their epochs and events. */
#include "tests/support/backstage.h"
#include "tests/support/occurrences.h"
#include "tests/support/stage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

STAGE_TEST(a_node_has_a_name_and_a_url_of_its_own)
{
	struct node_row a = stage_row(g, "site-a");
	struct nodes ns;

	(void)f;
	assert_int_equal(store_node_add(g->store, NULL, "site-a", "http://other/", "", &g->why), CONFLICT);
	assert_int_equal(store_node_add(g->store, NULL, "site-b", a.url, "", &g->why), CONFLICT);
	assert_int_equal(store_node_add(g->store, NULL, "Site", "http://other/", "", &g->why), INVALID);
	assert_int_equal(store_node_add(g->store, NULL, "site-c", "http://c/", "Grüße", &g->why), OK);
	assert_int_equal(store_node_add(g->store, NULL, "site-b", "http://b/", NULL, &g->why), OK);
	assert_int_equal(
		store_node_edit(g->store, NULL, "site-b", "http://c/", NULL, NULL, &g->why), CONFLICT);
	assert_int_equal(store_node_edit(g->store, NULL, "site-b", "http://b2/", "B", NULL, &g->why), OK);
	assert_int_equal(store_node_edit(g->store, NULL, "site-b", NULL, NULL, NULL, &g->why), OK);
	assert_int_equal(store_node_edit(g->store, NULL, "nobody", "http://b3/", NULL, NULL, &g->why), GONE);
	assert_int_equal(store_nodes(g->store, &ns, &g->why), OK);
	assert_int_equal(ns.n, 3);
	assert_string_equal(ns.at[1].node.name, "site-b");
	assert_string_equal(ns.at[1].url, "http://b2/");
	assert_string_equal(ns.at[1].title, "B");
	assert_string_equal(ns.at[2].title, "Grüße");
	nodes_done(&ns);
	assert_int_equal(stage_events(g, "node.added"), 3);
}

STAGE_TEST(there_is_a_most_of_nodes)
{
	char sql[400];

	(void)f;
	(void)snprintf(sql, sizeof sql,
		"INSERT INTO nodes (name, url, added_at) SELECT 'n' || i, 'http://n' || i, 0 FROM (WITH "
		"RECURSIVE c(i) AS "
		"(SELECT 2 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c) AS c",
		STORE_NODES_MAX);
	backstage_run(g, sql);
	assert_int_equal(store_node_add(g->store, NULL, "more", "http://more/", "", &g->why), CONFLICT);
	assert_non_null(strstr(g->why.text, "remove one first"));
	assert_int_equal(store_node_edit(g->store, NULL, "n7", "http://moved/", NULL, NULL, &g->why), OK);
	assert_int_equal(store_node_remove(g->store, NULL, "n8", &g->why), OK);
	assert_int_equal(store_node_add(g->store, NULL, "more", "http://more/", "", &g->why), OK);
	assert_int_equal(
		store_node_add(g->store, NULL, "n8", "http://n8/", "", &g->why), CONFLICT); /* full again */
}

STAGE_TEST(a_removed_node_continues_where_it_was)
{
	struct node before, n;

	far_put_many(f, 5);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(store_node_rotate(g->store, NULL, "site-a", &before.rotation, &g->why), OK);
	assert_int_equal(before.rotation, 1);
	before = stage_node(g, "site-a");
	assert_int_equal(store_node_remove(g->store, NULL, "site-a", &g->why), OK);
	assert_int_equal(store_node_remove(g->store, NULL, "site-a", &g->why), GONE);
	assert_int_equal(store_node(g->store, "site-a", &n, &g->why), GONE);
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", true, &g->why), GONE);
	assert_string_equal(stage_body(g, "site-a", "r0001"), "{\"v\":1}");
	far_put(f, "later", "1");
	assert_int_equal(store_node_add(g->store, NULL, "site-a", "http://moved/", NULL, &g->why), OK);
	n = stage_node(g, "site-a");
	assert_int_equal(n.sync.cursor, before.sync.cursor);
	assert_int_equal(n.rotation, 1);
	assert_true(digest_equal(n.sync.digest, before.sync.digest));
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(n.sync.generation, stage_node(g, "site-a").sync.generation);
	assert_int_equal(stage_events(g, "node.removed"), 1);
}

STAGE_TEST(pausing_twice_is_one_event)
{
	(void)f;
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", true, &g->why), OK);
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", true, &g->why), OK);
	assert_true(stage_node(g, "site-a").paused);
	assert_int_equal(store_node_pause(g->store, NULL, "site-a", false, &g->why), OK);
	assert_int_equal(stage_events(g, "node.paused"), 1);
	assert_int_equal(stage_events(g, "node.resumed"), 1);
	assert_int_equal(store_node_pause(g->store, NULL, "nobody", true, &g->why), GONE);
}

STAGE_TEST(a_move_needs_its_basis_and_remembers_epochs)
{
	struct node n = stage_node(g, "site-a");
	struct epoch old = f->epoch, fresh = epoch_new();
	struct event ev = {.level = LOG_WARN, .kind = "WIPED", .node = "site-a", .text = {"it was wiped"}};
	struct sync_change c = {.to = n.sync, .abandon = true, .abandoned = old};
	struct position witness;

	c.abandoned_witness = (struct position){7, {{1, 2}}};
	sync_reset(&c.to, &fresh, (struct position){0});
	assert_int_equal(store_abandoned(g->store, "site-a", &old, &witness, &g->why), GONE);
	assert_int_equal(store_move_node(g->store, "site-a", &n.sync, &c, &ev, &g->why), OK);
	assert_int_equal(store_move_node(g->store, "site-a", &n.sync, &c, &ev, &g->why), CONFLICT);
	assert_int_equal(store_move_node(g->store, "nobody", &n.sync, &c, &ev, &g->why), GONE);
	assert_int_equal(store_abandoned(g->store, "site-a", &old, &witness, &g->why), OK);
	assert_true(position_equal(witness, c.abandoned_witness));
	assert_int_equal(stage_events(g, "WIPED"), 1);

	n = stage_node(g, "site-a"); /* an older memory of it stays */
	assert_true(epoch_equal(&n.sync.epoch, &fresh));
	c.to = n.sync;
	c.abandoned_witness.seq = 9;
	assert_int_equal(store_move_node(g->store, "site-a", &n.sync, &c, NULL, &g->why), OK);
	assert_int_equal(store_abandoned(g->store, "site-a", &old, &witness, &g->why), OK);
	assert_int_equal(witness.seq, 7);
	c = (struct sync_change){.to = n.sync, .forget = old};
	assert_int_equal(store_move_node(g->store, "site-a", &n.sync, &c, NULL, &g->why), OK);
	assert_int_equal(store_abandoned(g->store, "site-a", &old, &witness, &g->why), GONE);
}

/* An edit between reading the node and moving it does not come undone in the digest. */
STAGE_TEST(a_move_keeps_the_digest_of_edits_since)
{
	struct node n = stage_node(g, "site-a");
	struct sync_change c = {.to = n.sync};

	(void)f;
	stage_put(g, "site-a", "x", "1");
	c.to.halt = HALT_IDENTITY;
	c.to.probe = f->epoch;
	assert_int_equal(store_move_node(g->store, "site-a", &n.sync, &c, NULL, &g->why), OK);
	n = stage_node(g, "site-a");
	assert_int_equal(n.sync.digest.count, 1);
	assert_int_equal(n.sync.halt, HALT_IDENTITY);
	assert_string_equal(n.sync.probe.hex, f->epoch.hex);
}

STAGE_TEST(everything_of_a_node_is_kept)
{
	struct node n;
	struct sync_change c;
	const char *before;

	if (g->kind == STAGE_MEMORY)
		return;
	n = stage_node(g, "site-a");
	c = (struct sync_change){.to = n.sync};
	c.to.generation++;
	c.to.cursor = UINT64_MAX >> 1;
	c.to.witness = (struct position){5, {{UINT64_MAX, 3}}};
	c.to.rename_to = c.to.probe = f->epoch;
	c.to.halt = HALT_DIVERGED;
	c.to.reconciling = c.to.recount = true;
	c.to.swept = false;
	memcpy(c.to.sweep_after, "some-id", 8);
	c.to.doubt_seq = 3;
	c.to.doubt_local = (struct digest){1, {2, UINT64_MAX}};
	c.to.doubt_centre = (struct digest){3, {UINT64_MAX - 1, 0x8000000000000000}};
	assert_int_equal(store_move_node(g->store, "site-a", &n.sync, &c, NULL, &g->why), OK);
	before = stage_dump(g);
	assert_non_null(strstr(before, "some-id"));
	stage_reopen(g);
	assert_string_equal(stage_dump(g), before);
	n = stage_node(g, "site-a");
	assert_true(digest_equal(n.sync.doubt_centre, c.to.doubt_centre));
	assert_true(digest_equal(n.sync.doubt_local, c.to.doubt_local));
	assert_true(position_equal(n.sync.witness, c.to.witness));
}

/* --- events --- */

static const char *events(struct stage *g, const struct event_query *q)
{
	struct buf b = {0};
	const char *text;

	assert_int_equal(store_events(g->store, q, &b, &g->why), OK);
	text = arena_copy(&g->arena, b.at, b.len);
	buf_done(&b);
	return text;
}

STAGE_TEST(events_are_listed_by_node_level_and_page)
{
	const char *text;

	for (int i = 0; i < 10; i++) {
		struct event ev = {
			.level = i % 2 ? LOG_WARN : LOG_INFO, .kind = "k", .node = i < 5 ? "n" : NULL};

		(void)snprintf(ev.text.text, sizeof(ev.text.text), "say \"%d\"", i);
		assert_int_equal(store_events_add(g->store, &ev, 1, &g->why), OK);
	}
	(void)f; /* adding it made event 1 */
	text = events(g, &(struct event_query){.least_level = -1, .limit = 3});
	assert_int_equal(occurrences(text, "\"kind\":\"k\""), 3);
	assert_non_null(strstr(text, "say \\\"9\\\""));
	assert_true(strstr(text, "\\\"7\\\"") < strstr(text, "\\\"9\\\""));
	assert_non_null(strstr(text, "\"node\":null"));
	text = events(g, &(struct event_query){.least_level = -1, .after = 1, .limit = 4});
	assert_non_null(strstr(text, "say \\\"0\\\""));
	assert_non_null(strstr(text, "\"next\":5}"));
	text = events(g, &(struct event_query){.least_level = -1, .after = 7, .limit = 4});
	assert_non_null(strstr(text, "\"next\":null}"));
	text = events(g, &(struct event_query){.least_level = -1, .before = 4, .limit = 2});
	assert_int_equal(occurrences(text, "\"kind\":\"k\""), 2);
	assert_non_null(strstr(text, "say \\\"1\\\""));
	assert_null(strstr(text, "say \\\"2\\\""));
	text = events(g, &(struct event_query){.node = "n", .least_level = LOG_WARN, .limit = 100});
	assert_int_equal(occurrences(text, "\"level\":\"warn\""), 2);
	assert_int_equal(occurrences(text, "\"kind\""), 2);
}

STAGE_TEST(events_are_listed_without_those_of_moved_records)
{
	static const char *const kinds[] = {"pulled", "conflict", "pushed", "pulled", "rejected", "pulled"};
	const char *text;

	(void)f; /* adding it made event 1 */
	for (int i = 0; i < 6; i++) {
		struct event ev = {.level = LOG_INFO, .kind = kinds[i], .node = i < 3 ? "n" : NULL};

		assert_int_equal(store_events_add(g->store, &ev, 1, &g->why), OK);
	}
	text = events(g, &(struct event_query){.least_level = -1, .no_moves = true, .limit = 2});
	assert_int_equal(occurrences(text, "\"kind\""), 2);
	assert_int_equal(occurrences(text, "conflict") + occurrences(text, "rejected"), 2);
	text = events(g, &(struct event_query){.least_level = -1, .no_moves = true, .after = 1, .limit = 1});
	assert_non_null(strstr(text, "conflict"));
	assert_non_null(strstr(text, "\"next\":3}"));
	text = events(g, &(struct event_query){.node = "n", .least_level = -1, .no_moves = true, .limit = 9});
	assert_int_equal(occurrences(text, "\"kind\""), 1);
	text = events(g, &(struct event_query){
				 .node = "n", .least_level = -1, .no_moves = true, .after = 3, .limit = 9});
	assert_int_equal(occurrences(text, "\"kind\""), 0);
}

/* In memory, where a hundred thousand transactions take a second. */
static void the_newest_events_are_kept(void **state)
{
	struct stage *g = stage_open(STAGE_MEMORY, POLICY_OWNER);
	struct event ev = {.level = LOG_INFO, .kind = "k", .text = {"said"}};

	(void)state;
	for (int i = 0; i < 101000; i++)
		assert_int_equal(store_events_add(g->store, &ev, 1, &g->why), OK);
	assert_non_null(strstr(events(g, &(struct event_query){.least_level = -1, .after = 1, .limit = 1}),
		"{\"events\":[{\"id\":1001,"));
	stage_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_has_a_name_and_a_url_of_its_own),
		cmocka_unit_test(there_is_a_most_of_nodes),
		cmocka_unit_test(a_removed_node_continues_where_it_was),
		cmocka_unit_test(pausing_twice_is_one_event),
		cmocka_unit_test(a_move_needs_its_basis_and_remembers_epochs),
		cmocka_unit_test(a_move_keeps_the_digest_of_edits_since),
		cmocka_unit_test(everything_of_a_node_is_kept),
		cmocka_unit_test(the_newest_events_are_kept),
		cmocka_unit_test(events_are_listed_by_node_level_and_page),
		cmocka_unit_test(events_are_listed_without_those_of_moved_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
