/* The command that shows one node, and changes it. */
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"

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
		printf("%-18s %s since %.19s: %s\n", "unwell", tool_text(d, "unwell.%u.kind", i),
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

static const char *verb_at(size_t i)
{
	static const char *const others[] = {"add", "set", NULL};
	size_t n = sizeof(verbs) / sizeof(*verbs);

	return i < n ? verbs[i].name : others[i - n];
}

static int complain_of_verb(const char *verb)
{
	const char *near = tool_nearest(verb, verb_at);

	if (near)
		return tool_usage("node cannot '%s'; did you mean '%s'?", verb, near);
	return tool_usage(
		"node takes NODE; or add NAME URL; or set NODE and what; or rm, pause, resume, token or "
		"rotate and a NODE");
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
		return complain_of_verb(verb);
	tool_node_target(&target, verb, "");
	int code = show_node(t, target.at);
	buf_done(&target);
	return code;
}
