/* The commands that show and change nodes. */
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"

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

/* Does the centre call the clock of this node skewed?  The threshold is the centre's. */
static bool is_skewed(const struct json_doc *nodes, size_t i)
{
	char path[64];
	bool skewed = false;
	struct reason why;

	snprintf(path, sizeof(path), "nodes.%zu.clock.skewed", i);
	return json_doc_bool(nodes, path, &skewed, &why) == OK && skewed;
}

/* The centre's own. */
static void print_clock(const struct json_doc *s)
{
	double error_us;
	struct reason why;

	if (json_doc_number(s, "clock.error_us", &error_us, &why) == OK)
		printf("clock      synchronised to within %.3f ms, says %s\n", error_us / 1000,
			!strcmp(tool_text(s, "clock.source"), "chrony") ? "chronyd" : "the kernel");
	else
		printf("clock      not synchronised: %s\n", tool_text(s, "clock.reason"));
}

static void print_summary(const struct json_doc *s)
{
	struct buf line = {0};

	printf("centre     tidemark-central %s, store %s, up %llu s\n", tool_text(s, "version"),
		tool_text(s, "store.kind"), (unsigned long long)tool_u64(s, "uptime_s"));
	printf("nodes      %llu, %llu in sync\n", (unsigned long long)tool_u64(s, "nodes.total"),
		(unsigned long long)tool_u64(s, "nodes.in_sync"));
	printf("records    %llu, conflicts %llu, quarantined %llu\n",
		(unsigned long long)tool_u64(s, "records"), (unsigned long long)tool_u64(s, "conflicts"),
		(unsigned long long)tool_u64(s, "quarantined"));
	print_clock(s);
	buf_text(&line, "backlog    pull ");
	tool_put_number(&line, s, "backlog.pull", 0, "");
	buf_text(&line, ", push ");
	tool_put_number(&line, s, "backlog.push", 0, "");
	buf_text(&line, ", oldest ");
	tool_put_number(&line, s, "backlog.oldest_s", 1, " s");
	puts(line.at);
	buf_done(&line);
}

/* A sentence for each node that is not in sync or whose clock is wrong; returns the worst severity. */
static int print_attention(const struct json_doc *nodes)
{
	size_t n = json_doc_count(nodes, "nodes");
	int worst = 0;

	for (size_t i = 0; i < n; i++) {
		const char *state = tool_text(nodes, "nodes.%zu.state", i);
		int how = severity(state);

		if (how)
			printf("%s  %-10s %s since %.19s: %s\n", how == 2 ? "!" : "~",
				tool_text(nodes, "nodes.%zu.name", i), state,
				tool_text(nodes, "nodes.%zu.since", i),
				tool_text(nodes, "nodes.%zu.reason", i));
		if (is_skewed(nodes, i)) {
			printf("~  %-10s clock: %s\n", tool_text(nodes, "nodes.%zu.name", i),
				tool_text(nodes, "nodes.%zu.clock.reason", i));
			how = how > 1 ? how : 1;
		}
		worst = how > worst ? how : worst;
	}
	return worst;
}

int command_status(struct tool *t)
{
	struct json_doc *status = NULL, *nodes = NULL;
	int worst = 0;

	if (t->json && !t->check)
		return tool_print_raw(t, "/v1/status");
	int code = tool_get(t, "/v1/status", &status);
	if (code == EXIT_OK)
		code = tool_get(t, "/v1/nodes?limit=1000", &nodes);
	if (code == EXIT_OK) {
		print_summary(status);
		worst = print_attention(nodes);
	}
	json_doc_free(status);
	json_doc_free(nodes);
	if (t->check) /* a monitoring plugin's codes: 0 ok, 1 warning, 2 critical, 3 unknown */
		return code == EXIT_OK ? worst : 3;
	return code;
}

