/* Who is told what happened, what became of it, and a test of it. */
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "central/tool/list.h"
#include "shared/clock.h"

#define TEST_PATIENCE_MS 30000
#define RECEIVERS "/v1/notifications/receivers"

static void number_cell(struct table *table, const struct json_doc *d, size_t i, const char *member)
{
	struct buf path = {0}, text = {0};

	buf_printf(&path, "notifications.%zu.%s", i, member);
	tool_put_number(&text, d, path.at, 0, "");
	table_cell(table, "%s", text.at);
	buf_done(&path);
	buf_done(&text);
}

static void add_delivery(struct table *table, const struct json_doc *d, size_t i)
{
	number_cell(table, d, i, "id");
	table_cell(table, "%.19s", tool_text(d, "notifications.%zu.at", i));
	table_cell(table, "%s", tool_text(d, "notifications.%zu.receiver", i));
	number_cell(table, d, i, "events");
	table_cell(table, "%s", tool_text(d, "notifications.%zu.outcome", i));
	number_cell(table, d, i, "attempts");
	number_cell(table, d, i, "took_ms");
	table_cell(table, "%s", tool_text(d, "notifications.%zu.answer", i));
}

static void show_deliveries(const struct json_doc *d)
{
	static const char *const head[] = {
		"ID", "AT", "RECEIVER", "EVENTS", "OUTCOME", "TRIES", "MS", "ANSWER"};
	struct table table = {.columns = sizeof(head) / sizeof(*head)};

	for (size_t i = 0; i < table.columns; i++)
		table_cell(&table, "%s", head[i]);
	for (size_t i = 0; i < json_doc_count(d, "notifications"); i++)
		add_delivery(&table, d, i);
	table_print(&table);
	buf_done(&table.text);
}

/* "ok", or why not. */
static void print_receiver(const struct json_doc *d, size_t i)
{
	struct buf path = {0};
	struct reason why;
	bool ok = false;

	buf_printf(&path, "receivers.%zu.ok", i);
	bool known = json_doc_bool(d, path.at, &ok, &why) == OK;
	buf_done(&path);
	printf("%s: %s", tool_text(d, "receivers.%zu.receiver", i),
		ok      ? "ok"
		: known ? "FAILING"
			: "nothing sent in this run");
	printf("; %llu waiting", (unsigned long long)tool_u64(d, "receivers.%zu.waiting", i));
	if (known && !ok)
		printf("; since %.19s; %s", tool_text(d, "receivers.%zu.since", i),
			tool_text(d, "receivers.%zu.answer", i));
	putchar('\n');
}

static void show_receivers(const struct json_doc *d)
{
	for (size_t i = 0; i < json_doc_count(d, "receivers"); i++)
		print_receiver(d, i);
	if (json_doc_count(d, "receivers") == 0)
		printf("nobody is told: the centre has neither --notify-url nor --notify-command\n");
}

static int show(struct tool *t)
{
	struct buf target = {0};
	struct json_doc *d;

	buf_printf(&target, "/v1/notifications?limit=%lld", t->limit ? (long long)t->limit : 20);
	if (t->json) {
		int code = tool_print_raw(t, target.at);
		buf_done(&target);
		return code;
	}
	int code = tool_get(t, RECEIVERS, &d);
	if (code == EXIT_OK) {
		show_receivers(d);
		json_doc_free(d);
		code = tool_get(t, target.at, &d);
	}
	buf_done(&target);
	if (code != EXIT_OK)
		return code;
	if (json_doc_count(d, "notifications") > 0)
		show_deliveries(d);
	json_doc_free(d);
	return EXIT_OK;
}

/* --- test --- */

#define MOST 64 /* receivers; the centre has fewer */

struct trial {
	uint64_t event;
	uint64_t failed[MOST]; /* attempts before it */
};

enum arrival { ARRIVAL_WAITS, ARRIVAL_TAKEN, ARRIVAL_FAILED };

/* Of the i-th receiver, which may have failed before. */
static enum arrival arrival_of(const struct json_doc *d, size_t i, const struct trial *trial)
{
	if (tool_u64(d, "receivers.%zu.position", i) >= trial->event)
		return ARRIVAL_TAKEN;
	return tool_u64(d, "receivers.%zu.failed", i) > trial->failed[i] ? ARRIVAL_FAILED : ARRIVAL_WAITS;
}

static size_t receivers_in(const struct json_doc *d)
{
	size_t n = json_doc_count(d, "receivers");

	return n < MOST ? n : MOST;
}

static void print_arrivals(const struct json_doc *d, const struct trial *trial)
{
	static const char *const words[] = {"no answer yet", "taken", "FAILED"};

	for (size_t i = 0; i < receivers_in(d); i++) {
		enum arrival a = arrival_of(d, i, trial);
		bool waits = a == ARRIVAL_WAITS;
		printf("%s: %s%s%s\n", tool_text(d, "receivers.%zu.receiver", i), words[a], waits ? "" : ": ",
			waits ? "" : tool_text(d, "receivers.%zu.answer", i));
	}
}

/* *ret_ended: each has answered, or `late`. */
static int look(struct tool *t, const struct trial *trial, bool late, bool *ret_ended)
{
	size_t counts[3] = {0};
	struct json_doc *d;
	int code = tool_get(t, RECEIVERS, &d);

	*ret_ended = true;
	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < receivers_in(d); i++)
		counts[arrival_of(d, i, trial)]++;
	*ret_ended = counts[ARRIVAL_WAITS] == 0 || late;
	if (*ret_ended && !t->json)
		print_arrivals(d, trial);
	json_doc_free(d);
	if (*ret_ended && t->json)
		code = tool_print_raw(t, RECEIVERS);
	if (code != EXIT_OK)
		return code;
	return counts[ARRIVAL_FAILED] ? EXIT_FAILED : counts[ARRIVAL_WAITS] ? EXIT_TIMEOUT : EXIT_OK;
}

static int await(struct tool *t, const struct trial *trial)
{
	int64_t patience_ms = t->timeout_ms > 0 ? t->timeout_ms : TEST_PATIENCE_MS;
	int64_t until_us = clock_mono_us() + patience_ms * 1000;
	bool ended;
	int code;

	while (code = look(t, trial, clock_mono_us() >= until_us, &ended), !ended)
		tool_pause_ms(100);
	return code;
}

static int test(struct tool *t)
{
	struct trial trial = {0};
	struct client_reply reply;
	struct json_doc *d;
	int code = tool_get(t, RECEIVERS, &d);

	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < receivers_in(d); i++)
		trial.failed[i] = tool_u64(d, "receivers.%zu.failed", i);
	json_doc_free(d);
	code = tool_call(t, HTTP_POST, "/v1/notifications/test", (struct span){0}, &reply);
	if (code != EXIT_OK)
		return code;
	bool read = span_to_u64(tool_member(buf_span(&reply.body), "event"), INT64_MAX, &trial.event);
	client_reply_done(&reply);
	if (!read) {
		fprintf(stderr, "tidemark: what the centre answers is not understood\n");
		return EXIT_FAILED;
	}
	return await(t, &trial);
}

int command_notifications(struct tool *t)
{
	if (t->args.n == 0)
		return show(t);
	if (t->args.n == 1 && !strcmp(t->args.at[0], "test"))
		return test(t);
	return tool_usage("notifications takes nothing, or test");
}
