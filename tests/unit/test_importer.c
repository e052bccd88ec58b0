/* importer: what a file's rows become, which of them are refused and where, and how they are handed on. */
#include "shared/importer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/paper.h"

#include <cmocka.h>

/* Keeps what it is given as text: "OWNER/ID:TYPE=BODY;", "-ID;" for one removed, "|" behind each batch. */
struct shelf {
	struct buf text;
	size_t batches, largest;
	size_t fail_at; /* the batch that is refused, from 1; 0 = none */
	enum err failure;
	size_t fail_draft;
};

static void put_span(struct buf *out, struct span s)
{
	buf_add(out, s.at ? s.at : "", s.len);
}

static enum err put(void *ctx, const struct draft *d, size_t n, struct import_counts *counts,
	size_t *ret_failed, struct reason *why)
{
	struct shelf *s = ctx;

	if (++s->batches == s->fail_at) {
		*ret_failed = s->fail_draft;
		return (fail)(s->failure, why, "refused");
	}
	s->largest = n > s->largest ? n : s->largest;
	for (size_t i = 0; i < n && s->text.len < 4096; i++) {
		put_span(&s->text, d[i].owner);
		buf_text(&s->text, d[i].owner.len ? "/" : "");
		put_span(&s->text, d[i].id);
		buf_char(&s->text, ':');
		put_span(&s->text, d[i].type);
		buf_char(&s->text, '=');
		put_span(&s->text, d[i].body);
		buf_char(&s->text, ';');
	}
	buf_char(&s->text, '|');
	counts->created += n;
	return OK;
}

static enum err remove_one(void *ctx, const struct draft *d, struct import_counts *counts, struct reason *why)
{
	struct shelf *s = ctx;

	(void)why;
	buf_char(&s->text, '-');
	put_span(&s->text, d->id);
	buf_char(&s->text, ';');
	counts->deleted++;
	return OK;
}

struct case_ {
	struct format_options options;
	const char *path; /* for the format; NULL = of no name */
	struct span text;
	const char *wanted; /* what reached the sink */
	uint64_t line;
	const char *why; /* NULL: it goes well */
	bool centre;
};

static enum err import(
	const struct case_ *c, struct shelf *s, struct import_result *result, struct reason *why)
{
	struct paper paper = paper_of(c->text);
	const struct import_sink sink = {.ctx = s, .owners = c->centre, .put = put, .remove = remove_one};
	struct input in;
	struct format f;
	enum err e = format_of_import(&f, &c->options, c->path ? c->path : "-", why);

	assert_int_equal(e, OK);
	assert_int_equal(input_open(&in, paper.path, why), OK);
	if (c->text.len < 1000) /* in small pieces */
		in.chunk = 5;
	const struct importer_config config = {.format = &f, .in = &in, .sink = &sink};
	e = importer_run(&config, result, why);
	input_close(&in);
	paper_done(&paper);
	return e;
}

