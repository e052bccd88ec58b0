/* Records through the centre.  Bodies are never re-encoded here: they go in and out byte for byte. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "shared/json_check.h"
#include "shared/page.h"

#define BODY_SHOWN 60

static void put_query(struct buf *target, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(target, "&%s=", name);
	buf_percent(target, span_of(value));
}

static void add_row(struct table *table, struct span record)
{
	struct span owner = tool_member(record, "owner"), id = tool_member(record, "id"),
		    type = tool_member(record, "type");
	struct span updated = tool_member(record, "updated_at"), body = tool_member(record, "body");
	int shown = body.len > BODY_SHOWN ? BODY_SHOWN : (int)body.len;

	while (shown > 0 && shown < (int)body.len && ((unsigned char)body.at[shown] & 0xc0) == 0x80)
		shown--;
	table_cell(table, "%.*s/%.*s", (int)owner.len, owner.at, (int)id.len, id.at);
	table_cell(table, "%.*s", (int)type.len, type.at);
	table_cell(table, "%.19s", updated.len >= 19 ? updated.at : "-");
	table_cell(table, "%.*s%s", shown, body.at, shown < (int)body.len ? "…" : "");
}

static void print_list(struct span records, struct span next)
{
	struct table table = {.columns = 4};
	struct json_iter it;
	struct json_value v;

	table_cell(&table, "OWNER/ID");
	table_cell(&table, "TYPE");
	table_cell(&table, "UPDATED");
	table_cell(&table, "BODY");
	if (json_open(&it, records)) {
		it.frame = JSON_FRAME_MAX;
		while (json_next(&it, NULL, &v))
			add_row(&table, v.raw);
	}
	table_print(&table);
	if (next.len)
		fprintf(stderr, "more: --after %.*s\n", (int)next.len, next.at);
}

/* What has been found, page by page: a page may have few, or none, where there are more. */
struct found {
	struct buf records; /* an array, byte for byte, without its end */
	struct buf next;    /* as it was said; empty: that was all */
	long long wanted, n;
};

static void take_page(struct found *f, struct span page)
{
	struct json_iter it;
	struct json_value v;
	struct span next = tool_member(page, "next");

	buf_clear(&f->next);
	if (!span_is(next, "null"))
		buf_put(&f->next, next);
	if (!json_open(&it, tool_member(page, "records")))
		return;
	it.frame = JSON_FRAME_MAX;
	while (json_next(&it, NULL, &v)) {
		buf_text(&f->records, f->n++ ? "," : "[");
		buf_put(&f->records, v.raw);
	}
}

static int ask_page(struct tool *t, struct found *f)
{
	struct buf target = {0};
	struct client_reply reply;

	buf_printf(&target, "/v1/records?limit=%lld", f->wanted - f->n);
	put_query(&target, "owner", t->owner);
	put_query(&target, "type", t->type);
	if (f->next.len) {
		buf_text(&target, "&after=");
		buf_percent(&target, buf_span(&f->next));
	} else {
		put_query(&target, "after", t->after);
	}
	put_query(&target, "deleted", t->deleted ? "true" : NULL);
	int code = tool_call(t, HTTP_GET, target.at, (struct span){0}, &reply);
	buf_done(&target);
	if (code != EXIT_OK)
		return code;
	take_page(f, buf_span(&reply.body));
	client_reply_done(&reply);
	return EXIT_OK;
}

static void print_found(struct tool *t, struct found *f)
{
	buf_text(&f->records, f->n ? "]" : "[]");
	if (!t->json) {
		print_list(buf_span(&f->records), buf_span(&f->next));
		return;
	}
	printf("{\"records\":%s,\"next\":", f->records.at);
	if (f->next.len)
		printf("\"%s\"}", f->next.at);
	else
		printf("null}");
}

int command_records(struct tool *t)
{
	struct found f = {.wanted = t->limit ? t->limit : 100};
	int code;

	do
		code = ask_page(t, &f);
	while (code == EXIT_OK && f.next.len && f.n < f.wanted && f.records.len < PAGE_BYTES_DEFAULT);
	if (code == EXIT_OK && !buf_failed(&f.records) && !buf_failed(&f.next))
		print_found(t, &f);
	buf_done(&f.records);
	buf_done(&f.next);
	return code;
}

/* "OWNER/ID" to its target; false: not of that form. */
static bool record_target(const char *key, struct buf *target)
{
	const char *slash = strchr(key, '/');

	if (!slash || slash == key || !slash[1])
		return false;
	buf_text(target, "/v1/records/");
	buf_percent(target, (struct span){key, (size_t)(slash - key)});
	buf_char(target, '/');
	buf_percent(target, span_of(slash + 1));
	return true;
}

static int call_record(struct tool *t, enum http_method m, struct span body)
{
	struct buf target = {0};
	struct client_reply reply;

	if (!record_target(t->args.at[0], &target))
		return tool_usage("%s is not OWNER/ID", t->args.at[0]);
	int code = tool_call(t, m, target.at, body, &reply);
	buf_done(&target);
	if (code != EXIT_OK)
		return code;
	fwrite(reply.body.at, 1, reply.body.len, stdout);
	client_reply_done(&reply);
	return EXIT_OK;
}

int command_record(struct tool *t)
{
	return t->args.n == 1 ? call_record(t, HTTP_GET, (struct span){0})
			      : tool_usage("record takes OWNER/ID");
}

int command_delete(struct tool *t)
{
	return t->args.n == 1 ? call_record(t, HTTP_DELETE, (struct span){0})
			      : tool_usage("delete takes OWNER/ID");
}

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	char chunk[16384];
	size_t n;

	if (!f) {
		fprintf(stderr, "tidemark: %s: %s\n", path, strerror(errno));
		return false;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	bool ok = !ferror(f) && !buf_failed(out);
	if (f != stdin)
		fclose(f);
	if (!ok)
		fprintf(stderr, "tidemark: %s: cannot be read, or is over 1 MiB\n", path);
	return ok;
}

int command_put(struct tool *t)
{
	struct buf file = {.max = 1024 * 1024}, body = {0};
	struct json_value value;
	struct reason why;

	if (t->args.n != 2 || !t->type)
		return tool_usage("put takes OWNER/ID --type T FILE, or - for standard input");
	int code = read_file(t->args.at[1], &file) ? EXIT_OK : EXIT_FAILED;
	if (code == EXIT_OK && json_check(buf_span(&file), &value, &why) != OK) {
		fprintf(stderr, "tidemark: %s: %s\n", t->args.at[1], why.text);
		code = EXIT_FAILED;
	}
	if (code == EXIT_OK) {
		buf_text(&body, "{\"type\":");
		buf_json_text(&body, span_of(t->type));
		buf_text(&body, ",\"body\":");
		buf_put(&body, value.raw);
		buf_char(&body, '}');
		code = call_record(t, HTTP_PUT, buf_span(&body));
	}
	buf_done(&file);
	buf_done(&body);
	return code;
}
