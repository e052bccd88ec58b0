#include "local/settings.h"

#include <string.h>

#include "shared/listen.h"
#include "shared/options_commands.h"
#include "shared/record.h"
#include "shared/server.h"

static enum err check_database(const struct settings *s, struct reason *why)
{
	if (!s->node)
		return fail(INVALID, why, "--node NAME is missing: the name of this site");
	if (!record_owner_ok(span_of(s->node)))
		return fail(INVALID, why,
			"--node %s: a name is a-z 0-9 . _ -, starts with a letter or digit, 63 at most",
			s->node);
	if (!s->db || !*s->db)
		return fail(INVALID, why,
			"--db FILE is missing: where the records are kept; it is made if absent");
	return OK;
}

static enum err check_tls(const struct settings *s, struct reason *why)
{
	enum err e = tls_files_check(&s->tls, "tls-certificate", "tls-key", why);

	return e == OK ? tls_listen_check(s->listen, server_listen_is_loopback(s->listen), &s->tls,
				 s->allow_plain_http, why)
		       : e;
}

static enum err check_server(const struct settings *s, struct reason *why)
{
	struct sockaddr_storage address;
	struct reason cause;

	if (listen_parse(s->listen, &address, &cause) != OK)
		return fail(INVALID, why, "--listen %.120s", cause.text);
	if (!s->token_file && !server_listen_is_loopback(s->listen))
		return fail(DENIED, why,
			"--listen %s: give --token-file; without it only a loopback address is allowed",
			s->listen);
	if (!s->app_token_file && !server_listen_is_loopback(s->listen))
		return fail(DENIED, why,
			"--listen %s: give --app-token-file; without it only a loopback address is allowed",
			s->listen);
	return check_tls(s, why);
}

#define TLS_CLIENT_CA_HELP "only a centre with a certificate signed by one of these may replicate"

/* What the options write into. */
static struct settings s;
static const char *to, *from;
static int64_t burst;
static const struct option table[] = {
	{"node", OPTION_TEXT, &s.node, NULL, 0, 0, NULL, "NAME", "the name of this site"},
	{"db", OPTION_TEXT, &s.db, NULL, 0, 0, NULL, "FILE",
		"the database, made if absent; all other files of the site have names that begin with it"},
	{"listen", OPTION_TEXT, &s.listen, "127.0.0.1:7101", 0, 0, NULL, "HOST:PORT",
		"where to serve HTTP; port 0 takes a free one"},
	{"token-file", OPTION_TEXT, &s.token_file, NULL, 0, 0, NULL, "FILE",
		"the token that the centre must show; perhaps two, one a line"},
	{"app-token-file", OPTION_TEXT, &s.app_token_file, NULL, 0, 0, NULL, "FILE",
		"the token that applications must show; perhaps two, one a line"},
	TLS_SERVER_OPTIONS(&s.tls),
	{"allow-plain-http", OPTION_FLAG, &s.allow_plain_http, NULL, 0, 0, NULL, NULL,
		"listen beyond loopback without TLS, and import and export there, where the network itself "
		"is "
		"safe: tokens travel in the clear"},
	{"generate", OPTION_NUMBER, &s.generator.rate, "0", 0, 1e6, NULL, "RATE",
		"write RATE sensor-like records a second, to try things out"},
	{"generate-burst", OPTION_INTEGER, &burst, "0", 0, 1e6, NULL, "N",
		"with --generate: about once a minute N at once"},
	DAEMON_CHRONYC_OPTION(&s.daemon),
	{"to", OPTION_TEXT, &to, NULL, 0, 0, NULL, "URL",
		"import: into the local that runs there, not into a database file"},
	{"from", OPTION_TEXT, &from, NULL, 0, 0, NULL, "URL", "export: from the local that runs there"},
	{"tls-ca", OPTION_TEXT, &s.tls_ca, NULL, 0, 0, NULL, "FILE",
		"import, export: only a certificate signed by one of these is believed; without it, by one "
		"of the "
		"system's authorities"},
	{"type", OPTION_TEXT, &s.format.type, NULL, 0, 0, NULL, "T",
		"import: the type of rows and plain values; export: only this type"},
	{"deleted", OPTION_FLAG, &s.format.deleted, NULL, 0, 0, NULL, NULL, "export: deleted records, too"},
	{"json", OPTION_FLAG, &s.format.json, NULL, 0, 0, NULL, NULL,
		"import, export: say in JSON what was done"},
	{"quiet", OPTION_FLAG, &s.format.quiet, NULL, 0, 0, NULL, NULL,
		"import, export: do not show how far it is"},
	FORMAT_OPTIONS(&s.format),
	DAEMON_OPTIONS(&s.daemon),
};

