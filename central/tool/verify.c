/* verify: all rows of a node summed anew at both ends, and the bytes of every record hashed anew. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "central/tool/wait.h"

#define NAMED_MOST 100 /* of those that are damaged at the centre */

struct verifying {
	struct awaited w;
	uint64_t checked, damaged; /* at the centre */
	struct buf names;          /* the first of those, as JSON texts with commas between */
	struct buf next;
};

static void take_damaged(struct verifying *v, const struct json_doc *d)
{
	size_t n = json_doc_count(d, "damaged");

	for (size_t i = 0; i < n; i++, v->damaged++) {
		if (v->damaged >= NAMED_MOST)
			continue;
		buf_text(&v->names, v->damaged ? "," : "");
		buf_json_text(&v->names, span_of(tool_text(d, "damaged.%zu", i)));
	}
}

/* The centre's part: one page. */
static int check_page(struct tool *t, struct verifying *v)
{
	struct buf target = {0};
	struct json_doc *d = NULL;

	tool_node_target(&target, v->w.name, "/check");
	if (v->next.len)
		buf_printf(&target, "?after=%s", v->next.at);
	int code = tool_get(t, target.at, &d);
	if (code == EXIT_OK) {
		const char *next = tool_text(d, "next");

		v->checked += tool_u64(d, "checked");
		take_damaged(v, d);
		buf_clear(&v->next);
		if (strcmp(next, "-") != 0)
			buf_percent(&v->next, span_of(next));
	}
	json_doc_free(d);
	buf_done(&target);
	return code;
}

static int check_all(struct tool *t, struct verifying *v)
{
	struct progress progress;
	char label[96];
	int code;

	snprintf(label, sizeof(label), "%s at the centre", v->w.name);
	tool_progress_begin(t, &progress);
	while ((code = check_page(t, v)) == EXIT_OK && v->next.len && !tool_is_late(t)) {
		const struct progress_point at = {.label = label,
			.counted = PROGRESS_RECORDS,
			.records = v->checked,
			.total = v->w.records};

		progress_move(&progress, &at);
	}
	(void)tool_progress_end(t);
	if (code == EXIT_OK && v->next.len) {
		fprintf(stderr,
			"tidemark: timed out, %" PRIu64 " of %" PRIu64 " records at the centre looked at\n",
			v->checked, v->w.records);
		code = EXIT_TIMEOUT;
	}
	return code;
}

static void print_differences(const struct verifying *v)
{
	if (v->damaged)
		printf("%s: damaged at the centre, their bytes do not give their hash: %" PRIu64
		       " (%s%s)\nTry: tidemark put, with what the node holds (GET /v1/records/ID there)\n",
			v->w.name, v->damaged, v->names.at, v->damaged > NAMED_MOST ? ",…" : "");
	if (v->w.damaged)
		printf("%s: damaged at the node, their bytes do not give their hash: %" PRIu64
		       " (one is %s)\nTry: tidemark why %s\n",
			v->w.name, v->w.damaged, v->w.damaged_first, v->w.name);
	if (v->w.quarantined)
		printf("%s: in quarantine, not held as records by the centre: %" PRIu64
		       "\nTry: tidemark quarantine --node %s\n",
			v->w.name, v->w.quarantined, v->w.name);
}

static void print_json(const struct verifying *v, bool equal)
{
	struct buf first = {0};

	if (v->w.damaged)
		buf_json_text(&first, span_of(v->w.damaged_first));
	printf("{\"name\":\"%s\",\"equal\":%s,\"records\":%" PRIu64 ",\"quarantined\":%" PRIu64
	       ",\"damaged\":{\"centre\":%" PRIu64 ",\"centre_ids\":[%s],\"node\":%" PRIu64
	       ",\"node_first\":%s}}\n",
		v->w.name, equal ? "true" : "false", v->w.records, v->w.quarantined, v->damaged,
		v->names.len ? v->names.at : "", v->w.damaged, first.len ? first.at : "null");
	buf_done(&first);
}

static int conclude(const struct tool *t, const struct verifying *v)
{
	bool equal = !v->damaged && !v->w.damaged && !v->w.quarantined;

	if (t->json)
		print_json(v, equal);
	else if (equal)
		printf("%s: equal, %" PRIu64 " record%s summed and hashed anew at both ends\n", v->w.name,
			v->w.records, v->w.records == 1 ? "" : "s");
	else
		print_differences(v);
	return equal ? EXIT_OK : EXIT_DIFFERS;
}

int command_verify(struct tool *t)
{
	struct verifying v = {.w = {.counts = true}};

	if (t->args.n != 1)
		return tool_usage("verify takes one NODE");
	tool_be_patient(t, t->timeout_ms);
	int code =
		wait_begin(t, &v.w, t->args.at[0], "/verify"); /* the node counts, while the centre looks */
	if (code == EXIT_OK)
		code = check_all(t, &v);
	if (code == EXIT_OK)
		code = wait_until_equal(t, &v.w);
	if (code == EXIT_OK)
		code = conclude(t, &v);
	else if (code == EXIT_DIFFERS) /* said already; what is damaged may be why */
		print_differences(&v);
	buf_done(&v.names);
	buf_done(&v.next);
	return code;
}
