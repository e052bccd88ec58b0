#include "shared/completion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *text, *choice, *node, *key;
static bool flag, force;
static const struct option table[] = {
	{"url", OPTION_TEXT, &text, NULL, 0, 0, NULL, "URL", "where it is; or was: both"},
	{"node", OPTION_TEXT, &node, NULL, 0, 0, NULL, "NODE", "show, put away: of this node; list: on it"},
	{"after", OPTION_TEXT, &key, NULL, 0, 0, NULL, "KEY", "list: behind it"},
	{"order", OPTION_CHOICE, &choice, NULL, 0, 0, "up down", NULL, "list: which way"},
	{"quiet", OPTION_FLAG, &flag, NULL, 0, 0, NULL, NULL, "with --force: say less"},
	{"force", OPTION_FLAG, &force, NULL, 0, 0, NULL, NULL, "put: all the same"},
};
static const struct options options = {.program = "prog",
	.usage = "prog COMMAND",
	.environment = "TEST",
	.at = table,
	.n = sizeof table / sizeof *table,
	.positional = true};

static bool command_at(size_t i, struct option_command *ret)
{
	static const struct option_command commands[] = {
		{"show", "show [NODE…]", "a node, or all"},
		{"list", "list", "all of them"},
		{"put", "put [--node NODE] OWNER/ID FILE|- | away NODE | up|down [--force] --url URL NODE",
			"in its place"},
	};

	if (i < sizeof commands / sizeof *commands)
		*ret = commands[i];
	return i < sizeof commands / sizeof *commands;
}

/* What completes a line: words with blanks between them; "=" names and "/" owners, where names are wanted. */
static void check(const char *line, const char *expected)
{
	static const struct completion c = {&options, command_at};
	struct completed r;
	struct buf got = {0};

	completion_read(&c, line, &r);
	for (size_t i = 0; i < r.words.len; i += strcspn(r.words.at + i, "\n") + 1) {
		buf_text(&got, got.len ? " " : "");
		buf_add(&got, r.words.at + i, strcspn(r.words.at + i, "\t\n"));
	}
	buf_text(&got, r.wants & COMPLETION_NODES ? "=" : "");
	buf_text(&got, r.wants & COMPLETION_OWNERS ? "/" : "");
	buf_text(&got, "");
	if (strcmp(got.at ? got.at : "", expected) != 0)
		fail_msg("%s: %s, not %s", line, got.at ? got.at : "", expected);
	buf_done(&got);
	completed_done(&r);
}

static void commands_and_their_arguments(void **state)
{
	(void)state;
	check("prog ", "show list put");
	check("prog l", "list");
	check("prog x", "");
	check("prog list ", "");
	check("prog nonsense ", "");
	check("prog show ", "=");
	check("prog show a b ", "=");
	check("prog put ", "away up down/");
	check("prog put a", "away/");
	check("prog put away ", ":files="); /* a key may be called that, too */
	check("prog put up ", ":files=");
	check("prog put up --url http://h:1 ", ":files=");
	check("prog put a/b ", ":files");
	check("prog put --node n a/b c ", "");
	check("prog --url http://h:1 put a/b ", ":files");
	check("prog put -- a", "away/");
	check("prog put -- --f", "/");
}

static void options_of_a_command_and_of_all(void **state)
{
	(void)state;
	check("prog --", "--url --quiet --config --check-config --print-config --version --help");
	check("prog show --n", "--node");
	check("prog put --n", "--node");
	check("prog list --n", "--node");
	check("prog list --f", "");
	check("prog put --f", "--force");
	check("prog list --o", "--order");
	check("prog list -", "--url --node --after --order --quiet --config --check-config --print-config "
			     "--version --help");
}

static void an_option_is_for_the_commands_that_its_help_begins_with(void **state)
{
	static const struct {
		const char *line, *why; /* NULL: nothing is wrong */
	} rows[] = {
		{"show --node a", NULL},
		{"list --node a --after b --order up --url x", NULL},
		{"put --force a b", NULL},
		{"put away --node a", NULL},
		{"put --node a", NULL},
		{"--url x --quiet show", NULL},
		{"put --node a here",
			"\"put here\" takes no --node, which is for show, put away: of this node; "
			"list: on it"},
		{"show --order=up", "\"show\" takes no --order, which is for list: which way"},
		{"--force show a", "\"show a\" takes no --force, which is for put: all the same"},
		{"show --no-force", "\"show\" takes no --force, which is for put: all the same"},
		{"--after x", "without a command there is no --after, which is for list: behind it"},
	};

	(void)state;
	setenv("TEST_AFTER", "x", 1); /* says nothing of a command */
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char line[128], program[] = "prog", *argv[16] = {program};
		int argc = 1;
		enum options_do todo;
		struct option_list words;
		struct reason why = {""};

		snprintf(line, sizeof line, "%s", rows[i].line);
		for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
			argv[argc++] = word;
		assert_int_equal(options_read(&options, argc, argv, &todo, &words, &why), OK);
		assert_int_equal(options_check_command(&options, command_at, &words, &why),
			rows[i].why ? INVALID : OK);
		assert_string_equal(why.text, rows[i].why ? rows[i].why : "");
	}
	unsetenv("TEST_AFTER");
	options_free();
}

static void values(void **state)
{
	(void)state;
	check("prog list --order ", "up down");
	check("prog list --order d", "down");
	check("prog list --order=", "up down");
	check("prog list --order=u", "up");
	check("prog list --node ", "=");
	check("prog list --node=a", "=");
	check("prog list --after ", "/");
	check("prog --config ", ":files");
	check("prog --url ", "");
	check("prog --quiet=", "true false");
	check("prog --nonsense=", "");
	check("prog -x=", "");
	check("prog --quiet ", "show list put");
	check("prog --nonsense ", "show list put");
}

static void words_are_read_as_a_shell_reads_them(void **state)
{
	static const struct completion c = {&options, command_at};
	struct completed r;

	(void)state;
	completion_read(&c, "  prog\t--url 'a \"b\\' put \"c \\\" d\"  e\\ f --node x", &r);
	assert_int_equal(r.n_before, 6);
	assert_string_equal(r.before[0], "prog");
	assert_string_equal(r.before[2], "a \"b\\");
	assert_string_equal(r.before[4], "c \" d");
	assert_string_equal(r.before[5], "e f");
	assert_string_equal(r.typed, "x");
	completed_done(&r);
	completion_read(&c, "", &r);
	assert_string_equal(r.typed, "");
	completed_done(&r);
	completion_read(&c, "prog 'l", &r);
	assert_string_equal(r.typed, "l");
	completed_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_and_their_arguments),
		cmocka_unit_test(options_of_a_command_and_of_all),
		cmocka_unit_test(an_option_is_for_the_commands_that_its_help_begins_with),
		cmocka_unit_test(values),
		cmocka_unit_test(words_are_read_as_a_shell_reads_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
