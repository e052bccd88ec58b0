/* The commands that wait until something is done: pull, push, wait. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/tool/commands.h"
#include "central/tool/list.h"
#include "central/tool/wait.h"

#define POLL_EVERY_MS 50

static int refuse_paused(const char *name)
{
	fprintf(stderr,
		"tidemark: %s is paused: nothing is exchanged with it\nTry: tidemark node resume %s\n", name,
		name);
	return EXIT_REFUSED;
}

int wait_begin(struct tool *t, struct awaited *w, const char *name, const char *verb)
{
	struct buf target = {0};
	struct json_doc *d = NULL;
	struct client_reply reply = {0};

	snprintf(w->name, sizeof(w->name), "%s", name);
	snprintf(w->which, sizeof(w->which), " ");
	tool_node_target(&target, name, "");
	int code = tool_get(t, target.at, &d);
	if (code == EXIT_OK) {
		w->begun = tool_u64(d, "polls.begun");
		w->records = tool_u64(d, "records");
		if (verb && !strcmp(tool_text(d, "state"), "paused"))
			code = refuse_paused(name);
	}
	if (code == EXIT_OK) {
		tool_node_target(&target, name, verb ? verb : "/pull");
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
	snprintf(w->reason, sizeof(w->reason), "%s", tool_text(d, "reason"));
	w->left = tool_u64(d, "backlog.pull") + tool_u64(d, "backlog.push");
	if (w->left > w->most)
		w->most = w->left;
	w->differs = !strcmp(w->state, "diverged") || !strcmp(w->state, "identity_conflict");
	w->done = tool_u64(d, "proof.poll") > w->begun &&
		  json_doc_bool(d, "proof.equal", &equal, &why) == OK && equal &&
		  !strcmp(w->state, "in_sync") && (!w->counts || tool_u64(d, "counted.poll") > w->begun);
	w->records = tool_u64(d, "records");
	w->quarantined = tool_u64(d, "quarantined");
	w->rejected = tool_u64(d, "rejected");
	w->damaged = tool_u64(d, "counted.damaged");
	snprintf(w->damaged_first, sizeof(w->damaged_first), "%s", tool_text(d, "counted.first"));
}

/* How many records were waited for, or else the centre's own words. */
static void show(const struct awaited *w, struct progress *progress)
{
	char label[sizeof(w->name) + sizeof(w->state) + sizeof(w->reason) + 64];
	const struct progress_point at = {.label = label,
		.counted = w->most ? PROGRESS_RECORDS : 0,
		.records = w->most - w->left,
		.total = w->most};

	snprintf(label, sizeof(label), "%s%s%s%s%s", w->name, w->which, w->state, w->most ? "" : ": ",
		w->most ? "" : w->reason);
	progress_move(progress, &at);
}

static int look(struct tool *t, struct awaited *w)
{
	struct buf target = {0};
	struct json_doc *d = NULL;

	tool_node_target(&target, w->name, "");
	int code = tool_get(t, target.at, &d);
	if (code == EXIT_OK) {
		judge(w, d);
		show(w, t->progress);
	}
	json_doc_free(d);
	buf_done(&target);
	return code;
}

int wait_until_equal(struct tool *t, struct awaited *w)
{
	struct progress progress;
	int code;

	tool_progress_begin(t, &progress);
	while ((code = look(t, w)) == EXIT_OK && !w->done && !w->differs && !w->rejected && !tool_is_late(t))
		tool_pause_ms(POLL_EVERY_MS);
	(void)tool_progress_end(t);
	if (code != EXIT_OK || w->done)
		return code;
	if (w->rejected > 0 && !w->differs) {
		fprintf(stderr,
			"tidemark: %s cannot hold %" PRIu64 " of the centre's records, and no proof is made "
			"meanwhile\nTry: tidemark why %s\n",
			w->name, w->rejected, w->name);
		return EXIT_DIFFERS;
	}
	if (w->differs) {
		fprintf(stderr, "tidemark: %s is %s: %s\nTry: tidemark node %s\n", w->name, w->state,
			w->reason, w->name);
		return EXIT_DIFFERS;
	}
	if (!strcmp(w->state, "in_sync"))
		fprintf(stderr, "tidemark: timed out before %s was proven equal anew\n", w->name);
	else
		fprintf(stderr, "tidemark: timed out, %s is still %s: %s\nTry: tidemark why %s\n", w->name,
			w->state, w->reason, w->name);
	return EXIT_TIMEOUT;
}

static int do_nodes(struct tool *t, const char *const *names, size_t n, const char *verb)
{
	struct awaited *w = calloc(n + 1, sizeof(*w));
	int code = w ? EXIT_OK : EXIT_FAILED;

	for (size_t i = 0; i < n && code == EXIT_OK; i++) {
		code = wait_begin(t, &w[i], names[i], verb);
		if (n > 1)
			snprintf(w[i].which, sizeof(w[i].which), " (%zu of %zu) ", i + 1, n);
	}
	for (size_t i = 0; i < n && code == EXIT_OK; i++)
		code = wait_until_equal(t, &w[i]);
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
	tool_be_patient(t, t->timeout_ms);
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

/* Names, each ended by a NUL. */
struct names {
	struct buf text;
	size_t n;
};

static bool has_name(const struct names *names, struct span name)
{
	const char *at = names->text.at;

	for (size_t i = 0; i < names->n; i++, at += strlen(at) + 1)
		if (span_is(name, at))
			return true;
	return false;
}

static void take_name(void *ctx, struct span item)
{
	struct names *names = ctx;
	struct span name = tool_member(item, "name");

	if (has_name(names, name))
		return;
	buf_put(&names->text, name);
	buf_char(&names->text, 0);
	names->n++;
}

/*
 * All nodes.  The list goes by state, so that one whose state changes between two pages may be on neither:
 * then it is read again.
 */
static int all_names(struct tool *t, struct names *ret)
{
	int code = EXIT_OK;
	uint64_t total = 1;

	for (int tries = 0; code == EXIT_OK && ret->n < total && tries < 5; tries++) {
		struct json_doc *status = NULL;

		code = list_each(t, "/v1/nodes?limit=1000", "nodes", take_name, ret);
		if (code == EXIT_OK)
			code = tool_get(t, "/v1/status", &status);
		total = code == EXIT_OK ? tool_u64(status, "nodes.total") : 0;
		json_doc_free(status);
	}
	return code;
}

int command_wait(struct tool *t)
{
	struct names all = {0};

	if (!t->in_sync)
		return tool_usage("wait what for? --in-sync");
	tool_be_patient(t, t->timeout_ms);
	if (t->args.n)
		return do_nodes(t, t->args.at, t->args.n, NULL);
	int code = all_names(t, &all);
	const char **names = calloc(all.n + 1, sizeof(*names));
	const char *at = all.text.at;
	for (size_t i = 0; names && i < all.n; i++, at += strlen(at) + 1)
		names[i] = at;
	if (code == EXIT_OK)
		code = names ? do_nodes(t, names, all.n, NULL) : EXIT_FAILED;
	free(names);
	buf_done(&all.text);
	return code;
}
