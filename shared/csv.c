#include "shared/csv.h"

#include <stdlib.h>
#include <string.h>

#include "shared/utf8.h"

struct scan {
	const char *from, *at, *end;
	bool last;
	char delimiter;
	struct csv_row *row;
	struct reason *why;
};

void csv_row_done(struct csv_row *row)
{
	buf_done(&row->text);
	free(row->ends);
	*row = (struct csv_row){0};
}

struct span csv_cell(const struct csv_row *row, size_t i)
{
	size_t from = i > 0 ? row->ends[i - 1] : 0;

	/* no text at all where every cell is empty */
	return row->text.at ? (struct span){row->text.at + from, row->ends[i] - from} : (struct span){"", 0};
}

static enum csv_step bad(struct scan *s, const char *what)
{
	(void)!fail(INVALID, s->why, "field %zu: %s", s->row->n + 1, what);
	return CSV_BAD;
}

static bool end_cell(struct scan *s)
{
	struct csv_row *row = s->row;

	if (row->n == row->cap) {
		size_t cap = row->cap > 0 ? 2 * row->cap : 16;
		size_t *ends = realloc(row->ends, cap * sizeof *ends);

		if (!ends)
			return false;
		row->ends = ends;
		row->cap = cap;
	}
	row->ends[row->n++] = row->text.len;
	return true;
}

/* The character here may stand in a cell: takes it over. */
static enum csv_step take_character(struct scan *s)
{
	size_t len = utf8_length(s->at, (size_t)(s->end - s->at));

	if (len == 0 && !s->last && s->end - s->at < 4)
		return CSV_MORE;
	if (len == 0)
		return bad(s, "not UTF-8");
	if (*s->at == '\0')
		return bad(s, "a NUL byte");
	buf_add(&s->row->text, s->at, len);
	s->at += len;
	return CSV_ROW;
}

/* From behind the opening quote to behind the closing one. */
static enum csv_step take_quoted(struct scan *s)
{
	const char *open = s->at - 1;

	while (s->at < s->end) {
		enum csv_step step = CSV_ROW;

		if (*s->at != '"') {
			step = take_character(s);
		} else if (s->at + 1 == s->end && !s->last) {
			return CSV_MORE;
		} else if (s->at + 1 < s->end && s->at[1] == '"') {
			buf_char(&s->row->text, '"');
			s->at += 2;
		} else {
			s->at++;
			return CSV_ROW;
		}
		if (step != CSV_ROW)
			return step;
	}
	if (!s->last)
		return CSV_MORE;
	s->at = open;
	return bad(s, "the quote that opens it is not closed");
}

static inline bool is_plain(const struct scan *s, char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != s->delimiter;
}

static enum csv_step take_plain(struct scan *s)
{
	while (s->at < s->end && *s->at != s->delimiter && *s->at != '\n' && *s->at != '\r') {
		const char *from = s->at;
		enum csv_step step;

		while (s->at < s->end && is_plain(s, *s->at))
			s->at++;
		buf_add(&s->row->text, from, (size_t)(s->at - from));
		if (s->at > from)
			continue;
		if (*s->at == '"')
			return bad(s, "a quote inside a field that does not begin with one");
		if ((step = take_character(s)) != CSV_ROW)
			return step;
	}
	return CSV_ROW;
}

/* Behind a cell: *ret_ended when the row ends here. */
static enum csv_step take_end(struct scan *s, bool quoted, bool *ret_ended)
{
	*ret_ended = true;
	if (s->at == s->end)
		return s->last ? CSV_ROW : CSV_MORE;
	if (*s->at == s->delimiter) {
		*ret_ended = false;
		s->at++;
		return CSV_ROW;
	}
	if (*s->at == '\n') {
		s->at++;
		return CSV_ROW;
	}
	if (*s->at == '\r' && s->at + 1 == s->end && !s->last)
		return CSV_MORE;
	if (*s->at == '\r' && s->at + 1 < s->end && s->at[1] == '\n') {
		s->at += 2;
		return CSV_ROW;
	}
	if (*s->at == '\r')
		return bad(s, "a carriage return without a line feed");
	return bad(s, quoted ? "something follows its closing quote" : "not a field");
}

static enum csv_step take_row(struct scan *s)
{
	for (bool ended = false; !ended;) {
		bool quoted = s->at < s->end && *s->at == '"';
		enum csv_step step;

		if (quoted)
			s->at++;
		step = quoted ? take_quoted(s) : take_plain(s);
		if (step == CSV_ROW)
			step = take_end(s, quoted, &ended);
		if (step != CSV_ROW)
			return step;
		if (!end_cell(s) || buf_failed(&s->row->text))
			return bad(s, "out of memory");
	}
	return CSV_ROW;
}

enum csv_step csv_read(struct csv_row *row, struct span text, bool last, char delimiter, size_t *ret_used,
	struct reason *why)
{
	struct scan s = {.from = text.at,
		.at = text.at,
		.end = text.at + text.len,
		.last = last,
		.delimiter = delimiter,
		.row = row,
		.why = why};

	row->n = 0;
	buf_clear(&row->text);
	enum csv_step step = take_row(&s);
	if (step != CSV_MORE)
		*ret_used = (size_t)(s.at - s.from);
	return step;
}

void csv_put(struct buf *out, struct span cell, char delimiter)
{
	bool quote = false;

	for (size_t i = 0; i < cell.len && !quote; i++)
		quote = cell.at[i] == delimiter || cell.at[i] == '"' || cell.at[i] == '\n' ||
			cell.at[i] == '\r';
	if (!quote) {
		buf_put(out, cell);
		return;
	}
	buf_char(out, '"');
	for (size_t i = 0; i < cell.len; i++) {
		if (cell.at[i] == '"')
			buf_char(out, '"');
		buf_char(out, cell.at[i]);
	}
	buf_char(out, '"');
}
