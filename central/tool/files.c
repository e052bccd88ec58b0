/* Records in and out of the centre, many at once. */
#include <stdio.h>

#include "central/tool/commands.h"
#include "shared/files.h"
#include "shared/remote.h"

static enum err carry(struct tool *t, const struct format *f, const char *path, bool import)
{
	const struct remote_config config = {.url = t->central,
		.token = t->token.at,
		.plain_http = t->plain_http,
		.tls = t->tls,
		.timeout_ms = t->timeout_ms,
		.centre = true,
		.format = f};
	const struct files_job p = {.program = "tidemark", .format = f, .path = path};
	struct remote *r = NULL;
	struct reason why;
	enum err e = remote_open(&r, &config, &why);

	if (e != OK) {
		fprintf(stderr, "tidemark: %s\n%s", why.text,
			e == RETRY ? "Try: is tidemark-central running there?  --central URL asks another\n"
				   : "");
		return e;
	}
	struct import_sink sink = remote_sink(r);
	struct export_source source = remote_source(r);
	e = import ? files_import(&p, &sink) : files_export(&p, &source);
	remote_close(r);
	return e;
}

/* With what other commands have too. */
static void complete(struct tool *t)
{
	t->format.owner = t->owner;
	t->format.type = t->type;
	t->format.deleted = t->deleted;
	t->format.json = t->json;
	t->format.quiet = t->quiet;
}

int command_import(struct tool *t)
{
	struct format f;
	struct reason why;

	if (t->args.n != 1)
		return tool_usage("import what? a FILE, or - for standard input");
	complete(t);
	if (format_of_import(&f, &t->format, t->args.at[0], &why) != OK)
		return tool_usage("%s", why.text);
	return exit_code_of_call(carry(t, &f, t->args.at[0], true));
}

int command_export(struct tool *t)
{
	const char *path = t->args.n ? t->args.at[0] : "-";
	struct format f;
	struct reason why;

	complete(t);
	if (format_of_export(&f, &t->format, path, &why) != OK)
		return tool_usage("%s", why.text);
	return exit_code_of_call(carry(t, &f, path, false));
}
