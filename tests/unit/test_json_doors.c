/* One table of what is JSON, at each decoder that a text can come in by. */
#include "tests/support/json_cases.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/json.h" /* before cmocka.h, which makes fail a macro */
#include "shared/json_stream.h"
#include "shared/push.h"

#include <cmocka.h>

#define EPOCH "0123456789abcdef0123456789abcdef"
#define ZEROS "00000000000000000000000000000000"

static void judge(const struct json_case *c, bool taken, bool wanted, const char *door)
{
	if (taken != wanted)
		fail_msg("json_cases:%u: %s at %s: %.*s", c->line, taken ? "taken" : "refused", door,
			(int)(c->text.len < 200 ? c->text.len : 200), c->text.at);
}

/* The case between two texts, as an exact copy on the heap. */
struct wrapped {
	struct span text;
};

static struct wrapped wrap(const char *before, const struct json_case *c, const char *after)
{
	size_t front = strlen(before), back = strlen(after), len = front + c->text.len + back;
	char *at = malloc(len ? len : 1);

	assert_non_null(at);
	memcpy(at, before, front);
	memcpy(at + front, c->text.at, c->text.len);
	memcpy(at + front + c->text.len, after, back);
	return (struct wrapped){{at, len}};
}

static void unwrap(struct wrapped *w)
{
	free((void *)(uintptr_t)w->text.at);
}

/* A line ends at a line end, so there it is no blank. */
static bool has_line_end(const struct json_case *c)
{
	return c->text.len > 0 &&
	       (memchr(c->text.at, '\n', c->text.len) || memchr(c->text.at, '\r', c->text.len));
}

static bool is_blank(const struct json_case *c)
{
	for (size_t i = 0; i < c->text.len; i++)
		if (!memchr(" \t\r\n", c->text.at[i], 4))
			return false;
	return true;
}

/* Without the blanks around it. */
static struct span trimmed(const struct json_case *c)
{
	struct span s = c->text;

	while (s.len > 0 && memchr(" \t\r\n", *s.at, 4))
		s = (struct span){s.at + 1, s.len - 1};
	while (s.len > 0 && memchr(" \t\r\n", s.at[s.len - 1], 4))
		s.len--;
	return s;
}

/* --- a text as a whole --- */

static void check_alone(void *ctx, const struct json_case *c)
{
	struct json_value v = {0};
	struct reason why = {""};
	bool ok = json_check(c->text, &v, &why) == OK;

	(void)ctx;
	judge(c, ok, c->verdict == JSON_YES, "json_check");
	if (ok)
		assert_true(span_equal(v.raw, trimmed(c)));
	else
		assert_memory_equal(why.text, "byte ", 5);
}

/* cJSON's door refuses keys that come twice, at any depth. */
static bool repeats_a_key(const struct json_case *c)
{
	static const char *const those[] = {"{\"k\":\"v\",\"k\":\"w\"}", "{\"k\":\"v\",\"k\":\"v\"}",
		"{\"k\":1,\"\\u006b\":2}", "{\"\\u006b\":1,\"\\u006B\":2}", "{\"a\":\"b\",\"a\":\"c\"}",
		"{\"a\":\"b\",\"a\":\"b\"}"};

	for (size_t i = 0; i < sizeof those / sizeof *those; i++)
		if (span_is(c->text, those[i]))
			return true;
	return false;
}

static void check_document(void *ctx, const struct json_case *c)
{
	struct json_doc *d = NULL;
	struct reason why = {""};
	bool ok = json_doc_parse(&d, c->text, &why) == OK;

	(void)ctx;
	judge(c, ok, c->verdict == JSON_YES && !repeats_a_key(c), "json_doc_parse");
	if (ok)
		json_doc_free(d);
}

static void a_text_alone(void **state)
{
	(void)state;
	unsigned n = json_cases_each(check_alone, NULL);

	print_message("%u texts\n", n);
	json_cases_each(check_document, NULL);
}

/* --- POST and PUT --- */

static bool drafts_ok(struct span text, struct span *ret_body)
{
	struct drafts ds = {0};
	struct reason why = {""};
	const char *code = NULL;
	size_t line = 0;
	bool ok = drafts_parse(&ds, text, false, &line, &code, &why) == OK;

	if (!ok) {
		assert_true(code && line > 0 && why.text[0]);
		return false;
	}
	assert_int_equal(ds.n, 1);
	*ret_body = ds.at[0].body;
	drafts_done(&ds);
	return true;
}

