/* json_stream: one a line, or the members of an array wherever it stands; whole or byte by byte; what is beside it is checked. */
#include "shared/json_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/paper.h"

#include <cmocka.h>

#define LINES ((const char *)-1) /* for a path: one value a line */

/* "LINE:VALUE;" for each, then what is wrong, if anything: "LINE! WHY". */
static void read_all(struct span text, const char *path, size_t chunk, struct buf *out)
{
	struct paper paper = paper_of(text);
	struct input in;
	struct json_stream v;
	struct json_value value;
	struct reason why = {""};
	enum err e = input_open(&in, paper.path, &why);

	assert_int_equal(e, OK);
	if (chunk)
		in.chunk = chunk;
	if (path == LINES)
		json_stream_of_lines(&v, &in);
	else
		e = json_stream_of_document(&v, &in, path, &why);
	while (e == OK && (e = json_stream_next(&v, &value, &why)) == OK)
		buf_printf(out, "%d:%.*s;", (int)v.line, (int)value.raw.len, value.raw.at);
	if (e != GONE)
		buf_printf(out, "%d! %s", (int)v.line, why.text);
	else
		assert_int_equal(in.taken, text.len);
	input_close(&in);
	paper_done(&paper);
}

static void assert_values(const char *text, const char *path, const char *wanted)
{
	static const size_t chunks[] = {0, 1, 2, 3, 7};

	for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
		struct buf got = {0};

		read_all(span_of(text), path, chunks[i], &got);
		assert_string_equal(got.at ? got.at : "", wanted);
		buf_done(&got);
	}
}

static void lines(void **state)
{
	(void)state;
	assert_values("", LINES, "");
	assert_values("\n \n\t\r\n", LINES, "");
	assert_values("1\n\n{\"a\":\"\\n\"}\r\n[2, 3] ", LINES, "1:1;3:{\"a\":\"\\n\"};4:[2, 3];");
	assert_values("1\n2 3\n4", LINES, "1:1;2! byte 3: something follows the value");
	assert_values("{\n}", LINES, "1! byte 2: a key is missing");
	assert_values("\"a\nb\"", LINES, "1! byte 3: the text is not closed");
	assert_values("1\n\xff", LINES, "1:1;2! byte 1: not a JSON value");
}

static void one_document(void **state)
{
	(void)state;
	assert_values("[]", NULL, "");
	assert_values(" [ ] \n", NULL, "");
	assert_values("[1]", NULL, "1:1;");
	assert_values("[ 1 , \"]\\\"\" ,\n{\"a\":[{}]},\n null ]\n", NULL,
		"1:1;1:\"]\\\"\";2:{\"a\":[{}]};3:null;");
	assert_values("{\"a\":1}\n", NULL, "1:{\"a\":1};");
	assert_values("17", NULL, "1:17;");
	assert_values("", NULL, "1! byte 1: a value is missing");
	assert_values("[1,]", NULL, "1:1;1! byte 1: not a JSON value");
	assert_values("[1 2]", NULL, "1:1;1! neither comma nor ]");
	assert_values("[1", NULL, "1:1;1! the document ends within the array");
	assert_values("[1}", NULL, "1:1;1! neither comma nor ]");
	assert_values("[\n{\"a\":1,}]", NULL, "2! byte 8: a key is missing");
	assert_values("[{\"a\":1]", NULL, "1! byte 7: neither comma nor }");
	assert_values("[01]", NULL, "1! byte 2: something follows the value");
	assert_values("[1] 2", NULL,
		"1:1;1! something follows the document's value (one value a line is --format ndjson)");
	assert_values("{}\n{}", NULL,
		"1:{};2! something follows the document's value (one value a line is --format ndjson)");
}

static void an_array_inside(void **state)
{
	const char *text =
		"{\"meta\":{\"n\":[1,{\"items\":0}],\"t\":\"}]\\\"\"},\n \"data\" : { \"items\" : [\n 1,\n"
		"{\"x\":2}] , \"more\":[[]] }, \"z.z\":[[7],[8,9]],\"\\u00e4\":[true]}";

	(void)state;
	assert_values(text, "data.items", "3:1;4:{\"x\":2};");
	assert_values(text, "/data/items", "3:1;4:{\"x\":2};");
	assert_values(text, "meta.n", "1:1;1:{\"items\":0};");
	assert_values(text, "data.more.0", "");
	assert_values(text, "/z.z/1", "4:8;4:9;");
	assert_values(text, "/z.z", "4:[7];4:[8,9];");
	assert_values(text, "\xc3\xa4", "4:true;");
	assert_values("[[1],[2]]", "1", "1:2;");
	assert_values("[1,2]", "", "1:1;1:2;");
}