static void check(const struct case_ *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct shelf s = {0};
		struct import_result result = {.line = 77};
		struct reason why = {""};
		enum err e = import(&cases[i], &s, &result, &why);

		if ((e == OK) != !cases[i].why)
			print_error("case %zu: %s\n", i, why.text);
		assert_int_equal(e, cases[i].why ? INVALID : OK);
		if (cases[i].why)
			assert_string_equal(why.text, cases[i].why);
		assert_string_equal(s.text.at ? s.text.at : "", cases[i].wanted);
		assert_int_equal(result.line, cases[i].line);
		buf_done(&s.text);
	}
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof *(cases))
#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static void csv_rows_are_objects_of_texts(void **state)
{
	static const struct case_ cases[] = {
		{{.type = "t", .id_column = "sku"}, "x.csv", TEXT("sku,n\na1,\"x \"\"y\"\"\"\na2,\n"),
			"a1:t={\"sku\":\"a1\",\"n\":\"x \\\"y\\\"\"};a2:t={\"sku\":\"a2\",\"n\":\"\"};|", 0,
			NULL, 0},
		{{.type = "t"}, "dir/my-file.csv", TEXT("n\r\n1\r\n2\r\n"),
			"my-file:0000000001:t={\"n\":\"1\"};my-file:0000000002:t={\"n\":\"2\"};|", 0, NULL,
			0},
		{{.type = "t", .id_prefix = "p", .format = "csv"}, NULL, TEXT("\xef\xbb\xbfn,m\n1,\"a\nb\""),
			"p:0000000001:t={\"n\":\"1\",\"m\":\"a\\nb\"};|", 0, NULL, 0},
		{{0}, "x.csv", TEXT("@id,@type,n\na,t,1\nb,u,2\n"), "a:t={\"n\":\"1\"};b:u={\"n\":\"2\"};|",
			0, NULL, 0},
		{{.type = "v"}, "x.csv", TEXT("@owner,@id,@type\no,a,t\n"), "a:v={};|", 0, NULL, 0},
		{{.type = "v"}, "x.csv", TEXT("@owner,@id\no,a\n"), "o/a:v={};|", 0, NULL, true},
		{{.type = "v", .owner = "p"}, "x.csv", TEXT("@owner,@id\no,a\n"), "p/a:v={};|", 0, NULL,
			true},
		{{.type = "v", .delimiter = "tab", .id_prefix = "p"}, "x.csv", TEXT("a,b\tc\n1\t2\n"),
			"p:0000000001:v={\"a,b\":\"1\",\"c\":\"2\"};|", 0, NULL, 0},
		{{.type = "v"}, "x.csv", TEXT("n\n"), "", 0, NULL, 0},
		/* an empty line is a row only where there is one column */
		{{.type = "v"}, "x.csv", TEXT("n\n\n1\n"),
			"x:0000000001:v={\"n\":\"\"};x:0000000002:v={\"n\":\"1\"};|", 0, NULL, 0},
		{{.type = "v"}, "x.csv", TEXT("n,m\n\n1,2\n\n"), "x:0000000001:v={\"n\":\"1\",\"m\":\"2\"};|",
			0, NULL, 0},
	};

	(void)state;
	CHECK(cases);
}

#define ONE "x:0000000001:t={\"n\":\"1\",\"m\":\"2\"};|"

static void a_wrong_csv_row_is_named_and_what_stands_before_it_written(void **state)
{
	static const struct case_ cases[] = {
		{{.type = "t"}, "x.csv", TEXT(""), "", 1, "empty, where a header was expected", 0},
		{{.type = "t"}, "x.csv", TEXT("n,m\n1,2\n3\n4,5\n"), ONE, 3,
			"1 field, where the header has 2", 0},
		{{.type = "t"}, "x.csv", TEXT("n,m\n1,2\n3,4,5\n"), ONE, 3,
			"3 fields, where the header has 2", 0},
		{{.type = "t"}, "x.csv", TEXT("n,m\n1,2\n3,\"x\ny"), ONE, 3,
			"field 2: the quote that opens it is not closed", 0},
		{{.type = "t"}, "x.csv", TEXT("n,m\n1,2\n\"3\n\n\"x,4"), ONE, 5,
			"field 1: something follows its closing quote", 0},
		{{.type = "t"}, "x.csv", TEXT("n,m\n1,2\n3,\xff\n"), ONE, 3, "field 2: not UTF-8", 0},
		{{.type = "t"}, "x.csv", TEXT("n,n\n1,2\n"), "", 1, "two columns are called \"n\"", 0},
		{{0}, "x.csv", TEXT("n,m\n1,2\n"), "", 1, "of which type are these records? give --type T",
			0},
		{{.type = "t"}, "x.csv", TEXT("n;m\n1;2\n"), "", 1,
			"the columns seem to be separated by semicolons: give --delimiter ';'", 0},
		{{.type = "t"}, "x.csv", TEXT("n\tm\n1\t2\n"), "", 1,
			"the columns seem to be separated by tabs: give --delimiter tab", 0},
		{{.type = "t", .id_column = "k"}, "x.csv", TEXT("n,m\n1,2\n"), "", 1,
			"no column \"k\" for the id; there are: n, m", 0},
		{{.type = "t", .id_column = "n"}, "x.csv", TEXT("@id,n\n1,2\n"), "", 1,
			"the id stands in the column @id already: leave out --id-column", 0},
		{{.type = "t"}, "x.csv", TEXT("@created_at,n\n1,2\n"), "", 1,
			"column \"@created_at\": such a file was written for reading; export without "
			"--columns what is "
			"to be imported",
			0},
		{{.type = "t", .id_column = "n"}, "x.csv", TEXT("n,m\n1,2\n1,3\n"),
			"1:t={\"n\":\"1\",\"m\":\"2\"};|", 3,
			"the id \"1\" stands in an earlier row too: take a column without repeats, or number "
			"the rows by "
			"--id-prefix P",
			0},
		{{.type = "t", .id_column = "n"}, "x.csv", TEXT("n,m\n,3\n"), "", 2, "its id is empty", 0},
		{{.type = "t", .id_column = "n"}, "x.csv", TEXT("n,m\na/b,3\n"), "", 2,
			"id \"a/b\": " RECORD_ID_RULE, 0},
		{{.format = "csv", .type = "t"}, NULL, TEXT("n\n1\n"), "", 2,
			"no id: name the column or member that has one by --id-column C, or number the rows "
			"by "
			"--id-prefix P",
			0},
		{{.type = "t"}, "my file.csv", TEXT("n\n1\n"), "", 2,
			"no id: name the column or member that has one by --id-column C, or number the rows "
			"by "
			"--id-prefix P",
			0},
		{{0}, "x.csv", TEXT("@type,n\nT,1\n"), "", 2, "type: " RECORD_TYPE_RULE, 0},
		{{.type = "t"}, "x.csv", TEXT("n\n1\n"), "", 2, "owner: missing; give --owner NODE", true},
		{{.type = "t"}, "x.csv", TEXT("\xff\xfen\0"), "", 0, "this is UTF-16; save it as UTF-8", 0},
	};

	(void)state;
	CHECK(cases);
}

