#include "central/tool/event.h"

#include <stdio.h>

#include "shared/json_check.h"

uint64_t event_print(const struct tool *t, struct span event)
{
	struct json_doc *d = NULL;
	uint64_t id = 0;

	if (json_doc_parse(&d, event, NULL) == OK)
		id = tool_u64(d, "id");
	if (id && t->json)
		printf("%.*s\n", (int)event.len, event.at);
	else if (id)
		printf("%s  %-5s  %-14s %-12s %s\n", tool_text(d, "at"), tool_text(d, "level"),
			tool_text(d, "kind"), tool_text(d, "node"), tool_text(d, "text"));
	json_doc_free(d);
	return id;
}

uint64_t event_print_page(const struct tool *t, struct span page)
{
	struct json_iter list;
	struct json_value v;
	uint64_t last = 0;

	if (!json_open(&list, tool_member(page, "events")))
		return 0;
	list.frame = JSON_FRAME_MAX;
	while (json_next(&list, NULL, &v))
		last = event_print(t, v.raw);
	fflush(stdout);
	return last;
}

void event_put_wish(const struct tool *t, struct buf *target)
{
	if (t->level)
		buf_printf(target, "&level=%s", t->level);
	if (t->node) {
		buf_text(target, "&node=");
		buf_percent(target, span_of(t->node));
	}
}
