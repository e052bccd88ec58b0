#include "shared/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct {
	const char *name, *mode;
	struct option_list nodes;
	bool quiet;
	int64_t count, every;
	double rate;
} v;

static const struct option table[] = {
	{"name", OPTION_TEXT, &v.name, NULL, 0, 0, NULL, "NAME", "what it is called"},
	{"node", OPTION_LIST, &v.nodes, NULL, 0, 0, NULL, "NAME=URL", "a node"},
	{"quiet", OPTION_FLAG, &v.quiet, NULL, 0, 0, NULL, NULL, "say less"},
	{"count", OPTION_INTEGER, &v.count, "3", 1, 10, NULL, NULL, "how many"},
	{"rate", OPTION_NUMBER, &v.rate, "0.5", 0, 0, NULL, NULL, "how fast"},
	{"poll-interval", OPTION_DURATION, &v.every, "1s", 100, 60000, NULL, NULL, "how often"},
	{"mode", OPTION_CHOICE, &v.mode, "fast", 0, 0, "fast slow", NULL, "how"},
};
static const struct options options = {"prog", "  prog --name NAME [FILE...]", NULL, "See the guide.",
	"OPTEST", table, sizeof table / sizeof *table, true, true, "count node poll-interval", "rate"};

static enum options_do todo;
static struct option_list args;
static struct reason why;

/* The arguments are what `line` has between one of `separators` and the next. */
static enum err run_split(const struct options *o, const char *line, const char *separators)
{
	static char copy[512], program[] = "prog", *argv[32];
	int argc = 0;
	snprintf(copy, sizeof copy, "%s", line);
	argv[argc++] = program;
	for (char *word = strtok(copy, separators); word; word = strtok(NULL, separators))
		argv[argc++] = word;
	argv[argc] = NULL;
	memset(&v, 0xff, sizeof v);
	why.text[0] = '\0';
	return options_read(o, argc, argv, &todo, &args, &why);
}

static enum err run(const struct options *o, const char *line)
{
	return run_split(o, line, " ");
}

static char path[] = "/tmp/test_options.XXXXXX";

static void write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void defaults_hold(void **state)
{
	(void)state;
	assert_int_equal(run(&options, ""), OK);
	assert_int_equal(todo, OPTIONS_RUN);
	assert_null(v.name);
	assert_int_equal(v.nodes.n, 0);
	assert_false(v.quiet);
	assert_int_equal(v.count, 3);
	assert_true(v.rate == 0.5);
	assert_int_equal(v.every, 1000);
	assert_string_equal(v.mode, "fast");
	assert_int_equal(args.n, 0);
}

static void flags_are_read(void **state)
{
	(void)state;
	assert_int_equal(
		run(&options, "one --name=a=b --node x=1 --node y=2 --quiet --count 7 two --rate -1e3 "
			      "--poll-interval 500ms --mode slow -- --three -"),
		OK);
	assert_string_equal(v.name, "a=b");
	assert_int_equal(v.nodes.n, 2);
	assert_string_equal(v.nodes.at[0], "x=1");
	assert_string_equal(v.nodes.at[1], "y=2");
	assert_true(v.quiet);
	assert_int_equal(v.count, 7);
	assert_true(v.rate == -1000);
	assert_int_equal(v.every, 500);
	assert_string_equal(v.mode, "slow");
	assert_int_equal(args.n, 4);
	assert_string_equal(args.at[0], "one");
	assert_string_equal(args.at[1], "two");
	assert_string_equal(args.at[2], "--three");
	assert_string_equal(args.at[3], "-");
	assert_int_equal(run(&options, "--quiet --no-quiet"), OK);
	assert_false(v.quiet);
	assert_int_equal(run(&options, "--quiet=false"), OK);
	assert_false(v.quiet);
}