static void whole_records(void **state)
{
	static const struct case_ cases[] = {
		{{0}, "x.ndjson",
			TEXT("{\"owner\":\"o\",\"id\":\"a\",\"type\":\"t\",\"deleted\":false,\"body\":{ "
			     "\"n\" :1.50},\"hash\":1}\n"
			     "{\"type\":\"u\",\"body\":null}\n"),
			"a:t={ \"n\" :1.50};x:0000000002:u=null;|", 0, NULL, 0},
		{{0}, "x.ndjson", TEXT("{\"owner\":\"o\",\"id\":\"a\",\"type\":\"t\",\"body\":1}"),
			"o/a:t=1;|", 0, NULL, true},
		{{.owner = "p"}, "x.ndjson", TEXT("{\"owner\":\"o\",\"id\":\"a\",\"type\":\"t\",\"body\":1}"),
			"p/a:t=1;|", 0, NULL, true},
		{{0}, "x.json",
			TEXT("[{\"id\":\"a\",\"type\":\"t\",\"body\":[\n1]},\n{\"id\":\"b\",\"type\":\"t\","
			     "\"body\":2}]"),
			"a:t=[ 1];b:t=2;|", 0, NULL, 0},
		{{.each = "records"}, "x.json",
			TEXT("{\"next\":1,\"records\":[{\"id\":\"a\",\"type\":\"t\",\"body\":1}]}"),
			"a:t=1;|", 0, NULL, 0},
		{{0}, "x.json", TEXT("{\"id\":\"a\",\"type\":\"t\",\"body\":1}"), "a:t=1;|", 0, NULL, 0},
		/* a deleted one is deleted in its place */
		{{0}, "x.ndjson",
			TEXT("{\"id\":\"a\",\"type\":\"t\",\"body\":1}\n{\"id\":\"a\",\"type\":\"t\","
			     "\"deleted\":true,\"body\":null}\n"
			     "{\"id\":\"b\",\"type\":\"t\",\"body\":1}\n"),
			"a:t=1;|-a;b:t=1;|", 0, NULL, 0},
	};

	(void)state;
	CHECK(cases);
}

