#include "central/tool/list.h"

#include <stdio.h>

#include "shared/json_check.h"

/* The items of one page; *next: what goes into `after`, empty when that was all. */
static int read_page(struct span page, const char *name, list_item_fn *each, void *ctx, struct buf *next)
{
	struct json_value v, list = {.kind = JSON_NULL};
	struct json_iter it;
	struct span key;

	buf_clear(next);
	if (!json_open(&it, page))
		return EXIT_FAILED;
	it.frame = JSON_FRAME_MAX;
	while (json_next(&it, &key, &v)) {
		if (span_is(key, name))
			list = v;
		if (span_is(key, "next") && v.kind == JSON_TEXT) /* a name or a key: nothing is escaped */
			buf_percent(next, (struct span){v.raw.at + 1, v.raw.len - 2});
		else if (span_is(key, "next") && v.kind == JSON_NUMBER)
			buf_put(next, v.raw);
	}
	if (!json_ended(&it) || list.kind != JSON_ARRAY || !json_open(&it, list.raw))
		return EXIT_FAILED;
	it.frame = JSON_FRAME_MAX;
	while (json_next(&it, NULL, &v))
		each(ctx, v.raw);
	return json_ended(&it) ? EXIT_OK : EXIT_FAILED;
}

int list_each(struct tool *t, const char *target, const char *name, list_item_fn *each, void *ctx)
{
	struct buf next = {0}, page = {0};
	int code;

	do {
		struct client_reply reply;

		buf_clear(&page);
		buf_text(&page, target);
		if (next.len)
			buf_printf(&page, "&after=%s", next.at);
		code = tool_call(t, HTTP_GET, page.at, (struct span){0}, &reply);
		if (code != EXIT_OK)
			break;
		code = read_page(buf_span(&reply.body), name, each, ctx, &next);
		if (code != EXIT_OK)
			fprintf(stderr, "tidemark: %s answered no list of %s; is this a tidemark-central?\n",
				t->central, name);
		client_reply_done(&reply);
	} while (code == EXIT_OK && next.len);
	buf_done(&next);
	buf_done(&page);
	return code;
}

/* Nothing is printed before the first page has come. */
struct printing {
	const char *name;
	size_t n;
};

static void print_item(void *ctx, struct span item)
{
	struct printing *p = ctx;

	if (p->n++ == 0)
		printf("{\"%s\":[", p->name);
	else
		putchar(',');
	fwrite(item.at, 1, item.len, stdout);
}

int list_print(struct tool *t, const char *target, const char *name)
{
	struct printing p = {.name = name};
	int code = list_each(t, target, name, print_item, &p);

	if (code == EXIT_OK && p.n == 0)
		printf("{\"%s\":[", name);
	if (code == EXIT_OK)
		puts("],\"next\":null}");
	return code;
}
