#include "shared/json_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

/* Checks an exact copy on the heap, so that the sanitizers see a read past the end. */
static bool accepted(struct span text, struct json_value *ret, struct reason *why)
{
	char *copy = malloc(text.len ? text.len : 1);
	assert_non_null(copy);
	memcpy(copy, text.at, text.len);
	struct json_value v = {0};
	enum err e = json_check((struct span){copy, text.len}, &v, why);
	assert_true(e == OK || e == INVALID);
	if (e == OK && ret) {
		ret->kind = v.kind;
		ret->raw = (struct span){text.at + (v.raw.at - copy), v.raw.len};
	}
	free(copy);
	return e == OK;
}

static const struct span good[] = {
	TEXT("0"),
	TEXT(" -0.5e+10 "),
	TEXT("1e400"),
	TEXT("123456789012345678901234567890"),
	TEXT("\"\""),
	TEXT("\"plain text that is longer than eight bytes\""),
	TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\""),
	TEXT("\"\x7f \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xed\x9f\xbf \xee\x80\x80\""),
	TEXT("[]"),
	TEXT("{}"),
	TEXT("[ ]"),
	TEXT("\t{\r\n}"),
	TEXT("[1,[2,{\"a\":[]}],{}]"),
	TEXT("{\"a\":1,\"a\":2}"),
	TEXT("{ \"a\" : [ true , false , null ] , \"\" : { } }"),
	TEXT("null"),
	TEXT("true"),
	TEXT("false"),
};

static const struct span bad[] = {
	TEXT(""),
	TEXT(" "),
	TEXT("\xef\xbb\xbf{}"),
	TEXT("01"),
	TEXT("-"),
	TEXT("1."),
	TEXT(".5"),
	TEXT("1e"),
	TEXT("1e+"),
	TEXT("+1"),
	TEXT("0x1"),
	TEXT("NaN"),
	TEXT("nul"),
	TEXT("nullx"),
	TEXT("True"),
	TEXT("\""),
	TEXT("\"abc"),
	TEXT("\"a\\"),
	TEXT("\"a\\\""),
	TEXT("\"\\a\""),
	TEXT("\"\\\0\""),
	TEXT("\"\\u12\""),
	TEXT("\"\\u12G4\""),
	TEXT("\"\\u0000\""),
	TEXT("{\"\\u0000\":1}"),
	TEXT("\"\0\""),
	TEXT("\"12345678\n\""),
	TEXT("\"\\ud800\""),
	TEXT("\"\\ud800\\n\""),
	TEXT("\"\\ud800\\ud800\""),
	TEXT("\"\\udc00\""),
	TEXT("\"\\ud83d\\ude0"),
	TEXT("\"\x80\""),
	TEXT("\"\xc0\xaf\""),
	TEXT("\"\xc3"),
	TEXT("\"\xc3\""),
	TEXT("\"\xe0\x80\xaf\""),
	TEXT("\"\xed\xa0\x80\""),
	TEXT("\"\xe2\x82\""),
	TEXT("\"\xf0\x80\x80\xaf\""),
	TEXT("\"\xf4\x90\x80\x80\""),
	TEXT("\"\xf8\x88\x80\x80\x80\""),
	TEXT("[1"),
	TEXT("[1,]"),
	TEXT("[,1]"),
	TEXT("[1 2]"),
	TEXT("[1}"),
	TEXT("{]"),
	TEXT("{\"a\"}"),
	TEXT("{\"a\":}"),
	TEXT("{\"a\":1,}"),
	TEXT("{\"a\":1 \"b\":2}"),
	TEXT("{a:1}"),
	TEXT("{1:1}"),
	TEXT("{'a':1}"),
	TEXT("{\"a\":[}"),
	TEXT("[1]]"),
	TEXT("1 2"),
	TEXT("{} \0"),
	TEXT("[1]//"),
};

static void accepts_what_the_grammar_allows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct reason why = {""};
		if (!accepted(good[i], NULL, &why))
			fail_msg("%.*s: %s", (int)good[i].len, good[i].at, why.text);
	}
}

