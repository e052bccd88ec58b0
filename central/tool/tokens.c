/* API tokens: who may ask the centre, and what. */
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "central/tool/list.h"

#define TOKENS "/v1/tokens"

static void add_row(struct table *table, const struct json_doc *d, size_t i)
{
	const char *expires = tool_text(d, "tokens.%zu.expires_at", i);
	struct buf path = {0};
	struct reason why;
	bool expired = false;

	buf_printf(&path, "tokens.%zu.expired", i);
	if (json_doc_bool(d, path.at, &expired, &why) != OK)
		expired = false;
	buf_done(&path);
	table_cell(table, "%s", tool_text(d, "tokens.%zu.name", i));
	table_cell(table, "%s", tool_text(d, "tokens.%zu.role", i));
	table_cell(table, "%.19s", tool_text(d, "tokens.%zu.created_at", i));
	table_cell(table, "%s", tool_text(d, "tokens.%zu.created_by", i));
	table_cell(table, "%.19s%s", expires, expired ? " (expired)" : "");
	table_cell(table, "%.13s", tool_text(d, "tokens.%zu.last_used_at", i));
}

static int show(struct tool *t)
{
	static const char *const head[] = {"NAME", "ROLE", "CREATED", "BY", "EXPIRES", "USED"};
	struct table table = {.columns = sizeof(head) / sizeof(*head)};
	struct json_doc *d;

	if (t->json)
		return tool_print_raw(t, TOKENS "?limit=1000");
	int code = tool_get(t, TOKENS "?limit=1000", &d);
	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < table.columns; i++)
		table_cell(&table, "%s", head[i]);
	for (size_t i = 0; i < json_doc_count(d, "tokens"); i++)
		add_row(&table, d, i);
	table_print(&table);
	buf_done(&table.text);
	json_doc_free(d);
	return EXIT_OK;
}

static int add(struct tool *t, const char *name)
{
	struct client_reply reply;
	struct buf body = {0};

	if (!t->role)
		return tool_usage("token add %s: --role viewer, operator or admin?", name);
	buf_text(&body, "{\"name\":");
	buf_json_text(&body, span_of(name));
	buf_printf(&body, ",\"role\":\"%s\"", t->role);
	if (t->expires_ms)
		buf_printf(&body, ",\"expires_s\":%lld", (long long)(t->expires_ms + 999) / 1000);
	buf_char(&body, '}');
	int code = tool_call(t, HTTP_POST, TOKENS, buf_span(&body), &reply);
	buf_done(&body);
	if (code != EXIT_OK)
		return code;
	struct span token = tool_member(buf_span(&reply.body), "token");
	if (t->json)
		fwrite(reply.body.at, 1, reply.body.len, stdout);
	else
		printf("%.*s\n", (int)token.len, token.at);
	if (!t->json && !t->quiet)
		fprintf(stderr, "Keep it now: it is told this once.\n");
	explicit_bzero(reply.body.at, reply.body.len);
	client_reply_done(&reply);
	return EXIT_OK;
}

static int drop(struct tool *t, const char *name)
{
	struct client_reply reply;
	struct buf target = {0};

	buf_text(&target, TOKENS "/");
	buf_percent(&target, span_of(name));
	int code = tool_call(t, HTTP_DELETE, target.at, (struct span){0}, &reply);
	buf_done(&target);
	if (code != EXIT_OK)
		return code;
	if (t->json)
		fwrite(reply.body.at, 1, reply.body.len, stdout);
	client_reply_done(&reply);
	return EXIT_OK;
}

int command_token(struct tool *t)
{
	const char *verb = t->args.n > 0 ? t->args.at[0] : "list",
		   *name = t->args.n > 1 ? t->args.at[1] : NULL;
	bool lists = !strcmp(verb, "list"), adds = !strcmp(verb, "add"), drops = !strcmp(verb, "rm");

	if (lists && !name)
		return show(t);
	if (adds && name)
		return add(t, name);
	if (drops && name)
		return drop(t, name);
	return tool_usage("token takes list, add NAME --role ROLE, or rm NAME");
}
