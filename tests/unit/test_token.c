/* Which of its tokens a node is shown, and what is made of its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "central/token.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define AGAIN_US 10000000

/* "a2": of the secret "a" and the rotation 2. */
static const char *name_of(const char *token)
{
	static char ret[3];
	for (char secret = 'a'; secret <= 'c'; secret++)
		for (char rotation = '0'; rotation <= '4'; rotation++) {
			char text[2] = {secret}, of[65];
			struct node n = {.name = "site", .rotation = (uint64_t)(rotation - '0')};
			token_of_node(text, &n, of);
			if (strcmp(of, token) != 0)
				continue;
			ret[0] = secret, ret[1] = rotation;
			return ret;
		}
	return *token ? "??" : "--";
}

/* What the centre has and the node takes at some time, and what the node is then shown in one attempt: "a1 a0+". */
struct step {
	const char *secrets;
	uint64_t rotation;
	const char *takes; /* "a0 a1" */
	const char *shown;
	enum node_token token;
	int64_t after_us; /* since the step before */
};

static void attempt(
	struct token_memory *m, const struct step *s, int64_t now_us, enum node_token *token, char *said)
{
	struct node n = {.name = "site", .rotation = s->rotation};
	struct tokens t;
	bool again = true;
	said[0] = 0;
	for (int i = 0; again; i++) {
		char shown[65];
		assert_true(i < 3);
		tokens_of_node(s->secrets, &n, &t);
		token_choose(&t, now_us, AGAIN_US, m, shown);
		bool takes = strstr(s->takes, name_of(shown));
		sprintf(said + strlen(said), "%s%s%s", i ? " " : "", name_of(shown), takes ? "+" : "");
		again = !takes && token_refused(m);
		if (takes)
			*token = token_taken(m);
	}
}

static void run(const struct step *steps, size_t n)
{
	struct token_memory m = {.newest_us = 0};
	enum node_token token = NODE_TOKEN_UNKNOWN;
	int64_t now = 1000;
	for (size_t i = 0; i < n; i++) {
		char said[32];
		attempt(&m, &steps[i], now += steps[i].after_us, &token, said);
		if (strcmp(said, steps[i].shown) != 0 || token != steps[i].token)
			fail_msg("step %zu: shown %s, not %s; token %d", i, said, steps[i].shown, (int)token);
	}
}
#define RUN(...)                                           \
	do {                                               \
		const struct step steps[] = {__VA_ARGS__}; \
		run(steps, sizeof steps / sizeof *steps);  \
	} while (0)
#define UNKNOWN NODE_TOKEN_UNKNOWN
#define NEWEST NODE_TOKEN_NEWEST
#define BEFORE NODE_TOKEN_BEFORE

static void test_without_a_secret_there_is_no_token(void **state)
{
	(void)state;
	RUN({NULL, 1, "--", "--+", UNKNOWN, 0}, {"", 1, "--", "--+", UNKNOWN, 0},
		{"", 1, "a1", "--", UNKNOWN, 0}, {"a", 1, "a1", "a1+", NEWEST, 0},
		{"", 1, "--", "--+", UNKNOWN, 0});
}

static void test_a_node_that_was_never_rotated_has_one_token(void **state)
{
	(void)state;
	RUN({"a", 0, "a0", "a0+", NEWEST, 0}, {"a", 0, "", "a0", NEWEST, 0},
		{"a", 0, "a0", "a0+", NEWEST, 0});
}

static void test_the_one_before_is_tried_in_the_same_turn_and_then_kept_to(void **state)
{
	(void)state;
	RUN({"a", 0, "a0", "a0+", NEWEST, 0}, {"a", 1, "a0", "a1 a0+", BEFORE, 0},
		{"a", 1, "a0", "a0+", BEFORE, 1}, {"a", 1, "a0", "a0+", BEFORE, AGAIN_US - 2},
		{"a", 1, "a0", "a1 a0+", BEFORE, 1},
		/* it has both by now: found out in time */
		{"a", 1, "a1 a0", "a0+", BEFORE, 1}, {"a", 1, "a1 a0", "a1+", NEWEST, AGAIN_US},
		{"a", 1, "a1", "a1+", NEWEST, 0});
}

static void test_a_node_that_has_only_the_new_one_gets_it_in_the_same_turn(void **state)
{
	(void)state;
	RUN({"a", 1, "a0", "a1 a0+", BEFORE, 0}, {"a", 1, "a1", "a0 a1+", NEWEST, 1});
}

static void test_a_node_that_changes_between_two_requests_gets_a_third(void **state)
{
	(void)state;
	struct token_memory m = {.newest_us = 0};
	struct node n = {.name = "site", .rotation = 1};
	struct tokens t;
	char shown[65];
	tokens_of_node("a", &n, &t);
	memcpy(m.taken.hex, t.at[1], sizeof m.taken.hex - 1);
	token_choose(&t, 0, AGAIN_US, &m, shown);
	assert_string_equal(name_of(shown), "a1");
	assert_true(token_refused(&m)); /* then the node is given it */
	token_choose(&t, 0, AGAIN_US, &m, shown);
	assert_string_equal(name_of(shown), "a0");
	assert_true(token_refused(&m));
	token_choose(&t, 0, AGAIN_US, &m, shown);
	assert_string_equal(name_of(shown), "a1");
	assert_int_equal(token_taken(&m), NEWEST);
}

static void test_who_took_the_newest_is_never_shown_the_one_before(void **state)
{
	(void)state;
	RUN({"a", 1, "a1", "a1+", NEWEST, 0}, {"a", 1, "a0", "a1", NEWEST, 1},
		{"a", 1, "a0", "a1", NEWEST, AGAIN_US}, {"a", 1, "a0 a1", "a1+", NEWEST, 1});
}