static void check_drafts(void *ctx, const struct json_case *c)
{
	static const struct {
		const char *before, *after;
	} around[] = {
		{"{\"type\":\"t\",\"body\":", "}"},
		{"[{\"type\":\"t\",\"body\":", "}]"},
		{" {\"body\":", " , \"type\":\"t\" } \n"},
		{"{\"other\":", ",\"type\":\"t\",\"body\":0}"},
		{"{\"type\":\"t\",\"body\":0,\"other\":", "}"},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
		struct wrapped w = wrap(around[i].before, c, around[i].after);
		struct span body = {0};
		bool ok = drafts_ok(w.text, &body);

		judge(c, ok, c->verdict == JSON_YES, around[i].before);
		if (ok)
			assert_true(span_is(body, "0") || span_equal(body, trimmed(c)));
		unwrap(&w);
	}
}

static void check_put(void *ctx, const struct json_case *c)
{
	struct wrapped w = wrap("{\"type\":\"t\",\"body\":", c, "}");
	struct draft d = {0};
	struct arena a = {0};
	struct reason why;
	const char *code;

	(void)ctx;
	judge(c, draft_parse_put(&d, w.text, &a, &code, &why) == OK, c->verdict == JSON_YES, "PUT");
	arena_done(&a);
	unwrap(&w);
}

static void a_body_that_is_posted(void **state)
{
	(void)state;
	json_cases_each(check_drafts, NULL);
	json_cases_each(check_put, NULL);
}

/* --- files --- */

static struct input input_of(struct span text, size_t chunk)
{
	int fd = memfd_create("case", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.at, text.len), text.len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return (struct input){.name = "case", .fd = fd, .line = 1, .size = (int64_t)text.len, .chunk = chunk};
}

/* How many values a stream gives, or -1 when it ends otherwise; `last` is the last one's text, copied. */
static int stream_values(struct span text, size_t chunk, const char *each, bool lines, struct buf *last)
{
	struct input in = input_of(text, chunk);
	struct json_stream v;
	struct json_value value;
	struct reason why = {""};
	enum err e = OK;
	int n = 0;

	if (lines)
		json_stream_of_lines(&v, &in);
	else
		e = json_stream_of_document(&v, &in, each, &why);
	while (e == OK && (e = json_stream_next(&v, &value, &why)) == OK) {
		buf_clear(last);
		buf_put(last, value.raw);
		n++;
	}
	input_close(&in);
	assert_true(e == GONE || (e == INVALID && why.text[0]));
	return e == GONE ? n : -1;
}

static void check_stream(void *ctx, const struct json_case *c)
{
	static const struct {
		const char *before, *after, *each;
		int values;
	} around[] = {
		{"[", "]", NULL, 1},
		{"[0,", "]", NULL, 2},
		{"{\"a\":", ",\"b\":[1,2]}", "b", 2},
		{"{\"b\":[1,2],\"a\":", "}", "b", 2},
		{"{\"b\":[", "]}", "b", 1},
		{"{\"c\":{\"x\":1,\"b\":[1]},\"d\":", ",\"e\":2}", "c.b", 1},
		{"[[3],", ",[1,2,3]]", "2", 3},
	};
	struct buf last = {0};
	/* a byte at a time shows what a cut does, but not for what is very long */
	size_t chunk = c->text.len < 2000 ? 1 : 65536;

	(void)ctx;
	for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
		struct wrapped w = wrap(around[i].before, c, around[i].after);
		int n = stream_values(w.text, chunk, around[i].each, false, &last);

		if (!is_blank(c) || around[i].each != NULL)
			judge(c, n >= 0, c->verdict == JSON_YES || (is_blank(c) && i == 4), around[i].before);
		if (n >= 0 && !is_blank(c))
			assert_int_equal(n, around[i].values);
		unwrap(&w);
	}
	if (!has_line_end(c) && !is_blank(c)) {
		int n = stream_values(c->text, chunk, NULL, true, &last);

		judge(c, n == 1, c->verdict == JSON_YES, "a line");
		if (n == 1)
			assert_true(span_equal(buf_span(&last), trimmed(c)));
	}
	buf_done(&last);
}

