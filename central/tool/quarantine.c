/* What the centre could not take: shown, tried again, given up. */
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "central/tool/list.h"

/* A text as people read it: without the escapes. */
static void plain_cell(struct table *table, struct span escaped)
{
	struct buf one = {0};
	struct json_doc *d = NULL;

	buf_text(&one, "{\"text\":\"");
	buf_put(&one, escaped);
	buf_text(&one, "\"}");
	bool read = json_doc_parse(&d, buf_span(&one), NULL) == OK;
	table_cell(table, "%s", read ? tool_text(d, "text") : "-");
	json_doc_free(d);
	buf_done(&one);
}

/* The line itself may be anything, and is for --json. */
static void add_entry(void *ctx, struct span item)
{
	struct table *table = ctx;
	struct span id = tool_member(item, "id"), at = tool_member(item, "at");
	struct span owner = tool_member(item, "owner"), record = tool_member(item, "record_id");
	struct span attempts = tool_member(item, "attempts");
	bool held = span_is(tool_member(item, "held"), "true");

	table_cell(table, "%.*s", (int)id.len, id.at);
	table_cell(table, "%.19s", at.len >= 19 ? at.at : "-");
	table_cell(table, "%.*s/%.*s", (int)owner.len, owner.at, (int)record.len, record.at);
	table_cell(table, "%s", held ? "yes" : "no");
	table_cell(table, "%.*s", (int)attempts.len, attempts.at);
	plain_cell(table, tool_member(item, "reason"));
}

static int show(struct tool *t)
{
	static const char *const head[] = {"ID", "AT", "OWNER/ID", "HELD", "TRIES", "REASON"};
	struct table table = {.columns = sizeof(head) / sizeof(*head)};
	struct buf target = {0};

	buf_text(&target, "/v1/quarantine?limit=1000");
	if (t->node) {
		buf_text(&target, "&owner=");
		buf_percent(&target, span_of(t->node));
	}
	for (size_t i = 0; i < table.columns; i++)
		table_cell(&table, "%s", head[i]);
	int code = t->json ? list_print(t, target.at, "quarantine")
			   : list_each(t, target.at, "quarantine", add_entry, &table);
	if (code == EXIT_OK && !t->json)
		table_print(&table);
	buf_done(&table.text);
	buf_done(&target);
	return code;
}

static int change(struct tool *t, enum http_method method, const char *verb, const char *done)
{
	struct buf target = {0};
	struct client_reply reply;

	buf_text(&target, "/v1/quarantine/");
	buf_percent(&target, span_of(t->args.at[1]));
	buf_text(&target, verb);
	int code = tool_call(t, method, target.at, (struct span){0}, &reply);
	buf_done(&target);
	if (code != EXIT_OK)
		return code;
	struct span owner = tool_member(buf_span(&reply.body), "owner");
	if (t->json)
		fwrite(reply.body.at, 1, reply.body.len, stdout);
	else
		printf("%s of %.*s %s\n", t->args.at[1], (int)owner.len, owner.at, done);
	client_reply_done(&reply);
	return EXIT_OK;
}

int command_quarantine(struct tool *t)
{
	if (t->args.n == 0)
		return show(t);
	if (t->args.n == 2 && !strcmp(t->args.at[0], "retry"))
		return change(t, HTTP_POST, "/retry", "has been taken, and is out of quarantine");
	if (t->args.n == 2 && !strcmp(t->args.at[0], "drop"))
		return change(t, HTTP_DELETE, "", "has been given up, for ever");
	return tool_usage(
		"quarantine takes nothing, or retry ID, or drop ID, as `tidemark quarantine` shows them");
}
