#include "shared/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_methods(void **state)
{
	(void)state;
	for (unsigned m = HTTP_GET; m < HTTP_OTHER; m++)
		assert_int_equal(http_method_parse(http_method_name((enum http_method)m)), m);
	assert_int_equal(http_method_parse("get"), HTTP_OTHER);
	assert_int_equal(http_method_parse("G@T"), HTTP_OTHER);
	assert_int_equal(http_method_parse("OPTIONS"), HTTP_OTHER);
	assert_int_equal(http_method_parse(""), HTTP_OTHER);
}

static void test_decode(void **state)
{
	(void)state;
	static const struct {
		const char *text, *plain; /* NULL: refused */
		bool plus;
	} cases[] = {
		{"", "", false},
		{"a%20b", "a b", false},
		{"a+b", "a+b", false},
		{"a+b", "a b", true},
		{"%2B", "+", true},
		{"%c3%A9", "\xc3\xa9", false},
		{"\xe2\x82\xac", "\xe2\x82\xac", false},
		{"%F0%9F%98%80", "\xf0\x9f\x98\x80", false},
		{"%f4%8f%bf%bf", "\xf4\x8f\xbf\xbf", false},
		{"%2f", "/", false},
		{"%00", NULL, false},
		{"a%00b", NULL, false},
		{"%zz", NULL, false},
		{"%", NULL, false},
		{"%4", NULL, false},
		{"%-1", NULL, false},
		{"%c3", NULL, false},          /* cut */
		{"%c3a", NULL, false},         /* no second byte */
		{"%c0%af", NULL, false},       /* overlong slash */
		{"%e0%80%af", NULL, false},    /* overlong */
		{"%f0%80%80%af", NULL, false}, /* overlong */
		{"%ed%a0%80", NULL, false},    /* a surrogate */
		{"%f4%90%80%80", NULL, false}, /* above U+10FFFF */
		{"%80", NULL, false},
		{"%ff", NULL, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena a = {0};
		struct span got = {0};
		struct reason why = {0};
		enum err e = http_decode(&a, span_of(cases[i].text), cases[i].plus, &got, &why);
		if (cases[i].plain) {
			assert_int_equal(e, OK);
			assert_true(span_is(got, cases[i].plain));
		} else {
			assert_int_equal(e, INVALID);
			assert_true(why.text[0] != '\0');
			assert_null(got.at);
		}
		arena_done(&a);
	}
}

static void test_decode_refuses_a_raw_nul(void **state)
{
	(void)state;
	struct arena a = {0};
	struct span got = {0};
	assert_int_equal(http_decode(&a, (struct span){"a\0b", 3}, false, &got, NULL), INVALID);
	arena_done(&a);
}

static void test_query(void **state)
{
	(void)state;
	struct http_request q = {0};
	struct reason why;
	assert_int_equal(http_query_parse(&q, span_of("after=7&&type=a%26b&deleted&x="), &why), OK);
	assert_int_equal(q.n_query, 4);
	assert_true(span_is(http_query(&q, "after"), "7"));
	assert_true(span_is(http_query(&q, "type"), "a&b"));
	assert_non_null(http_query(&q, "deleted").at);
	assert_int_equal(http_query(&q, "deleted").len, 0);
	assert_non_null(http_query(&q, "x").at);
	assert_null(http_query(&q, "limit").at);
	assert_null(http_query(&q, "aft").at);

	assert_int_equal(http_query_parse(&q, span_of(""), &why), OK);
	assert_int_equal(q.n_query, 0);
	arena_done(&q.arena);
}

static void test_query_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"a=1&a=2", "a=1&%61=2", "a=%zz", "%zz=1", "a=%00", "a=%ff",
		"a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct http_request q = {0};
		struct reason why = {0};
		assert_int_equal(http_query_parse(&q, span_of(bad[i]), &why), INVALID);
		assert_true(why.text[0] != '\0');
		arena_done(&q.arena);
	}
}