static void a_value_in_a_file(void **state)
{
	(void)state;
	json_cases_each(check_stream, NULL);
}

/* --- replication --- */

/* A record's line with this body, under the hash that fits it. */
static void put_line(struct span body, const char *more, struct buf *out)
{
	struct record r = {.owner = span_of("site-a"),
		.id = span_of("r1"),
		.type = span_of("t"),
		.body = body,
		.dot = {.actor = 7, .n = 1},
		.created_at_us = 1,
		.updated_at_us = 1,
		.clock_error_us = -1,
		.seq = 1};

	r.hash = record_hash(&r);
	record_encode_open(&r, out);
	buf_text(out, more);
	buf_text(out, "}\n");
}

static struct span exact(const struct buf *b)
{
	char *copy = malloc(b->len ? b->len : 1);

	assert_non_null(copy);
	memcpy(copy, b->at, b->len);
	return (struct span){copy, b->len};
}

static void put_begin(struct buf *out)
{
	buf_text(out, "{\"node\":\"site-a\",\"epoch\":\"" EPOCH "\",\"request\":\"" EPOCH
		      "\",\"version\":\"1\",\"protocol\":1}\n");
}

static void put_end(struct buf *out, unsigned seq)
{
	buf_printf(out,
		"{\"end\":true,\"to_seq\":%u,\"to_head\":\"%s\",\"head_seq\":%u,\"more\":false,\"digest\":{"
		"\"count\":%u,"
		"\"sum\":\"" ZEROS "\"},\"t_recv_us\":1,\"t_send_us\":1}\n",
		seq, seq ? EPOCH : ZEROS, seq, seq);
}

/* The hash is of the case without blanks around it, so that only its JSON can be what is refused. */
static void check_page(void *ctx, const struct json_case *c)
{
	struct buf line = {0}, text = {0};
	struct page p;
	struct reason why = {""};

	(void)ctx;
	put_begin(&text);
	put_line(trimmed(c), "", &line);
	buf_put(&text, buf_span(&line));
	put_end(&text, 1);
	struct span body = exact(&text);
	bool whole = page_decode(&p, body, span_of("site-a"), 0, &why) == OK;
	bool ok = whole && p.n_refused == 0; /* else the line goes into quarantine */
	bool one_line = !has_line_end(&(struct json_case){.text = trimmed(c)});

	judge(c, ok, c->verdict == JSON_YES && one_line, "a page");
	if (ok)
		assert_true(p.n == 1 && span_equal(p.records[0].body, trimmed(c)));
	else if (whole)
		assert_true(p.n == 0 && p.n_refused == 1 && span_is(p.refused[0].claim.id, "r1"));
	else
		assert_memory_equal(why.text, "line ", 5);
	if (whole)
		page_done(&p);
	free((void *)(uintptr_t)body.at);
	buf_done(&line);
	buf_done(&text);
}

static void check_push(void *ctx, const struct json_case *c)
{
	struct buf text = {0};
	struct push p;
	struct reason why;

	(void)ctx;
	put_line(span_of("{}"), ",\"expected\":null", &text);
	put_line(trimmed(c), ",\"expected\":null", &text);
	struct span body = exact(&text);
	bool one_line = !has_line_end(&(struct json_case){.text = trimmed(c)});

	assert_int_equal(push_decode(&p, body, span_of("site-a"), &why), OK);
	judge(c, p.n == 2, c->verdict == JSON_YES && one_line, "a push");
	assert_true(p.n >= 1 && (p.n == 2 || p.n_bad > 0));
	push_done(&p);
	free((void *)(uintptr_t)body.at);
	buf_done(&text);
}

