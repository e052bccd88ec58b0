/* format: what a file's name and the options say of it, and which of them contradict each other. */
#include "shared/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_ending_says_what_it_is_unless_told(void **state)
{
	static const struct {
		const char *path, *format;
		enum format_kind kind;
	} rows[] = {{"a.csv", NULL, FORMAT_CSV}, {"x/b.CSV", NULL, FORMAT_CSV},
		{"a.ndjson", NULL, FORMAT_NDJSON}, {"a.jsonl", NULL, FORMAT_NDJSON},
		{"a.b.json", NULL, FORMAT_JSON}, {"-", NULL, FORMAT_NDJSON}, {"-", "csv", FORMAT_CSV},
		{"a.txt", "json", FORMAT_JSON}, {"a.csv", "ndjson", FORMAT_NDJSON},
		{"/dev/stdin", NULL, FORMAT_NDJSON}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct format_options o = {.format = rows[i].format};
		struct format f;
		struct reason why = {""};

		if (format_of_import(&f, &o, rows[i].path, &why) != OK)
			fail_msg("%s: %s", rows[i].path, why.text);
		assert_int_equal(f.kind, rows[i].kind);
		assert_int_equal(format_of_export(&f, &o, rows[i].path, &why), OK);
		assert_int_equal(f.kind, rows[i].kind);
	}
}

static void rows_are_numbered_under_the_files_name(void **state)
{
	static const struct {
		const char *path, *given, *prefix;
	} rows[] = {{"a.csv", NULL, "a"}, {"/x/2026-01.sales.csv", NULL, "2026-01.sales"},
		{"a.csv", "p:q", "p:q"}, {"-", NULL, ""}, {"/dev/fd/63", NULL, ""}, {"a b.csv", NULL, ""},
		{"\xc3\xa4.csv", NULL, ""},
		{"1234567890123456789012345678901234567890123456789012345.csv", NULL, ""},
		{"noending", NULL, "noending"}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct format_options o = {.format = "csv", .id_prefix = rows[i].given};
		struct format f;
		struct reason why;

		assert_int_equal(format_of_import(&f, &o, rows[i].path, &why), OK);
		assert_string_equal(f.prefix, rows[i].prefix);
	}
}

static void row_ids(void **state)
{
	char id[RECORD_ID_MAX + 1];
	struct span prefix;
	uint64_t row;

	(void)state;
	format_row_id("a:b", 17, id);
	assert_string_equal(id, "a:b:0000000017");
	assert_true(format_is_row_id(span_of(id), &prefix, &row));
	assert_true(span_is(prefix, "a:b") && row == 17);
	format_row_id("12345678901234567890123456789012345678901234567890123", UINT64_C(9999999999), id);
	assert_int_equal(strlen(id), RECORD_ID_MAX);
	assert_false(format_is_row_id(span_of("a:000000001"), &prefix, &row));
	assert_false(format_is_row_id(span_of(":0000000001"), &prefix, &row));
	assert_false(format_is_row_id(span_of("a-0000000001"), &prefix, &row));
	assert_false(format_is_row_id(span_of("a:000000000x"), &prefix, &row));
}

struct refusal {
	const char *path;
	struct format_options options;
	const char *why;
};

static void what_does_not_fit_is_refused(void **state)
{
	static const struct refusal imports[] = {
		{"a.txt", {0}, "a.txt: its name does not end in .ndjson, .json or .csv; give --format"},
		{"csv", {0}, "csv: its name does not end in .ndjson, .json or .csv; give --format"},
		{"a.csv", {.each = "x"},
			"--each goes into one JSON document: give a .json file or --format json"},
		{"a.csv", {.type = "T"}, "--type T: " RECORD_TYPE_RULE},
		{"a.csv", {.owner = "A"}, "--owner A: " RECORD_OWNER_RULE},
		{"a.csv", {.id_prefix = "a b"}, "--id-prefix a b: not 1 to 53 of A-Z a-z 0-9 . _ : -"},
		{"a.csv", {.id_prefix = ""}, "--id-prefix : not 1 to 53 of A-Z a-z 0-9 . _ : -"},
		{"a.csv", {.id_prefix = "a", .id_column = "b"},
			"--id-column and --id-prefix: an id comes from one of them"},
		{"a.csv", {.delimiter = "ab"},
			"--delimiter ab: one character like , ; or |, or the word tab"},
		{"a.csv", {.delimiter = "\""},
			"--delimiter \": one character like , ; or |, or the word tab"},
		{"a.csv", {.delimiter = "x"}, "--delimiter x: one character like , ; or |, or the word tab"},
		{"a.csv", {.delimiter = "\xc3\xa4"},
			"--delimiter \xc3\xa4: one character like , ; or |, or the word tab"},
		{"a.ndjson", {.id_column = "k"},
			"--id-column: whole records have their id; for plain values give --type T too"},
		{"a.ndjson", {.bodies = true}, "--bodies: give --type T, the type that these bodies have"},
		{"a.csv", {.columns = "a"}, "--columns is for export"},
		{"a.csv", {.order = "id"}, "--order is for export"},
		{"a.csv", {.crlf = true}, "--crlf is for export"},
	};
	static const struct refusal exports[] = {
		{"a.csv", {.each = "x"}, "--each is for import"},
		{"a.ndjson", {.columns = "a"}, "--columns is for CSV: give a .csv file or --format csv"},
		{"a.csv", {.columns = "a", .id_column = "b"},
			"--columns says all there is to write: leave out --id-column"},
		{"a.csv", {.bodies = true}, "--bodies is for NDJSON and JSON; CSV has only bodies"},
		{"a.csv", {.deleted = true},
			"--deleted: deleted records have no body; export whole records as NDJSON"},
		{"a.ndjson", {.deleted = true, .bodies = true},
			"--deleted: deleted records have no body; export whole records as NDJSON"},
	};
	struct format f;
	struct reason why;

	(void)state;
	for (size_t i = 0; i < sizeof imports / sizeof *imports; i++) {
		assert_int_equal(format_of_import(&f, &imports[i].options, imports[i].path, &why), INVALID);
		assert_string_equal(why.text, imports[i].why);
	}
	for (size_t i = 0; i < sizeof exports / sizeof *exports; i++) {
		assert_int_equal(format_of_export(&f, &exports[i].options, exports[i].path, &why), INVALID);
		assert_string_equal(why.text, exports[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ending_says_what_it_is_unless_told),
		cmocka_unit_test(rows_are_numbered_under_the_files_name),
		cmocka_unit_test(row_ids),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
