/* What people and applications hand in: one object, an array, or objects one a line. */
#include <assert.h>
#include <string.h>

#include "shared/record.h"

#define DRAFTS_MAX 10000

enum name { OF_OWNER, OF_ID, OF_TYPE, OF_BODY, OF_DELETED, NAMES };

static const struct span names[NAMES] = {
	[OF_OWNER] = MEMBER("owner"),
	[OF_ID] = MEMBER("id"),
	[OF_TYPE] = MEMBER("type"),
	[OF_BODY] = MEMBER("body"),
	[OF_DELETED] = MEMBER("deleted"),
};

/* The text with the place reached in it, and what to say when it is wrong. */
struct reader {
	const char *start, *at, *end;
	const char *failed_at;
	const char *code;
	struct reason why;
	struct drafts *drafts;
	size_t cap;
	bool owner_wanted;
};

static enum err refuse(struct reader *t, const char *at, const char *code, const char *what)
{
	t->failed_at = at;
	t->code = code;
	return fail(INVALID, &t->why, "%s", what);
}

static enum err take_owner(struct reader *t, const struct members *m, struct draft *d)
{
	if (!t->owner_wanted)
		return OK;
	t->code = "bad_request";
	if (members_text(m, OF_OWNER, &t->drafts->arena, &d->owner, &t->why))
		return INVALID;
	return record_owner_ok(d->owner) ? OK : members_refuse(m, OF_OWNER, &t->why, RECORD_OWNER_RULE);
}

static enum err take_id(struct reader *t, const struct members *m, struct draft *d)
{
	if (members_null(m, OF_ID))
		return OK;
	t->code = "bad_id";
	if (members_text(m, OF_ID, &t->drafts->arena, &d->id, &t->why))
		return INVALID;
	return record_id_ok(d->id) ? OK : members_refuse(m, OF_ID, &t->why, RECORD_ID_RULE);
}

static enum err take_type_and_body(struct reader *t, const struct members *m, struct draft *d)
{
	t->code = "bad_type";
	if (members_text(m, OF_TYPE, &t->drafts->arena, &d->type, &t->why))
		return INVALID;
	if (!record_type_ok(d->type))
		return members_refuse(m, OF_TYPE, &t->why, RECORD_TYPE_RULE);
	t->code = "bad_request";
	if (m->values[OF_DELETED].kind == JSON_TRUE)
		return members_refuse(m, OF_DELETED, &t->why, "true, but a record is deleted by DELETE");
	if (!members_has(m, OF_BODY))
		return members_refuse(m, OF_BODY, &t->why, "");
	d->body = m->values[OF_BODY].raw;
	t->code = "body_too_large";
	return d->body.len <= RECORD_BODY_MAX ? OK : members_refuse(m, OF_BODY, &t->why, RECORD_BODY_RULE);
}

static enum err take_draft(struct reader *t, struct span object, struct draft *ret)
{
	struct json_value values[NAMES] = {0};
	struct members m = {.names = names, .values = values, .n = NAMES};
	struct draft d = {0};

	t->code = "bad_json";
	if (members_read(&m, object, &t->why)) {
		t->failed_at = m.failed_at;
		return INVALID;
	}
	t->failed_at = object.at;
	if (take_owner(t, &m, &d) || take_id(t, &m, &d) || take_type_and_body(t, &m, &d))
		return INVALID;
	*ret = d;
	return OK;
}

static void skip_blanks(struct reader *t)
{
	while (t->at < t->end && memchr(" \t\r\n", *t->at, 4))
		t->at++;
}

static struct draft *add_draft(struct reader *t)
{
	struct drafts *ds = t->drafts;

	if (ds->n == t->cap) {
		struct draft *old = ds->at;

		t->cap = t->cap > 0 ? 4 * t->cap : 16;
		ds->at = arena_alloc(&ds->arena, t->cap * sizeof(*ds->at));
		if (old)
			memcpy(ds->at, old, ds->n * sizeof(*old));
	}
	return &ds->at[ds->n++];
}

/* The record that starts here. */
static enum err take_next(struct reader *t)
{
	const char *close;

