/* The commands that say what is known of a node: why, safe. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "shared/clock.h"

#define POLL_EVERY_MS 50
#define SAFE_TIME_MS 30000
/* Between the two proofs that must agree on the position: so long a node is watched for writes. */
#define SAFE_WATCH_MS 1000

static void print_line(const char *label, const char *text)
{
	printf("%-12s %s\n", label, text);
}

static int print_why(const struct json_doc *d)
{
	const char *state = tool_text(d, "state"), *unblock = tool_text(d, "unblock");
	size_t n = json_doc_count(d, "known");

	printf("%-12s %s, since %.19s: %s\n", tool_text(d, "name"), state, tool_text(d, "since"),
		tool_text(d, "reason"));
	for (size_t i = 0; i < n; i++)
		print_line(tool_text(d, "known.%zu.topic", i), tool_text(d, "known.%zu.text", i));
	print_line("next", tool_text(d, "next"));
	print_line("to do", strcmp(unblock, "-") != 0 ? unblock : "nothing; it goes on by itself");
	return strcmp(state, "in_sync") ? EXIT_DIFFERS : EXIT_OK;
}

int command_why(struct tool *t)
{
	struct buf target = {0};
	struct json_doc *d = NULL;
	struct client_reply reply = {0};

	if (t->args.n != 1)
		return tool_usage("why takes one NODE");
	tool_node_target(&target, t->args.at[0], "/why");
	int code = tool_call(t, HTTP_GET, target.at, (struct span){0}, &reply);
	if (code == EXIT_OK && json_doc_parse(&d, buf_span(&reply.body), NULL) != OK) {
		fprintf(stderr, "tidemark: %s answered no JSON; is this a tidemark-central?\n", t->central);
		code = EXIT_FAILED;
	} else if (code == EXIT_OK && t->json) {
		fwrite(reply.body.at, 1, reply.body.len, stdout);
		code = strcmp(tool_text(d, "state"), "in_sync") ? EXIT_DIFFERS : EXIT_OK;
	} else if (code == EXIT_OK) {
		code = print_why(d);
	}
	json_doc_free(d);
	client_reply_done(&reply);
	buf_done(&target);
	return code;
}

/* --- safe --- */

struct question {
	const char *name;
	int64_t until_us;
	bool again; /* it was safe up to this position: is it still there? */
	uint64_t position;
	struct client_reply reply; /* the last answer; */
	struct json_doc *d;        /* the same */
};

static bool says(const struct question *q, const char *member)
{
	bool is = false;

	return json_doc_bool(q->d, member, &is, NULL) == OK && is;
}

static void forget(struct question *q)
{
	client_reply_done(&q->reply);
	json_doc_free(q->d);
	q->reply = (struct client_reply){0};
	q->d = NULL;
}

static int ask(struct tool *t, struct question *q, const char *target)
{
	forget(q);
	int code = tool_call(t, HTTP_GET, target, (struct span){0}, &q->reply);
	if (code == EXIT_OK && json_doc_parse(&q->d, buf_span(&q->reply.body), NULL) != OK) {
		fprintf(stderr, "tidemark: %s answered no JSON; is this a tidemark-central?\n", t->central);
		code = EXIT_FAILED;
	}
	return code;
}

/* How many polls there were, then one more now: *target becomes the question that only this one answers. */
static int begin(struct tool *t, struct question *q, struct buf *target)
{
	struct client_reply reply = {0};

	tool_node_target(target, q->name, "/safe");
	int code = ask(t, q, target->at);
	uint64_t since = code == EXIT_OK ? tool_u64(q->d, "polls_begun") : 0;
	if (code == EXIT_OK) {
		tool_node_target(target, q->name, "/pull");
		code = tool_call(t, HTTP_POST, target->at, (struct span){0}, &reply);
	}
	client_reply_done(&reply);
	tool_node_target(target, q->name, "/safe");
	buf_printf(target, "?since=%" PRIu64, since);
	if (q->again)
		buf_printf(target, "&position=%" PRIu64, q->position);
	return code;
}

/* Asks for an exchange, and until there is an answer or no more time. */
static int settle(struct tool *t, struct question *q)
{
	struct buf target = {0};
	int code = begin(t, q, &target);

	while (code == EXIT_OK && (code = ask(t, q, target.at)) == EXIT_OK && says(q, "pending") &&
		clock_mono_us() < q->until_us) {
		const struct progress_point at = {.label = tool_text(q->d, "text")};
		progress_move(t->progress, &at);
		tool_pause_ms(POLL_EVERY_MS);
	}
	buf_done(&target);
	return code;
}

static int answer(const struct tool *t, const struct question *q)
{
	bool safe = false, known = json_doc_bool(q->d, "safe", &safe, NULL) == OK;

	if (t->json)
		fwrite(q->reply.body.at, 1, q->reply.body.len, stdout);
	else
		printf("%s %s: %s\n", q->name,
			safe    ? "may be reimaged"
			: known ? "may not be reimaged"
				: "may not be reimaged, as far as is known",
			tool_text(q->d, "text"));
	return safe ? EXIT_OK : EXIT_FAILED;
}

int command_safe(struct tool *t)
{
	struct progress progress;

	if (t->args.n != 1)
		return tool_usage("safe takes one NODE");
	struct question q = {.name = t->args.at[0],
		.until_us = clock_mono_us() + (t->timeout_ms ? t->timeout_ms : SAFE_TIME_MS) * 1000};
	tool_progress_begin(t, &progress);
	int code = settle(t, &q);
	if (code == EXIT_OK && says(&q, "safe")) {
		q.again = true;
		q.position = tool_u64(q.d, "position");
		tool_pause_ms(SAFE_WATCH_MS);
		code = settle(t, &q);
	}
	(void)tool_progress_end(t);
	if (code == EXIT_OK)
		code = answer(t, &q);
	forget(&q);
	return code;
}