static void test_status_of_codes(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *codes[6];
	} table[] = {
		{400, {"bad_json", "bad_request", "bad_id", "bad_type", "incompatible"}},
		{401, {"unauthorised"}},
		{403, {"forbidden"}},
		{404, {"not_found"}},
		{405, {"method_not_allowed"}},
		{409, {"conflict", "epoch_changed", "rewound"}},
		{411, {"length_required"}},
		{412, {"precondition_failed"}},
		{413, {"body_too_large", "too_many_records"}},
		{415, {"unsupported_media_type"}},
		{429, {"too_many_requests"}},
		{503, {"unavailable"}},
		{507, {"disk_full"}},
		{500, {"internal", "never heard of"}},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		for (size_t j = 0; table[i].codes[j]; j++)
			assert_int_equal(http_status_of(table[i].codes[j]), table[i].status);
	}
}

static void test_problem(void **state)
{
	(void)state;
	struct http_reply r = {.status = 200, .etag = "\"x\"", .location = "/y", .close = true};
	buf_text(&r.body, "half of an answer");
	http_problem(&r, "bad_id", "\"%s\" is no id", "a/b");
	assert_int_equal(r.status, 400);
	assert_string_equal(r.content_type, "application/problem+json");
	assert_string_equal(r.etag, "");
	assert_string_equal(r.location, "");
	assert_true(r.close);
	assert_int_equal(r.retry_after_s, 0);
	assert_string_equal(r.body.at, "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
				       "\"detail\":\"\\\"a/b\\\" is no id\",\"code\":\"bad_id\"}\n");

	http_problem_with(&r, "epoch_changed", "\"epoch\":\"e\",\"node\":\"n\"", "another epoch");
	assert_int_equal(r.status, 409);
	assert_non_null(strstr(r.body.at, "\"code\":\"epoch_changed\",\"epoch\":\"e\",\"node\":\"n\"}"));
	http_reply_done(&r);
	assert_null(r.body.at);
}

static void test_problem_masks_what_is_not_utf8(void **state)
{
	(void)state;
	struct http_reply r = {0};
	http_problem(&r, "bad_request", "%s", "x\xff\xc3\xa9\xc3");
	assert_non_null(strstr(r.body.at, "\"detail\":\"x?\xc3\xa9?\""));
	http_reply_done(&r);
}

