/* A page of the API's, cut into records: the members of each are checked one by one, since a body alone may be as
 * deep as is allowed. */
#include <string.h>

#include "shared/exporter_private.h"
#include "shared/members.h"

enum name { OF_OWNER, OF_ID, OF_TYPE, OF_BODY, OF_DOT, OF_CREATED, OF_UPDATED, NAMES };

static const struct span names[NAMES] = {
	[OF_OWNER] = MEMBER("owner"),
	[OF_ID] = MEMBER("id"),
	[OF_TYPE] = MEMBER("type"),
	[OF_BODY] = MEMBER("body"),
	[OF_DOT] = MEMBER("dot"),
	[OF_CREATED] = MEMBER("created_at"),
	[OF_UPDATED] = MEMBER("updated_at"),
};

void export_page_done(struct export_page *p)
{
	arena_done(&p->arena);
	*p = (struct export_page){0};
}

static struct span inside(const struct json_value *v)
{
	return v->kind == JSON_TEXT ? (struct span){v->raw.at + 1, v->raw.len - 2} : (struct span){0};
}

static enum err read_record(struct exported *r, struct span text, struct arena *a, struct reason *why)
{
	struct json_value values[NAMES] = {0};
	struct members m = {.names = names, .values = values, .n = NAMES};
	struct span dot;
	enum err e;

	if ((e = members_read(&m, text, why)) != OK || (e = members_text(&m, OF_OWNER, a, &r->owner, why)) ||
		(e = members_text(&m, OF_ID, a, &r->id, why)) ||
		(e = members_text(&m, OF_TYPE, a, &r->type, why)))
		return e;
	if (!members_has(&m, OF_BODY))
		return members_refuse(&m, OF_BODY, why, "");
	r->whole = text;
	r->body = values[OF_BODY];
	r->created = inside(&values[OF_CREATED]);
	r->updated = inside(&values[OF_UPDATED]);
	dot = inside(&values[OF_DOT]);
	const char *point = dot.len ? memchr(dot.at, '.', dot.len) : NULL;
	if (!point || !span_to_u64((struct span){point + 1, (size_t)(dot.at + dot.len - point - 1)},
			      UINT64_MAX, &r->n))
		r->n = 0;
	return OK;
}

/* `,"next":…}` with a brace in front is an object again. */
static enum err read_next(struct export_page *p, const char *at, const char *end, struct reason *why)
{
	static const struct span next[] = {MEMBER("next")};
	struct json_value value = {0};
	struct members m = {.names = next, .values = &value, .n = 1};

	if (at == end || *at != ',')
		return fail(INVALID, why, "next: missing");
	char *object = arena_copy(&p->arena, at, (size_t)(end - at));
	object[0] = '{';
	if (members_read(&m, (struct span){object, (size_t)(end - at)}, why) != OK)
		return INVALID;
	if (!members_has(&m, 0))
		return members_refuse(&m, 0, why, "");
	return members_null(&m, 0) ? OK : members_text(&m, 0, &p->arena, &p->next, why);
}

static void add(struct export_page *p, size_t *cap, const struct exported *r)
{
	if (p->n == *cap) {
		struct exported *old = p->at;

		*cap = *cap ? 2 * *cap : 256;
		p->at = arena_alloc(&p->arena, *cap * sizeof *p->at);
		if (old)
			memcpy(p->at, old, p->n * sizeof *old);
	}
	p->at[p->n++] = *r;
}

static enum err read_page(struct export_page *p, struct span text, struct reason *why)
{
	static const char begin[] = "{\"records\":[";
	const char *at = text.at + sizeof begin - 1, *end = text.at + text.len;
	size_t cap = 0;

	if (text.len < sizeof begin || memcmp(text.at, begin, sizeof begin - 1) != 0)
		return fail(INVALID, why, "no list of records");
	while (at < end && *at == '{') {
		struct exported r = {0};
		const char *close = json_find_close(at, end);

		if (!close)
			return fail(INVALID, why, "cut short");
		if (read_record(&r, (struct span){at, (size_t)(close - at)}, &p->arena, why) != OK)
			return INVALID;
		add(p, &cap, &r);
		at = close + (close < end && *close == ',');
	}
	if (at == end || *at != ']')
		return fail(INVALID, why, "cut short");
	return read_next(p, at + 1, end, why);
}

enum err export_page_read(struct export_page *ret, struct span text, struct reason *why)
{
	struct export_page p = {0};
	struct reason cause;

	if (read_page(&p, text, &cause) == OK) {
		*ret = p;
		return OK;
	}
	export_page_done(&p);
	return fail(INTERNAL, why, "no page of records, but: %s", cause.text);
}
