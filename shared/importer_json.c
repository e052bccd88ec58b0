/* JSON values: whole records, or plain values that become bodies. */
#include "shared/importer_private.h"

#include "shared/members.h"
#include "shared/json_stream.h"

enum name { OF_OWNER, OF_ID, OF_TYPE, OF_DELETED, OF_BODY, NAMES };

static const struct span names[NAMES] = {
	[OF_OWNER] = MEMBER("owner"),
	[OF_ID] = MEMBER("id"),
	[OF_TYPE] = MEMBER("type"),
	[OF_DELETED] = MEMBER("deleted"),
	[OF_BODY] = MEMBER("body"),
};

/* One value on its way to a draft. */
struct one {
	struct importer *im;
	struct json_value value;
	uint64_t line;
	struct arena arena;
	char made[RECORD_ID_MAX + 1];
};

static enum err no_record(const struct members *m, struct reason *why)
{
	const char *missing = members_has(m, OF_TYPE) ? "body" : "type";

	return fail(INVALID, why,
		"no record: `%s` is missing; plain values are imported with --type T, and an array inside "
		"the "
		"document with --each PATH",
		missing);
}

static enum err take_record(struct one *o, struct reason *why)
{
	struct json_value values[NAMES] = {0};
	struct members m = {.names = names, .values = values, .n = NAMES};
	struct draft d = {0};
	bool deleted = false;
	enum err e = OK;

	if (o->value.kind != JSON_OBJECT)
		return fail(INVALID, why,
			"not a record, which is an object; plain values are imported with --type T");
	if ((e = members_read(&m, o->value.raw, why)) != OK)
		return e;
	if (!members_has(&m, OF_TYPE) || !members_has(&m, OF_BODY))
		return no_record(&m, why);
	if ((e = members_text(&m, OF_TYPE, &o->arena, &d.type, why)) != OK)
		return e;
	if (!record_type_ok(d.type))
		return members_refuse(&m, OF_TYPE, why, RECORD_TYPE_RULE);
	if (!members_null(&m, OF_ID))
		e = members_text(&m, OF_ID, &o->arena, &d.id, why);
	if (e == OK && !members_null(&m, OF_OWNER))
		e = members_text(&m, OF_OWNER, &o->arena, &d.owner, why);
	if (e == OK && members_has(&m, OF_DELETED))
		e = members_bool(&m, OF_DELETED, &deleted, why);
	if (e == OK)
		e = importer_owner(o->im, &d, why);
	if (e == OK)
		e = importer_id(o->im, &d, false, o->made, why);
	if (e != OK)
		return e;
	d.body = m.values[OF_BODY].raw;
	return deleted ? importer_remove(o->im, &d, o->line, why) : importer_add(o->im, &d, o->line, why);
}

/* What a plain object has that matters: its id, and whether it is one of our records after all. */
static enum err look_into(struct one *o, struct span *ret_id, struct reason *why)
{
	const char *column = o->im->options->id_column;
	unsigned ours = 0;
	struct json_iter it;
	struct json_value v, id = {0};
	struct span key;

	if (!json_open(&it, o->value.raw))
		return OK;
	while (json_next(&it, &key, &v)) {
		if (column && !id.raw.at && json_key_is(key, span_of(column)))
			id = v;
		ours += span_is(key, "owner") || span_is(key, "id") || span_is(key, "type") ||
			span_is(key, "deleted") || span_is(key, "body") || span_is(key, "hash") ||
			span_is(key, "dot");
	}
	if (ours == 7 && !o->im->options->bodies)
		return fail(INVALID, why,
			"this is a whole record, as export writes it: leave out --type, or say --bodies to "
			"make it "
			"the body of another");
	if (id.raw.at && id.kind == JSON_TEXT)
		*ret_id = json_text(&id, &o->arena);
	else if (id.raw.at && id.kind == JSON_NUMBER)
		*ret_id = id.raw;
	else if (id.raw.at)
		return fail(INVALID, why, "%.80s: neither a text nor a number", column);
	return OK;
}

static enum err take_body(struct one *o, struct reason *why)
{
	struct draft d = {.type = span_of(o->im->options->type), .body = o->value.raw};
	const char *column = o->im->options->id_column;
	enum err e = OK;

	if (o->value.kind == JSON_OBJECT)
		e = look_into(o, &d.id, why);
	if (e == OK && column && d.id.len == 0)
		return fail(INVALID, why, "no member \"%.80s\", which --id-column says has the id", column);
	if (e == OK)
		e = importer_owner(o->im, &d, why);
	if (e == OK)
		e = importer_id(o->im, &d, column != NULL, o->made, why);
	return e == OK ? importer_add(o->im, &d, o->line, why) : e;
}

static enum err take(struct one *o, struct reason *why)
{
	enum err e;

	o->im->rows++;
	e = o->im->options->type ? take_body(o, why) : take_record(o, why);
	arena_done(&o->arena);
	return e;
}

enum err importer_read_json(struct importer *im, struct reason *why)
{
	struct json_stream v;
	struct one o = {.im = im};
	enum err e = OK;

	if (im->format->kind == FORMAT_NDJSON)
		json_stream_of_lines(&v, im->config->in);
	else
		e = json_stream_of_document(&v, im->config->in, im->options->each, why);
	v.unchecked = im->options->type == NULL; /* members_read() checks a record's members one by one */
	while (e == OK && (e = json_stream_next(&v, &o.value, why)) == OK) {
		o.line = v.line;
		e = take(&o, why);
		if (e != OK && im->result.line == 0 && e == INVALID)
			im->result.line = o.line;
		if (e != OK)
			return e;
	}
	if (e == GONE)
		return OK;
	im->result.line = v.line;
	return e;
}
