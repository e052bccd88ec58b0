#include "shared/format.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *ending(const char *path)
{
	const char *base = base_name(path), *dot = strrchr(base, '.');

	return dot && dot > base ? dot + 1 : base + strlen(base);
}

static enum err find_kind(struct format *f, const char *path, struct reason *why)
{
	static const struct {
		const char *name;
		enum format_kind kind;
	} known[] = {{"ndjson", FORMAT_NDJSON}, {"jsonl", FORMAT_NDJSON}, {"json", FORMAT_JSON},
		{"geojson", FORMAT_JSON}, {"csv", FORMAT_CSV}};
	const char *word = f->options->format ? f->options->format : ending(path);
	bool standard = strcmp(path, "-") == 0;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(word, known[i].name) == 0) {
			f->kind = known[i].kind;
			return OK;
		}
	if (!standard && strncmp(path, "/dev/", 5) != 0)
		return fail(INVALID, why,
			"%.150s: its name does not end in .ndjson, .json or .csv; give --format", path);
	f->kind = f->options->each ? FORMAT_JSON : FORMAT_NDJSON;
	return OK;
}

static enum err find_delimiter(struct format *f, struct reason *why)
{
	const char *given = f->options->delimiter ? f->options->delimiter : ",";

	f->delimiter = strcmp(given, "tab") == 0 ? '\t' : given[0];
	if ((f->delimiter != '\t' && given[1] != '\0') || !f->delimiter ||
		(unsigned char)f->delimiter >= 0x7f || strchr("\"\r\n", f->delimiter) ||
		isalnum((unsigned char)f->delimiter))
		return fail(INVALID, why, "--delimiter %.20s: one character like , ; or |, or the word tab",
			given);
	return OK;
}

static bool prefix_ok(const char *text, size_t len)
{
	return len <= FORMAT_PREFIX_MAX && record_id_ok((struct span){text, len});
}

static enum err check_names(const struct format_options *o, struct reason *why)
{
	if (o->type && !record_type_ok(span_of(o->type)))
		return fail(INVALID, why, "--type %.60s: " RECORD_TYPE_RULE, o->type);
	if (o->owner && !record_owner_ok(span_of(o->owner)))
		return fail(INVALID, why, "--owner %.80s: " RECORD_OWNER_RULE, o->owner);
	if (o->id_prefix && !prefix_ok(o->id_prefix, strlen(o->id_prefix)))
		return fail(INVALID, why, "--id-prefix %.80s: not 1 to %d of A-Z a-z 0-9 . _ : -",
			o->id_prefix, FORMAT_PREFIX_MAX);
	if (o->id_prefix && o->id_column)
		return fail(INVALID, why, "--id-column and --id-prefix: an id comes from one of them");
	return OK;
}

/* The name of a file stands for it; a part of a name, or another's place, could stand for two. */
static void name_prefix(struct format *f, const char *path)
{
	const char *base = base_name(path), *end = ending(path);
	size_t len = (size_t)(end - base);

	len -= len > 0 && *end;
	if (strcmp(path, "-") == 0 || strncmp(path, "/dev/", 5) == 0 || !prefix_ok(base, len))
		return;
	memcpy(f->prefix, base, len);
	f->prefix[len] = '\0';
}

static enum err begin(struct format *f, const struct format_options *o, const char *path, struct reason *why)
{
	enum err e;

	*f = (struct format){.options = o, .prefix_given = o->id_prefix != NULL};
	if ((e = check_names(o, why)) != OK || (e = find_kind(f, path, why)) != OK ||
		(e = find_delimiter(f, why)) != OK)
		return e;
	if (o->id_prefix)
		memcpy(f->prefix, o->id_prefix, strlen(o->id_prefix) + 1);
	return OK;
}