static void usage_errors_say_what_to_do(void **state)
{
	(void)state;
	static const struct {
		const char *line, *why;
	} rows[] = {
		{"--pol-interval 1s", "unknown option \"--pol-interval\"; did you mean \"--poll-interval\"?"},
		{"--poll 1s", "unknown option \"--poll\"; did you mean \"--poll-interval\"?"},
		{"--conf x", "unknown option \"--conf\"; did you mean \"--config\"?"},
		{"--canoe x", "unknown option \"--canoe\""},
		{"--zzzzzzzzzz", "unknown option \"--zzzzzzzzzz\""},
		{"-x", "unknown option \"-x\""},
		{"--no-name", "unknown option \"--no-name\"; did you mean \"--name\"?"},
		{"--name", "--name: a value is missing"},
		{"--count x", "--count: \"x\" is not an integer"},
		{"--count 3.0", "--count: \"3.0\" is not an integer"},
		{"--count 99999999999999999999", "--count: \"99999999999999999999\" is not an integer"},
		{"--count 0", "--count: at least 1"},
		{"--count 11", "--count: at most 10"},
		{"--rate nan", "--rate: \"nan\" is not a number"},
		{"--rate 1e999", "--rate: \"1e999\" is not a number"},
		{"--poll-interval 5", "--poll-interval: \"5\" is not a duration such as 500ms, 1s, 5m or 2h"},
		{"--poll-interval 99ms", "--poll-interval: at least 100 ms"},
		{"--mode fas", "--mode: \"fas\" is none of: fast slow"},
		{"--quiet=maybe", "--quiet: \"maybe\" is neither true nor false"},
		{"--config /nonexistent/x", "/nonexistent/x: No such file or directory"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(run(&options, rows[i].line), INVALID);
		assert_string_equal(why.text, rows[i].why);
	}
	struct options strict = options;
	strict.positional = false;
	assert_int_equal(run(&strict, "file"), INVALID);
	assert_string_equal(why.text, "\"file\" is no option");
}

static void layers_go_over_each_other(void **state)
{
	(void)state;
	char line[256];
	write_file("# a comment\n\n name = from file \ncount=4  # four\r\nnode = a=1 b=2\nnode = c=3\n"
		   "rate = 2\nquiet = yes\n",
		0600);
	snprintf(line, sizeof line, "--config %s --count 5", path);
	setenv("OPTEST_RATE", "8", 1);
	setenv("OPTEST_POLL_INTERVAL", "2s", 1);
	setenv("OPTEST_COUNT", "6", 1);
	setenv("OPTEST_NAME", "", 1);
	assert_int_equal(run(&options, line), OK);
	assert_string_equal(v.name, "from file");
	assert_int_equal(v.count, 5);
	assert_true(v.rate == 8);
	assert_int_equal(v.every, 2000);
	assert_true(v.quiet);
	assert_int_equal(v.nodes.n, 3);
	assert_string_equal(v.nodes.at[2], "c=3");

	setenv("OPTEST_NODE", "z=9", 1);
	setenv("OPTEST_CONFIG", path, 1);
	assert_int_equal(run(&options, ""), OK);
	assert_int_equal(v.nodes.n, 1);
	assert_string_equal(v.nodes.at[0], "z=9");
	assert_int_equal(v.count, 6);
	assert_int_equal(run(&options, "--node f=1 --node g=2"), OK);
	assert_int_equal(v.nodes.n, 2);
	assert_string_equal(v.nodes.at[1], "g=2");

	setenv("OPTEST_COUNT", "many", 1);
	assert_int_equal(run(&options, ""), INVALID);
	assert_string_equal(why.text, "in the environment: count: \"many\" is not an integer");
	static const char *const names[] = {"RATE", "POLL_INTERVAL", "COUNT", "NAME", "NODE", "CONFIG"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char name[64];
		snprintf(name, sizeof name, "OPTEST_%s", names[i]);
		unsetenv(name);
	}
}

static void file_errors_name_the_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"count = 2\nconut = 3\n", ":2: unknown option \"conut\"; did you mean \"count\"?"},
		{"\n\nnothing\n", ":3: not \"key = value\""},
		{"count = ten", ":1: count: \"ten\" is not an integer"},
		{"name = \"open", ":1: name: the quotes do not fit"},
		{"name = \"a\" b", ":1: name: the quotes do not fit"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char line[128];
		write_file(rows[i].text, 0600);
		snprintf(line, sizeof line, "--config=%s", path);
		assert_int_equal(run(&options, line), INVALID);
		assert_memory_equal(why.text, path, strlen(path));
		assert_string_equal(why.text + strlen(path), rows[i].why);
	}
}