/* A member that nobody wants is passed over, but it must be JSON. */
static void check_passed_over(void *ctx, const struct json_case *c)
{
	struct buf text = {0};
	struct page p;
	struct reason why;
	struct arena a = {0};
	struct span value = trimmed(c);
	bool wanted = c->verdict == JSON_YES;

	(void)ctx;
	if (has_line_end(&(struct json_case){.text = value}))
		return;
	buf_text(&text, "{\"news\":");
	buf_put(&text, value);
	buf_text(&text, ",\"node\":\"site-a\",\"epoch\":\"" EPOCH "\",\"request\":\"" EPOCH
			"\",\"version\":\"1\",\"protocol\":1}\n");
	put_end(&text, 0);
	struct span body = exact(&text);
	bool ok = page_decode(&p, body, span_of("site-a"), 0, &why) == OK;

	judge(c, ok, wanted, "a page's first line");
	if (ok)
		page_done(&p);
	free((void *)(uintptr_t)body.at);

	struct wrapped w = wrap("{\"result\":\"renamed\",\"news\":", c,
		",\"epoch\":\"" EPOCH "\",\"request\":\"" EPOCH "\"}");
	enum rename_result r;
	struct epoch now, request;

	judge(c, rename_answer_decode(&r, &now, &request, w.text, &why) == OK, wanted,
		"an answer to a rename");
	unwrap(&w);
	w = wrap("{\"centre\":\"" EPOCH "\",\"request\":\"" EPOCH "\",\"from\":\"" EPOCH
		 "\",\"to\":\"11111111111111111111111111111111\",\"witness\":\"0." ZEROS "\",\"news\":",
		c, "}");
	struct rename_request q;

	judge(c, rename_request_decode(&q, w.text, &why) == OK, wanted, "a rename");
	unwrap(&w);
	buf_done(&text);
	arena_done(&a);
}

/* What the local holds against a pushed version comes back inside the answer. */
static void check_answers(void *ctx, const struct json_case *c)
{
	struct buf line = {0}, text = {0};
	struct push_answers p;
	struct reason why = {""};
	bool one_line = !has_line_end(&(struct json_case){.text = trimmed(c)});

	(void)ctx;
	put_begin(&text);
	put_line(trimmed(c), "", &line);
	buf_text(&text, "{\"id\":\"r1\",\"result\":\"conflict\",\"record\":");
	buf_add(&text, line.at, line.len - 1);
	buf_text(&text, "}\n");
	put_end(&text, 1);
	struct span body = exact(&text);
	bool ok = push_answers_decode(&p, body, span_of("site-a"), &why) == OK;

	judge(c, ok, c->verdict == JSON_YES && one_line, "an answer to a push");
	if (ok) {
		assert_true(span_equal(p.answers[0].record.body, trimmed(c)));
		push_answers_done(&p);
	}
	free((void *)(uintptr_t)body.at);
	buf_done(&line);
	buf_done(&text);
}

static void a_body_that_is_replicated(void **state)
{
	(void)state;
	json_cases_each(check_page, NULL);
	json_cases_each(check_push, NULL);
	json_cases_each(check_answers, NULL);
	json_cases_each(check_passed_over, NULL);
}

/* --- members' names --- */

/* A record with its members as they are given; the hash is that of id r1, type t, body 1. */
static bool record_ok(const char *members, struct reason *why)
{
	struct buf line = {0};
	struct arena a = {0};
	struct record r = {.owner = span_of("site-a"),
		.id = span_of("r1"),
		.type = span_of("t"),
		.body = span_of("1"),
		.dot = {.actor = 7, .n = 1}};
	const struct record_decode how = {.owner = span_of("site-a")};
	char hex[33];

	hash_hex(record_hash(&r), hex);
	buf_printf(&line,
		"{%s,\"hash\":\"%s\",\"dot\":\"0000000000000007.1\",\"created_at\":\"2026-11-21T01:02:03Z\","
		"\"updated_at\":\"2026-11-21T01:02:03Z\"}",
		members, hex);
	enum err e = record_decode(&r, buf_span(&line), &how, &a, why);

	arena_done(&a);
	buf_done(&line);
	return e == OK;
}

