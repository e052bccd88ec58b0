/* CSV: the header's names become keys, each row an object of texts. */
#include "shared/importer_private.h"

#include <inttypes.h>
#include <string.h>

#include "shared/csv.h"

struct columns {
	size_t n;
	struct span *keys; /* `"name":`; empty: no member of the body */
	enum format_column *what;
	size_t id; /* n = none */
	struct arena arena;
};

struct table {
	struct importer *im;
	struct columns columns;
	struct csv_row row;
	struct span *cells;
	struct buf body;
	uint64_t line; /* of the row */
};

/* GONE: there are no more rows. */
static enum err next_row(struct table *t, struct reason *why)
{
	struct input *in = t->im->config->in;

	for (;;) {
		struct span rest = input_rest(in);
		enum csv_step step = CSV_MORE;
		size_t used = 0;
		enum err e;

		t->line = in->line;
		if (rest.len > 0)
			step = csv_read(&t->row, rest, in->ended, t->im->format->delimiter, &used, why);
		else if (in->ended)
			return GONE;
		if (step == CSV_MORE) {
			if ((e = input_more(in, why)) != OK)
				return e;
			continue;
		}
		input_take(in, used);
		if (step == CSV_BAD)
			t->line = in->line;
		return step == CSV_ROW ? OK : INVALID;
	}
}

static struct span key_of(struct arena *a, struct span name)
{
	struct buf text = {0};

	buf_json_text(&text, name);
	buf_char(&text, ':');
	struct span ret = {arena_copy(a, text.at, text.len), text.len};
	buf_done(&text);
	return ret;
}

/* A file with other delimiters looks like one column. */
static enum err check_delimiter(const struct table *t, struct reason *why)
{
	struct span name = csv_cell(&t->row, 0);

	if (t->row.n > 1 || t->im->format->delimiter != ',')
		return OK;
	for (const char *other = ";\t|"; *other; other++)
		if (name.len && memchr(name.at, *other, name.len))
			return fail(INVALID, why,
				"the columns seem to be separated by %s: give --delimiter %s",
				*other == '\t'  ? "tabs"
				: *other == ';' ? "semicolons"
						: "bars",
				*other == '\t'  ? "tab"
				: *other == ';' ? "';'"
						: "'|'");
	return OK;
}

static enum err add_column(struct table *t, size_t i, struct reason *why)
{
	struct columns *c = &t->columns;
	const char *id_column = t->im->options->id_column;
	struct span name = csv_cell(&t->row, i);
	int shown = name.len < 80 ? (int)name.len : 80;

	for (size_t k = 0; k < i; k++)
		if (span_equal(csv_cell(&t->row, k), name))
			return fail(INVALID, why, "two columns are called \"%.*s\"", shown, name.at);
	c->what[i] = format_column_of(name);
	if (c->what[i] >= COLUMN_CREATED)
		return fail(INVALID, why,
			"column \"%.*s\": such a file was written for reading; export without --columns what "
			"is "
			"to be imported",
			shown, name.at);
	c->keys[i] = c->what[i] == COLUMN_MEMBER ? key_of(&c->arena, name) : (struct span){0};
	if ((id_column && span_is(name, id_column)) || c->what[i] == COLUMN_ID) {
		if (c->id < c->n)
			return fail(INVALID, why,
				"the id stands in the column @id already: leave out --id-column");
		c->id = i;
	}
	return OK;
}

static enum err check_columns(const struct table *t, bool type_said, struct reason *why)
{
	const struct columns *c = &t->columns;
	const char *id_column = t->im->options->id_column;
	struct buf list = {0};
	enum err e = OK;

	for (size_t i = 0; i < c->n; i++)
		buf_printf(&list, "%s%.*s", i ? ", " : "", (int)csv_cell(&t->row, i).len,
			csv_cell(&t->row, i).at);
	if (id_column && c->id == c->n)
		e = fail(INVALID, why, "no column \"%.60s\" for the id; there are: %.100s", id_column,
			list.at);
	else if (!type_said)
		e = fail(INVALID, why, "of which type are these records? give --type T");
	buf_done(&list);
	return e;
}

static enum err read_header(struct table *t, struct reason *why)
{
	struct columns *c = &t->columns;
	bool type_said = t->im->options->type != NULL;
	enum err e = next_row(t, why);

	if (e == GONE)
		return fail(INVALID, why, "empty, where a header was expected");
	if (e != OK || (e = check_delimiter(t, why)) != OK)
		return e;
	c->n = c->id = t->row.n;
	c->keys = arena_alloc(&c->arena, c->n * sizeof *c->keys);
	c->what = arena_alloc(&c->arena, c->n * sizeof *c->what);
	t->cells = arena_alloc(&c->arena, c->n * sizeof *t->cells);
	for (size_t i = 0; i < c->n && e == OK; i++) {
		e = add_column(t, i, why);
		type_said = type_said || c->what[i] == COLUMN_TYPE;
	}
	return e == OK ? check_columns(t, type_said, why) : e;
}

static enum err take_row(struct table *t, struct reason *why)
{
	const struct columns *c = &t->columns;
	const char *type = t->im->options->type;
	struct draft d = {.type = span_of(type)};
	char made[RECORD_ID_MAX + 1];
	enum err e;

	if (t->row.n != c->n)
		return fail(INVALID, why, "%zu field%s, where the header has %zu", t->row.n,
			t->row.n == 1 ? "" : "s", c->n);
	for (size_t i = 0; i < c->n; i++) {
		t->cells[i] = csv_cell(&t->row, i);
		if (c->what[i] == COLUMN_OWNER)
			d.owner = t->cells[i];
		else if (c->what[i] == COLUMN_TYPE && !type)
			d.type = t->cells[i];
		if (i == c->id)
			d.id = t->cells[i];
	}
	if (!record_type_ok(d.type))
		return fail(INVALID, why, "type: " RECORD_TYPE_RULE);
	if ((e = importer_owner(t->im, &d, why)) != OK ||
		(e = importer_id(t->im, &d, c->id < c->n, made, why)) != OK)
		return e;
	buf_clear(&t->body);
	format_row_body(c->keys, t->cells, c->n, &t->body);
	if (buf_failed(&t->body))
		return fail(RETRY, why, "out of memory");
	d.body = buf_span(&t->body);
	return importer_add(t->im, &d, t->line, why);
}

/* An empty line is no row, unless there is but one column, whose cell is empty then. */
static bool is_empty_line(const struct table *t)
{
	return t->columns.n > 1 && t->row.n == 1 && t->row.text.len == 0;
}

enum err importer_read_csv(struct importer *im, struct reason *why)
{
	struct table t = {.im = im};
	enum err e = read_header(&t, why);

	while (e == OK && (e = next_row(&t, why)) == OK) {
		if (is_empty_line(&t))
			continue;
		im->rows++;
		e = take_row(&t, why);
	}
	if (e == INVALID && im->result.line == 0)
		im->result.line = t.line;
	csv_row_done(&t.row);
	buf_done(&t.body);
	arena_done(&t.columns.arena);
	return e == GONE ? OK : e;
}