/* What --print-config prints is a file again: no value may end its line. */
static void a_control_character_is_no_part_of_a_value(void **state)
{
	static const char *const lines[] = {"--name=a\nb", "--name=a\rb", "--name=\x7f", "--name=\x01"};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		assert_int_equal(run(&options, lines[i]), INVALID);
		assert_string_equal(why.text, "--name: holds a control character");
	}
	assert_int_equal(run(&options, "--name=a\tb\xc3\xa9"), OK);
}

static void its_own_options(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		enum options_do todo;
	} rows[] = {
		{"--help --unknown", OPTIONS_HELP},
		{"-h", OPTIONS_HELP},
		{"--version --count x", OPTIONS_VERSION},
		{"--check-config", OPTIONS_CHECK},
		{"--print-config", OPTIONS_PRINT},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(run(&options, rows[i].line), OK);
		assert_int_equal(todo, rows[i].todo);
	}
	assert_int_equal(run(&options, "--check-config --count x"), INVALID);
}

static void help_shows_every_option(void **state)
{
	(void)state;
	struct buf out = {0};
	options_help(&options, &out);
	for (size_t i = 0; i < options.n; i++) {
		assert_non_null(strstr(out.at, table[i].name));
		assert_non_null(strstr(out.at, table[i].help));
	}
	assert_non_null(strstr(out.at, "Usage:\n  prog --name NAME [FILE...]\n"));
	assert_non_null(strstr(out.at, "--mode fast|slow "));
	assert_non_null(strstr(out.at, "how often (default 1s)\n"));
	assert_non_null(strstr(out.at, "--print-config"));
	assert_non_null(strstr(out.at, "OPTEST_NAME"));
	assert_non_null(strstr(out.at, "See the guide.\n"));
	buf_done(&out);
}

static void long_help_is_broken_between_words(void **state)
{
	const char *text;
	const struct option at[] = {{"name…", OPTION_TEXT, &text, "preset", 0, 0, NULL, "X…",
		"a text of so many words, one after the other, that it goes on in a line of its own"}};
	const struct options o = {.program = "p",
		.usage = "p",
		.environment = "P",
		.at = at,
		.n = 1,
		.prologue = "Before.\n",
		.epilogue = "After.\n"};
	struct buf out = {0};

	(void)state;
	options_help(&o, &out);
	assert_non_null(strstr(out.at, "Usage:\n  p\n\nBefore.\n\nOptions:\n"));
	assert_non_null(strstr(out.at, "  --name… X…                    a text of so many words, one after "
				       "the other, that it goes on in a\n"
				       "                                line of its own (default preset)\n"));
	assert_non_null(strstr(out.at, "\nAfter.\n"));
	buf_done(&out);
}

static void of_urls_that_may_be_secrets_only_the_host_is_printed(void **state)
{
	static struct option_list urls;
	static const struct option one[] = {{"hook", OPTION_URLS, &urls, NULL, 0, 0, NULL, "URL", "where"}};
	const struct options o = {"prog", "prog", NULL, NULL, "OPTEST", one, 1, false, false, NULL, NULL};
	static const char line[] =
		"--hook https://h.example/secret/1 --hook http://h:80 --hook http://h?secret=1 --hook secret";
	struct buf out = {0};

	(void)state;
	assert_int_equal(run_split(&o, line, " "), OK);
	assert_int_equal(urls.n, 4);
	assert_string_equal(urls.at[0], "https://h.example/secret/1");
	options_print(&o, &out);
	assert_non_null(
		strstr(out.at, "hook = https://h.example/*** http://h:80 http://h/*** /***  # flag\n"));
	assert_null(strstr(out.at, "secret"));
	buf_done(&out);
	options_free();
}

