/* The commands that show all nodes. */
#include <stdio.h>
#include <string.h>

#include "central/tool/clocks.h"
#include "central/tool/commands.h"
#include "central/tool/list.h"

#define ALL_NODES "/v1/nodes?limit=1000"

/* How loud a state is: 0 fine, 1 worth a look, 2 needs somebody. */
static int severity(const char *state)
{
	static const char *const look[] = {"catching_up", "reconciling", "paused"};

	if (!strcmp(state, "in_sync"))
		return 0;
	for (size_t i = 0; i < sizeof(look) / sizeof(*look); i++)
		if (!strcmp(state, look[i]))
			return 1;
	return 2;
}

static void print_summary(const struct json_doc *s)
{
	struct buf line = {0};

	printf("centre     tidemark-central %s, store %s, up %llu s\n", tool_text(s, "version"),
		tool_text(s, "store.kind"), (unsigned long long)tool_u64(s, "uptime_s"));
	printf("nodes      %llu, %llu in sync\n", (unsigned long long)tool_u64(s, "nodes.total"),
		(unsigned long long)tool_u64(s, "nodes.in_sync"));
	printf("records    %llu, conflicts ", (unsigned long long)tool_u64(s, "records"));
	tool_put_number(&line, s, "conflicts", 0, "");
	buf_text(&line, ", quarantined ");
	tool_put_number(&line, s, "quarantined", 0, "");
	puts(line.at);
	buf_clear(&line);
	clocks_print_own(s);
	buf_text(&line, "backlog    pull ");
	tool_put_number(&line, s, "backlog.pull", 0, "");
	buf_text(&line, ", push ");
	tool_put_number(&line, s, "backlog.push", 0, "");
	buf_text(&line, ", oldest ");
	tool_put_number(&line, s, "backlog.oldest_s", 1, " s");
	puts(line.at);
	buf_done(&line);
}

/* What is not in sync, worst first as the centre lists it, and what is unwell. */
struct attention {
	struct buf text; /* a sentence a line */
	int worst;       /* the worst severity */
	char first[256]; /* who and why, for one line */
};

/* What needs somebody at a node, or at the centre, though it is up. */
static void look_at_unwell(struct attention *a, const struct json_doc *d, const char *name)
{
	for (unsigned i = 0; i < json_doc_count(d, "unwell"); i++) {
		if (!strcmp(tool_text(d, "unwell.%u.level", i), "info")) /* `node NAME` tells it */
			continue;
		buf_printf(&a->text, "~  %-10s %s since %.19s: %s\n", name, tool_text(d, "unwell.%u.kind", i),
			tool_text(d, "unwell.%u.since", i), tool_text(d, "unwell.%u.text", i));
		if (a->worst > 0)
			continue;
		a->worst = 1;
		snprintf(a->first, sizeof(a->first), "%s: %s: %s", name, tool_text(d, "unwell.%u.kind", i),
			tool_text(d, "unwell.%u.text", i));
	}
}

static void look_at_node(void *ctx, struct span item)
{
	struct attention *a = ctx;
	struct json_doc *d = NULL;
	int how = 2;

	if (json_doc_parse(&d, item, NULL) == OK)
		how = severity(tool_text(d, "state"));
	if (d && how)
		buf_printf(&a->text, "%s  %-10s %s since %.19s: %s\n", how == 2 ? "!" : "~",
			tool_text(d, "name"), tool_text(d, "state"), tool_text(d, "since"),
			tool_text(d, "reason"));
	if (d && how > a->worst) {
		a->worst = how;
		snprintf(a->first, sizeof(a->first), "%s is %s: %s", tool_text(d, "name"),
			tool_text(d, "state"), tool_text(d, "reason"));
	}
	if (d)
		look_at_unwell(a, d, tool_text(d, "name"));
	json_doc_free(d);
}