static void put_proof(struct buf *out, const struct json_doc *d, size_t i)
{
	char path[64];
	bool equal = false;
	struct reason why;

	snprintf(path, sizeof(path), "nodes.%zu.proof.equal", i);
	if (json_doc_bool(d, path, &equal, &why) != OK)
		buf_char(out, '-');
	else
		buf_printf(
			out, "%s %.19s", equal ? "equal" : "UNEQUAL", tool_text(d, "nodes.%zu.proof.at", i));
}

static void put_clock(struct buf *out, const struct json_doc *d, size_t i)
{
	char path[64];

	snprintf(path, sizeof(path), "nodes.%zu.clock.offset_us", i);
	if (is_skewed(d, i))
		buf_text(out, "SKEWED ");
	tool_put_number(out, d, path, 0, " us");
}

static void number_cell(
	struct table *table, const struct json_doc *d, size_t i, const char *field, const char *unit)
{
	struct buf text = {0};
	char path[64];

	snprintf(path, sizeof(path), "nodes.%zu.%s", i, field);
	tool_put_number(&text, d, path, 0, unit);
	table_cell(table, "%s", text.at);
	buf_done(&text);
}

static void add_row(struct table *table, const struct json_doc *d, size_t i)
{
	struct buf proof = {0}, clock = {0};

	put_proof(&proof, d, i);
	put_clock(&clock, d, i);
	table_cell(table, "%s", tool_text(d, "nodes.%zu.name", i));
	table_cell(table, "%s", tool_text(d, "nodes.%zu.state", i));
	number_cell(table, d, i, "records", "");
	number_cell(table, d, i, "backlog.pull", "");
	number_cell(table, d, i, "backlog.push", "");
	table_cell(table, "%s", proof.at);
	table_cell(table, "%s", clock.at);
	table_cell(table, "%s", tool_text(d, "nodes.%zu.reason", i));
	buf_done(&proof);
	buf_done(&clock);
}

int command_nodes(struct tool *t)
{
	static const char *const head[] = {
		"NODE", "STATE", "RECORDS", "PULL", "PUSH", "PROOF", "CLOCK", "REASON"};
	struct table table = {.columns = sizeof(head) / sizeof(*head)};
	struct json_doc *d = NULL;

	if (t->json)
		return tool_print_raw(t, "/v1/nodes?limit=1000");
	int code = tool_get(t, "/v1/nodes?limit=1000", &d);
	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < table.columns; i++)
		table_cell(&table, "%s", head[i]);
	for (int how = 2; how >= 0; how--) /* worst first */
		for (size_t i = 0; i < json_doc_count(d, "nodes"); i++)
			if (severity(tool_text(d, "nodes.%zu.state", i)) == how)
				add_row(&table, d, i);
	table_print(&table);
	json_doc_free(d);
	return EXIT_OK;
}

static void print_field(const struct json_doc *d, const char *label, const char *path)
{
	double number;
	bool flag;
	struct reason why;

	printf("%-16s ", label);
	if (json_doc_bool(d, path, &flag, &why) == OK)
		puts(flag ? "yes" : "no");
	else if (json_doc_number(d, path, &number, &why) == OK)
		printf("%.15g\n", number);
	else
		puts(tool_text(d, "%s", path));
}

static int show_node(struct tool *t, const char *target)
{
	static const char *const fields[][2] = {{"name", "name"}, {"title", "title"}, {"url", "url"},
		{"state", "state"}, {"since", "since"}, {"reason", "reason"},
		{"next attempt", "next_attempt_at"}, {"epoch", "epoch"}, {"cursor", "cursor"},
		{"head", "head_seq"}, {"records", "records"}, {"to pull", "backlog.pull"},
		{"to push", "backlog.push"}, {"proof equal", "proof.equal"}, {"proof at", "proof.at"},
		{"proof position", "proof.seq"}, {"clock", "clock.reason"}, {"clock skewed", "clock.skewed"},
		{"clock offset us", "clock.offset_us"}, {"clock error us", "clock.error_us"},
		{"clock kept", "clock.synchronised"}, {"clock kept by", "clock.source"},
		{"chronyd", "clock.chrony.state"}, {"chrony source", "clock.chrony.source"},
		{"polls ok", "polls.ok"}, {"polls failed", "polls.failed"}, {"last poll ms", "polls.last_ms"},
		{"conflicts", "conflicts"}, {"version", "version"}};
	struct json_doc *d = NULL;

	if (t->json)
		return tool_print_raw(t, target);
	int code = tool_get(t, target, &d);
	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		print_field(d, fields[i][0], fields[i][1]);
	json_doc_free(d);
	return EXIT_OK;
}