static void an_array_that_is_not_there(void **state)
{
	const char *text = "{\"meta\":{\"n\":[1]},\n\"data\":{\"items\":3}}";

	(void)state;
	assert_values(text, "items", "2! --each: no \"items\" there, only \"meta\", \"data\"");
	assert_values(text, "data.rows", "2! --each: no \"rows\" there, only \"items\"");
	assert_values(text, "data.items", "2! --each: that is no array");
	assert_values(text, "data", "2! --each: that is no array");
	assert_values(text, "meta.n.1", "1! --each: no \"1\" there");
	assert_values(text, "meta.n.x", "1! --each: no \"x\" there");
	assert_values(text, "data.items.0", "2! --each: no \"0\" there");
	assert_values("{}", "a", "1! --each: no \"a\" there");
	assert_values("[]", "0", "1! --each: no \"0\" there");
	assert_values("", "a", "1! --each: no \"a\" there");
	assert_values("", "", "1! empty, where a document was expected");
}

/* What stands beside the array is not taken, and still has to be right. */
static void what_lies_beside_is_checked(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{"{\"x\":tru,\"a\":[1]}", "1! byte 1: not a JSON value"},
		{"{\"x\":[1,],\"a\":[1]}", "1! byte 1: a value is missing"},
		{"{\"x\":{\"y\"},\"a\":[1]}", "1! a colon is missing"},
		{"{\"x\":{1:2},\"a\":[1]}", "1! a key is missing"},
		{"{\"x\":[1 2],\"a\":[1]}", "1! neither comma nor ]"},
		{"{\"x\":[1},\"a\":[1]}", "1! neither comma nor ]"},
		{"{\"x\":\"\\q\",\"a\":[1]}", "1! byte 3: an unknown escape"},
		{"{\"a\":[1],\"x\":[}", "1:1;1! byte 1: a value is missing"},
		{"{\"a\":[1]", "1:1;1! neither comma nor }"},
		{"{\"a\":[1]]", "1:1;1! neither comma nor }"},
		{"{\"a\":[1]}}", "1:1;1! something follows the document's value (one value a line is "
				 "--format ndjson)"},
		{"{\"a\":[1],}", "1:1;1! a key is missing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_values(rows[i].text, "a", rows[i].wanted);
}

static void depth_beside_is_bounded_too(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		char deep[2 * 65 + 1], text[200];
		size_t depth = 64 + (size_t)more;

		memset(deep, '[', depth);
		memset(deep + depth, ']', depth);
		deep[2 * depth] = '\0';
		snprintf(text, sizeof text, "{\"x\":%s,\"a\":[1]}", deep);
		assert_values(text, "a", more ? "1! nested too deeply" : "1:1;");
	}
}

/* Far more beside and before the array than a window holds: nothing of it is kept. */
static void any_size_beside_a_piece_only_what_fits(void **state)
{
	struct buf text = {0}, got = {0};

	(void)state;
	buf_text(&text, "{\"x\":[");
	while (text.len < 3 * INPUT_WINDOW_MAX)
		buf_text(&text, "{\"k\":[1,2,3]},\n");
	buf_text(&text, "0],\"a\":[5]}");
	read_all(buf_span(&text), "a", 0, &got);
	assert_string_equal(strchr(got.at, ':'), ":5;");
	buf_clear(&text);
	buf_clear(&got);
	buf_text(&text, "[\n");
	while (text.len < 2 * INPUT_WINDOW_MAX)
		buf_text(&text, "[1,2,3,");
	read_all(buf_span(&text), NULL, 0, &got);
	assert_string_equal(
		got.at, "2! more than 1048576 bytes in one piece: is a quote or bracket not closed?");
	buf_done(&text);
	buf_done(&got);
}

/* What a reader checks itself is cut out unseen: a record's body may be as deep as is allowed. */
static void unchecked_values_are_only_cut_out(void **state)
{
	struct paper paper = paper_of(span_of("[{\"a\":tru},{\"b\":\"}\"} , 3]"));
	struct input in;
	struct json_stream v;
	struct json_value value;
	struct reason why;

	(void)state;
	assert_int_equal(input_open(&in, paper.path, &why), OK);
	assert_int_equal(json_stream_of_document(&v, &in, NULL, &why), OK);
	v.unchecked = true;
	assert_int_equal(json_stream_next(&v, &value, &why), OK);
	assert_true(span_is(value.raw, "{\"a\":tru}") && value.kind == JSON_OBJECT);
	assert_int_equal(json_stream_next(&v, &value, &why), OK);
	assert_true(span_is(value.raw, "{\"b\":\"}\"}"));
	assert_int_equal(json_stream_next(&v, &value, &why), OK);
	assert_true(value.kind == JSON_NUMBER);
	assert_int_equal(json_stream_next(&v, &value, &why), GONE);
	input_close(&in);
	paper_done(&paper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(one_document),
		cmocka_unit_test(an_array_inside),
		cmocka_unit_test(an_array_that_is_not_there),
		cmocka_unit_test(what_lies_beside_is_checked),
		cmocka_unit_test(depth_beside_is_bounded_too),
		cmocka_unit_test(any_size_beside_a_piece_only_what_fits),
		cmocka_unit_test(unchecked_values_are_only_cut_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