/* The one line that a monitor shows, with figures behind a bar as its plugins give them. */
static void print_verdict(const struct json_doc *s, const struct attention *a)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
	unsigned long long total = tool_u64(s, "nodes.total"), good = tool_u64(s, "nodes.in_sync");

	printf("TIDEMARK %s - %llu of %llu nodes in sync%s%s", words[a->worst], good, total,
		a->worst ? "; " : "", a->first);
	printf(" | in_sync=%llu;;;0;%llu conflicts=%llu\n", good, total,
		(unsigned long long)tool_u64(s, "conflicts"));
}

/* A monitoring plugin's codes: 0 ok, 1 warning, 2 critical, 3 unknown. */
static int check_code(int code, const struct attention *a)
{
	if (code != EXIT_OK)
		puts("TIDEMARK UNKNOWN - the centre did not answer as it should");
	return code == EXIT_OK ? a->worst : 3;
}

int command_status(struct tool *t)
{
	struct json_doc *status = NULL;
	struct attention a = {0};

	if (t->json && !t->check)
		return tool_print_raw(t, "/v1/status");
	int code = tool_get(t, "/v1/status", &status);
	if (code == EXIT_OK)
		look_at_unwell(&a, status, "(centre)");
	if (code == EXIT_OK)
		code = list_each(t, ALL_NODES, "nodes", look_at_node, &a);
	if (code == EXIT_OK && t->json) {
		code = tool_print_raw(t, "/v1/status");
	} else if (code == EXIT_OK) {
		if (t->check)
			print_verdict(status, &a);
		print_summary(status);
		fputs(a.text.at ? a.text.at : "", stdout);
	}
	if (t->check)
		code = check_code(code, &a);
	json_doc_free(status);
	buf_done(&a.text);
	return code;
}

static void put_proof(struct buf *out, const struct json_doc *d)
{
	bool equal = false;
	struct reason why;

	if (json_doc_bool(d, "proof.equal", &equal, &why) != OK)
		buf_char(out, '-');
	else
		buf_printf(out, "%s %.19s", equal ? "equal" : "UNEQUAL", tool_text(d, "proof.at"));
}

static void number_cell(struct table *table, const struct json_doc *d, const char *path, const char *unit)
{
	struct buf text = {0};

	tool_put_number(&text, d, path, 0, unit);
	table_cell(table, "%s", text.at);
	buf_done(&text);
}

/* What needs somebody, after the reason. */
static void put_unwell(struct buf *out, const struct json_doc *d)
{
	for (unsigned i = 0; i < json_doc_count(d, "unwell"); i++)
		if (strcmp(tool_text(d, "unwell.%u.level", i), "info") != 0)
			buf_printf(out, "%s%s",
				out->len ? ", " : "; unwell: ", tool_text(d, "unwell.%u.kind", i));
}

static void add_row(void *ctx, struct span item)
{
	struct table *table = ctx;
	struct json_doc *d = NULL;
	struct buf proof = {0}, clock = {0}, unwell = {0};

	if (json_doc_parse(&d, item, NULL) != OK)
		return;
	put_proof(&proof, d);
	clocks_put(&clock, d);
	table_cell(table, "%s", tool_text(d, "name"));
	table_cell(table, "%s", tool_text(d, "state"));
	number_cell(table, d, "records", "");
	number_cell(table, d, "backlog.pull", "");
	number_cell(table, d, "backlog.push", "");
	table_cell(table, "%s", proof.at);
	table_cell(table, "%s", clock.at);
	put_unwell(&unwell, d);
	table_cell(table, "%s%s", tool_text(d, "reason"), unwell.at ? unwell.at : "");
	buf_done(&proof);
	buf_done(&clock);
	buf_done(&unwell);
	json_doc_free(d);
}

int command_nodes(struct tool *t)
{
	static const char *const head[] = {
		"NODE", "STATE", "RECORDS", "PULL", "PUSH", "PROOF", "CLOCK", "REASON"};
	struct table table = {.columns = sizeof(head) / sizeof(*head)};

	if (t->json)
		return list_print(t, ALL_NODES, "nodes");
	for (size_t i = 0; i < table.columns; i++)
		table_cell(&table, "%s", head[i]);
	int code = list_each(t, ALL_NODES, "nodes", add_row, &table);
	if (code == EXIT_OK)
		table_print(&table);
	buf_done(&table.text);
	return code;
}
