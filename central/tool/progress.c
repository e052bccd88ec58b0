/* The commands that wait until something is done: pull, push, verify, wait. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "central/tool/commands.h"
#include "shared/clock.h"

#define POLL_EVERY_MS 50

/* One node that is waited for. */
struct awaited {
	char name[64];
	char proof_before[40]; /* proof.at when we began: only a later one counts */
	char state[24];
	bool done, differs;
};

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

static void target_of(struct buf *target, const char *name, const char *verb)
{
	buf_clear(target);
	buf_text(target, "/v1/nodes/");
	buf_percent(target, span_of(name));
	buf_text(target, verb);
}

/* Remembers the node's proof as it stands and asks for `verb` now. */
static int begin(struct tool *t, struct awaited *w, const char *name, const char *verb)
{
	struct buf target = {0};
	struct json_doc *d = NULL;
	struct client_reply reply = {0};

	snprintf(w->name, sizeof(w->name), "%s", name);
	target_of(&target, name, "");
	int code = tool_get(t, target.at, &d);
	if (code == EXIT_OK) {
		snprintf(w->proof_before, sizeof(w->proof_before), "%s", tool_text(d, "proof.at"));
		target_of(&target, name, verb);
		code = tool_call(t, HTTP_POST, target.at, (struct span){0}, &reply);
	}
	client_reply_done(&reply);
	json_doc_free(d);
	buf_done(&target);
	return code;
}

static void judge(struct awaited *w, const struct json_doc *d)
{
	bool equal = false;
	struct reason why;

	snprintf(w->state, sizeof(w->state), "%s", tool_text(d, "state"));
	w->differs = !strcmp(w->state, "diverged") || !strcmp(w->state, "identity_conflict");
	w->done = strcmp(tool_text(d, "proof.at"), w->proof_before) != 0 &&
		  json_doc_bool(d, "proof.equal", &equal, &why) == OK && equal &&
		  !strcmp(w->state, "in_sync");
}

static void show(const struct tool *t, const struct awaited *w, const struct json_doc *d)
{
	struct buf line = {0};

	if (t->json || !isatty(STDERR_FILENO))
		return;
	buf_printf(&line, "\r\033[K%s: %s, to pull ", w->name, w->state);
	tool_put_number(&line, d, "backlog.pull", 0, "");
	buf_text(&line, ", to push ");
	tool_put_number(&line, d, "backlog.push", 0, "");
	fputs(line.at, stderr);
	buf_done(&line);
}

static int look(struct tool *t, struct awaited *w)
{
	struct buf target = {0};
	struct json_doc *d = NULL;

	target_of(&target, w->name, "");
	int code = tool_get(t, target.at, &d);
	if (code == EXIT_OK) {
		judge(w, d);
		show(t, w, d);
	}
	json_doc_free(d);
	buf_done(&target);
	return code;
}

/* Until this node is proven equal anew, differs, or time is up. */
static int await_node(struct tool *t, struct awaited *w, int64_t until_us)
{
	for (;;) {
		int code = look(t, w);

		if (code != EXIT_OK || w->done)
			return code;
		if (w->differs) {
			fprintf(stderr, "tidemark: %s is %s\nTry: tidemark node %s\n", w->name, w->state,
				w->name);
			return EXIT_DIFFERS;
		}
		if (clock_mono_us() >= until_us) {
			fprintf(stderr, "tidemark: timed out, %s is still %s\n", w->name, w->state);
			return EXIT_TIMEOUT;
		}
		pause_ms(POLL_EVERY_MS);
	}
}

static int do_nodes(struct tool *t, const char *const *names, size_t n, const char *verb)
{
	int64_t until_us = t->timeout_ms ? clock_mono_us() + t->timeout_ms * 1000 : INT64_MAX;
	struct awaited *w = calloc(n + 1, sizeof(*w));
	int code = w ? EXIT_OK : EXIT_FAILED;

	for (size_t i = 0; i < n && code == EXIT_OK; i++)
		code = begin(t, &w[i], names[i], verb);
	for (size_t i = 0; i < n && code == EXIT_OK; i++)
		code = await_node(t, &w[i], until_us);
	if (!t->json && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (code == EXIT_OK && t->json)
		printf("{\"in_sync\":%zu}\n", n);
	else if (code == EXIT_OK)
		printf("%zu node%s in sync, proven equal\n", n, n == 1 ? "" : "s");
	free(w);
	return code;
}

static int one_node(struct tool *t, const char *verb)
{
	if (t->args.n != 1)
		return tool_usage("%s takes one NODE", verb + 1);
	return do_nodes(t, t->args.at, 1, verb);
}

int command_pull(struct tool *t)
{
	return one_node(t, "/pull");
}

int command_push(struct tool *t)
{
	return one_node(t, "/push");
}

int command_verify(struct tool *t)
{
	return one_node(t, "/verify");
}

int command_wait(struct tool *t)
{
	struct json_doc *d = NULL;

	if (!t->in_sync)
		return tool_usage("wait what for? --in-sync");
	if (t->args.n)
		return do_nodes(t, t->args.at, t->args.n, "/pull");
	int code = tool_get(t, "/v1/nodes?limit=1000", &d);
	if (code != EXIT_OK)
		return code;
	size_t n = json_doc_count(d, "nodes");
	const char **names = calloc(n + 1, sizeof(*names));
	for (size_t i = 0; names && i < n; i++)
		names[i] = tool_text(d, "nodes.%zu.name", i);
	code = names ? do_nodes(t, names, n, "/pull") : EXIT_FAILED;
	free(names);
	json_doc_free(d);
	return code;
}
