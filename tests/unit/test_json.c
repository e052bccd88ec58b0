#include "shared/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct json_doc *parse(const char *text)
{
	struct json_doc *d = NULL;
	struct reason why = {""};
	if (json_doc_parse(&d, span_of(text), &why) != OK)
		fail_msg("%s: %s", text, why.text);
	return d;
}

static void gets_by_path(void **state)
{
	(void)state;
	struct json_doc *d = parse(
		"{\"a\":{\"b\":[{\"name\":\"x\"},{\"name\":\"y\\u00e9\"}]},\"n\":-5,\"u\":9007199254740991,"
		"\"t\":true,\"f\":false,\"r\":1.5,\"z\":null}");
	const char *text;
	int64_t i;
	uint64_t u;
	double r;
	bool t;
	assert_int_equal(json_doc_text(d, "a.b.1.name", &text, NULL), OK);
	assert_string_equal(text, "y\xc3\xa9");
	assert_int_equal(json_doc_text(d, "a.b.0.name", &text, NULL), OK);
	assert_string_equal(text, "x");
	assert_int_equal(json_doc_i64(d, "n", &i, NULL), OK);
	assert_int_equal(i, -5);
	assert_int_equal(json_doc_u64(d, "u", &u, NULL), OK);
	assert_true(u == 9007199254740991);
	assert_int_equal(json_doc_number(d, "r", &r, NULL), OK);
	assert_true(r == 1.5);
	assert_int_equal(json_doc_bool(d, "t", &t, NULL), OK);
	assert_true(t);
	assert_int_equal(json_doc_bool(d, "f", &t, NULL), OK);
	assert_false(t);
	assert_int_equal(json_doc_count(d, "a.b"), 2);
	assert_int_equal(json_doc_count(d, "a"), 0);
	assert_int_equal(json_doc_count(d, "none"), 0);
	json_doc_free(d);
}

static void says_what_is_wrong(void **state)
{
	(void)state;
	struct json_doc *d = parse("{\"a\":{\"s\":\"x\",\"n\":-1,\"r\":1.5,\"big\":9007199254740992,\"huge\":"
				   "1e999},\"z\":null,\"l\":[1]}");
	struct reason why;
	const char *text = "kept";
	uint64_t u = 7;
	double r = 7;
	assert_int_equal(json_doc_u64(d, "a.s", &u, &why), INVALID);
	assert_string_equal(why.text, "a.s: not an integer");
	assert_int_equal(json_doc_u64(d, "a.n", &u, &why), INVALID);
	assert_string_equal(why.text, "a.n: negative");
	assert_int_equal(json_doc_u64(d, "a.r", &u, &why), INVALID);
	assert_int_equal(json_doc_u64(d, "a.big", &u, &why), INVALID);
	assert_int_equal(json_doc_number(d, "a.huge", &r, &why), INVALID);
	assert_int_equal(json_doc_text(d, "a.n", &text, &why), INVALID);
	assert_string_equal(why.text, "a.n: not a text");
	assert_int_equal(json_doc_text(d, "", &text, &why), INVALID);
	assert_int_equal(json_doc_text(d, "z", &text, &why), GONE);
	assert_string_equal(why.text, "z: missing");
	assert_int_equal(json_doc_text(d, "a.none.more", &text, &why), GONE);
	assert_int_equal(json_doc_u64(d, "l.1", &u, &why), GONE);
	assert_int_equal(json_doc_u64(d, "l.x", &u, &why), GONE);
	assert_int_equal(json_doc_u64(d, "A.n", &u, &why), GONE);
	assert_string_equal(text, "kept");
	assert_true(u == 7 && r == 7);
	json_doc_free(d);
}

static void refuses_what_is_not_strict(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "{} x", "{\"a\":\"\\u0000\"}", "{'a':1}", "[1,]", "\"\xff\"",
		"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"\\u0061\":2}", "[{\"x\":[{\"k\":1,\"k\":1}]}]"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_doc *d = NULL;
		struct reason why = {""};
		assert_int_equal(json_doc_parse(&d, span_of(rows[i]), &why), INVALID);
		assert_null(d);
		assert_true(why.text[0] != '\0');
	}
	/* The same key in another object, or in another case, is no duplicate. */
	json_doc_free(parse("[{\"a\":1},{\"a\":1,\"A\":{\"a\":1}}]"));
	json_doc_free(NULL);
}

static void reads_arrays_in_any_order(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_text(&text, "{\"x\":[0");
	for (int i = 1; i < 20000; i++)
		buf_printf(&text, ",%d", i);
	buf_text(&text, "],\"y\":[7]}");
	struct json_doc *d = parse(text.at);
	char path[32];
	uint64_t u;
	for (int i = 0; i < 20000; i++) {
		snprintf(path, sizeof path, "x.%d", i);
		assert_int_equal(json_doc_u64(d, path, &u, NULL), OK);
		assert_int_equal(u, i);
	}
	assert_int_equal(json_doc_u64(d, "x.3", &u, NULL), OK);
	assert_int_equal(u, 3);
	assert_int_equal(json_doc_u64(d, "y.0", &u, NULL), OK);
	assert_int_equal(u, 7);
	assert_int_equal(json_doc_u64(d, "x.2", &u, NULL), OK);
	assert_int_equal(u, 2);
	json_doc_free(d);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets_by_path),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(refuses_what_is_not_strict),
		cmocka_unit_test(reads_arrays_in_any_order),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