static void a_password_in_a_url_is_not_printed(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{"postgresql://me:se:cret@db/x", "= postgresql://me:***@db/x "},
		{"postgresql://me@db:5432/x", "= postgresql://me@db:5432/x "},
		{"postgresql://db:5432,other:1/x?user=me&password=secret&sslmode=require",
			"= postgresql://db:5432,other:1/x?user=me&password=***&sslmode=require "},
		{"postgresql:///x?sslpassword=secret", "= postgresql:///x?sslpassword=*** "},
		{"sqlite:a.db", "= sqlite:a.db "},
		{"sqlite:?password=c://d&b://u:v@h",
			"= sqlite:?password=***&b://u:v@h "}, /* as when read again */
	};
	static const char *url;
	static const struct option one[] = {{"store", OPTION_URL, &url, NULL, 0, 0, NULL, "URL", "where"}};
	const struct options o = {"prog", "prog", NULL, NULL, "OPTEST", one, 1, false, false, NULL, NULL};
	char line[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = {0};

		/* an argument, or a file that everybody may read, would show it */
		bool holds = strstr(cases[i].shown, "***") != NULL;
		snprintf(line, sizeof(line), "--store %s", cases[i].url);
		assert_int_equal(run_split(&o, line, " "), holds ? INVALID : OK);
		assert_true(!holds || (strstr(why.text, "list of processes") && !strstr(why.text, "cret")));
		snprintf(line, sizeof(line), "store = %s\n", cases[i].url);
		write_file(line, 0604);
		snprintf(line, sizeof(line), "--config %s", path);
		assert_int_equal(run_split(&o, line, " "), holds ? INVALID : OK);
		assert_true(!holds || (strstr(why.text, "mode 0600") && !strstr(why.text, "cret")));
		chmod(path, 0600);
		assert_int_equal(run_split(&o, line, " "), OK);
		assert_string_equal(url, cases[i].url);
		options_print(&o, &out);
		assert_non_null(strstr(out.at, cases[i].shown));
		assert_null(strstr(out.at, "secret"));
		buf_done(&out);
		options_free();
	}
}

/* What --print-config prints, read again, gives the same. */
static void print_is_read_back(void **state)
{
	(void)state;
	struct buf first = {0}, second = {0};
	assert_int_equal(
		run_split(&options, "--name=\"a\\ # b |--node|x=1|--node|y=2|--poll-interval|30s", "|"), OK);
	options_print(&options, &first);
	assert_non_null(strstr(first.at, "count = 3  # default\n"));
	assert_non_null(strstr(first.at, "poll-interval = 30s  # flag\n"));
	write_file(first.at, 0600);
	char line[128];
	snprintf(line, sizeof line, "--config %s", path);
	assert_int_equal(run(&options, line), OK);
	assert_string_equal(v.name, "\"a\\ # b ");
	assert_int_equal(v.nodes.n, 2);
	assert_string_equal(v.nodes.at[1], "y=2");
	assert_int_equal(v.every, 30000);
	options_print(&options, &second);
	assert_non_null(strstr(second.at, "poll-interval = 30s  # file\n"));
	buf_done(&first);
	buf_done(&second);
}