/* The first of these options that was given, for a sentence. */
static const char *given_of(const struct format_options *o, bool import)
{
	if (import)
		return o->columns ? "--columns" : o->order ? "--order" : o->crlf ? "--crlf" : NULL;
	return o->each ? "--each" : NULL;
}

enum err format_of_import(
	struct format *ret, const struct format_options *o, const char *path, struct reason *why)
{
	struct format f;
	enum err e = begin(&f, o, path, why);

	if (e != OK)
		return e;
	if (given_of(o, true))
		return fail(INVALID, why, "%s is for export", given_of(o, true));
	if (o->each && f.kind != FORMAT_JSON)
		return fail(INVALID, why,
			"--each goes into one JSON document: give a .json file or --format json");
	if (o->bodies && !o->type)
		return fail(INVALID, why, "--bodies: give --type T, the type that these bodies have");
	if (o->id_column && f.kind != FORMAT_CSV && !o->type)
		return fail(INVALID, why,
			"--id-column: whole records have their id; for plain values give --type T too");
	if (!o->id_prefix && !o->id_column)
		name_prefix(&f, path);
	*ret = f;
	return OK;
}

enum err format_of_export(
	struct format *ret, const struct format_options *o, const char *path, struct reason *why)
{
	struct format f;
	enum err e = begin(&f, o, path, why);

	if (e != OK)
		return e;
	bool csv = f.kind == FORMAT_CSV;

	if (given_of(o, false))
		return fail(INVALID, why, "%s is for import", given_of(o, false));
	if (o->columns && !csv)
		return fail(INVALID, why, "--columns is for CSV: give a .csv file or --format csv");
	if (o->columns && (o->id_column || o->bodies))
		return fail(INVALID, why, "--columns says all there is to write: leave out %s",
			o->bodies ? "--bodies" : "--id-column");
	if (csv && o->bodies)
		return fail(INVALID, why, "--bodies is for NDJSON and JSON; CSV has only bodies");
	if ((csv || o->bodies) && o->deleted)
		return fail(INVALID, why,
			"--deleted: deleted records have no body; export whole records as NDJSON");
	*ret = f;
	return OK;
}

void format_row_id(const char *prefix, uint64_t row, char ret[RECORD_ID_MAX + 1])
{
	snprintf(ret, RECORD_ID_MAX + 1, "%.*s:%0*" PRIu64, FORMAT_PREFIX_MAX, prefix, FORMAT_ROW_DIGITS,
		row % UINT64_C(10000000000));
}

bool format_is_row_id(struct span id, struct span *ret_prefix, uint64_t *ret_row)
{
	uint64_t row;

	if (id.len < FORMAT_ROW_DIGITS + 2)
		return false;
	size_t prefix = id.len - FORMAT_ROW_DIGITS - 1;
	if (id.at[prefix] != ':' ||
		!span_to_u64((struct span){id.at + prefix + 1, FORMAT_ROW_DIGITS}, INT64_MAX, &row))
		return false;
	*ret_prefix = (struct span){id.at, prefix};
	*ret_row = row;
	return true;
}

void format_row_body(const struct span *keys, const struct span *cells, size_t n, struct buf *out)
{
	char before = '{';

	for (size_t i = 0; i < n; i++) {
		if (keys[i].len == 0)
			continue;
		buf_char(out, before);
		buf_put(out, keys[i]);
		buf_json_text(out, cells[i]);
		before = ',';
	}
	buf_text(out, before == '{' ? "{}" : "}");
}

enum format_column format_column_of(struct span name)
{
	static const char *const names[] = {[COLUMN_ID] = "@id",
		[COLUMN_TYPE] = "@type",
		[COLUMN_OWNER] = "@owner",
		[COLUMN_CREATED] = "@created_at",
		[COLUMN_UPDATED] = "@updated_at"};

	for (enum format_column c = COLUMN_ID; c <= COLUMN_UPDATED; c++)
		if (span_is(name, names[c]))
			return c;
	return COLUMN_MEMBER;
}