static void refuses_what_it_does_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct reason why = {""};
		if (accepted(bad[i], NULL, &why))
			fail_msg("accepted: %.*s", (int)bad[i].len, bad[i].at);
		assert_memory_equal(why.text, "byte ", 5);
	}
}

/* No beginning of a text is a text: every cut is seen, wherever it falls. */
static void refuses_every_cut(void **state)
{
	(void)state;
	static const struct span whole[] = {
		TEXT("{\"a\\u00e9\":[1.5e-3,{\"b\":\"\\ud83d\\ude00 "
		     "\xf0\x9f\x98\x80\"},true,null],\"c\":false}"),
		TEXT("[\"0123456789abcdef\\n\",{\"k\":{}}]"),
	};
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
		assert_true(accepted(whole[i], NULL, NULL));
		for (size_t len = 0; len < whole[i].len; len++)
			assert_false(accepted((struct span){whole[i].at, len}, NULL, NULL));
	}
}

/* Each bad byte at each place of a text of each length: the step of eight must miss none. */
static void finds_a_bad_byte_anywhere(void **state)
{
	(void)state;
	static const char wrong[] = "\x01\x1f\x80\xff\"";
	for (size_t len = 1; len <= 40; len++)
		for (size_t place = 0; place < len; place++)
			for (const char *c = wrong; *c; c++) {
				char text[48];
				memset(text, 'x', sizeof text);
				text[0] = text[len + 1] = '"';
				assert_true(accepted((struct span){text, len + 2}, NULL, NULL));
				text[place + 1] = *c;
				assert_false(accepted((struct span){text, len + 2}, NULL, NULL));
			}
}

static void bounds_the_depth(void **state)
{
	(void)state;
	char text[2 * (JSON_DEPTH_MAX + 1)];
	for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(
			accepted((struct span){text, 2 * depth}, NULL, NULL), depth == JSON_DEPTH_MAX);
	}
	struct buf objects = {0};
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_text(&objects, "{\"a\":");
	buf_text(&objects, "[]");
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_char(&objects, '}');
	assert_false(accepted(buf_span(&objects), NULL, NULL));
	buf_done(&objects);
}

static void gives_kind_and_span(void **state)
{
	(void)state;
	static const struct {
		const char *text, *raw;
		enum json_kind kind;
	} rows[] = {
		{" null ", "null", JSON_NULL},
		{"false", "false", JSON_FALSE},
		{"\ttrue", "true", JSON_TRUE},
		{" -1.5 ", "-1.5", JSON_NUMBER},
		{" \"a\" ", "\"a\"", JSON_TEXT},
		{" [1, 2] ", "[1, 2]", JSON_ARRAY},
		{" {\"a\": {}}\n", "{\"a\": {}}", JSON_OBJECT},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_value v = {0};
		assert_true(accepted(span_of(rows[i].text), &v, NULL));
		assert_int_equal(v.kind, rows[i].kind);
		assert_true(span_is(v.raw, rows[i].raw));
	}
}

static void walks_an_object(void **state)
{
	(void)state;
	struct json_iter it;
	struct span key;
	struct json_value v;
	assert_true(json_open(&it, span_of(" { \"a\" : 1 , \"b\\n\":[{}, 2] ,\"c\":\"x\"} \n")));
	assert_true(json_next(&it, &key, &v));
	assert_true(span_is(key, "a") && span_is(v.raw, "1"));
	assert_true(json_next(&it, &key, &v));
	assert_true(span_is(key, "b\\n") && span_is(v.raw, "[{}, 2]"));
	struct json_iter inner;
	assert_true(json_open(&inner, v.raw));
	assert_true(json_next(&inner, NULL, &v) && v.kind == JSON_OBJECT);
	assert_true(json_next(&inner, NULL, &v) && span_is(v.raw, "2"));
	assert_false(json_next(&inner, NULL, &v));
	assert_true(json_ended(&inner));
	assert_true(json_next(&it, &key, &v));
	assert_false(json_ended(&it));
	assert_false(json_next(&it, &key, &v));
	assert_false(it.failed);
	assert_true(json_ended(&it));
	assert_false(json_next(&it, &key, &v));
	assert_false(json_open(&it, span_of("1")));
	assert_false(json_open(&it, span_of("")));
}