static void reads_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"0", 0},
		{"0s", 0},
		{"500ms", 500},
		{"1s", 1000},
		{"5m", 300000},
		{"2h", 7200000},
		{"1d", 86400000},
		{"", -1},
		{"s", -1},
		{"5", -1},
		{"-5s", -1},
		{"5 s", -1},
		{"5sec", -1},
		{"1.5s", -1},
		{"9223372036854775807s", -1},
		{"99999999999999999999ms", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t ms = -1;
		assert_int_equal(option_parse_duration(rows[i].text, &ms), rows[i].ms >= 0);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void reads_secrets(void **state)
{
	(void)state;
	static char large[5000];
	memset(large, 'x', sizeof large - 1);
	const struct {
		const char *text;
		mode_t mode;
		const char *secret;
	} rows[] = {
		{"s3cret-of-chance\n", 0600, "s3cret-of-chance"},
		{"s3cret-of-chance\r\n", 0400, "s3cret-of-chance"},
		{"s3cret-of-chance", 0600, "s3cret-of-chance"},
		{"s3cret-of-chance\n", 0644, NULL},
		{"s3cret-of-chance\n", 0604, NULL},
		{"s3cret-of-chance\n", 0602, NULL},
		{"s3cret-of-chance\n", 0601, NULL},
		{"s3cret-of-chance\n", 0620, NULL},
		{"s3cret-of-chanc\n", 0600, NULL},
		{"", 0600, NULL},
		{"\n", 0600, NULL},
		{"two words of chance", 0600, NULL},
		{"new-one-of-chance\nold-one-of-chance\n", 0600, "new-one-of-chance"},
		{"new-one-of-chance\r\nold-one-of-chance\r\n", 0600, "new-one-of-chance"},
		{"new-one-of-chance\nold-one-of-chance", 0600, "new-one-of-chance"},
		{"new-one-of-chance\nshort\n", 0600, NULL},
		{"short\nold-one-of-chance\n", 0600, NULL},
		{"first-of-three--\nsecond-of-three-\nthird-of-three--\n", 0600, NULL},
		{"one-and-no-other\n\n", 0600, NULL},
		{"\none-and-no-other\n", 0600, NULL},
		{"with-a-return\r-in-it\n", 0600, NULL},
		{"new-one-of-chance\ntwo words of chance\n", 0600, NULL},
		{"s3cret-of-chanc\xc3\xa9", 0600, NULL},
		{large, 0600, NULL},
	};
	struct buf secret = {0};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		chmod(path, 0600);
		write_file(rows[i].text, rows[i].mode);
		assert_int_equal(option_read_secret(path, &secret, &why), rows[i].secret ? OK : INVALID);
		if (rows[i].secret)
			assert_string_equal(secret.at, rows[i].secret);
	}
	assert_string_equal(secret.at, "new-one-of-chance");
	chmod(path, 0600);
	write_file("new-one-of-chance\r\nold-one-of-chance\r\n", 0600);
	assert_int_equal(option_read_secrets(path, &secret, &why), OK);
	assert_string_equal(secret.at, "new-one-of-chance\nold-one-of-chance");
	assert_int_equal(secret.len, 35);
	option_secret_done(&secret);
	assert_null(secret.at);
	assert_int_equal(option_read_secret("/nonexistent/x", &secret, &why), GONE);
}

/* Systemd's credentials, and files that root gives to a service's group. */
static void a_secret_of_root_may_be_read_by_its_group(void **state)
{
	struct buf secret = {0};

	(void)state;
	chmod(path, 0600);
	write_file("s3cret-of-chance\n", 0640);
	if (geteuid() == 0) {
		assert_int_equal(option_read_secret(path, &secret, &why), OK);
		assert_int_equal(chown(path, 1, 0), 0);
	}
	assert_int_equal(option_read_secret(path, &secret, &why), INVALID);
	assert_non_null(strstr(why.text, "chmod go-rwx"));
	if (geteuid() == 0)
		assert_int_equal(chown(path, 0, 0), 0);
	option_secret_done(&secret);
}

static void a_secret_that_is_too_short_says_how_to_make_one(void **state)
{
	struct buf secret = {0};

	(void)state;
	chmod(path, 0600);
	write_file("operator\n", 0600);
	assert_int_equal(option_read_secret(path, &secret, &why), INVALID);
	assert_non_null(strstr(why.text, "too short"));
	assert_non_null(strstr(why.text, "/dev/urandom"));
}

static void tells(const struct option *opt, const char *before, const char *after, bool needs_restart,
	const struct option_change *c)
{
	assert_string_equal(c->option->name, opt->name);
	assert_string_equal(c->before.at, before);
	assert_string_equal(c->after.at, after);
	assert_int_equal(c->needs_restart, needs_restart);
}

