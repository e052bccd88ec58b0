/* record_draft: what people and applications hand in, and what they are told. */
#include "shared/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.at, text, s.len);
}

static void parse(struct drafts *ret, const char *text, bool owner_wanted)
{
	size_t line = 0;
	const char *code = "";
	struct reason why = {0};

	if (drafts_parse(ret, span_of(text), owner_wanted, &line, &code, &why) != OK)
		fail_msg("line %zu: %s: %s", line, code, why.text);
}

static void assert_refused(const char *text, size_t wanted_line, const char *wanted_code, const char *wanted)
{
	struct drafts ds = {.n = 77};
	size_t line = 0;
	const char *code = "";
	struct reason why = {0};

	assert_int_equal(drafts_parse(&ds, span_of(text), false, &line, &code, &why), INVALID);
	assert_string_equal(why.text, wanted);
	assert_string_equal(code, wanted_code);
	assert_int_equal(line, wanted_line);
	assert_int_equal(ds.n, 77);
}

static void reads_one_object(void **unused)
{
	struct drafts ds;

	(void)unused;
	parse(&ds, "{\n  \"id\": \"a\",\n  \"type\": \"t\",\n  \"body\": {\n    \"x\": \"}\\\"{\"\n  }\n}\n",
		false);
	assert_int_equal(ds.n, 1);
	assert_span(ds.at[0].id, "a");
	assert_span(ds.at[0].type, "t");
	assert_span(ds.at[0].body, "{\n    \"x\": \"}\\\"{\"\n  }");
	assert_span(ds.at[0].owner, "");
	drafts_done(&ds);
}

static void reads_an_array(void **unused)
{
	struct drafts ds;

	(void)unused;
	parse(&ds, " [ {\"type\":\"a\",\"body\":1},\n{\"type\":\"b\",\"body\":[2,{}],\"id\":null} ] ", false);
	assert_int_equal(ds.n, 2);
	assert_span(ds.at[0].id, "");
	assert_span(ds.at[1].type, "b");
	assert_span(ds.at[1].body, "[2,{}]");
	drafts_done(&ds);
	parse(&ds, "[]", false);
	assert_int_equal(ds.n, 0);
	drafts_done(&ds);
}

static void reads_lines(void **unused)
{
	struct drafts ds;

	(void)unused;
	parse(&ds, "{\"type\":\"a\",\"body\":1}\r\n\n{\"type\":\"b\",\"body\":null,\"more\":{}} \n", false);
	assert_int_equal(ds.n, 2);
	assert_span(ds.at[1].body, "null");
	drafts_done(&ds);
}

static void takes_the_owner_only_at_the_centre(void **unused)
{
	const char *text = "{\"owner\":\"site-a\",\"type\":\"a\",\"body\":1}";
	struct drafts ds = {0};
	size_t line;
	const char *code;
	struct reason why;

	(void)unused;
	parse(&ds, text, true);
	assert_span(ds.at[0].owner, "site-a");
	drafts_done(&ds);
	parse(&ds, text, false);
	assert_span(ds.at[0].owner, "");
	drafts_done(&ds);
	assert_int_equal(
		drafts_parse(&ds, span_of("{\"type\":\"a\",\"body\":1}"), true, &line, &code, &why), INVALID);
	assert_string_equal(why.text, "owner: missing");
	assert_string_equal(code, "bad_request");
}

