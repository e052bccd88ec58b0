/* CSV of records: which columns, where the ids are, and that an import gives the same back. */
#include <string.h>

#include "shared/csv.h"
#include "shared/exporter_private.h"

void export_csv_done(struct export_csv *x)
{
	buf_done(&x->body);
	arena_done(&x->arena);
}

static enum err refuse(const struct exported *r, struct reason *why, const char *what)
{
	return fail(INVALID, why, "record %.*s/%.*s: %s", (int)r->owner.len, r->owner.at, (int)r->id.len,
		r->id.at, what);
}

/* --- what the columns are --- */

static void make_columns(struct export_csv *x, size_t n)
{
	x->n = n;
	x->names = arena_alloc(&x->arena, n * sizeof *x->names);
	x->keys = arena_alloc(&x->arena, n * sizeof *x->keys);
	x->cells = arena_alloc(&x->arena, n * sizeof *x->cells);
	x->what = arena_alloc(&x->arena, n * sizeof *x->what);
}

static void set_column(struct export_csv *x, size_t i, struct span name)
{
	struct buf key = {0};

	buf_json_text(&key, name);
	buf_char(&key, ':');
	x->names[i] = (struct span){arena_copy(&x->arena, name.at, name.len), name.len};
	x->what[i] = COLUMN_MEMBER;
	x->keys[i] = (struct span){arena_copy(&x->arena, key.at, key.len), key.len};
	buf_done(&key);
}

static void columns_of_option(struct export_csv *x)
{
	const char *list = x->format->options->columns;
	size_t n = 1;

	for (const char *at = list; *at; at++)
		n += *at == ',';
	make_columns(x, n);
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(list, ",");

		set_column(x, i, (struct span){list, len});
		x->what[i] = format_column_of(x->names[i]);
		list += len + (list[len] == ',');
	}
	x->ids = IDS_NONE;
}

/* The members of the first body, and room for a column of the ids in front. */
static enum err columns_of_body(struct export_csv *x, const struct exported *r, struct reason *why)
{
	struct json_iter it;
	struct json_value v;
	struct span key;
	size_t n = 0;

	if (r->body.kind != JSON_OBJECT || !json_open(&it, r->body.raw))
		return refuse(r, why, "its body is no object");
	while (json_next(&it, NULL, &v))
		n++;
	make_columns(x, n + 1);
	x->n = n;
	if (!json_open(&it, r->body.raw))
		return INVALID;
	for (size_t i = 0; json_next(&it, &key, &v); i++) {
		struct json_value name = {JSON_TEXT, {key.at - 1, key.len + 2}};

		set_column(x, i, json_text(&name, &x->arena));
		if (format_column_of(x->names[i]) != COLUMN_MEMBER)
			return refuse(r, why,
				"its body has a member whose name stands for one of the record's own");
	}
	return OK;
}

/* --- a record's cells --- */

static struct span shown(const struct json_value *v, struct arena *a)
{
	if (v->kind == JSON_TEXT)
		return json_text(v, a);
	if (v->kind == JSON_NULL)
		return span_of("");
	return v->raw;
}

/* The cells that are members of the body; absent ones are empty. */
static void view_body(struct export_csv *x, const struct exported *r, struct arena *a)
{
	struct json_iter it;
	struct json_value v;
	struct span key;

	for (size_t i = 0; i < x->n; i++)
		x->cells[i] = (struct span){0};
	if (r->body.kind != JSON_OBJECT || !json_open(&it, r->body.raw))
		return;
	while (json_next(&it, &key, &v))
		for (size_t i = 0; i < x->n; i++)
			if (x->what[i] == COLUMN_MEMBER && json_key_is(key, x->names[i]))
				x->cells[i] = shown(&v, a);
}

/* Cell by cell; true when an import would make the same body of them, byte for byte. */
static bool take_body(struct export_csv *x, const struct exported *r, size_t from, struct arena *a)
{
	struct json_iter it;
	struct json_value v;
	size_t i = from;

	if (r->body.kind != JSON_OBJECT || !json_open(&it, r->body.raw))
		return false;
	while (json_next(&it, NULL, &v)) {
		if (i == x->n || v.kind != JSON_TEXT)
			return false;
		x->cells[i++] = json_text(&v, a);
	}
	buf_clear(&x->body);
	format_row_body(x->keys + from, x->cells + from, x->n - from, &x->body);
	return i == x->n && span_equal(buf_span(&x->body), r->body.raw);
}

/* --- where the ids are --- */

/* Is column i the id in all records of the page? */
static bool column_has_ids(struct export_csv *x, const struct export_page *p, size_t i)
{
	bool same = true;

	for (size_t k = 0; k < p->n && same; k++) {
		struct arena a = {0};

		same = take_body(x, &p->at[k], 0, &a) && span_equal(x->cells[i], p->at[k].id);
		arena_done(&a);
	}
	return same;
}

static bool ids_are_rows(struct export_csv *x, const struct export_page *p)
{
	struct span first = {0}, prefix;
	uint64_t row;

	for (size_t k = 0; k < p->n; k++) {
		if (!format_is_row_id(p->at[k].id, &prefix, &row) || row != k + 1)
			return false;
		if (k == 0)
			first = prefix;
		if (!span_equal(prefix, first) || prefix.len > FORMAT_PREFIX_MAX)
			return false;
	}
	snprintf(x->prefix, sizeof x->prefix, "%.*s", (int)first.len, first.at);
	return p->n > 0;
}

static void add_id_column(struct export_csv *x)
{
	for (size_t i = x->n++; i > 0; i--) {
		x->names[i] = x->names[i - 1];
		x->keys[i] = x->keys[i - 1];
		x->what[i] = x->what[i - 1];
	}
	x->names[0] = span_of("@id");
	x->keys[0] = (struct span){0};
	x->what[0] = COLUMN_ID;
	x->ids = IDS_OWN_COLUMN;
}

