/* Events that come too fast: how many of them are told, and that nothing but their number is lost. */
#include "central/spate.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static struct event event(const char *node, const char *kind, enum log_level level, unsigned number)
{
	struct event ev = {.level = level, .kind = kind, .node = node};
	(void)snprintf(ev.text.text, sizeof ev.text.text, "number %u", number);
	return ev;
}

/* How many of `n` are told that come `gap_us` after each other. */
static unsigned told_of(struct spate *s, const char *node, const char *kind, enum log_level level, unsigned n,
	int64_t *now_us, int64_t gap_us)
{
	unsigned told = 0;
	for (unsigned i = 0; i < n; i++, *now_us += gap_us) {
		struct event ev = event(node, kind, level, i);
		told += spate_pass(s, &ev, *now_us);
	}
	return told;
}

static void test_the_first_are_told_then_one_in_a_while(void **state)
{
	struct spate *s = spate_new();
	int64_t now = 0;

	(void)state;
	assert_int_equal(told_of(s, "a", "pulled", LOG_INFO, 1000, &now, 0), 60);
	assert_int_equal(told_of(s, "a", "conflict", LOG_WARN, 1000, &now, 0), 20); /* each kind by itself */
	assert_int_equal(told_of(s, "b", "pulled", LOG_INFO, 30, &now, 0), 30);     /* and each node */
	/* for a minute, a hundred a second: after 3 s, 6 s, … 57 s */
	assert_int_equal(told_of(s, "a", "pulled", LOG_INFO, 6000, &now, S / 100), 19);
	now = 3600 * S;
	assert_int_equal(told_of(s, "a", "pulled", LOG_INFO, 1000, &now, 0), 60);
	spate_free(s);
}

static void test_the_next_one_says_how_many_were_not_told(void **state)
{
	struct spate *s = spate_new();
	int64_t now = 0;
	struct event ev = event("a", "conflict", LOG_WARN, 7);

	(void)state;
	assert_int_equal(told_of(s, "a", "conflict", LOG_WARN, 25, &now, 0), 20);
	assert_true(spate_pass(s, &ev, 10 * S));
	assert_string_equal(
		ev.text.text, "number 7; 5 more of this kind came so fast that they were not told");
	ev = event("a", "conflict", LOG_WARN, 8);
	assert_true(spate_pass(s, &ev, 20 * S));
	assert_string_equal(ev.text.text, "number 8");
	spate_free(s);
}

static void test_the_last_one_is_told_when_its_time_has_come(void **state)
{
	struct spate *s = spate_new();
	int64_t now = 0;
	struct event ev;

	(void)state;
	assert_false(spate_owed(s, "a", now, &ev));
	assert_int_equal(told_of(s, "a", "pulled", LOG_INFO, 63, &now, 0), 60);
	assert_false(spate_owed(s, "a", 2 * S, &ev));
	assert_false(spate_owed(s, "b", 3 * S, &ev));
	assert_true(spate_owed(s, "a", 3 * S, &ev));
	assert_string_equal(ev.kind, "pulled");
	assert_string_equal(ev.node, "a");
	assert_string_equal(
		ev.text.text, "number 62; 2 more of this kind came so fast that they were not told");
	assert_false(spate_owed(s, "a", 9 * S, &ev));
	spate_free(s);
}

/* How many of `nodes` are told that all bring something once in each of `rounds`, `gap_us` after each other. */
static unsigned told_of_all(struct spate *s, unsigned nodes, unsigned rounds, int64_t *now_us, int64_t gap_us)
{
	unsigned told = 0;
	char node[16];

	for (unsigned r = 0; r < rounds; r++, *now_us += gap_us)
		for (unsigned i = 0; i < nodes; i++) {
			(void)snprintf(node, sizeof node, "n%u", i);
			struct event ev = event(node, "pulled", LOG_INFO, r);
			told += spate_pass(s, &ev, *now_us);
		}
	return told;
}

static void test_what_moves_is_bounded_of_all_nodes_together(void **state)
{
	struct spate *s = spate_new();
	struct event ev = event("n7", "conflict", LOG_WARN, 0);
	int64_t now = 0;

	(void)state;
	assert_int_equal(told_of_all(s, 4000, 1, &now, S), 4000);
	/* what was left, and what came back in a second */
	assert_int_equal(told_of_all(s, 4000, 1, &now, S), 1100);
	assert_int_equal(told_of_all(s, 4000, 9, &now, S), 900);
	assert_true(spate_pass(s, &ev, now)); /* other kinds are not held up by it */
	now += 50 * S;
	assert_int_equal(told_of_all(s, 6000, 1, &now, S), 5000);
	spate_free(s);
}

static void test_what_all_together_hold_back_is_not_counted_against_the_node(void **state)
{
	struct spate *s = spate_new();
	int64_t now = 0;
	struct event ev;

	(void)state;
	(void)told_of_all(s, 5000, 1, &now, 0);
	assert_int_equal(told_of(s, "a", "pulled", LOG_INFO, 100, &now, 0), 0);
	now = S / 100;
	assert_true(spate_owed(s, "a", now, &ev));
	assert_string_equal(
		ev.text.text, "number 99; 99 more of this kind came so fast that they were not told");
	assert_false(spate_owed(s, "a", now, &ev));
	now += S;
	assert_int_equal(told_of(s, "a", "pulled", LOG_INFO, 100, &now, 0), 59); /* of its 60 */
	spate_free(s);
}

static void test_alarms_and_what_operators_do_always_pass(void **state)
{
	static const struct {
		const char *kind;
		enum log_level level;
	} table[] = {{"DIVERGED", LOG_ERROR}, {"CLONED", LOG_ERROR}, {"WIPED", LOG_WARN},
		{"REWOUND", LOG_WARN}, {"node.paused", LOG_INFO}, {"rejected", LOG_ERROR}};
	struct spate *s = spate_new();
	int64_t now = 0;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_int_equal(told_of(s, "a", table[i].kind, table[i].level, 500, &now, 0), 500);
	assert_int_equal(told_of(s, NULL, "pulled", LOG_INFO, 500, &now, 0), 500); /* of the centre */
	spate_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_are_told_then_one_in_a_while),
		cmocka_unit_test(test_the_next_one_says_how_many_were_not_told),
		cmocka_unit_test(test_the_last_one_is_told_when_its_time_has_come),
		cmocka_unit_test(test_what_moves_is_bounded_of_all_nodes_together),
		cmocka_unit_test(test_what_all_together_hold_back_is_not_counted_against_the_node),
		cmocka_unit_test(test_alarms_and_what_operators_do_always_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
