#include "central/tool/event.h"

#include <stdio.h>
#include <string.h>

#include "shared/json_check.h"
#include "shared/utf8.h"

/* The member's raw JSON, "-" where there is none. */
static struct span find(struct span object, struct span key)
{
	struct json_iter it;
	struct json_value v;
	struct span name;

	if (!json_open(&it, object))
		return span_of("-");
	it.frame = JSON_FRAME_MAX;
	while (json_next(&it, &name, &v))
		if (span_equal(name, key))
			return v.raw;
	return span_of("-");
}

/* The members of `of`, each with what it was and is; those alone that `but` has not. */
static void put_members(
	struct buf *line, struct span of, struct span but, struct span before, struct span after)
{
	struct json_iter it;
	struct json_value v;
	struct span key, was, is;

	if (!json_open(&it, of))
		return;
	it.frame = JSON_FRAME_MAX;
	while (json_next(&it, &key, &v)) {
		was = find(before, key);
		is = find(after, key);
		if (span_equal(was, is) || !span_is(find(but, key), "-"))
			continue;
		buf_printf(line, "%s%.*s: %.*s → %.*s", line->len ? ", " : "", (int)key.len, key.at,
			(int)was.len, was.at, (int)is.len, is.at);
	}
}

/* url: "http://a" → "http://b", paused: false → true */
static void put_change(struct buf *line, struct span event)
{
	struct span before = tool_member(event, "before"), after = tool_member(event, "after");
	struct buf change = {0};

	put_members(&change, before, (struct span){"", 0}, before, after);
	put_members(&change, after, before, before, after);
	if (change.len)
		buf_printf(line, "  %s", change.at);
	buf_done(&change);
}

static void print_event(const struct tool *t, const struct json_doc *d, struct span event)
{
	const char *who = tool_text(d, "who"), *from = tool_text(d, "address");
	bool by = strcmp(who, "-") != 0, known = strcmp(from, "-") != 0;
	struct buf line = {0};

	buf_printf(&line, "%s  ", tool_text(d, "at"));
	if (!t->audit)
		buf_printf(&line, "%-5s", tool_text(d, "level"));
	else
		buf_printf(&line, "%-10s%s%-12s", who, known ? " " : "", known ? from : "");
	buf_printf(
		&line, "  %-14s %-12s %s", tool_text(d, "kind"), tool_text(d, "node"), tool_text(d, "text"));
	if (t->audit)
		put_change(&line, event);
	else if (by)
		buf_printf(&line, " (%s)", who);
	if (!buf_failed(&line)) {
		utf8_tame(line.at); /* some of it others wrote */
		puts(line.at);
	}
	buf_done(&line);
}

uint64_t event_print(const struct tool *t, struct span event)
{
	struct json_doc *d = NULL;
	uint64_t id = 0;

	if (json_doc_parse(&d, event, NULL) == OK)
		id = tool_u64(d, "id");
	if (id && t->json)
		printf("%.*s\n", (int)event.len, event.at);
	else if (id)
		print_event(t, d, event);
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
	if (t->audit)
		buf_text(target, "&audit=true");
	if (t->who) {
		buf_text(target, "&who=");
		buf_percent(target, span_of(t->who));
	}
	if (t->node) {
		buf_text(target, "&node=");
		buf_percent(target, span_of(t->node));
	}
}