static void test_problem_of_an_err(void **state)
{
	(void)state;
	static const struct {
		enum err e;
		int status;
		unsigned retry_after_s;
		const char *code;
		const char *why;
	} cases[] = {
		{RETRY, 507, 0, "disk_full", "the cause: " REASON_DISK_FULL},
		{UNCERTAIN, 507, 0, "disk_full", "the cause: " REASON_DISK_FULL},
		{RETRY, 503, 1, "unavailable", NULL},
		{UNCERTAIN, 503, 1, "unavailable", NULL},
		{INVALID, 400, 0, "bad_request", NULL},
		{GONE, 404, 0, "not_found", NULL},
		{DENIED, 403, 0, "forbidden", NULL},
		{CONFLICT, 409, 0, "conflict", NULL},
		{INTERNAL, 500, 0, "internal", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_reply r = {0};
		struct reason why;
		char code[64];
		snprintf(why.text, sizeof why.text, "%s", cases[i].why ? cases[i].why : "the cause");
		http_problem_err(&r, cases[i].e, &why);
		assert_int_equal(r.status, cases[i].status);
		assert_int_equal(r.retry_after_s, cases[i].retry_after_s);
		snprintf(code, sizeof code, "\"code\":\"%s\"", cases[i].code);
		assert_non_null(strstr(r.body.at, code));
		assert_non_null(strstr(r.body.at, "the cause"));
		bool unknown = cases[i].e == UNCERTAIN;
		assert_true((strstr(r.body.at, "\"outcome\":\"unknown\"") != NULL) == unknown);
		assert_true((strstr(r.body.at, "it may have been done") != NULL) == unknown);
		http_reply_done(&r);
	}
}

static void test_a_problem_after_the_write_says_that_it_is_done(void **state)
{
	(void)state;
	struct http_reply r = {.written = true};
	struct reason why = {"the cause"};
	char longest[600];

	http_problem_err(&r, UNCERTAIN, &why);
	assert_int_equal(r.status, 503);
	assert_non_null(strstr(r.body.at, "the cause; what was asked for is done"));
	assert_non_null(strstr(r.body.at, ",\"outcome\":\"done\"}"));
	assert_null(strstr(r.body.at, "unknown"));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	http_problem(&r, "unavailable", "%s", longest);
	assert_non_null(
		strstr(r.body.at, "xxx; what was asked for is done, only the answer cannot be given\""));
	http_reply_done(&r);
}

static void test_cookies(void **state)
{
	(void)state;
	static const struct {
		const char *header, *value; /* NULL: none */
	} cases[] = {
		{NULL, NULL},
		{"", NULL},
		{"s=1", "1"},
		{"s=", ""},
		{"s=1.a-b.ff", "1.a-b.ff"},
		{"a=b; s=1; c=d", "1"},
		{"a=b;s=1;c=d", "1"},
		{";; s=1;", "1"},
		{"s=a=b", "a=b"},
		{"s", NULL},
		{"S=1", NULL},
		{"xs=1", NULL},
		{"sx=1", NULL},
		{"s =1", NULL},
		{"\ts=1", NULL},
		{"s= 1", NULL},
		{"s=1 ", NULL},
		{"s=1, s=2", NULL},
		{"s=\"1\"", NULL},
		{"s=a\\b", NULL},
		{"s=\x7f", NULL},
		{"s=\xc3\xa9", NULL},
		{"s=1; s=1", NULL},
		{"s=1; s=2", NULL},
		{"s=; s=2", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_request q = {.method = HTTP_GET};
		if (cases[i].header)
			q.cookie = span_of(cases[i].header);
		struct span got = http_cookie(&q, "s");
		if (cases[i].value ? !got.at || !span_is(got, cases[i].value) : got.at != NULL)
			fail_msg("%s", cases[i].header);
	}
}

static void test_preferences(void **state)
{
	static const struct {
		const char *text;
		bool minimal;
	} rows[] = {
		{"", false},
		{"return=minimal", true},
		{"Return = \"Minimal\"", true},
		{"respond-async, return=minimal; foo=bar", true},
		{"wait=5 ,\treturn=minimal", true},
		{"return=representation", false},
		{"return=representation, return=minimal", false}, /* the first counts */
		{"return", false},
		{"return=", false},
		{"return=minimally", false},
		{"handling=lenient;return=minimal", false}, /* a parameter of another */
		{",;=,", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_request q = {.prefer = span_of(rows[i].text)};

		if (http_prefers_minimal(&q) != rows[i].minimal)
			fail_msg("%s", rows[i].text);
	}
}

static void test_bearers(void **state)
{
	(void)state;
	static const char *const cases[][2] = {{"Bearer x", "x"}, {"bearer x y", "x y"}, {"Bearer  x", " x"},
		{"Bearer ", NULL}, {"Bearer", NULL}, {"x", NULL}, {"Basic x", NULL}, {"", NULL}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_request q = {.authorization = span_of(cases[i][0])};
		struct span got = http_bearer(&q);
		assert_true(cases[i][1] ? got.at && span_is(got, cases[i][1]) : !got.at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_refuses_a_raw_nul),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_query_refused),
		cmocka_unit_test(test_status_of_codes),
		cmocka_unit_test(test_problem),
		cmocka_unit_test(test_problem_masks_what_is_not_utf8),
		cmocka_unit_test(test_problem_of_an_err),
		cmocka_unit_test(test_a_problem_after_the_write_says_that_it_is_done),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_bearers),
		cmocka_unit_test(test_preferences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