/* The first reading's arguments stay; only the file is another. */
static void is_read_again_while_it_runs(void **state)
{
	static char program[] = "prog", config[] = "--config", flag[] = "--name=a";
	char *argv[] = {program, flag, config, path, NULL};
	struct option_changes c;
	(void)state;
	write_file("count = 4\nnode = x=1\nrate = 2\n", 0600);
	assert_int_equal(options_read(&options, 4, argv, &todo, &args, &why), OK);
	const char *first = v.nodes.at[0];

	assert_int_equal(options_reread(&options, 4, argv, &c, &why), OK);
	assert_int_equal(c.n, 0);

	write_file(
		"name = b\ncount = 5\nnode = x=1 y=2\nrate = 3\nmode = slow\npoll-interval = 1000ms\n", 0600);
	assert_int_equal(options_reread(&options, 4, argv, &c, &why), OK);
	assert_int_equal(c.n, 3);
	tells(&table[1], "x=1", "x=1 y=2", false, &c.at[0]);
	tells(&table[3], "4", "5", false, &c.at[1]);
	tells(&table[6], "fast", "slow", true, &c.at[2]);
	assert_true(v.count == 5 && v.nodes.n == 2 && v.every == 1000);
	assert_true(v.rate > 1.9 && v.rate < 2.1); /* not the running program's */
	assert_string_equal(v.mode, "fast");       /* needs a restart */
	assert_string_equal(v.name, "a");          /* a flag is above the file */
	assert_string_equal(first, "x=1");         /* values from before stay */
	option_changes_done(&c);

	/* not adopted: compared with the same again */
	assert_int_equal(options_reread(&options, 4, argv, &c, &why), OK);
	assert_int_equal(c.n, 3);
	option_changes_done(&c);
	options_adopt(&options);
	assert_int_equal(options_reread(&options, 4, argv, &c, &why), OK);
	assert_int_equal(c.n, 1);
	tells(&table[6], "fast", "slow", true, &c.at[0]);
	option_changes_done(&c);

	/* a wrong one is as none */
	write_file("count = 5\nnode = x=1 y=2\nmode = quick\n", 0600);
	assert_int_equal(options_reread(&options, 4, argv, &c, &why), INVALID);
	write_file("count = 5\nnode = x=1 y=2\n", 0600);
	assert_int_equal(options_reread(&options, 4, argv, &c, &why), OK);
	assert_int_equal(c.n, 0);
}

static void a_credential_stands_below_the_file(void **state)
{
	static const char *secret, *other;
	static const struct option some[] = {
		{"token-file", OPTION_TEXT, &secret, NULL, 0, 0, NULL, "FILE", "a secret"},
		{"other-file", OPTION_TEXT, &other, "preset", 0, 0, NULL, "FILE", "another"}};
	const struct options o = {.program = "p",
		.usage = "p",
		.environment = "OPTEST",
		.at = some,
		.n = 2,
		.credentials = true};
	struct options none = o;
	char directory[] = "/tmp/test_options.XXXXXX", file[64], config[128];
	(void)state;
	none.credentials = false;
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/token", directory);
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	for (int i = 0; i < 3; i++) {
		static const char *const content[] = {"", "\n", "s3cret\n"};
		FILE *f = fopen(file, "w");
		assert_non_null(f);
		fputs(content[i], f);
		fclose(f);
		assert_int_equal(run_split(&o, "", " "), OK);
		if (i == 2)
			assert_string_equal(secret, file);
		else
			assert_null(secret);
		assert_string_equal(other, "preset");
	}
	write_file("token-file = elsewhere\n", 0600);
	snprintf(config, sizeof config, "--config %s", path);
	assert_int_equal(run_split(&o, config, " "), OK);
	assert_string_equal(secret, "elsewhere");
	assert_int_equal(run_split(&none, "", " "), OK);
	assert_null(secret);
	unsetenv("CREDENTIALS_DIRECTORY");
	unlink(file);
	rmdir(directory);
}

static int teardown(void **state)
{
	(void)state;
	options_free();
	unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold),
		cmocka_unit_test(flags_are_read),
		cmocka_unit_test(usage_errors_say_what_to_do),
		cmocka_unit_test(layers_go_over_each_other),
		cmocka_unit_test(file_errors_name_the_line),
		cmocka_unit_test(a_control_character_is_no_part_of_a_value),
		cmocka_unit_test(its_own_options),
		cmocka_unit_test(help_shows_every_option),
		cmocka_unit_test(long_help_is_broken_between_words),
		cmocka_unit_test(a_password_in_a_url_is_not_printed),
		cmocka_unit_test(of_urls_that_may_be_secrets_only_the_host_is_printed),
		cmocka_unit_test(print_is_read_back),
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(reads_secrets),
		cmocka_unit_test(a_secret_of_root_may_be_read_by_its_group),
		cmocka_unit_test(a_secret_that_is_too_short_says_how_to_make_one),
		cmocka_unit_test(is_read_again_while_it_runs),
		cmocka_unit_test(a_credential_stands_below_the_file),
	};
	close(mkstemp(path));
	return cmocka_run_group_tests_name("options", tests, NULL, teardown);
}
