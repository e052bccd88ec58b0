#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SPAN(literal) ((struct span){literal, sizeof(literal) - 1})

static void check(struct buf *b, const char *wanted)
{
	assert_false(buf_failed(b));
	assert_string_equal(b->at, wanted);
	assert_int_equal(b->len, strlen(wanted));
	buf_clear(b);
}

static void compares_spans(void **state)
{
	(void)state;
	assert_true(span_equal((struct span){NULL, 0}, SPAN("")));
	assert_true(span_equal(SPAN("a\0b"), SPAN("a\0b")));
	assert_false(span_equal(SPAN("a\0b"), SPAN("a\0c")));
	assert_false(span_is(SPAN("ab"), "abc"));
	assert_true(span_is(span_of(NULL), ""));
	assert_true(span_is(span_trimmed(SPAN(" \t a b\t ")), "a b"));
	assert_true(span_is(span_trimmed(SPAN("\n")), "\n"));
	assert_true(span_is(span_trimmed(SPAN(" \t ")), ""));
	assert_true(span_is(span_trimmed(span_of(NULL)), ""));
}

static void reads_decimals(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t max, n;
		bool ok;
	} rows[] = {
		{"0", 0, 0, true},
		{"007", 7, 7, true},
		{"18446744073709551615", UINT64_MAX, UINT64_MAX, true},
		{"18446744073709551616", UINT64_MAX, 0, false},
		{"18446744073709551620", UINT64_MAX, 0, false},
		{"99999999999999999999", UINT64_MAX, 0, false},
		{"8", 7, 0, false},
		{"", 7, 0, false},
		{"-1", 7, 0, false},
		{"+1", 7, 0, false},
		{" 1", 7, 0, false},
		{"1 ", 7, 0, false},
		{"1a", 7, 0, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t n = 42;
		assert_int_equal(span_to_u64(span_of(rows[i].text), rows[i].max, &n), rows[i].ok);
		assert_true(n == (rows[i].ok ? rows[i].n : 42));
	}
}

static void adds_and_grows(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_add(&b, NULL, 0);
	check(&b, "");
	buf_text(&b, "a");
	buf_put(&b, SPAN("bc"));
	buf_char(&b, 'd');
	buf_printf(&b, "%d-%s", 5, "e");
	check(&b, "abcd5-e");
	for (int i = 0; i < 10000; i++)
		buf_text(&b, "0123456789");
	assert_int_equal(b.len, 100000);
	assert_int_equal(strlen(b.at), 100000);
	buf_done(&b);
	assert_null(b.at);
	buf_text(&b, "again");
	check(&b, "again");
	buf_done(&b);
}

static void lets_others_write_into_it(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_fit(&b);
	assert_null(b.at);
	buf_text(&b, "ab");
	char *at = buf_reserve(&b, 10000);
	assert_non_null(at);
	memcpy(at, "cde", 3);
	buf_wrote(&b, 3);
	assert_true(b.cap > 10000);
	buf_fit(&b);
	assert_int_equal(b.cap, 6);
	buf_add(&b, "", 0);
	assert_int_equal(b.cap, 6);
	buf_text(&b, "f");
	check(&b, "abcdef");
	buf_fit(&b);
	check(&b, "");
	b.max = 4;
	assert_null(buf_reserve(&b, 5));
	buf_fit(&b);
	assert_true(buf_failed(&b));
	buf_done(&b);
}

static void prints_long_texts(void **state)
{
	(void)state;
	struct buf b = {0};
	for (int width = 250; width < 260; width++) {
		buf_printf(&b, "%*s", width, "x");
		assert_int_equal(b.len, width);
		assert_int_equal(b.at[width - 1], 'x');
		assert_int_equal(b.at[width], '\0');
		buf_clear(&b);
	}
	buf_done(&b);
}

static void keeps_to_its_limit(void **state)
{
	(void)state;
	struct buf b = {.max = 5};
	buf_text(&b, "12345");
	assert_false(buf_failed(&b));
	buf_char(&b, '6');
	assert_true(buf_failed(&b));
	assert_string_equal(b.at, "12345");
	buf_clear(&b);
	assert_false(buf_failed(&b));
	buf_printf(&b, "%300d", 1);
	assert_true(buf_failed(&b));
	buf_text(&b, "a");
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	buf_add(&b, "x", SIZE_MAX);
	assert_true(buf_failed(&b));
	buf_done(&b);
}

static void writes_numbers(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_u64(&b, 0);
	check(&b, "0");
	buf_u64(&b, UINT64_MAX);
	check(&b, "18446744073709551615");
	buf_i64(&b, INT64_MIN);
	check(&b, "-9223372036854775808");
	buf_i64(&b, 10);
	check(&b, "10");
	buf_hex64(&b, UINT64_C(0x0123456789abcdef));
	check(&b, "0123456789abcdef");
	buf_done(&b);
}

