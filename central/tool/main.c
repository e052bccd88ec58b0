/* tidemark: the operator's tool.  Speaks to the centre's HTTP API and to nothing else. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "central/tool/watch.h"
#include "shared/options_commands.h"
#include "shared/privilege.h"

static const struct command {
	const char *name;
	int (*run)(struct tool *t);
	size_t most; /* arguments */
	const char *usage, *help;
} commands[] = {
	{"status", command_status, 0, "status [--check] [--watch]",
		"one screen; --check exits as a monitoring plugin does"},
	{"nodes", command_nodes, 0, "nodes [--watch]", "a line per node, worst first"},
	{"node", command_node, 3,
		"node NODE | add NAME URL | set NODE --url URL --title TEXT | rm|pause|resume|token|rotate "
		"NODE",
		"everything about one node, or change it; add, token and rotate print its token"},
	{"pull", command_pull, 1, "pull NODE", "pull now, and wait until both ends are proven equal"},
	{"push", command_push, 1, "push NODE", "push now, and wait until both ends are proven equal"},
	{"verify", command_verify, 1, "verify NODE",
		"sum all rows and hash all bytes anew at both ends; 4 where something differs"},
	{"why", command_why, 1, "why NODE",
		"what is known of a node, what happens next, what would unblock it; 4 unless proven equal"},
	{"safe", command_safe, 1, "safe NODE",
		"may this node be reimaged? 0: all it holds is at the centre; 1: no, or not known"},
	{"wait", command_wait, SIZE_MAX, "wait [NODE…] --in-sync",
		"wait for a proof made from now on; 5 after --timeout"},
	{"records", command_records, 0,
		"records [--owner NODE] [--type T] [--after KEY] [--limit N] [--deleted]",
		"a page of records"},
	{"record", command_record, 1, "record OWNER/ID", "one record as it is"},
	{"put", command_put, 2, "put OWNER/ID --type T FILE|-",
		"write a record at the centre; it is pushed to its owner"},
	{"delete", command_delete, 1, "delete OWNER/ID",
		"delete a record at the centre, and so at its owner"},
	{"import", command_import, 1, "import [--owner NODE] [--type T] [--id-column C] [--each PATH] FILE|-",
		"records of NDJSON, CSV or JSON into the centre; they are pushed to their owner"},
	{"export", command_export, 1, "export [--owner NODE] [--type T] [--deleted] [FILE|-]",
		"records as NDJSON, CSV or JSON; importing them again changes nothing"},
	{"events", command_events, 0,
		"events [-f] [--audit] [--who NAME] [--node NODE] [--level LEVEL] [--limit N]",
		"what happened; --audit: what people changed, before and after; -f follows, with --json an "
		"event a line"},
	{"conflicts", command_conflicts, 0, "conflicts [--owner NODE]", "versions that lost, kept whole"},
	{"conflict", command_conflict, 2, "conflict promote ID", "make such a version the present one"},
	{"quarantine", command_quarantine, 2, "quarantine [--node NODE] | retry ID | drop ID",
		"records that the centre could not take, kept whole; try one again, or give one up"},
	{"notifications", command_notifications, 1, "notifications [--limit N] | test",
		"who is told what happened, and what became of it; test tells everybody something, and says "
		"whether it was taken"},
	{"token", command_token, 2, "token add NAME --role ROLE [--expires DURATION] | list | rm NAME",
		"who may ask the centre: viewer looks, operator also acts, admin also decides; add prints "
		"the token, "
		"once"},
	{"backup", command_backup, 1, "backup [--force] FILE",
		"a consistent copy of the centre's embedded store, checked; --force replaces FILE"},
	{"completion", command_completion, 1, "completion bash|zsh",
		"the script by which this shell completes command lines: source <(tidemark completion bash)"},
};
#define EXIT_CODES "Exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 4 differs, 5 timed out, 6 refused.\n"
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static void commands_help(struct buf *out)
{
	buf_text(out, "Commands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		buf_printf(out, "  %s\n      %s\n", commands[i].usage, commands[i].help);
}

static const char *name_at(size_t i)
{
	return i < COMMANDS ? commands[i].name : NULL;
}

static int unknown(const char *name)
{
	const char *near = tool_nearest(name, name_at);

	if (!near)
		return tool_usage("no command '%s'", name);
	return tool_usage("no command '%s'; did you mean '%s'?", name, near);
}

static bool command_at(size_t i, struct option_command *ret)
{
	if (i < COMMANDS)
		*ret = (struct option_command){commands[i].name, commands[i].usage, commands[i].help};
	return i < COMMANDS;
}

/* What the options write into. */
static struct tool tool;
static const struct option table[] = {
	{"central", OPTION_TEXT, &tool.central, "http://127.0.0.1:7100", 0, 0, NULL, "URL", "the centre"},
	{"token-file", OPTION_TEXT, &tool.token_file, NULL, 0, 0, NULL, "FILE",
		"a token of the centre, or the secret that it has by its --secret-file"},
	{"tls-ca", OPTION_TEXT, &tool.tls_files.ca, NULL, 0, 0, NULL, "FILE",
		"of the centre only a certificate signed by one of these is believed; without it, by one of "
		"the system's "
		"authorities"},
	{"tls-client-certificate", OPTION_TEXT, &tool.tls_files.certificate, NULL, 0, 0, NULL, "FILE",
		"what is shown to a centre that wants a client certificate"},
	{"tls-client-key", OPTION_TEXT, &tool.tls_files.key, NULL, 0, 0, NULL, "FILE", "its key"},
	{"allow-plain-http", OPTION_FLAG, &tool.plain_http, NULL, 0, 0, NULL, NULL,
		"show the token by http:// beyond loopback, too, where the network itself is safe: it "
		"travels in "
		"the clear"},
	{"json", OPTION_FLAG, &tool.json, NULL, 0, 0, NULL, NULL, "print what the centre answers, as JSON"},
	{"quiet", OPTION_FLAG, &tool.quiet, NULL, 0, 0, NULL, NULL, "do not show how far a long command is"},
	{"timeout", OPTION_DURATION, &tool.timeout_ms, NULL, 0, 0, NULL, "DURATION",
		"how long a request may take (10s); wait, pull, push, verify, backup: the whole (no "
		"limit); safe: the whole (30s)"},
	{"check", OPTION_FLAG, &tool.check, NULL, 0, 0, NULL, NULL,
		"status: exit 0 ok, 1 warning, 2 critical, 3 unknown"},
	{"watch", OPTION_FLAG, &tool.watch, NULL, 0, 0, NULL, NULL,
		"status, nodes, node, why: again every second, until Ctrl-C"},
	{"in-sync", OPTION_FLAG, &tool.in_sync, NULL, 0, 0, NULL, NULL, "wait: for proven equality"},
	{"follow", OPTION_FLAG, &tool.follow, NULL, 0, 0, NULL, NULL, "events: go on as they happen (-f)"},
	{"owner", OPTION_TEXT, &tool.owner, NULL, 0, 0, NULL, "NODE",
		"records, conflicts, export: of this node; import: for it"},
	{"type", OPTION_TEXT, &tool.type, NULL, 0, 0, NULL, "TYPE",
		"records, put, export: of this type; import: the type of rows and plain values"},
	{"after", OPTION_TEXT, &tool.after, NULL, 0, 0, NULL, "KEY", "records: after this OWNER/ID"},
	{"deleted", OPTION_FLAG, &tool.deleted, NULL, 0, 0, NULL, NULL, "records, export: deleted ones, too"},
	{"limit", OPTION_INTEGER, &tool.limit, NULL, 1, 1000, NULL, "N",
		"records, events: at most so many (100); notifications: (20)"},
	{"node", OPTION_TEXT, &tool.node, NULL, 0, 0, NULL, "NODE", "events, quarantine: of this node"},
	{"force", OPTION_FLAG, &tool.force, NULL, 0, 0, NULL, NULL, "backup: replace FILE"},
	{"level", OPTION_CHOICE, &tool.level, NULL, 0, 0, "error warn info debug", NULL,
		"events: this level and worse"},
	{"role", OPTION_CHOICE, &tool.role, NULL, 0, 0, "viewer operator admin", NULL,
		"token add: what it may do"},
	{"expires", OPTION_DURATION, &tool.expires_ms, NULL, 0, 0, NULL, "DURATION",
		"token add: when it ends by itself, such as 90d (never)"},
	{"audit", OPTION_FLAG, &tool.audit, NULL, 0, 0, NULL, NULL, "events: only what people did"},
	{"who", OPTION_TEXT, &tool.who, NULL, 0, 0, NULL, "NAME", "events: only what this one did"},
	{"title", OPTION_TEXT, &tool.title, NULL, 0, 0, NULL, "TEXT",
		"node add, node set: a name for people"},
	{"url", OPTION_TEXT, &tool.url, NULL, 0, 0, NULL, "URL", "node set: where it is from now on"},
	FORMAT_OPTIONS(&tool.format),
};

/* Reads the command line, and answers what needs no command. */
static enum err take_options(const struct options *o, struct tool *t, int argc, char **argv,
	enum options_do *todo, struct buf *out, struct reason *why)
{
	const struct completion completion = {o, command_at};
	struct option_command known;

	if (argc == 3 && !strcmp(argv[1], COMPLETION_WORD)) {
		completion_answer(t, &completion, argv[2]);
		*todo = OPTIONS_CHECK; /* nothing is left to do */
		return OK;
	}
	enum err e = options_read(o, argc, argv, todo, &t->args, why);
	if (e != OK || options_answer(o, *todo, out))
		return e;
	if (*todo == OPTIONS_RUN && t->args.n &&
		option_command_find(command_at, span_of(t->args.at[0]), &known))
		e = options_check_command(o, command_at, &t->args, why);
	return e;
}

static enum err read_options(
	struct tool *t, int argc, char **argv, enum options_do *todo, struct buf *out, struct reason *why)
{
	struct buf commands_text = {0};
	struct options o = {.program = "tidemark",
		.usage = "tidemark [OPTION]… COMMAND",
		.epilogue = EXIT_CODES,
		.environment = "TIDEMARK",
		.at = table,
		.n = sizeof(table) / sizeof(*table),
		.positional = true};

	commands_help(&commands_text);
	o.prologue = commands_text.at;
	enum err e = take_options(&o, t, argc, argv, todo, out, why);
	buf_done(&commands_text);
	return e;
}

/* What only shows, and is short. */
static bool can_watch(const struct tool *t, const struct command *c)
{
	return (c->run == command_status && !t->check) || c->run == command_nodes || c->run == command_why ||
	       (c->run == command_node && t->args.n == 1);
}

static int run(struct tool *t, struct reason *why)
{
	const struct command *c = NULL;
	const char *name = t->args.n ? t->args.at[0] : NULL;

	if (!name)
		return tool_usage("which command?");
	for (size_t i = 0; i < COMMANDS && !c; i++)
		if (!strcmp(commands[i].name, name))
			c = &commands[i];
	if (!c)
		return unknown(name);
	t->args = (struct option_list){t->args.at + 1, t->args.n - 1};
	if (t->args.n > c->most)
		return tool_usage("\"%s\" is too much: tidemark %s", t->args.at[c->most], c->usage);
	if (t->watch && !can_watch(t, c))
		return tool_usage(
			"--watch is for status, nodes, node NODE and why NODE, and goes without --check");
	if (t->token_file && option_read_secret(t->token_file, &t->token, why) != OK) {
		fprintf(stderr, "tidemark: --token-file %s\n", why->text);
		return EXIT_REFUSED;
	}
	if (tool_read_tls(t, why) != OK) {
		fprintf(stderr, "tidemark: %s\n", why->text);
		return EXIT_REFUSED;
	}
	const struct client_config config = {.base_url = t->central,
		.token = t->token.at,
		.plain_http = t->plain_http,
		.tls = t->tls,
		.timeout_ms = t->timeout_ms ? t->timeout_ms : 10000,
		.max_body = 64 * 1024 * 1024};
	if (client_open(&t->client, &config, why) != OK)
		return tool_usage("%s", why->text);
	int code = t->watch ? watch_command(t, c->run) : c->run(t);
	client_close(t->client);
	return code;
}

int main(int argc, char **argv)
{
	static char follow[] = "--follow", help[] = "--help", version[] = "--version";
	struct reason why = {""};
	struct buf out = {0};
	enum options_do todo;
	int code = EXIT_OK;

	privilege_hide();
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk, and no end */
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "-f"))
			argv[i] = follow;
	if (argc == 2 && !strcmp(argv[1], "help")) /* what people type */
		argv[1] = help;
	else if (argc == 2 && !strcmp(argv[1], "version"))
		argv[1] = version;
	if (read_options(&tool, argc, argv, &todo, &out, &why) != OK)
		return tool_usage("%s", why.text);
	if (todo == OPTIONS_RUN)
		code = run(&tool, &why);
	else
		fputs(out.at ? out.at : "", stdout);
	buf_done(&out);
	option_secret_done(&tool.token);
	tls_release(tool.tls);
	options_free();
	return exit_code_after_output("tidemark", code);
}