static void an_expected_member_is_passed_by_its_name(void **state)
{
	(void)state;
	struct json_iter it;
	struct json_value v = {0};
	struct span a = span_of("a"), key;
	assert_true(json_open(&it, span_of("{\"a\":1,\"b\":[2],\"a\": 3,\"a\" :4,\"\\u0061\":5,\"a\":6}")));
	assert_false(json_next_is(&it, span_of("b"), &v));
	assert_true(json_next_is(&it, a, &v) && span_is(v.raw, "1"));
	assert_false(json_next_is(&it, a, &v));
	assert_false(json_next_is(&it, span_of(""), &v));
	assert_true(json_next_is(&it, span_of("b"), &v) && v.kind == JSON_ARRAY);
	for (int i = 3; i <= 5; i++) { /* however else it is written */
		assert_false(json_next_is(&it, a, &v));
		assert_true(json_next(&it, &key, &v) && json_key_is(key, a) && v.raw.at[0] == '0' + i);
	}
	assert_true(json_next_is(&it, a, &v) && span_is(v.raw, "6"));
	assert_false(json_next_is(&it, a, &v));
	assert_false(json_next(&it, &key, &v));
	assert_true(json_ended(&it));
	assert_false(json_next_is(&it, a, &v));
	assert_true(json_open(&it, span_of("[\"a\":1]")));
	assert_false(json_next_is(&it, a, &v));
}

/* What a walk says of a text does not depend on what was expected there. */
static void an_expected_member_is_checked_like_any(void **state)
{
	(void)state;
	static const char *const texts[] = {"{\"a\":1}", "{\"a\":}", "{\"a\":\"\\u0000\"}", "{\"a\":01}",
		"{\"a\":[1}", "{\"a\":", "{\"a\"", "{\"a", "{\"", "{", "{\"a\":1,}", "{\"a\":1,\"a\":tru}",
		"{\"a\":1 \"a\":2}", "{,\"a\":1}", "{\"a\":1,\"a\":2,\"a\":{}}x"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct json_iter plain, it;
		struct json_value v, w;
		assert_true(json_open(&plain, span_of(texts[i])) && json_open(&it, span_of(texts[i])));
		while (json_next(&plain, NULL, &v)) {
			assert_true(json_next_is(&it, span_of("a"), &w));
			assert_int_equal(v.kind, w.kind);
			assert_true(v.raw.at == w.raw.at && v.raw.len == w.raw.len);
		}
		assert_false(json_next_is(&it, span_of("a"), &w) || json_next(&it, NULL, &w));
		assert_int_equal(it.failed, plain.failed);
		assert_string_equal(it.why.text, plain.why.text);
		assert_int_equal(json_ended(&it), json_ended(&plain));
	}
}