static void plain_values_become_bodies(void **state)
{
	static const struct case_ cases[] = {
		{{.type = "t", .id_column = "k"}, "x.ndjson",
			TEXT("{\"k\":\"a\",\"v\":1}\n{\"v\":2,\"k\":17}\n"),
			"a:t={\"k\":\"a\",\"v\":1};17:t={\"v\":2,\"k\":17};|", 0, NULL, 0},
		{{.type = "t"}, "x.json", TEXT("[1,\"two\",[3],{\"type\":\"q\",\"body\":4}]"),
			"x:0000000001:t=1;x:0000000002:t=\"two\";x:0000000003:t=[3];"
			"x:0000000004:t={\"type\":\"q\",\"body\":4};|",
			0, NULL, 0},
		{{.type = "t", .each = "d.r", .id_column = "\xc3\xa4"}, "x.json",
			TEXT("{\"d\":{\"r\":[{\"\\u00e4\":\"z\"}]}}"), "z:t={\"\\u00e4\":\"z\"};|", 0, NULL,
			0},
		{{.type = "t", .bodies = true, .id_prefix = "p"}, "x.ndjson",
			TEXT("{\"owner\":1,\"id\":1,\"type\":1,\"deleted\":1,\"body\":1,\"hash\":1,\"dot\":"
			     "1}"),
			"p:0000000001:t={\"owner\":1,\"id\":1,\"type\":1,\"deleted\":1,\"body\":1,\"hash\":1,"
			"\"dot\":1};|",
			0, NULL, 0},
	};

	(void)state;
	CHECK(cases);
}

static void a_wrong_value_is_named(void **state)
{
	static const struct case_ cases[] = {
		{{0}, "x.ndjson", TEXT("{\"id\":\"a\",\"type\":\"t\",\"body\":1}\n\n{\"x\":1}\n"), "a:t=1;|",
			3,
			"no record: `type` is missing; plain values are imported with --type T, and an array "
			"inside the "
			"document with --each PATH",
			0},
		{{0}, "x.ndjson", TEXT("17\n"), "", 1,
			"not a record, which is an object; plain values are imported with --type T", 0},
		{{0}, "x.ndjson", TEXT("{\"id\":\"a\",\"type\":\"t\",\"body\":tru}\n"), "", 1,
			"byte 29: not a JSON value", 0},
		{{0}, "x.ndjson", TEXT("{\"id\":\"a b\",\"type\":\"t\",\"body\":1}\n"), "", 1,
			"id \"a b\": " RECORD_ID_RULE, 0},
		{{0}, "x.ndjson", TEXT("{\"id\":7,\"type\":\"t\",\"body\":1}\n"), "", 1, "id: not a text", 0},
		{{0}, "x.ndjson", TEXT("{\"id\":\"a\",\"type\":\"T\",\"body\":1}\n"), "", 1,
			"type: " RECORD_TYPE_RULE, 0},
		{{0}, "x.ndjson", TEXT("{\"id\":\"a\",\"type\":\"t\",\"deleted\":0,\"body\":1}\n"), "", 1,
			"deleted: not true or false", 0},
		{{0}, "x.ndjson", TEXT("{\"id\":\"a\",\"type\":\"t\",\"body\":1}"), "", 1,
			"owner: missing; give --owner NODE", true},
		{{0}, "x.ndjson", TEXT("{\"owner\":\"\",\"id\":\"a\",\"type\":\"t\",\"body\":1}"), "", 1,
			"owner: missing; give --owner NODE", true},
		{{.type = "t", .id_column = "k"}, "x.ndjson", TEXT("{\"k\":1}\n{\"j\":1}\n"),
			"1:t={\"k\":1};|", 2, "no member \"k\", which --id-column says has the id", 0},
		{{.type = "t"}, "x.ndjson", TEXT("{\"k\":tru}\n"), "", 1, "byte 6: not a JSON value", 0},
		{{.type = "t", .id_column = "k"}, "x.ndjson", TEXT("{\"k\":{}}\n"), "", 1,
			"k: neither a text nor a number", 0},
		{{.type = "t"}, "x.ndjson",
			TEXT("{\"owner\":1,\"id\":1,\"type\":1,\"deleted\":1,\"body\":1,\"hash\":1,\"dot\":"
			     "1}"),
			"", 1,
			"this is a whole record, as export writes it: leave out --type, or say --bodies to "
			"make it the "
			"body of another",
			0},
		{{.type = "t", .each = "b"}, "x.json", TEXT("{\"a\":[]}"), "", 1,
			"--each: no \"b\" there, only \"a\"", 0},
	};

	(void)state;
	CHECK(cases);
}

