#include "central/notice.h"

#include <string.h>

void notices_done(struct notices *ns)
{
	arena_done(&ns->arena);
	*ns = (struct notices){0};
}

bool notice_troubled(struct span text)
{
	enum node_state now, was;
	struct span reason;
	return node_change_parse(text, &now, &was, &reason) && now != NODE_IN_SYNC;
}

/* The end of an ailment is as loud as the ailment was, whose word begins the text of both. */
static bool ends_ailment(enum log_level least, const char *kind, struct span text)
{
	if (strcmp(kind, "node.recovered") != 0 && strcmp(kind, "centre.recovered") != 0)
		return false;
	for (int i = 0; i < AILMENTS; i++) {
		struct span word = span_of(ailment_name((enum ailment)i));
		if (text.len > word.len && text.at[word.len] == ':' && !memcmp(text.at, word.at, word.len))
			return ailment_level((enum ailment)i) <= least;
	}
	return false;
}

enum notice_want notice_want(enum log_level least, enum log_level level, const char *kind, struct span text)
{
	if (strcmp(kind, NOTICE_TEST) == 0)
		return NOTICE_YES;
	if (strncmp(kind, "notify.", 7) == 0)
		return NOTICE_NO; /* of a receiver that fails: it would tell itself of itself */
	if (level <= least || ends_ailment(least, kind, text))
		return NOTICE_YES;
	return strcmp(kind, "node.state") == 0 && !notice_troubled(text) ? NOTICE_IF_TROUBLED : NOTICE_NO;
}

static const struct notice *worst_of(const struct notices *ns)
{
	const struct notice *worst = &ns->at[0];
	for (size_t i = 1; i < ns->n; i++)
		if (ns->at[i].level < worst->level)
			worst = &ns->at[i];
	return worst;
}

static void put_line(const struct notice *n, struct buf *out)
{
	buf_text(out, n->node ? n->node : "centre");
	if (strcmp(n->kind, "node.state") != 0) /* whose text begins with the state */
		buf_printf(out, " %s", n->kind);
	buf_printf(out, ": %s", n->text);
}

void notice_put_subject(const struct notice_message *m, struct buf *out)
{
	const struct notices *ns = m->notices;
	buf_text(out, "Tidemark: ");
	if (ns->n == 0) {
		buf_printf(out, "%llu events could not be told", (unsigned long long)m->dropped);
		return;
	}
	if (ns->n > 1)
		buf_printf(out, "%zu events, the worst: ", ns->n);
	put_line(worst_of(ns), out);
}

void notice_put_text(const struct notice_message *m, struct buf *out)
{
	const struct notices *ns = m->notices;
	size_t lines = ns->n < NOTICE_LINES_MAX ? ns->n : NOTICE_LINES_MAX;
	if (m->dropped > 0)
		buf_printf(out,
			"%llu earlier events could not be told: more were waiting than are kept; see "
			"`tidemark events`\n",
			(unsigned long long)m->dropped);
	for (size_t i = 0; i < lines; i++) {
		put_line(&ns->at[i], out);
		buf_char(out, '\n');
	}
	if (lines < ns->n)
		buf_printf(out, "and %zu more\n", ns->n - lines);
}

static void put_member(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, ",\"%s\":", key);
	if (value)
		buf_json_text(out, span_of(value));
	else
		buf_text(out, "null");
}

static void put_at(struct buf *out, const char *key, int64_t us)
{
	buf_printf(out, ",\"%s\":\"", key);
	buf_time(out, us);
	buf_char(out, '"');
}

/* A change of state also in its parts, so that a receiver need not read the sentence. */
static void put_change(const struct notice *n, struct buf *out)
{
	enum node_state now, was;
	struct span reason;
	bool change = strcmp(n->kind, "node.state") == 0 &&
		      node_change_parse(span_of(n->text), &now, &was, &reason);
	put_member(out, "state", change ? node_state_name(now) : NULL);
	put_member(out, "was", change ? node_state_name(was) : NULL);
	buf_text(out, ",\"reason\":");
	if (change)
		buf_json_text(out, reason);
	else
		buf_text(out, "null");
}

static void put_notice(const struct notice *n, struct buf *out)
{
	buf_printf(out, "{\"id\":%llu", (unsigned long long)n->id);
	put_at(out, "at", n->at_us);
	put_member(out, "level", log_level_name(n->level));
	put_member(out, "kind", n->kind);
	put_member(out, "node", n->node);
	put_member(out, "text", n->text);
	put_change(n, out);
	buf_char(out, '}');
}

void notice_put_json(const struct notice_message *m, struct buf *out)
{
	struct buf words = {0};
	buf_printf(out, "{\"id\":\"%s\",\"centre\":\"%s\"", m->delivery, m->centre);
	put_member(out, "url", m->url);
	put_at(out, "sent_at", m->at_us);
	buf_printf(out, ",\"attempt\":%llu,\"dropped\":%llu", (unsigned long long)m->attempt,
		(unsigned long long)m->dropped);
	notice_put_subject(m, &words);
	buf_text(out, ",\"subject\":");
	buf_json_text(out, buf_span(&words));
	buf_clear(&words);
	notice_put_text(m, &words);
	buf_text(out, ",\"text\":");
	buf_json_text(out, buf_span(&words));
	buf_done(&words);
	buf_text(out, ",\"events\":[");
	for (size_t i = 0; i < m->notices->n; i++) {
		if (i > 0)
			buf_char(out, ',');
		put_notice(&m->notices->at[i], out);
	}
	buf_text(out, "]}\n");
}
