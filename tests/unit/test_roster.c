/* What is done so that nodes are there as they are listed: by table. */
#include "central/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 4

struct pair {
	const char *name, *url;
};

static const struct {
	const char *what;
	struct pair now[MOST], wanted[MOST];
	enum roster_step steps[MOST];
	const char *refused; /* or NULL */
} rows[] = {
	{"none is there", {{NULL}}, {{"a", "u1"}, {"b", "u2"}}, {ROSTER_ADD, ROSTER_ADD}, NULL},
	{"all are", {{"a", "u1"}, {"b", "u2"}}, {{"b", "u2"}, {"a", "u1"}}, {ROSTER_STAYS, ROSTER_STAYS},
		NULL},
	{"another URL", {{"a", "u1"}}, {{"a", "u2"}}, {ROSTER_MOVE}, NULL},
	{"it takes what one before it gave up", {{"a", "u1"}, {"b", "u2"}},
		{{"a", "u3"}, {"b", "u1"}, {"c", "u2"}}, {ROSTER_MOVE, ROSTER_MOVE, ROSTER_ADD}, NULL},
	{"but not what one after it gives up", {{"a", "u1"}, {"b", "u2"}}, {{"b", "u1"}, {"a", "u3"}},
		{ROSTER_STAYS}, "node b: u1 is the URL of node a"},
	{"there and back", {{"a", "u1"}, {"b", "u2"}}, {{"a", "u3"}, {"b", "u1"}, {"c", "u2"}, {"d", "u4"}},
		{ROSTER_MOVE, ROSTER_MOVE, ROSTER_ADD, ROSTER_ADD}, NULL},
	{"a URL of another", {{"a", "u1"}}, {{"b", "u2"}, {"c", "u1"}}, {ROSTER_STAYS},
		"node c: u1 is the URL of node a"},
	{"a URL twice in the list", {{NULL}}, {{"a", "u1"}, {"b", "u1"}}, {ROSTER_STAYS},
		"node b: u1 is the URL of node a"},
	{"what moved away has its new URL alone", {{"a", "u1"}}, {{"a", "u2"}, {"b", "u2"}}, {ROSTER_STAYS},
		"node b: u2 is the URL of node a"},
};

static void fill(struct node_row *to, const struct pair *p)
{
	(void)snprintf(to->node.name, sizeof(to->node.name), "%s", p->name);
	(void)snprintf(to->url, sizeof(to->url), "%s", p->url);
}

static void test_by_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct node_row at[MOST] = {0};
		struct nodes now = {.at = at};
		struct node_wanted wanted[MOST] = {0};
		enum roster_step steps[MOST];
		struct reason why = {""};
		size_t n = 0;

		for (; now.n < MOST && rows[i].now[now.n].name; now.n++)
			fill(&at[now.n], &rows[i].now[now.n]);
		for (; n < MOST && rows[i].wanted[n].name; n++)
			wanted[n] = (struct node_wanted){
				.name = rows[i].wanted[n].name, .url = rows[i].wanted[n].url};
		print_message("%s\n", rows[i].what);
		if (rows[i].refused) {
			assert_int_equal(roster_plan(&now, wanted, n, steps, &why), CONFLICT);
			assert_string_equal(why.text, rows[i].refused);
			continue;
		}
		assert_int_equal(roster_plan(&now, wanted, n, steps, &why), OK);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(steps[k], rows[i].steps[k]);
	}
}

/* The most that a centre takes, and one more: which may be one that is there already. */
static void test_there_is_a_most(void **state)
{
	struct nodes now = {.n = STORE_NODES_MAX};
	struct node_wanted wanted[] = {{.name = "n00007", .url = "moved"}, {.name = "more", .url = "u"}};
	enum roster_step steps[2];
	struct reason why;

	(void)state;
	now.at = calloc(now.n, sizeof(*now.at));
	assert_non_null(now.at);
	for (size_t i = 0; i < now.n; i++) {
		(void)snprintf(now.at[i].node.name, sizeof(now.at[i].node.name), "n%05zu", i);
		(void)snprintf(now.at[i].url, sizeof(now.at[i].url), "http://n%zu", i);
	}
	assert_int_equal(roster_plan(&now, wanted, 1, steps, &why), OK);
	assert_int_equal(steps[0], ROSTER_MOVE);
	assert_int_equal(roster_plan(&now, wanted, 2, steps, &why), CONFLICT);
	assert_non_null(strstr(why.text, "node more: there are 20000 nodes"));
	now.n--;
	assert_int_equal(roster_plan(&now, wanted, 2, steps, &why), OK);
	free(now.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_table),
		cmocka_unit_test(test_there_is_a_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