static void a_body_over_the_limit_is_refused_one_at_it_taken(void **state)
{
	for (int more = 0; more < 2; more++) {
		struct buf text = {0};
		struct shelf s = {0};
		struct import_result result;
		struct reason why;

		(void)state;
		buf_char(&text, '"');
		for (size_t i = 0; i < RECORD_BODY_MAX - 2 + (size_t)more; i++)
			buf_char(&text, 'x');
		buf_text(&text, "\"\n");
		const struct case_ c = {
			.options = {.type = "t"}, .path = "x.ndjson", .text = buf_span(&text)};
		assert_int_equal(import(&c, &s, &result, &why), more ? INVALID : OK);
		assert_int_equal(s.batches, !more);
		buf_done(&text);
		buf_done(&s.text);
	}
}

static void numbered_rows(struct buf *text, size_t n, size_t width)
{
	buf_text(text, "n\n");
	for (size_t i = 0; i < n; i++)
		buf_printf(text, "%0*zu\n", (int)width, i);
}

static void batches_have_bounds(void **state)
{
	static const struct {
		size_t rows, width, batches, largest;
	} rows[] = {{25000, 5, 3, 10000}, {10000, 5, 1, 10000}, {10001, 5, 2, 10000}, {200, 100000, 3, 83}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text = {0};
		struct shelf s = {0};
		struct import_result result;
		struct reason why;

		numbered_rows(&text, rows[i].rows, rows[i].width);
		const struct case_ c = {.options = {.type = "t"}, .path = "x.csv", .text = buf_span(&text)};
		assert_int_equal(import(&c, &s, &result, &why), OK);
		assert_int_equal(s.batches, rows[i].batches);
		assert_int_equal(s.largest, rows[i].largest);
		assert_int_equal(result.counts.created, rows[i].rows);
		buf_done(&text);
		buf_done(&s.text);
	}
}

static void a_sink_that_fails_ends_it_with_its_outcome_and_the_line(void **state)
{
	struct buf text = {0};

	(void)state;
	numbered_rows(&text, 25000, 5);
	const struct case_ c = {.options = {.type = "t"}, .path = "x.csv", .text = buf_span(&text)};
	for (int draft = 0; draft < 2; draft++) {
		struct shelf s = {.fail_at = 2, .failure = draft ? INVALID : RETRY};
		struct import_result result;
		struct reason why;

		s.fail_draft = draft ? 4 : IMPORT_BATCH_RECORDS;
		assert_int_equal(import(&c, &s, &result, &why), s.failure);
		assert_string_equal(why.text, "refused");
		assert_int_equal(result.counts.created, 10000);
		assert_int_equal(result.line, draft ? 10006 : 0);
		assert_int_equal(s.batches, 2);
		buf_done(&s.text);
	}
	buf_done(&text);
}

/* A column's repeats are found however many rows lie between. */
static void a_repeat_far_away_is_found(void **state)
{
	struct buf text = {0};
	struct shelf s = {0};
	struct import_result result;
	struct reason why;

	(void)state;
	numbered_rows(&text, 50000, 5);
	buf_text(&text, "00003\n");
	const struct case_ c = {
		.options = {.type = "t", .id_column = "n"}, .path = "x.csv", .text = buf_span(&text)};
	assert_int_equal(import(&c, &s, &result, &why), INVALID);
	assert_int_equal(result.line, 50002);
	assert_int_equal(result.counts.created, 50000);
	buf_done(&text);
	buf_done(&s.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_rows_are_objects_of_texts),
		cmocka_unit_test(a_wrong_csv_row_is_named_and_what_stands_before_it_written),
		cmocka_unit_test(whole_records),
		cmocka_unit_test(plain_values_become_bodies),
		cmocka_unit_test(a_wrong_value_is_named),
		cmocka_unit_test(a_body_over_the_limit_is_refused_one_at_it_taken),
		cmocka_unit_test(batches_have_bounds),
		cmocka_unit_test(a_sink_that_fails_ends_it_with_its_outcome_and_the_line),
		cmocka_unit_test(a_repeat_far_away_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
