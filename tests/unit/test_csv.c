/* csv: RFC 4180 and nothing else, whole or cut anywhere; what is written is read back. */
#include "shared/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

/* The row's cells as one text, each in brackets. */
static void put_cells(const struct csv_row *row, struct buf *out)
{
	buf_clear(out);
	for (size_t i = 0; i < row->n; i++) {
		buf_char(out, '[');
		buf_put(out, csv_cell(row, i));
		buf_char(out, ']');
	}
}

static const struct {
	struct span text;
	struct span cells;
	size_t used;
} good[] = {
	{TEXT("a,b,c\nnext"), TEXT("[a][b][c]"), 6},
	{TEXT("a,b\r\nnext"), TEXT("[a][b]"), 5},
	{TEXT("a,b"), TEXT("[a][b]"), 3},
	{TEXT("\n"), TEXT("[]"), 1},
	{TEXT(",\n"), TEXT("[][]"), 2},
	{TEXT(",,"), TEXT("[][][]"), 2},
	{TEXT("\"a\",\"\"\n"), TEXT("[a][]"), 7},
	{TEXT("\"a,b\",c"), TEXT("[a,b][c]"), 7},
	{TEXT("\"two\nlines\r\n\",x\n"), TEXT("[two\nlines\r\n][x]"), 16},
	{TEXT("\"a \"\"quoted\"\" word\"\n"), TEXT("[a \"quoted\" word]"), 20},
	{TEXT("\"\"\"\"\n"), TEXT("[\"]"), 5},
	{TEXT(" a , b \n"), TEXT("[ a ][ b ]"), 8},
	{TEXT("\xc3\xa4,\xe2\x82\xac,\xf0\x9f\x98\x80\n"), TEXT("[\xc3\xa4][\xe2\x82\xac][\xf0\x9f\x98\x80]"),
		12},
	{TEXT("a\tb,\x01\n"), TEXT("[a\tb][\x01]"), 6},
	{TEXT("a;b\n"), TEXT("[a;b]"), 4},
};

static const struct {
	struct span text;
	const char *why;
	size_t used;
} bad[] = {
	{TEXT("a\"b\n"), "field 1: a quote inside a field that does not begin with one", 1},
	{TEXT("x,\"a\"b\n"), "field 2: something follows its closing quote", 5},
	{TEXT("\"a\" ,b\n"), "field 1: something follows its closing quote", 3},
	{TEXT("\"a\n\n"), "field 1: the quote that opens it is not closed", 0},
	{TEXT("\""), "field 1: the quote that opens it is not closed", 0},
	{TEXT("a\rb\n"), "field 1: a carriage return without a line feed", 1},
	{TEXT("a\r"), "field 1: a carriage return without a line feed", 1},
	{TEXT("a,\0\n"), "field 2: a NUL byte", 2},
	{TEXT("\"\0\"\n"), "field 1: a NUL byte", 1},
	{TEXT("\xff\xfe\n"), "field 1: not UTF-8", 0},
	{TEXT("a,\xe4\n"), "field 2: not UTF-8", 2},
	{TEXT("\"\xed\xa0\x80\""), "field 1: not UTF-8", 1},
	{TEXT("a\xc3"), "field 1: not UTF-8", 1},
};

static void reads_what_the_grammar_allows(void **state)
{
	struct csv_row row = {0};
	struct buf cells = {0};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct reason why = {""};
		size_t used = 0;

		if (csv_read(&row, good[i].text, true, ',', &used, &why) != CSV_ROW)
			fail_msg("%s: %s", good[i].text.at, why.text);
		put_cells(&row, &cells);
		assert_string_equal(cells.at, good[i].cells.at);
		assert_int_equal(used, good[i].used);
	}
	csv_row_done(&row);
	buf_done(&cells);
}

static void says_what_is_wrong_and_where(void **state)
{
	struct csv_row row = {0};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct reason why = {""};
		size_t used = 99;

		assert_int_equal(csv_read(&row, bad[i].text, true, ',', &used, &why), CSV_BAD);
		assert_string_equal(why.text, bad[i].why);
		assert_int_equal(used, bad[i].used);
	}
	csv_row_done(&row);
}

