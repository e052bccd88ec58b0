/* CSV: the same rows wherever the text is cut, and a row that is written is read as the same cells. */
#include "shared/csv.h"
#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"

/* A row's cells, each with its length. */
static void note(const struct csv_row *row, struct buf *out)
{
	for (size_t i = 0; i < row->n; i++) {
		buf_printf(out, "%zu:", csv_cell(row, i).len);
		buf_put(out, csv_cell(row, i));
	}
	buf_char(out, '\n');
}

static void check_row(const struct csv_row *row, char delimiter)
{
	struct csv_row again = {0};
	struct buf line = {0}, one = {0}, other = {0};
	struct reason why = {""};
	size_t used = 0;

	for (size_t i = 0; i < row->n; i++) {
		struct span cell = csv_cell(row, i);

		for (size_t at = 0, len; at < cell.len; at += len)
			MUST((len = utf8_length(cell.at + at, cell.len - at)) > 0 && cell.at[at] != '\0');
		if (i > 0)
			buf_char(&line, delimiter);
		csv_put(&line, cell, delimiter);
	}
	buf_char(&line, '\n');
	MUST(csv_read(&again, buf_span(&line), true, delimiter, &used, &why) == CSV_ROW && used == line.len);
	note(row, &one);
	note(&again, &other);
	MUST(span_equal(buf_span(&one), buf_span(&other)));
	csv_row_done(&again);
	buf_done(&line);
	buf_done(&one);
	buf_done(&other);
}

/* All rows, the text growing by `chunk` bytes whenever more is asked for; what was wrong stands at the end. */
static void read_all(struct span text, size_t chunk, char delimiter, struct buf *out)
{
	struct csv_row row = {0};
	size_t from = 0, seen = chunk < text.len ? chunk : text.len;

	while (from < text.len) {
		struct reason why = {""};
		size_t used = 0;
		bool last = seen == text.len;
		/* a copy of its own: a read past what was given is seen */
		char *copy = malloc(seen - from + 1);

		MUST(copy);
		memcpy(copy, text.at + from, seen - from);
		enum csv_step step = seen > from ? csv_read(&row, (struct span){copy, seen - from}, last,
							   delimiter, &used, &why)
						 : CSV_MORE;

		free(copy);
		if (step == CSV_MORE) {
			MUST(!last);
			seen = seen + chunk < text.len ? seen + chunk : text.len;
			continue;
		}
		MUST(used <= seen - from && (step == CSV_BAD || used > 0));
		if (step == CSV_BAD) {
			buf_printf(out, "bad at %zu: %s", from + used, why.text);
			break;
		}
		note(&row, out);
		if (chunk >= text.len)
			check_row(&row, delimiter);
		from += used;
	}
	csv_row_done(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	char delimiter = ",;\t|"[fuzz_below(&f, 4)];
	struct span text = fuzz_rest(&f);
	struct buf whole = {0}, pieces = {0};

	read_all(text, text.len + 1, delimiter, &whole);
	for (size_t chunk = 1; chunk <= (text.len < 400 ? 3 : 1); chunk++) {
		buf_clear(&pieces);
		read_all(text, text.len < 400 ? chunk : 37, delimiter, &pieces);
		if (!span_equal(buf_span(&whole), buf_span(&pieces))) {
			fprintf(stderr, "by %zu:\n%.*s\nwhole:\n%.*s\n", chunk, (int)pieces.len,
				pieces.at ? pieces.at : "", (int)whole.len, whole.at ? whole.at : "");
			abort();
		}
	}
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