static enum err decide_ids(struct export_csv *x, const struct export_page *p, struct reason *why)
{
	const struct format_options *o = x->format->options;

	if (o->id_column && strcmp(o->id_column, "@id") == 0) {
		add_id_column(x);
		return OK;
	}
	for (size_t i = 0; i < x->n; i++)
		if (o->id_column ? span_is(x->names[i], o->id_column)
				 : !x->format->prefix_given && column_has_ids(x, p, i)) {
			x->ids = IDS_COLUMN;
			x->id = i;
			return OK;
		}
	if (o->id_column)
		return fail(INVALID, why, "no record has a member \"%.80s\"", o->id_column);
	if (ids_are_rows(x, p))
		x->ids = IDS_ROWS;
	else
		add_id_column(x);
	return OK;
}

static void keep_text(char *ret, struct span s)
{
	memcpy(ret, s.at, s.len); /* the API's names have been checked: they fit */
	ret[s.len] = '\0';
}

enum err export_csv_decide(struct export_csv *x, const struct export_page *p, struct reason *why)
{
	const struct exported *first = &p->at[0];
	enum err e = OK;

	x->decided = true;
	if (x->format->options->columns) {
		columns_of_option(x);
		return OK;
	}
	if (!record_owner_ok(first->owner) || !record_type_ok(first->type))
		return refuse(first, why, "no owner or type that could be right");
	keep_text(x->owner, first->owner);
	keep_text(x->type, first->type);
	e = columns_of_body(x, first, why);
	if (e == OK)
		e = decide_ids(x, p, why);
	return e;
}

/* --- writing --- */

static void put_row(struct export_csv *x, const struct span *cells, struct buf *out)
{
	for (size_t i = 0; i < x->n; i++) {
		if (i > 0)
			buf_char(out, x->format->delimiter);
		csv_put(out, cells[i], x->format->delimiter);
	}
	buf_text(out, x->format->options->crlf ? "\r\n" : "\n");
}

void export_csv_header(struct export_csv *x, struct buf *out)
{
	put_row(x, x->names, out);
}

static void put_view(struct export_csv *x, const struct exported *r, struct arena *a)
{
	view_body(x, r, a);
	for (size_t i = 0; i < x->n; i++)
		switch (x->what[i]) {
		case COLUMN_MEMBER:
			break;
		case COLUMN_ID:
			x->cells[i] = r->id;
			break;
		case COLUMN_TYPE:
			x->cells[i] = r->type;
			break;
		case COLUMN_OWNER:
			x->cells[i] = r->owner;
			break;
		case COLUMN_CREATED:
			x->cells[i] = r->created;
			break;
		case COLUMN_UPDATED:
			x->cells[i] = r->updated;
			break;
		}
}

static enum err check_id(const struct export_csv *x, const struct exported *r, struct reason *why)
{
	char id[RECORD_ID_MAX + 1];

	switch (x->ids) {
	case IDS_COLUMN:
		if (!span_equal(x->cells[x->id], r->id))
			return refuse(r, why, "its id is not in that column: give --id-column @id");
		break;
	case IDS_ROWS:
		format_row_id(x->prefix, x->rows, id);
		if (!span_is(r->id, id))
			return refuse(r, why, "its id is not its row's number: give --id-column @id");
		break;
	case IDS_OWN_COLUMN:
	case IDS_NONE:
		break;
	}
	return OK;
}

/* As an import would read it back. */
static enum err take_row(struct export_csv *x, const struct exported *r, struct arena *a, struct reason *why)
{
	size_t from = x->ids == IDS_OWN_COLUMN;

	if (!span_is(r->type, x->type))
		return refuse(r, why, "of another type than those before it: give --type T");
	if (x->owners && !span_is(r->owner, x->owner))
		return refuse(r, why, "of another owner than those before it: give --owner NODE");
	if (from)
		x->cells[0] = r->id;
	if (!take_body(x, r, from, a))
		return refuse(r, why,
			"CSV would not give its body back: it has numbers, other members than the "
			"first record, or is spaced otherwise");
	return check_id(x, r, why);
}

enum err export_csv_row(struct export_csv *x, const struct exported *r, struct buf *out, struct reason *why)
{
	struct arena a = {0};
	enum err e = OK;

	x->rows++;
	if (x->ids == IDS_NONE)
		put_view(x, r, &a);
	else
		e = take_row(x, r, &a, why);
	if (e == OK)
		put_row(x, x->cells, out);
	arena_done(&a);
	return e;
}

void export_csv_advice(const struct export_csv *x, enum err e, char *ret, size_t size)
{
	struct buf names = {0};
	int id_len = 0;

	if (e == OK && x->ids == IDS_NONE)
		return;
	for (size_t i = 0; i < x->n && names.len < 60; i++)
		if (x->what[i] == COLUMN_MEMBER)
			buf_printf(&names, ",%.*s", (int)x->names[i].len, x->names[i].at);
	if (e == INVALID)
		snprintf(ret, size, "NDJSON keeps everything; --columns @id%.80s%s writes CSV for reading",
			names.len ? names.at : ",A,B", names.len > 60 ? ",…" : "");
	else if (x->ids == IDS_ROWS)
		snprintf(ret, size, "import it with --type %s --id-prefix %s", x->type, x->prefix);
	else if (x->ids == IDS_COLUMN && (id_len = (int)x->names[x->id].len) < 80)
		snprintf(ret, size, "import it with --type %s --id-column %.*s", x->type, id_len,
			x->names[x->id].at);
	else
		snprintf(ret, size, "import it with --type %s", x->type);
	buf_done(&names);
}