/* A copy of the first bytes on the heap, so that the sanitizers see a read past them. */
static enum csv_step read_cut(
	struct csv_row *row, struct span text, size_t len, size_t *used, struct reason *why)
{
	char *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, text.at, len);
	enum csv_step step = csv_read(row, (struct span){copy, len}, false, ',', used, why);
	free(copy);
	return step;
}

static void a_cut_row_asks_for_more_and_never_reads_otherwise(void **state)
{
	struct csv_row row = {0};
	struct buf cells = {0};
	struct reason why;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		for (size_t len = 0; len < good[i].text.len; len++) {
			size_t used = 0;
			enum csv_step step = read_cut(&row, good[i].text, len, &used, &why);

			if (len < good[i].used || good[i].used == good[i].text.len) {
				assert_int_equal(step, CSV_MORE);
				continue;
			}
			assert_int_equal(step, CSV_ROW);
			put_cells(&row, &cells);
			assert_string_equal(cells.at, good[i].cells.at);
		}
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		for (size_t len = 0, used; len < bad[i].text.len; len++)
			assert_int_not_equal(read_cut(&row, bad[i].text, len, &used, &why), CSV_ROW);
	csv_row_done(&row);
	buf_done(&cells);
}

static void other_delimiters(void **state)
{
	struct csv_row row = {0};
	struct buf cells = {0};
	struct reason why;
	size_t used;

	(void)state;
	assert_int_equal(csv_read(&row, TEXT("a,b;\"c;d\"\n"), true, ';', &used, &why), CSV_ROW);
	put_cells(&row, &cells);
	assert_string_equal(cells.at, "[a,b][c;d]");
	assert_int_equal(csv_read(&row, TEXT("a\tb c\n"), true, '\t', &used, &why), CSV_ROW);
	put_cells(&row, &cells);
	assert_string_equal(cells.at, "[a][b c]");
	csv_row_done(&row);
	buf_done(&cells);
}

static void many_columns(void **state)
{
	struct csv_row row = {0};
	struct buf text = {0};
	struct reason why;
	size_t used;

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "%s%d", i ? "," : "", i);
	assert_int_equal(csv_read(&row, buf_span(&text), true, ',', &used, &why), CSV_ROW);
	assert_int_equal(row.n, 5000);
	assert_true(span_is(csv_cell(&row, 4999), "4999") && span_is(csv_cell(&row, 0), "0"));
	csv_row_done(&row);
	buf_done(&text);
}

static void what_is_written_is_read_back(void **state)
{
	static const struct span values[] = {TEXT(""), TEXT("plain"), TEXT("a,b"), TEXT("say \"x\""),
		TEXT("\""), TEXT("l1\nl2"), TEXT("l1\r\nl2"), TEXT("\r"), TEXT(" blank "), TEXT("\xc3\xa4"),
		TEXT("a;b")};
	const size_t n = sizeof values / sizeof *values;
	struct csv_row row = {0};
	struct buf text = {0};
	struct reason why;
	size_t used;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		buf_text(&text, i ? "," : "");
		csv_put(&text, values[i], ',');
	}
	assert_string_equal(text.at,
		",plain,\"a,b\",\"say \"\"x\"\"\",\"\"\"\",\"l1\nl2\",\"l1\r\nl2\",\"\r\", blank "
		",\xc3\xa4,a;b");
	assert_int_equal(csv_read(&row, buf_span(&text), true, ',', &used, &why), CSV_ROW);
	assert_int_equal(row.n, n);
	for (size_t i = 0; i < n; i++)
		assert_true(span_equal(csv_cell(&row, i), values[i]));
	csv_row_done(&row);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_grammar_allows),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(a_cut_row_asks_for_more_and_never_reads_otherwise),
		cmocka_unit_test(other_delimiters),
		cmocka_unit_test(many_columns),
		cmocka_unit_test(what_is_written_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