	if (t->at == t->end || *t->at != '{')
		return refuse(t, t->at, "bad_json", "a record, a JSON object, was expected here");
	if (t->drafts->n == DRAFTS_MAX)
		return refuse(t, t->at, "too_many_records", "more than 10000 records in one request");
	close = json_find_close(t->at, t->end);
	if (take_draft(t, (struct span){t->at, (size_t)((close ? close : t->end) - t->at)}, add_draft(t)))
		return INVALID;
	assert(close);
	t->at = close;
	skip_blanks(t);
	return OK;
}

static enum err take_array(struct reader *t)
{
	const char *open = t->at++;

	skip_blanks(t);
	if (t->at < t->end && *t->at == ']') {
		t->at++;
		return OK;
	}
	for (;;) {
		if (take_next(t))
			return INVALID;
		if (t->at == t->end)
			return refuse(t, open, "bad_json", "the array that begins here is not closed");
		if (*t->at == ']') {
			t->at++;
			return OK;
		}
		if (*t->at != ',')
			return refuse(t, t->at, "bad_json", "a comma or the array's end was expected here");
		t->at++;
		skip_blanks(t);
	}
}

static enum err take_lines(struct reader *t)
{
	while (t->at < t->end) {
		const char *before = t->at;

		if (t->drafts->n > 0) {
			while (before > t->start && memchr(" \t\r", before[-1], 3))
				before--;
			if (before[-1] != '\n')
				return refuse(
					t, t->at, "bad_json", "something follows the record on its line");
		}
		if (take_next(t))
			return INVALID;
	}
	return OK;
}

static enum err take_all(struct reader *t)
{
	if (t->end - t->at >= 3 && memcmp(t->at, "\xef\xbb\xbf", 3) == 0)
		return refuse(
			t, t->at, "bad_json", "the text starts with a byte order mark; send it without");
	skip_blanks(t);
	if (t->at == t->end)
		return refuse(t, t->at, "bad_json", "empty, where a record was expected");
	if (*t->at != '[')
		return take_lines(t);
	if (take_array(t))
		return INVALID;
	skip_blanks(t);
	return t->at == t->end ? OK : refuse(t, t->at, "bad_json", "something follows the array");
}

/*
 * The line of the failure, from 1.  The scanner counts bytes from the record's start, people
 * from the line's.
 */
static size_t find_line(struct reader *t)
{
	const char *line_start = t->start, *cause = strstr(t->why.text, ": ");
	size_t line = 1;

	for (const char *at = t->start; at < t->failed_at && at < t->end; at++)
		if (*at == '\n') {
			line++;
			line_start = at + 1;
		}
	if (cause && strncmp(t->why.text, "byte ", 5) == 0) {
		struct reason old = t->why;

		fail(INVALID, &t->why, "byte %zu%s", (size_t)(t->failed_at - line_start) + 1,
			old.text + (cause - t->why.text));
	}
	return line;
}

void drafts_done(struct drafts *d)
{
	arena_done(&d->arena);
	*d = (struct drafts){0};
}

enum err drafts_parse(struct drafts *ret, struct span text, bool owner_wanted, size_t *ret_line,
	const char **ret_code, struct reason *why)
{
	struct drafts ds = {0};
	struct reader t = {.start = text.at,
		.at = text.at,
		.end = text.at + text.len,
		.drafts = &ds,
		.owner_wanted = owner_wanted};

	if (take_all(&t) == OK) {
		*ret = ds;
		return OK;
	}
	*ret_line = find_line(&t);
	*ret_code = t.code;
	drafts_done(&ds);
	return fail(INVALID, why, "%s", t.why.text);
}

enum err draft_parse_put(
	struct draft *ret, struct span text, struct arena *a, const char **ret_code, struct reason *why)
{
	struct drafts ds = {.arena = *a};
	struct reader t = {.start = text.at, .at = text.at, .end = text.at + text.len, .drafts = &ds};
	struct draft d = {0};
	enum err e = take_draft(&t, text, &d);

	*a = ds.arena;
	if (e) {
		*ret_code = t.code;
		return fail(INVALID, why, "%s", t.why.text);
	}
	d.id = (struct span){0}; /* it stands in the path */
	*ret = d;
	return OK;
}