static void a_walk_checks_what_it_passes(void **state)
{
	(void)state;
	/* Which of these end well, after how many members. */
	static const struct {
		const char *text;
		int members;
		bool failed, ended;
	} rows[] = {
		{"{}", 0, false, true},
		{"[]", 0, false, true},
		{"[1,2] ", 2, false, true},
		{"[1,2] x", 2, false, false},
		{"[1,2", 2, true, false},
		{"[1,]", 1, true, false},
		{"[,1]", 0, true, false},
		{"{,}", 0, true, false},
		{"{\"a\":1,}", 1, true, false},
		{"{\"a\":\"\\u0000\"}", 0, true, false},
		{"{\"a\":1}}", 1, false, false},
		{"[1}", 1, true, false},
		{"{\"a\" 1}", 0, true, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_iter it;
		struct json_value v;
		int members = 0;
		assert_true(json_open(&it, span_of(rows[i].text)));
		while (json_next(&it, NULL, &v))
			members++;
		assert_int_equal(members, rows[i].members);
		assert_int_equal(it.failed, rows[i].failed);
		assert_int_equal(json_ended(&it), rows[i].ended);
		assert_int_equal(it.why.text[0] != '\0', rows[i].failed);
	}
}

static void decodes_texts(void **state)
{
	(void)state;
	static const struct {
		const char *json, *text;
	} rows[] = {
		{"\"\"", ""},
		{"\"plain\"", "plain"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"a\\u0041b\\u00E9c\\u20acd\\uD83d\\uDe00\"", "aAb\xc3\xa9"
								"c\xe2\x82\xac"
								"d\xf0\x9f\x98\x80"},
		{"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
	};
	struct arena a = {0};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_value v;
		assert_int_equal(json_check(span_of(rows[i].json), &v, NULL), OK);
		assert_true(span_is(json_text(&v, &a), rows[i].text));
	}
	arena_done(&a);
}

static void reads_integers(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		bool u64, i64;
		int64_t n;
	} rows[] = {
		{"0", true, true, 0},
		{"9223372036854775807", true, true, INT64_MAX},
		{"9223372036854775808", false, false, 0},
		{"18446744073709551616", false, false, 0},
		{"-9223372036854775808", false, true, INT64_MIN},
		{"-9223372036854775809", false, false, 0},
		{"-1", false, true, -1},
		{"1.0", false, false, 0},
		{"1e3", false, false, 0},
		{"\"1\"", false, false, 0},
		{"null", false, false, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_value v;
		uint64_t u = 7;
		int64_t n = 7;
		assert_int_equal(json_check(span_of(rows[i].json), &v, NULL), OK);
		assert_int_equal(json_u64(&v, &u), rows[i].u64);
		assert_int_equal(json_i64(&v, &n), rows[i].i64);
		assert_true(u == (rows[i].u64 ? (uint64_t)rows[i].n : 7));
		assert_true(n == (rows[i].i64 ? rows[i].n : 7));
	}
}

static void puts_a_value_on_one_line(void **state)
{
	(void)state;
	struct buf out = {0};
	buf_text(&out, "\n");
	json_put_on_one_line(span_of("{\r\n\t\"a\": \"\\n\",\n\"b\":1}"), &out);
	assert_true(span_is(buf_span(&out), "\n{  \t\"a\": \"\\n\", \"b\":1}"));
	buf_done(&out);
}

static void finds_where_a_bracket_closes(void **state)
{
	static const struct {
		const char *text;
		int len; /* up to behind the bracket; -1: none closes it */
	} rows[] = {{"{}", 2}, {"[],", 2}, {"{\"a\":[1,{\"b\":2}]} {", 17}, {"{\"}\":\"]\"}x", 9},
		{"{\"\\\"}\":1}", 9}, {"[\"\\\\\"]]", 6}, {"{", -1}, {"[\"]", -1}, {"{\"\\", -1}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *text = rows[i].text, *close = json_find_close(text, text + strlen(text));

		assert_int_equal(close ? close - text : -1, rows[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_grammar_allows),
		cmocka_unit_test(refuses_what_it_does_not),
		cmocka_unit_test(refuses_every_cut),
		cmocka_unit_test(finds_a_bad_byte_anywhere),
		cmocka_unit_test(bounds_the_depth),
		cmocka_unit_test(gives_kind_and_span),
		cmocka_unit_test(walks_an_object),
		cmocka_unit_test(an_expected_member_is_passed_by_its_name),
		cmocka_unit_test(an_expected_member_is_checked_like_any),
		cmocka_unit_test(a_walk_checks_what_it_passes),
		cmocka_unit_test(decodes_texts),
		cmocka_unit_test(reads_integers),
		cmocka_unit_test(puts_a_value_on_one_line),
		cmocka_unit_test(finds_where_a_bracket_closes),
	};
	return cmocka_run_group_tests_name("json_check", tests, NULL, NULL);
}