static void says_what_is_wrong_and_where(void **unused)
{
	const char *expected = "a record, a JSON object, was expected here";

	(void)unused;
	assert_refused("", 1, "bad_json", "empty, where a record was expected");
	assert_refused("\n \n", 3, "bad_json", "empty, where a record was expected");
	assert_refused(
		"\xef\xbb\xbf{}", 1, "bad_json", "the text starts with a byte order mark; send it without");
	assert_refused("17", 1, "bad_json", expected);
	assert_refused("[1]", 1, "bad_json", expected);
	assert_refused("[{\"type\":\"a\",\"body\":1},]", 1, "bad_json", expected);
	assert_refused(
		"[\n{\"type\":\"a\",\"body\":1}", 1, "bad_json", "the array that begins here is not closed");
	assert_refused("[{\"type\":\"a\",\"body\":1}\n;", 2, "bad_json",
		"a comma or the array's end was expected here");
	assert_refused("[]\n{}", 2, "bad_json", "something follows the array");
	assert_refused("{\"type\":\"a\",\"body\":1} {\"type\":\"a\",\"body\":1}", 1, "bad_json",
		"something follows the record on its line");
	assert_refused("{\"type\":\"a\",\"body\":1}\nxyz", 2, "bad_json", expected);
	assert_refused("{\"type\":\"a\",\"body\":1}\n{}", 2, "bad_type", "type: missing");
	assert_refused("{\"type\":\"A\",\"body\":1}", 1, "bad_type", "type: not 1 to 32 of a-z 0-9 _ -");
	assert_refused(
		"{\"id\":\"a/b\",\"type\":\"a\"}", 1, "bad_id", "id: not 1 to 64 of A-Z a-z 0-9 . _ : -");
	assert_refused("{\"id\":\"\",\"type\":\"a\"}", 1, "bad_id", "id: not 1 to 64 of A-Z a-z 0-9 . _ : -");
	assert_refused("{\"id\":5,\"type\":\"a\"}", 1, "bad_id", "id: not a text");
	assert_refused("{\"type\":\"a\"}", 1, "bad_request", "body: missing");
	assert_refused("{\"type\":\"a\",\"type\":\"a\"}", 1, "bad_json", "type: comes twice");
	assert_refused("{\"type\":\"a\",\"body\":null,\"deleted\":true}", 1, "bad_request",
		"deleted: true, but a record is deleted by DELETE");
}

static void finds_the_place_inside_a_record(void **unused)
{
	(void)unused;
	assert_refused("{\n\"type\":\"a\",\n\"body\":01}", 3, "bad_json", "byte 9: neither comma nor }");
	assert_refused("{\"type\":\"a\",\"body\":1}\n{\"type\":\"a\",\"body\":\"\\x\"}", 2, "bad_json",
		"byte 22: an unknown escape");
	assert_refused("{\"type\":\"a\",\"body\":1", 1, "bad_json", "byte 21: neither comma nor }");
}

static void holds_the_limits(void **unused)
{
	struct buf text = {0};
	struct drafts ds;
	char *last;

	(void)unused;
	for (int i = 0; i < 10000; i++)
		buf_text(&text, "{\"type\":\"a\",\"body\":1}\n");
	parse(&ds, text.at, false);
	assert_int_equal(ds.n, 10000);
	assert_span(ds.at[9999].type, "a");
	drafts_done(&ds);
	buf_text(&text, "{\"type\":\"a\",\"body\":1}\n");
	assert_refused(text.at, 10001, "too_many_records", "more than 10000 records in one request");
	buf_clear(&text);
	buf_text(&text, "{\"type\":\"a\",\"body\":\"");
	for (int i = 0; i < RECORD_BODY_MAX - 2; i++)
		buf_char(&text, 'x');
	buf_text(&text, "\"} ");
	parse(&ds, text.at, false);
	drafts_done(&ds);
	last = text.at + text.len - 3;
	memcpy(last, "x\"}", 3);
	assert_refused(text.at, 1, "body_too_large", "body: larger than 262144 bytes");
	buf_done(&text);
}

static void reads_the_body_of_put(void **unused)
{
	struct draft d;
	struct arena a = {0};
	const char *code = "";
	struct reason why;

	(void)unused;
	assert_int_equal(
		draft_parse_put(&d, span_of("{\"id\":\"a\",\"type\":\"t\",\"body\":[1]}\n"), &a, &code, &why),
		OK);
	assert_span(d.type, "t");
	assert_span(d.body, "[1]");
	assert_span(d.id, "");
	assert_int_equal(draft_parse_put(&d, span_of("{\"body\":1}"), &a, &code, &why), INVALID);
	assert_string_equal(code, "bad_type");
	assert_int_equal(draft_parse_put(&d, span_of(""), &a, &code, &why), INVALID);
	assert_string_equal(code, "bad_json");
	assert_string_equal(why.text, "not a JSON object");
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_one_object),
		cmocka_unit_test(reads_an_array),
		cmocka_unit_test(reads_lines),
		cmocka_unit_test(takes_the_owner_only_at_the_centre),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(finds_the_place_inside_a_record),
		cmocka_unit_test(holds_the_limits),
		cmocka_unit_test(reads_the_body_of_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
