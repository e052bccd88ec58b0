#include "central/audit.h"

#include <string.h>

void audit_done(struct audit *a)
{
	buf_done(&a->before);
	buf_done(&a->after);
}

/* Names are ours: nothing in them to be escaped. */
static void put_member(struct buf *end, const char *member)
{
	buf_printf(end, "%c\"%s\":", end->len ? ',' : '{', member);
}

void audit_text(struct buf *end, const char *member, struct span value)
{
	put_member(end, member);
	buf_json_text(end, value);
}

void audit_number(struct buf *end, const char *member, uint64_t value)
{
	put_member(end, member);
	buf_u64(end, value);
}

void audit_word(struct buf *end, const char *member, bool value)
{
	put_member(end, member);
	buf_text(end, value ? "true" : "false");
}

void audit_time(struct buf *end, const char *member, int64_t us)
{
	put_member(end, member);
	buf_json_time(end, us);
}

void audit_end(struct buf *end)
{
	buf_text(end, end->len ? "}" : "{}");
}

static void put_node(struct buf *end, const struct node_row *n, const struct node_row *other)
{
	if (!n)
		return;
	if (!other || strcmp(n->url, other->url) != 0)
		audit_text(end, "url", span_of(n->url));
	if (!other || strcmp(n->title, other->title) != 0)
		audit_text(end, "title", span_of(n->title));
	if (!other || n->node.paused != other->node.paused)
		audit_word(end, "paused", n->node.paused);
	if (end->len)
		audit_end(end);
}

bool audit_node(struct audit *a, const struct node_row *before, const struct node_row *after)
{
	put_node(&a->before, before, after);
	put_node(&a->after, after, before);
	return a->before.len > 0 || a->after.len > 0;
}

static void put_record(struct buf *end, const struct record *r)
{
	char hex[33];

	if (!r)
		return;
	hash_hex(r->hash, hex);
	audit_text(end, "id", r->id);
	audit_text(end, "type", r->type);
	audit_text(end, "hash", span_of(hex));
	if (r->deleted)
		audit_word(end, "deleted", true);
	audit_end(end);
}

void audit_record(struct audit *a, const struct record *before, const struct record *after)
{
	put_record(&a->before, before);
	put_record(&a->after, after);
}
