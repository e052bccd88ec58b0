/* What happened, and what lost. */
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "central/tool/event.h"
#include "central/tool/list.h"

int command_events(struct tool *t)
{
	struct buf target = {0};
	struct client_reply reply = {0};

	buf_printf(&target, "/v1/events?limit=%lld", (long long)(t->limit ? t->limit : 100));
	event_put_wish(t, &target);
	if (t->json && !t->follow) {
		int code = tool_print_raw(t, target.at);

		buf_done(&target);
		return code;
	}
	int code = tool_call(t, HTTP_GET, target.at, (struct span){0}, &reply);
	if (code == EXIT_OK && t->follow)
		code = event_follow(t, buf_span(&reply.body));
	else if (code == EXIT_OK)
		(void)event_print_page(t, buf_span(&reply.body));
	client_reply_done(&reply);
	buf_done(&target);
	return code;
}

/* Of a conflict only the head is for a table; its record's body may be any JSON. */
static void add_conflict(void *ctx, struct span item)
{
	struct table *table = ctx;
	struct span id = tool_member(item, "id"), at = tool_member(item, "at");
	struct span owner = tool_member(item, "owner"), record = tool_member(item, "record_id");
	struct span why = tool_member(item, "why"), hash = tool_member(tool_member(item, "record"), "hash");

	table_cell(table, "%.*s", (int)id.len, id.at);
	table_cell(table, "%.19s", at.len >= 19 ? at.at : "-");
	table_cell(table, "%.*s/%.*s", (int)owner.len, owner.at, (int)record.len, record.at);
	table_cell(table, "%.*s", (int)why.len, why.at);
	table_cell(table, "%.*s", (int)hash.len, hash.at);
}

int command_conflicts(struct tool *t)
{
	static const char *const head[] = {"ID", "AT", "OWNER/ID", "WHY", "HASH"};
	struct table table = {.columns = sizeof(head) / sizeof(*head)};
	struct buf target = {0};

	buf_text(&target, "/v1/conflicts?limit=1000");
	if (t->owner) {
		buf_text(&target, "&owner=");
		buf_percent(&target, span_of(t->owner));
	}
	for (size_t i = 0; i < table.columns; i++)
		table_cell(&table, "%s", head[i]);
	int code = t->json ? list_print(t, target.at, "conflicts")
			   : list_each(t, target.at, "conflicts", add_conflict, &table);
	if (code == EXIT_OK && !t->json)
		table_print(&table);
	buf_done(&table.text);
	buf_done(&target);
	return code;
}

static void print_promoted(struct span reply)
{
	struct span owner = tool_member(reply, "owner"), id = tool_member(reply, "id");
	bool changed = span_is(tool_member(reply, "changed"), "true");

	printf("%.*s/%.*s %s\n", (int)owner.len, owner.at, (int)id.len, id.at,
		changed ? "has this version again; it is pushed to its owner"
			: "had this version already; nothing was changed");
}

int command_conflict(struct tool *t)
{
	struct buf target = {0};
	struct client_reply reply;

	if (t->args.n != 2 || strcmp(t->args.at[0], "promote") != 0)
		return tool_usage("conflict takes: promote ID, as `tidemark conflicts` shows it");
	buf_text(&target, "/v1/conflicts/");
	buf_percent(&target, span_of(t->args.at[1]));
	buf_text(&target, "/promote");
	int code = tool_call(t, HTTP_POST, target.at, (struct span){0}, &reply);
	buf_done(&target);
	if (code != EXIT_OK)
		return code;
	if (t->json)
		fwrite(reply.body.at, 1, reply.body.len, stdout);
	else
		print_promoted(buf_span(&reply.body));
	client_reply_done(&reply);
	return EXIT_OK;
}