/* The node's token alone, so that `> FILE` makes a token file; `otherwise` when there is none. */
static void print_token(const struct tool *t, const struct client_reply *reply, const char *otherwise)
{
	struct json_doc *d = NULL;
	struct reason why;
	const char *token;

	if (t->json)
		fwrite(reply->body.at, 1, reply->body.len, stdout);
	else if (json_doc_parse(&d, buf_span(&reply->body), &why) == OK &&
		 json_doc_text(d, "token", &token, &why) == OK)
		puts(token);
	else
		fprintf(stderr, "%s\n", otherwise);
	json_doc_free(d);
}

static int add_node(struct tool *t, const char *name, const char *url)
{
	struct buf body = {0};
	struct client_reply reply;

	buf_text(&body, "{\"name\":");
	buf_json_text(&body, span_of(name));
	buf_text(&body, ",\"url\":");
	buf_json_text(&body, span_of(url));
	if (t->title) {
		buf_text(&body, ",\"title\":");
		buf_json_text(&body, span_of(t->title));
	}
	buf_char(&body, '}');
	int code = tool_call(t, HTTP_POST, "/v1/nodes", buf_span(&body), &reply);
	buf_done(&body);
	if (code != EXIT_OK)
		return code;
	print_token(t, &reply, "added; the centre has no secret, so the node needs no token");
	client_reply_done(&reply);
	return EXIT_OK;
}

/* The verbs that take a node's name alone. */
static const struct verb {
	const char *name;
	enum http_method method;
	const char *path;
	bool shows_token;
} verbs[] = {
	{"rm", HTTP_DELETE, "", false},
	{"pause", HTTP_POST, "/pause", false},
	{"resume", HTTP_POST, "/resume", false},
	{"token", HTTP_GET, "/token", true},
	{"rotate", HTTP_POST, "/rotate", true},
};

static int change_node(struct tool *t, const struct verb *how, const char *name)
{
	struct buf target = {0};
	struct client_reply reply = {0};

	buf_text(&target, "/v1/nodes/");
	buf_percent(&target, span_of(name));
	buf_text(&target, how->path);
	int code = tool_call(t, how->method, target.at, (struct span){0}, &reply);
	if (code == EXIT_OK && how->shows_token)
		print_token(t, &reply, "the centre has no secret, so the node needs no token");
	client_reply_done(&reply);
	buf_done(&target);
	return code;
}

int command_node(struct tool *t)
{
	const char **args = t->args.at;
	const char *verb = t->args.n ? args[0] : "";
	struct buf target = {0};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (t->args.n == 2 && !strcmp(verb, verbs[i].name))
			return change_node(t, &verbs[i], args[1]);
	if (!strcmp(verb, "add"))
		return t->args.n == 3 ? add_node(t, args[1], args[2]) : tool_usage("node add takes NAME URL");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (t->args.n == 1 && !strcmp(verb, verbs[i].name))
			return tool_usage("node %s takes NAME", verb);
	if (t->args.n != 1)
		return tool_usage(
			"node takes NAME; or add NAME URL; or rm, pause, resume, token or rotate and a NAME");
	buf_text(&target, "/v1/nodes/");
	buf_percent(&target, span_of(verb));
	int code = show_node(t, target.at);
	buf_done(&target);
	return code;
}