static const struct options o = {
	.program = "tidemark-local",
	.usage = "tidemark-local --node NAME --db FILE [OPTION]…\n"
		 "tidemark-local import --to URL | --node NAME --db FILE [OPTION]… "
		 "FILE.ndjson|FILE.csv|FILE.json|-\n"
		 "tidemark-local export --from URL | --node NAME --db FILE [OPTION]… "
		 "[FILE.ndjson|FILE.csv|FILE.json|-]",
	.epilogue = "Serves the site's applications and the centre over HTTP; never connects to "
		    "anybody.\n"
		    "Example: tidemark-local --node shop-1 --db shop-1.db --generate 5\n"
		    "         tidemark-local import --to http://127.0.0.1:7101 --type price --id-column sku "
		    "prices.csv\n"
		    "SIGHUP: reads the settings again.\n"
		    "Exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 6 refused.\n",
	.environment = "TIDEMARK",
	.at = table,
	.n = sizeof(table) / sizeof(*table),
	.positional = true,
	.credentials = true,
	.reloads = "token-file app-token-file tls-certificate tls-key tls-client-ca generate generate-burst "
		   "chronyc log-level log-format",
	.ignored = "to from tls-ca type deleted json quiet " FORMAT_OPTION_NAMES,
};

static bool command_at(size_t i, struct option_command *ret)
{
	static const char *const names[] = {"import", "export"};

	if (i < sizeof(names) / sizeof(*names))
		*ret = (struct option_command){.name = names[i]};
	return i < sizeof(names) / sizeof(*names);
}

/* `import FILE`, `export [FILE]` or nothing. */
static enum err take_command(const struct option_list *args, struct reason *why)
{
	s.command = COMMAND_SERVE;
	if (args->n == 0)
		return OK;
	if (strcmp(args->at[0], "import") == 0)
		s.command = COMMAND_IMPORT;
	else if (strcmp(args->at[0], "export") == 0)
		s.command = COMMAND_EXPORT;
	else
		return fail(INVALID, why, "\"%.60s\" is neither an option nor import or export", args->at[0]);
	if (args->n == 1 && s.command == COMMAND_IMPORT)
		return fail(INVALID, why, "import what? a FILE, or - for standard input");
	if (args->n > 2)
		return fail(INVALID, why, "\"%.60s\" is too much: one file at a time", args->at[2]);
	s.path = args->n == 2 ? args->at[1] : "-";
	s.url = s.command == COMMAND_EXPORT ? from : to;
	return OK;
}

enum err settings_read(struct settings *ret, int argc, char **argv, enum options_do *ret_do, struct buf *out,
	struct reason *why)
{
	struct option_list rest;
	enum err e = options_read(&o, argc, argv, ret_do, &rest, why);

	if (e != OK)
		return e;
	s.generator.burst = (unsigned)burst;
	if (options_answer(&o, *ret_do, out))
		return OK;
	e = take_command(&rest, why);
	if (e == OK)
		e = options_check_command(&o, command_at, &rest, why);
	if (e == OK && !s.url)
		e = check_database(&s, why);
	if (e == OK && s.command == COMMAND_SERVE)
		e = check_server(&s, why);
	if (e == OK)
		*ret = s;
	return e;
}

enum err settings_reread(
	struct settings *ret, int argc, char **argv, struct option_changes *ret_changes, struct reason *why)
{
	enum err e = options_reread(&o, argc, argv, ret_changes, why);

	if (e != OK)
		return e;
	s.generator.burst = (unsigned)burst;
	e = check_database(&s, why);
	if (e == OK)
		e = check_server(&s, why);
	if (e == OK)
		*ret = s;
	else
		option_changes_done(ret_changes);
	return e;
}

void settings_adopt(void)
{
	options_adopt(&o);
}
