/* The commands that show and change nodes. */
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

static void print_field(const struct json_doc *d, const char *label, const char *path)
{
	double number;
	bool flag;
	struct reason why;

	printf("%-18s ", label);
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
		{"next attempt", "next_attempt_at"}, {"next", "next"}, {"to unblock it", "unblock"},
		{"epoch", "epoch"}, {"cursor", "cursor"}, {"head", "head_seq"}, {"records", "records"},
		{"to pull", "backlog.pull"}, {"to push", "backlog.push"},
		{"oldest to pull s", "backlog.pull_oldest_s"}, {"oldest to push s", "backlog.push_oldest_s"},
		{"left to pull s", "backlog.pull_left_s"}, {"left to push s", "backlog.push_left_s"},
		{"pulled a second", "rates.pull_s"}, {"pushed a second", "rates.push_s"},
		{"proof equal", "proof.equal"}, {"proof at", "proof.at"}, {"proof position", "proof.seq"},
		{"clock", "clock.reason"}, {"clock skewed", "clock.skewed"},
		{"clock disagrees", "clock.disagrees"}, {"clock offset us", "clock.offset_us"},
		{"clock error us", "clock.error_us"}, {"clock kept", "clock.synchronised"},
		{"clock kept by", "clock.source"}, {"clock own error us", "clock.own_error_us"},
		{"clock keeper", "clock.keeper"}, {"chronyd", "clock.chrony.state"},
		{"chrony source", "clock.chrony.source"}, {"chrony stratum", "clock.chrony.stratum"},
		{"chrony age s", "clock.chrony.age_s"}, {"polls ok", "polls.ok"},
		{"polls failed", "polls.failed"}, {"last poll ms", "polls.last_ms"},
		{"conflicts", "conflicts"}, {"quarantined", "quarantined"}, {"version", "version"}};
	struct json_doc *d = NULL;

	if (t->json)
		return tool_print_raw(t, target);
	int code = tool_get(t, target, &d);
	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		print_field(d, fields[i][0], fields[i][1]);
	for (unsigned i = 0; i < json_doc_count(d, "unwell"); i++)
		printf("%-16s %s since %.19s: %s\n", "unwell", tool_text(d, "unwell.%u.kind", i),
			tool_text(d, "unwell.%u.since", i), tool_text(d, "unwell.%u.text", i));
	json_doc_free(d);
	return EXIT_OK;
}

/* The node's token alone, so that `> FILE` makes a token file; `otherwise` when there is none. */
static bool print_token(const struct tool *t, const struct client_reply *reply, const char *otherwise)
{
	struct json_doc *d = NULL;
	struct reason why;
	const char *token = NULL;

	if (t->json)
		fwrite(reply->body.at, 1, reply->body.len, stdout);
	else if (json_doc_parse(&d, buf_span(&reply->body), &why) == OK &&
		 json_doc_text(d, "token", &token, &why) == OK)
		puts(token);
	else
		fprintf(stderr, "%s\n", otherwise);
	bool printed = t->json || token;
	json_doc_free(d);
	return printed;
}

/* ,"key":text where there is one. */
static void put_member(struct buf *body, const char *key, const char *text)
{
	if (!text)
		return;
	buf_printf(body, "%s\"%s\":", body->len ? "," : "{", key);
	buf_json_text(body, span_of(text));
}

static int add_node(struct tool *t, const char *name, const char *url)
{
	struct buf body = {0};
	struct client_reply reply;

	put_member(&body, "name", name);
	put_member(&body, "url", url);
	put_member(&body, "title", t->title);
	buf_char(&body, '}');
	int code = tool_call(t, HTTP_POST, "/v1/nodes", buf_span(&body), &reply);
	buf_done(&body);
	if (code != EXIT_OK)
		return code;
	(void)print_token(t, &reply, "added; the centre has no secret, so the node needs no token");
	client_reply_done(&reply);
	return EXIT_OK;
}

static int set_node(struct tool *t, const char *name)
{
	struct buf body = {0}, target = {0};
	struct client_reply reply = {0};

	put_member(&body, "url", t->url);
	put_member(&body, "title", t->title);
	if (!body.len)
		return tool_usage("node set NAME what? --url URL, --title TEXT");
	buf_char(&body, '}');
	tool_node_target(&target, name, "");
	int code = tool_call(t, HTTP_PATCH, target.at, buf_span(&body), &reply);
	if (code == EXIT_OK && t->json)
		fwrite(reply.body.at, 1, reply.body.len, stdout);
	else if (code == EXIT_OK)
		printf("%s changed; it is asked at once\n", name);
	client_reply_done(&reply);
	buf_done(&target);
	buf_done(&body);
	return code;
}

/* The verbs that take a node's name alone. */
static const struct verb {
	const char *name;
	enum http_method method;
	const char *path;
	bool shows_token;
	const char *done; /* what there is to say otherwise */
} verbs[] = {
	{"rm", HTTP_DELETE, "", false, "removed; its records stay, and adding it again continues"},
	{"pause", HTTP_POST, "/pause", false, "paused; nothing is exchanged until it is resumed"},
	{"resume", HTTP_POST, "/resume", false, "resumed"},
	{"token", HTTP_GET, "/token", true, NULL},
	{"rotate", HTTP_POST, "/rotate", true, NULL},
};

static int change_node(struct tool *t, const struct verb *how, const char *name)
{
	struct buf target = {0};
	struct client_reply reply = {0};

	tool_node_target(&target, name, how->path);
	int code = tool_call(t, how->method, target.at, (struct span){0}, &reply);
	if (code == EXIT_OK && how->shows_token) {
		if (!print_token(t, &reply, "the centre has no secret, so the node needs no token"))
			code = EXIT_FAILED; /* else `> FILE` would make an empty token file and go on */
	} else if (code == EXIT_OK && t->json) {
		fwrite(reply.body.at, 1, reply.body.len, stdout);
	} else if (code == EXIT_OK) {
		printf("%s %s\n", name, how->done);
	}
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
	if (!strcmp(verb, "set"))
		return t->args.n == 2 ? set_node(t, args[1])
				      : tool_usage("node set takes NAME, and --url or --title");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (t->args.n == 1 && !strcmp(verb, verbs[i].name))
			return tool_usage("node %s takes NAME", verb);
	if (t->args.n != 1)
		return tool_usage("node takes NAME; or add NAME URL; or set NAME and what; or rm, pause, "
				  "resume, token or rotate and a NAME");
	tool_node_target(&target, verb, "");
	int code = show_node(t, target.at);
	buf_done(&target);
	return code;
}