static void escapes_json(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_json_text(&b, SPAN(""));
	check(&b, "\"\"");
	buf_json_text(&b, SPAN("plain \xc3\xa9"));
	check(&b, "\"plain \xc3\xa9\"");
	buf_json_text(&b, SPAN("\"a\\b/\n\r\t\b\f\x01\x1f\x7f\0z"));
	check(&b, "\"\\\"a\\\\b/\\n\\r\\t\\b\\f\\u0001\\u001f\\u007f\\u0000z\"");
	buf_done(&b);
}

static void writes_times(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000000Z"},
		{-1, "1970-01-01T00:00:00.000000Z"},
		{951782399999999, "2000-02-28T23:59:59.999999Z"},
		{951782400000000, "2000-02-29T00:00:00.000000Z"},
		{951868800000000, "2000-03-01T00:00:00.000000Z"},
		{1795222923000004, "2026-11-21T01:02:03.000004Z"},
		{4107542400000000, "2100-03-01T00:00:00.000000Z"},
		{253402300799999999, "9999-12-31T23:59:59.999999Z"},
		{INT64_MAX, "9999-12-31T23:59:59.999999Z"},
	};
	struct buf b = {0};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_time(&b, rows[i].us);
		check(&b, rows[i].text);
	}
	buf_done(&b);
}

static void a_time_of_json_is_quoted_or_null(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_json_time(&b, 0);
	check(&b, "\"1970-01-01T00:00:00.000000Z\"");
	buf_json_time(&b, -1);
	check(&b, "null");
	buf_done(&b);
}

static void percent_encodes(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_percent(&b, SPAN("aZ9-._~ /:?\xff\0"));
	check(&b, "aZ9-._~%20%2F%3A%3F%FF%00");
	buf_done(&b);
}

static void measures_characters(void **state)
{
	(void)state;
	assert_int_equal(utf8_length("", 0), 0);
	assert_int_equal(utf8_length("a", 1), 1);
	assert_int_equal(utf8_length("\xc3\xa9", 2), 2);
	assert_int_equal(utf8_length("\xc3\xa9", 1), 0);
	assert_int_equal(utf8_length("\xc1\xbf", 2), 0);
	assert_int_equal(utf8_length("\xe2\x82\xac", 3), 3);
	assert_int_equal(utf8_length("\xed\xa0\x80", 3), 0);
	assert_int_equal(utf8_length("\xf0\x9f\x98\x80", 4), 4);
	assert_int_equal(utf8_length("\xf4\x90\x80\x80", 4), 0);
}

static void arena_keeps_all_until_done(void **state)
{
	(void)state;
	struct arena a = {0};
	char *texts[500];
	for (int i = 0; i < 500; i++) {
		char text[8] = {(char)('a' + i % 26), (char)('a' + i / 26)};
		texts[i] = arena_copy(&a, text, 2);
		size_t size = (size_t)(i % 7) * 1000;
		unsigned char *bytes = arena_alloc(&a, size);
		assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(bytes[k], 0);
		if (size > 0)
			memset(bytes, 0xff, size);
	}
	for (int i = 0; i < 500; i++) {
		assert_int_equal(texts[i][0], 'a' + i % 26);
		assert_int_equal(texts[i][1], 'a' + i / 26);
		assert_int_equal(texts[i][2], 0);
	}
	arena_done(&a);
	assert_null(a.blocks);
	arena_done(&a);
}

/* In brackets, since cmocka has a macro of that name. */
static enum err refuse(struct reason *why)
{
	return (fail)(INVALID, why, "wrapped: %s", why ? why->text : "");
}

static void says_why(void **state)
{
	(void)state;
	struct reason why = {"cause"};
	assert_int_equal(refuse(NULL), INVALID);
	assert_int_equal(refuse(&why), INVALID);
	assert_string_equal(why.text, "wrapped: cause");
	assert_string_equal(err_name(OK), "ok");
	assert_string_equal(err_name(INTERNAL), "internal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_spans),
		cmocka_unit_test(reads_decimals),
		cmocka_unit_test(adds_and_grows),
		cmocka_unit_test(lets_others_write_into_it),
		cmocka_unit_test(prints_long_texts),
		cmocka_unit_test(keeps_to_its_limit),
		cmocka_unit_test(writes_numbers),
		cmocka_unit_test(escapes_json),
		cmocka_unit_test(writes_times),
		cmocka_unit_test(a_time_of_json_is_quoted_or_null),
		cmocka_unit_test(percent_encodes),
		cmocka_unit_test(measures_characters),
		cmocka_unit_test(arena_keeps_all_until_done),
		cmocka_unit_test(says_why),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