static void test_after_two_rotations_the_oldest_is_dead(void **state)
{
	(void)state;
	RUN({"a", 0, "a0", "a0+", NEWEST, 0}, {"a", 1, "a0", "a1 a0+", BEFORE, 0},
		{"a", 2, "a0", "a2 a1", BEFORE, 1}, {"a", 2, "a0", "a2 a1", BEFORE, AGAIN_US},
		{"a", 2, "a1", "a2 a1+", BEFORE, 1});
}

static void test_a_node_that_takes_none_costs_two_requests_an_attempt(void **state)
{
	(void)state;
	RUN({"a", 1, "", "a1 a0", UNKNOWN, 0}, {"a", 1, "", "a1 a0", UNKNOWN, 1},
		{"a", 1, "a0", "a1 a0+", BEFORE, 1}, {"a", 1, "", "a0 a1", BEFORE, 1},
		{"a", 1, "", "a1 a0", BEFORE, 1},
		/* but once three, as it seems to change it */
		{"a", 1, "a0", "a1 a0+", BEFORE, 1}, {"a", 1, "", "a1 a0 a1", BEFORE, AGAIN_US},
		{"a", 1, "", "a1 a0", BEFORE, AGAIN_US});
}

static void test_the_secret_changes_like_a_rotation(void **state)
{
	(void)state;
	RUN({"a", 0, "a0", "a0+", NEWEST, 0}, {"b\na", 0, "a0", "b0 a0+", BEFORE, 1},
		{"b\na", 0, "b0", "a0 b0+", NEWEST, 1}, {"b", 0, "b0", "b0+", NEWEST, 1});
}

static void test_both_at_once_go_on_from_what_the_node_is_known_to_take(void **state)
{
	(void)state;
	RUN({"a", 3, "a3", "a3+", NEWEST, 0}, {"b\na", 3, "a3", "b3 a3+", BEFORE, 1},
		{"b\na", 4, "a3", "b4 a3+", BEFORE, 1}, {"b\na", 4, "b4", "a3 b4+", NEWEST, 1});
	/* after a restart each of the older ones has its turn, one an attempt */
	RUN({"b\na", 4, "a3", "b4 a4", UNKNOWN, 0}, {"b\na", 4, "a3", "b4 b3", UNKNOWN, 1},
		{"b\na", 4, "a3", "b4 a3+", BEFORE, 1}, {"b\na", 4, "a3", "a3+", BEFORE, 1});
}

static void test_a_newer_one_that_comes_between_is_tried_first(void **state)
{
	(void)state;
	struct token_memory m = {.newest_us = 0};
	struct node n = {.name = "site", .rotation = 1};
	struct tokens t;
	char shown[65];
	tokens_of_node("a", &n, &t);
	token_choose(&t, 0, AGAIN_US, &m, shown);
	assert_true(token_refused(&m));
	n.rotation = 2; /* an operator rotates while the other is about to be tried */
	tokens_of_node("a", &n, &t);
	token_choose(&t, 0, AGAIN_US, &m, shown);
	assert_string_equal(name_of(shown), "a2");
	assert_true(token_refused(&m));
	token_choose(&t, 0, AGAIN_US, &m, shown);
	assert_string_equal(name_of(shown), "a1");
}

static void test_the_newest_is_tried_again_every_ten_intervals(void **state)
{
	(void)state;
	assert_int_equal(token_again_us(10), 1000000);
	assert_int_equal(token_again_us(100), 1000000);
	assert_int_equal(token_again_us(500), 5000000);
	assert_int_equal(token_again_us(6000), 60000000);
	assert_int_equal(token_again_us(3600000), 60000000);
}

static void test_secrets_of_a_text(void **state)
{
	(void)state;
	const struct {
		const char *text, *given;
		bool has;
	} rows[] = {
		{"a", "a", true},
		{"a", "b", false},
		{"a", "", false},
		{"", "", false},
		{NULL, "", false},
		{"a\nb", "a", true},
		{"a\nb", "b", true},
		{"a\nb", "c", false},
		{"a\nb", "a\nb", false},
		{"a\nb", "", false},
		{"a\nb\nc", "c", false},
		{"ab\ncd", "abcd", false},
		{"ab\ncd", "c", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (secrets_have(rows[i].text, span_of(rows[i].given)) != rows[i].has)
			fail_msg("row %zu", i);
	assert_true(span_is(secrets_at("a\nb", 0), "a") && span_is(secrets_at("a\nb", 1), "b"));
	assert_int_equal(secrets_at("a\nb", 2).len + secrets_at("a", 1).len + secrets_at(NULL, 0).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_secret_there_is_no_token),
		cmocka_unit_test(test_a_node_that_was_never_rotated_has_one_token),
		cmocka_unit_test(test_the_one_before_is_tried_in_the_same_turn_and_then_kept_to),
		cmocka_unit_test(test_a_node_that_has_only_the_new_one_gets_it_in_the_same_turn),
		cmocka_unit_test(test_a_node_that_changes_between_two_requests_gets_a_third),
		cmocka_unit_test(test_who_took_the_newest_is_never_shown_the_one_before),
		cmocka_unit_test(test_after_two_rotations_the_oldest_is_dead),
		cmocka_unit_test(test_a_node_that_takes_none_costs_two_requests_an_attempt),
		cmocka_unit_test(test_the_secret_changes_like_a_rotation),
		cmocka_unit_test(test_both_at_once_go_on_from_what_the_node_is_known_to_take),
		cmocka_unit_test(test_a_newer_one_that_comes_between_is_tried_first),
		cmocka_unit_test(test_the_newest_is_tried_again_every_ten_intervals),
		cmocka_unit_test(test_secrets_of_a_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
