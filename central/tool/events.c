/* What happened, and what lost. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "central/tool/commands.h"
#include "central/tool/list.h"
#include "shared/json_check.h"

#define FOLLOW_LIMIT 1000 /* a page, once the first one has been shown */

static void print_events(const struct json_doc *d)
{
	size_t n = json_doc_count(d, "events");

	for (size_t i = 0; i < n; i++) {
		printf("%s  %-5s  %-14s %-12s %s\n", tool_text(d, "events.%zu.at", i),
			tool_text(d, "events.%zu.level", i), tool_text(d, "events.%zu.kind", i),
			tool_text(d, "events.%zu.node", i), tool_text(d, "events.%zu.text", i));
	}
	fflush(stdout);
}

static void events_target(const struct tool *t, uint64_t last, struct buf *target)
{
	long long limit = last ? FOLLOW_LIMIT : t->limit ? t->limit : 100;

	buf_printf(target, "/v1/events?limit=%lld", limit);
	if (last)
		buf_printf(target, "&after=%llu", (unsigned long long)last);
	if (t->level)
		buf_printf(target, "&level=%s", t->level);
	if (t->node) {
		buf_text(target, "&node=");
		buf_percent(target, span_of(t->node));
	}
}

/* One event a line, for a program that follows. */
static void print_lines(struct span reply)
{
	struct json_iter top, list;
	struct json_value v;
	struct span key;

	if (!json_open(&top, reply))
		return;
	while (json_next(&top, &key, &v))
		if (span_is(key, "events") && json_open(&list, v.raw))
			while (json_next(&list, NULL, &v))
				printf("%.*s\n", (int)v.raw.len, v.raw.at);
	fflush(stdout);
}

/* What came after *last, printed; *ret_n: how many events. */
static int show_events(struct tool *t, uint64_t *last, size_t *ret_n)
{
	struct buf target = {0};
	struct client_reply reply;
	struct json_doc *d = NULL;
	struct reason why;

	events_target(t, *last, &target);
	int code = tool_call(t, HTTP_GET, target.at, (struct span){0}, &reply);
	buf_done(&target);
	if (code != EXIT_OK)
		return code;
	if (json_doc_parse(&d, buf_span(&reply.body), &why) == OK) {
		*ret_n = json_doc_count(d, "events");
		if (*ret_n)
			*last = tool_u64(d, "events.%zu.id", *ret_n - 1); /* they rise */
		if (t->json)
			print_lines(buf_span(&reply.body));
		else
			print_events(d);
	} else {
		fprintf(stderr, "tidemark: %s\n", why.text);
		code = EXIT_FAILED;
	}
	json_doc_free(d);
	client_reply_done(&reply);
	return code;
}

int command_events(struct tool *t)
{
	const struct timespec second = {1, 0};
	uint64_t last = 0;
	size_t n = 0;
	int code;

	if (t->json && !t->follow) {
		struct buf target = {0};

		events_target(t, 0, &target);
		code = tool_print_raw(t, target.at);
		buf_done(&target);
		return code;
	}
	do
		code = show_events(t, &last, &n);
	while (code == EXIT_OK && t->follow && !ferror(stdout) &&
		(n == FOLLOW_LIMIT || nanosleep(&second, NULL) == 0)); /* a full page: there is more */
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