static void a_name_is_what_it_stands_for(void **state)
{
	static const struct {
		const char *members;
		const char *refusal; /* NULL: taken */
	} rows[] = {
		{"\"id\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1", NULL},
		{"\"\\u0069d\":\"r1\",\"t\\u0079pe\":\"t\",\"delete\\u0064\":false,"
		 "\"\\u0062\\u006f\\u0064\\u0079\":1",
			NULL},
		{"\"id\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"id\":\"r1\"",
			"id: comes twice"},
		{"\"id\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"\\u0069d\":\"r1\"",
			"id: comes twice"},
		{"\"\\u0069d\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"i\\u0064\":\"r1\"",
			"id: comes twice"},
		{"\"id\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"bod\\u0079\":2",
			"body: comes twice"},
		/* others: another case, look-alikes, names that only begin or end like one; as often as they like */
		{"\"id\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"ID\":2,\"Id\":3,\"\\u0049d\":4",
			NULL},
		{"\"id\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"i\":2,\"idx\":3,\"\\u0069\":4,"
		 "\"id\\u0078\":5,\"\":6,\"\\n\":7",
			NULL},
		{"\"id\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"b\xd0\xbe"
		 "dy\":2,\"b\\u043edy\":2",
			NULL},
		{"\"id\":\"r1\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"news\":1,\"news\":2,"
		 "\"n\\u0065ws\":3",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reason why = {""};
		bool ok = record_ok(rows[i].members, &why);

		if (ok != !rows[i].refusal || (!ok && strcmp(why.text, rows[i].refusal) != 0))
			fail_msg("%s: %s %s", rows[i].members, ok ? "taken" : "refused", why.text);
	}
}

/* The one member of a push that is no record's. */
static void expected_by_any_spelling_once(void **state)
{
	static const struct {
		const char *more;
		bool ok;
	} rows[] = {
		{",\"expected\":null", true},
		{",\"\\u0065xpected\":null", true},
		{",\"expecte\\u0064\":\"" EPOCH "\"", true},
		{",\"expected\":null,\"expected\":null", false},
		{",\"expected\":null,\"\\u0065xpected\":null", false},
		{",\"\\u0065xpected\":null,\"e\\u0078pected\":null", false},
		{",\"Expected\":null", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text = {0};
		struct push p;
		struct reason why;

		put_line(span_of("1"), rows[i].more, &text);
		assert_int_equal(push_decode(&p, buf_span(&text), span_of("site-a"), &why), OK);
		if (p.n != rows[i].ok || p.n_bad != !rows[i].ok)
			fail_msg("%s", rows[i].more);
		if (p.n_bad)
			assert_true(span_is(p.bad[0].id, "r1"));
		push_done(&p);
		buf_done(&text);
	}
}

/* Also where the line is no good otherwise, its id is found, so that the answer names it. */
static void a_bad_line_is_named_by_any_spelling(void **state)
{
	static const struct {
		const char *line, *id;
	} rows[] = {
		{"{\"id\":\"a\"}", "a"},
		{"{\"\\u0069d\":\"b\"}", "b"},
		{"{\"id\":7}", ""},
		{"{\"id\":\"no id\"}", ""},
		{"{\"ID\":\"c\"}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct push p;
		struct reason why;

		assert_int_equal(push_decode(&p, span_of(rows[i].line), span_of("site-a"), &why), OK);
		assert_int_equal(p.n_bad, 1);
		assert_true(span_is(p.bad[0].id, rows[i].id));
		push_done(&p);
	}
}

static void a_key_stands_for_a_name(void **state)
{
	static const struct {
		const char *key, *name;
		bool is;
	} rows[] = {
		{"", "", true},
		{"id", "id", true},
		{"id", "i", false},
		{"i", "id", false},
		{"\\u0069d", "id", true},
		{"\\u0069\\u0064", "id", true},
		{"\\u0069\\u0064", "i", false},
		{"\\u0069", "id", false},
		{"\\u0069x", "id", false},
		{"\\/", "/", true},
		{"\\\\", "\\", true},
		{"\\\\", "\\\\", false},
		{"a\\\"b\\n", "a\"b\n", true},
		{"\\u00e9", "\xc3\xa9", true},
		{"\\u00E9", "\xc3\xa9", true},
		{"\xc3\xa9", "\xc3\xa9", true},
		{"\\u00e9", "\xc3", false},
		{"\\ud83d\\ude00!", "\xf0\x9f\x98\x80!", true},
		{"\\ud83d\\ude00", "\xf0\x9f\x98\x81", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (json_key_is(span_of(rows[i].key), span_of(rows[i].name)) != rows[i].is)
			fail_msg("\"%s\" and %s", rows[i].key, rows[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_alone),
		cmocka_unit_test(a_body_that_is_posted),
		cmocka_unit_test(a_value_in_a_file),
		cmocka_unit_test(a_body_that_is_replicated),
		cmocka_unit_test(a_name_is_what_it_stands_for),
		cmocka_unit_test(expected_by_any_spelling_once),
		cmocka_unit_test(a_bad_line_is_named_by_any_spelling),
		cmocka_unit_test(a_key_stands_for_a_name),
	};
	return cmocka_run_group_tests_name("json_doors", tests, NULL, NULL);
}
