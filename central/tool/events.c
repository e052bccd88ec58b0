/* What happened, and what lost. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "central/tool/commands.h"

#define FOLLOW_LIMIT 1000 /* a page, once the first one has been shown */

static void print_events(const struct json_doc *d, uint64_t *last)
{
	size_t n = json_doc_count(d, "events");

	for (size_t i = 0; i < n; i++) {
		printf("%s  %-5s  %-14s %-12s %s\n", tool_text(d, "events.%zu.at", i),
			tool_text(d, "events.%zu.level", i), tool_text(d, "events.%zu.kind", i),
			tool_text(d, "events.%zu.node", i), tool_text(d, "events.%zu.text", i));
		if (tool_u64(d, "events.%zu.id", i) > *last)
			*last = tool_u64(d, "events.%zu.id", i);
	}
	fflush(stdout);
}

static void events_target(const struct tool *t, uint64_t last, struct buf *target)
{
	long long limit = last ? FOLLOW_LIMIT : t->limit ? t->limit : 100;

	buf_printf(target, "/v1/events?limit=%lld", limit);
	if (last)
		buf_printf(target, "&after=%llu", (unsigned long long)last);
	if (t->node) {
		buf_text(target, "&node=");
		buf_percent(target, span_of(t->node));
	}
}

int command_events(struct tool *t)
{
	const struct timespec second = {1, 0};
	uint64_t last = 0;
	size_t n = 0;
	int code;

	do {
		struct buf target = {0};
		struct json_doc *d = NULL;

		events_target(t, last, &target);
		code = t->json && !t->follow ? tool_print_raw(t, target.at) : tool_get(t, target.at, &d);
		if (code == EXIT_OK && d) {
			n = json_doc_count(d, "events");
			print_events(d, &last);
		}
		json_doc_free(d);
		buf_done(&target);
	} while (code == EXIT_OK && t->follow && !ferror(stdout) &&
		 (n == FOLLOW_LIMIT || nanosleep(&second, NULL) == 0)); /* a full page: there is more */
	return code;
}

int command_conflicts(struct tool *t)
{
	static const char *const head[] = {"ID", "AT", "OWNER/ID", "WHY", "HASH"};
	struct table table = {.columns = sizeof(head) / sizeof(*head)};
	struct json_doc *d = NULL;

	if (t->json)
		return tool_print_raw(t, "/v1/conflicts?limit=1000");
	int code = tool_get(t, "/v1/conflicts?limit=1000", &d);
	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < table.columns; i++)
		table_cell(&table, "%s", head[i]);
	for (size_t i = 0; i < json_doc_count(d, "conflicts"); i++) {
		table_cell(&table, "%llu", (unsigned long long)tool_u64(d, "conflicts.%zu.id", i));
		table_cell(&table, "%.19s", tool_text(d, "conflicts.%zu.at", i));
		table_cell(&table, "%s/%s", tool_text(d, "conflicts.%zu.record.owner", i),
			tool_text(d, "conflicts.%zu.record.id", i));
		table_cell(&table, "%s", tool_text(d, "conflicts.%zu.why", i));
		table_cell(&table, "%s", tool_text(d, "conflicts.%zu.record.hash", i));
	}
	table_print(&table);
	json_doc_free(d);
	return EXIT_OK;
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
	fwrite(reply.body.at, 1, reply.body.len, stdout);
	client_reply_done(&reply);
	return EXIT_OK;
}
