/* --node, for many: in how few transactions and statements they are added and found again, and that one which does not go changes
 * nothing. */
#include "central/db.h"
#include "central/reload.h"
#include "tests/support/backstage.h"
#include "tests/support/stage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES 900 /* their events are a page */

static unsigned transactions, statements;

void __real_db_begin(struct db *db);
void __wrap_db_begin(struct db *db);
void __wrap_db_begin(struct db *db)
{
	transactions++;
	__real_db_begin(db);
}

struct stmt __real_stmt_begin(struct db *db, int id);
struct stmt __wrap_stmt_begin(struct db *db, int id);
struct stmt __wrap_stmt_begin(struct db *db, int id)
{
	statements++;
	return __real_stmt_begin(db, id);
}

/* --node n0000=http://127.0.0.1:10000 and so on. */
static struct option_list list(struct stage *g, size_t n)
{
	struct option_list l = {.n = n};
	const char **at = arena_alloc(&g->arena, (n + 2) * sizeof(*at));
	char pair[80];

	for (size_t i = 0; i < n; i++) {
		int len = snprintf(pair, sizeof(pair), "n%04zu=http://127.0.0.1:%zu", i, 10000 + i);

		at[i] = arena_copy(&g->arena, pair, (size_t)len);
	}
	l.at = at;
	return l;
}

static enum err take(struct stage *g, const struct option_list *nodes, const struct option_list *before)
{
	struct centre c = {.store = g->store};
	struct settings set = {.nodes = *nodes};

	networks_add_loopback(&set.allowed);
	transactions = statements = 0;
	return reload_nodes(&c, &set, before, &g->why);
}

static size_t nodes_of(struct stage *g)
{
	struct nodes ns;
	size_t n;

	assert_int_equal(store_nodes(g->store, &ns, &g->why), OK);
	n = ns.n;
	nodes_done(&ns);
	return n;
}

STAGE_TEST(many_are_added_in_one_transaction_and_found_again_by_one_read)
{
	struct option_list all = list(g, NODES), some = list(g, NODES / 2);
	struct buf audit = {0};

	(void)f;
	assert_int_equal(take(g, &some, NULL), OK);
	assert_int_equal(take(g, &all, &some), OK);
	assert_true(transactions <= 2);
	if (g->kind == STAGE_POSTGRES)
		assert_true(statements <= 20); /* SQLite's are no round trips */
	assert_int_equal(nodes_of(g), 1 + NODES);
	assert_int_equal(stage_events(g, "node.added"), 1 + NODES);
	assert_string_equal(stage_row(g, "n0899").url, "http://127.0.0.1:10899");
	assert_int_equal(
		store_events(g->store, &(struct event_query){.least_level = -1, .node = "n0899", .limit = 9},
			&audit, &g->why),
		OK);
	assert_non_null(strstr(audit.at,
		"\"text\":\"the node was added\",\"who\":\"settings\",\"address\":null,\"before\":null,"
		"\"after\":{\"url\":\"http://127.0.0.1:10899\",\"title\":\"\",\"paused\":false}"));
	buf_done(&audit);
	assert_int_equal(take(g, &all, NULL), OK); /* as at a start */
	assert_int_equal(transactions, 1);
	assert_int_equal(statements, 1);
	assert_int_equal(take(g, &all, &all), OK); /* as at a reload that changes something else */
	assert_int_equal(transactions, 0);
}

STAGE_TEST(one_that_does_not_go_is_named_and_changes_nothing)
{
	struct option_list l = list(g, 20), with_bad = list(g, 20);
	struct node_row a = stage_row(g, "site-a");
	char bad[80 + sizeof(a.url)], said[80 + sizeof(a.url)];
	struct hash before = backstage_mark(g), after;

	(void)f;
	(void)snprintf(bad, sizeof(bad), "bad=%s", a.url);
	(void)snprintf(said, sizeof(said), "node bad: %s is the URL of node site-a", a.url);
	with_bad.at[with_bad.n++] = bad;
	assert_int_equal(take(g, &with_bad, NULL), CONFLICT);
	assert_string_equal(g->why.text, said);
	after = backstage_mark(g);
	assert_true(hash_equal(before, after));
	assert_int_equal(take(g, &l, NULL), OK);
	assert_int_equal(nodes_of(g), 1 + 20);
}

STAGE_TEST(what_was_removed_or_has_moved_is_set_too)
{
	struct option_list l = list(g, 20);

	(void)f;
	assert_int_equal(take(g, &l, NULL), OK);
	assert_int_equal(store_node_remove(g->store, NULL, "n0003", &g->why), OK);
	assert_int_equal(
		store_node_edit(g->store, NULL, "n0004", "http://127.0.0.1:9", NULL, NULL, &g->why), OK);
	l = list(g, 25);
	assert_int_equal(take(g, &l, NULL), OK);
	assert_int_equal(nodes_of(g), 1 + 25);
	assert_string_equal(stage_row(g, "n0003").url, "http://127.0.0.1:10003");
	assert_string_equal(stage_row(g, "n0004").url, "http://127.0.0.1:10004");
	assert_int_equal(stage_events(g, "node.added"), 1 + 25 + 1);
	assert_int_equal(stage_events(g, "node.changed"), 1 + 1);
}

/* Somebody adds one of them after they were looked at: all or none. */
STAGE_TEST(none_is_added_where_somebody_came_in_between)
{
	struct node_wanted nodes[] = {{.name = "x", .url = "http://x"}, {.name = "y", .url = "http://taken"}};

	(void)f;
	assert_int_equal(store_node_add(g->store, NULL, "z", "http://taken", "", &g->why), OK);
	assert_int_not_equal(store_nodes_add(g->store, NULL, nodes, 2, &g->why), OK);
	assert_int_equal(nodes_of(g), 2);
	assert_int_equal(stage_events(g, "node.added"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_are_added_in_one_transaction_and_found_again_by_one_read),
		cmocka_unit_test(one_that_does_not_go_is_named_and_changes_nothing),
		cmocka_unit_test(what_was_removed_or_has_moved_is_set_too),
		cmocka_unit_test(none_is_added_where_somebody_came_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
