/* exporter: what records become in each format, which CSV would not give back, and a file that is whole or not there. */
#include "shared/exporter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Pages as the API gives them, one after the other. */
struct pages {
	const char *const *at; /* ended by NULL */
	bool owners;
	size_t asked;
	struct buf after; /* what was asked for, each followed by a blank */
	bool fails;       /* the second page */
};

static enum err page(void *ctx, struct span after, struct buf *out, struct reason *why)
{
	struct pages *p = ctx;

	buf_add(&p->after, after.at ? after.at : "", after.len);
	buf_char(&p->after, ' ');
	if (p->fails && p->asked == 1)
		return (fail)(RETRY, why, "gone");
	assert_non_null(p->at[p->asked]);
	buf_text(out, p->at[p->asked++]);
	return OK;
}

static enum err export(struct pages *p, const struct format_options *o, const char *path, const char *name,
	struct export_result *result, struct reason *why) {
	const struct export_source source = {.ctx = p, .owners = p->owners, .page = page}; struct output out;
	struct format f;
	struct reason last;
	enum err e = format_of_export(&f, o, name, why);

	if (e != OK) fail_msg("%s", why->text);
	assert_int_equal(output_open(&out, path, why), OK);
	const struct exporter_config config = {.format = &f, .source = &source, .out = &out};
	e = exporter_run(&config, result, why);
	assert_int_equal(output_end(&out, e == OK, &last), OK);
	buf_done(&p->after);
	return e;
}

static void read_back(const char *path, struct buf *ret)
{
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "r");

	buf_clear(ret);
	buf_text(ret, "");
	if (!f) {
		buf_text(ret, "(none)");
		return;
	}
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(ret, chunk, n);
	fclose(f);
}

#define RECORD(id, type, body, second, n)                                                           \
	"{\"owner\":\"a\",\"id\":\"" id "\",\"type\":\"" type "\",\"deleted\":false,\"body\":" body \
	",\"hash\":\"00\",\"dot\":\"00." n "\",\"created_at\":\"2026-01-01T00:00:" second           \
	".000000Z\",\"updated_at\":\"2026-01-02T00:00:00.000000Z\",\"clock_error_us\":null}"
#define LIST(records, next) "{\"records\":[" records "],\"next\":" next "}"

struct case_ {
	struct format_options options;
	const char *name;
	const char *pages[4];
	const char *wanted; /* the file */
	const char *advice;
	const char *why; /* NULL: it goes well */
};

static void check(const struct case_ *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct pages p = {.at = cases[i].pages};
		struct export_result result;
		struct reason why = {""};
		struct buf got = {0};
		char path[] = "/tmp/test_exporter.XXXXXX";

		close(mkstemp(path));
		enum err e = export(&p, &cases[i].options, path, cases[i].name, &result, &why);
		if ((e == OK) != !cases[i].why)
			print_error("case %zu: %s\n", i, why.text);
		assert_int_equal(e, cases[i].why ? INVALID : OK);
		if (cases[i].why)
			assert_string_equal(why.text, cases[i].why);
		read_back(path, &got);
		assert_string_equal(got.at, cases[i].why ? "" : cases[i].wanted);
		assert_string_equal(result.advice, cases[i].advice ? cases[i].advice : "");
		unlink(path);
		buf_done(&got);
	}
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof *(cases))

#define A RECORD("1", "t", "{\"k\":\"1\",\"v\":\"x\"}", "03", "1")
#define B RECORD("10", "t", "{\"k\":\"10\",\"v\":\"a,b\"}", "05", "3")
#define C RECORD("2", "t", "{\"k\":\"2\",\"v\":\"\\u00e4\"}", "04", "2")
#define D RECORD("2", "t", "{\"k\":\"2\",\"v\":\"\"}", "04", "2")

static void json_keeps_every_byte(void **state)
{
	static const struct case_ cases[] = {
		{{0}, "x.ndjson", {LIST("", "null")}, "", 0, 0},
		{{0}, "x.json", {LIST("", "null")}, "[]\n", 0, 0},
		{{0}, "x.ndjson", {LIST(A "," B, "\"10\""), LIST(C, "null")}, A "\n" B "\n" C "\n", 0, 0},
		{{0}, "x.json", {LIST(A, "\"1\""), LIST(C, "null")}, "[\n" A ",\n" C "\n]\n", 0, 0},
		{{.bodies = true}, "x.ndjson", {LIST(A "," C, "null")},
			"{\"k\":\"1\",\"v\":\"x\"}\n{\"k\":\"2\",\"v\":\"\\u00e4\"}\n", 0, 0},
		{{.order = "written"}, "x.ndjson", {LIST(A "," B, "\"10\""), LIST(C, "null")},
			A "\n" C "\n" B "\n", 0, 0},
		{{.order = "written"}, "x.ndjson", /* in the same microsecond */
			{LIST(RECORD("1", "t", "1", "00", "12") "," RECORD("2", "t", "2", "00", "2"),
				"null")},
			RECORD("2", "t", "2", "00", "2") "\n" RECORD("1", "t", "1", "00", "12") "\n", 0, 0},
		{{.order = "written"}, "x.json", {LIST(B "," A, "null")}, "[\n" A ",\n" B "\n]\n", 0, 0},
		{{.id_prefix = "p"}, "x.ndjson",
			{LIST(RECORD("p", "t", "1", "00", "1") "," RECORD(
				      "p:a", "t", "2", "00", "1") "," RECORD("pp:a", "t", "3", "00", "1"),
				"\"pp:a\"")},
			RECORD("p:a", "t", "2", "00", "1") "\n", 0, 0},
	};

	(void)state;
	CHECK(cases);
}

static void csv_gives_back_what_was_imported(void **state)
{
	static const struct case_ cases[] = {
		{{0}, "x.csv", {LIST("", "null")}, "", 0, 0},
		/* ids that stand in a column: as first written */
		{{0}, "x.csv", {LIST(A "," B, "\"10\""), LIST(D, "null")}, "k,v\n1,x\n2,\n10,\"a,b\"\n",
			"import it with --type t --id-column k", 0},
		{{.order = "id"}, "x.csv", {LIST(A "," B "," D, "null")}, "k,v\n1,x\n10,\"a,b\"\n2,\n",
			"import it with --type t --id-column k", 0},
		{{.crlf = true, .delimiter = ";"}, "x.csv", {LIST(A "," B, "null")},
			"k;v\r\n1;x\r\n10;a,b\r\n", "import it with --type t --id-column k", 0},
		/* numbered rows */
		{{0}, "x.csv",
			{LIST(RECORD("p:0000000001", "t", "{\"v\":\"x\"}", "09", "1") "," RECORD(
				      "p:0000000002", "t", "{\"v\":\"\"}", "08", "1"),
				"null")},
			"v\nx\n\n", "import it with --type t --id-prefix p", 0},
		/* any others in a column of their own */
		{{0}, "x.csv", {LIST(RECORD("q", "t", "{\"v\":\"x\"}", "00", "1"), "null")}, "@id,v\nq,x\n",
			"import it with --type t", 0},
		{{.id_column = "@id"}, "x.csv", {LIST(A, "null")}, "@id,k,v\n1,1,x\n",
			"import it with --type t", 0},
		{{0}, "x.csv", {LIST(RECORD("q", "t", "{}", "00", "1"), "null")}, "@id\nq\n",
			"import it with --type t", 0},
	};

	(void)state;
	CHECK(cases);
}

#define ADVICE "NDJSON keeps everything; --columns @id,k,v writes CSV for reading"
#define NOT_BACK                                                                                  \
	"CSV would not give its body back: it has numbers, other members than the first record, " \
	"or is spaced otherwise"

static void what_csv_would_not_give_back_is_refused(void **state)
{
	static const struct case_ cases[] = {
		{{0}, "x.csv", {LIST(RECORD("1", "t", "[1]", "00", "1"), "null")}, 0,
			"NDJSON keeps everything; --columns @id,A,B writes CSV for reading",
			"record a/1: its body is no object"},
		{{0}, "x.csv", {LIST(A "," RECORD("2", "t", "{\"k\":2,\"v\":\"x\"}", "00", "1"), "null")}, 0,
			ADVICE, "record a/2: " NOT_BACK},
		{{0}, "x.csv", {LIST(A "," RECORD("2", "t", "{\"k\":\"2\"}", "00", "1"), "null")}, 0, ADVICE,
			"record a/2: " NOT_BACK},
		{{0}, "x.csv", {LIST(A "," RECORD("2", "t", "{\"v\":\"x\",\"k\":\"2\"}", "00", "1"), "null")},
			0, ADVICE, "record a/2: " NOT_BACK},
		{{0}, "x.csv", {LIST(A "," C, "null")}, 0, ADVICE, "record a/2: " NOT_BACK},
		{{0}, "x.csv",
			{LIST(A "," RECORD("2", "t", "{\"k\": \"2\",\"v\":\"x\"}", "00", "1"), "null")}, 0,
			ADVICE, "record a/2: " NOT_BACK},
		{{0}, "x.csv",
			{LIST(A "," RECORD("2", "t", "{\"k\":\"2\",\"v\":\"x\",\"w\":\"\"}", "00", "1"),
				"null")},
			0, ADVICE, "record a/2: " NOT_BACK},
		{{0}, "x.csv", {LIST(A "," RECORD("2", "u", "{\"k\":\"2\",\"v\":\"x\"}", "00", "1"), "null")},
			0, ADVICE, "record a/2: of another type than those before it: give --type T"},
		{{0}, "x.csv",
			{LIST(A, "\"1\""),
				LIST(RECORD("2", "t", "{\"k\":\"3\",\"v\":\"x\"}", "00", "1"), "null")},
			0, ADVICE, "record a/2: its id is not in that column: give --id-column @id"},
		{{0}, "x.csv",
			{LIST(RECORD("p:0000000001", "t", "{\"k\":\"\",\"v\":\"\"}", "00", "1"),
				 "\"p:0000000001\""),
				LIST(RECORD("p:0000000003", "t", "{\"k\":\"\",\"v\":\"\"}", "00", "1"),
					"null")},
			0, ADVICE,
			"record a/p:0000000003: its id is not its row's number: give --id-column @id"},
		{{.id_column = "z"}, "x.csv", {LIST(A, "null")}, 0, ADVICE, "no record has a member \"z\""},
		{{0}, "x.csv", {LIST(RECORD("1", "t", "{\"@id\":\"1\"}", "00", "1"), "null")}, 0,
			"NDJSON keeps everything; --columns @id,@id writes CSV for reading",
			"record a/1: its body has a member whose name stands for one of the record's own"},
	};

	(void)state;
	CHECK(cases);
}

static void columns_show_any_body(void **state)
{
	static const struct case_ cases[] = {
		{{.columns = "@id,v,k,none,@type,@owner,@updated_at"}, "x.csv",
			{LIST(RECORD("1", "t", "{\"k\":1.50,\"v\":[\"a\",null]}", "00", "1") "," RECORD("2",
				      "u", "17", "00",
				      "1") "," RECORD("3", "t", "{\"v\":null,\"k\":true}", "00", "1"),
				"null")},
			"@id,v,k,none,@type,@owner,@updated_at\n"
			"1,\"[\"\"a\"\",null]\",1.50,,t,a,2026-01-02T00:00:00.000000Z\n"
			"2,,,,u,a,2026-01-02T00:00:00.000000Z\n"
			"3,,true,,t,a,2026-01-02T00:00:00.000000Z\n",
			0, 0},
		{{.columns = "k"}, "x.csv", {LIST("", "null")}, "k\n", 0, 0},
	};

	(void)state;
	CHECK(cases);
}

/* At the centre keys begin with the owner, and all records of a CSV are of one. */
static void owners(void **state)
{
	static const char *const pages[] = {
		LIST(A ","
		       "{\"owner\":\"b\",\"id\":\"1\",\"type\":\"t\",\"body\":{\"k\":\"1\",\"v\":\"x\"}}",
			"null"),
		NULL};
	const struct format_options o = {0}, prefixed = {.owner = "a", .id_prefix = "p"};
	struct pages p = {.at = pages, .owners = true};
	struct export_result result;
	struct reason why;

	(void)state;
	assert_int_equal(export(&p, &o, "/dev/null", "x.csv", &result, &why), INVALID);
	assert_string_equal(why.text, "record b/1: of another owner than those before it: give --owner NODE");
	p.asked = 0;
	struct pages q = {.at = pages, .owners = true};
	const struct export_source source = {.ctx = &q, .owners = true, .page = page};
	struct output out;
	struct format f;
	assert_int_equal(format_of_export(&f, &prefixed, "-", &why), OK);
	assert_int_equal(output_open(&out, "/dev/null", &why), OK);
	const struct exporter_config config = {.format = &f, .source = &source, .out = &out};
	assert_int_equal(exporter_run(&config, &result, &why), OK);
	assert_int_equal(output_end(&out, true, &why), OK);
	assert_string_equal(q.after.at, "a/p: ");
	assert_int_equal(result.records, 0);
	buf_done(&q.after);
}

static void an_answer_that_is_no_page_is_refused(void **state)
{
	static const char *const texts[] = {"", "{}", "[]", "{\"records\":{}}", "{\"records\":[",
		"{\"records\":[]", "{\"records\":[]}", "{\"records\":[{]}",
		"{\"records\":[{}],\"next\":null}", LIST(A, "17"), LIST(A, "null") "x", LIST(A " ", "null"),
		"{\"records\":[{\"owner\":\"a\",\"id\":\"1\",\"type\":\"t\"}],\"next\":null}"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const char *pages[] = {texts[i], NULL};
		const struct format_options o = {0};
		struct pages p = {.at = pages};
		struct export_result result;
		struct reason why = {""};

		if (export(&p, &o, "/dev/null", "x.ndjson", &result, &why) != INTERNAL)
			fail_msg("accepted: %s", texts[i]);
	}
}

/* A body may be as deep as is allowed, though it stands in a record in a list. */
static void deep_bodies(void **state)
{
	char body[2 * JSON_DEPTH_MAX + 1];
	struct buf text = {0}, got = {0};
	char path[] = "/tmp/test_exporter.XXXXXX";
	struct export_result result;
	struct reason why;

	(void)state;
	memset(body, '[', JSON_DEPTH_MAX);
	memset(body + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	body[2 * JSON_DEPTH_MAX] = '\0';
	buf_printf(&text,
		"{\"records\":[{\"owner\":\"a\",\"id\":\"1\",\"type\":\"t\",\"body\":%s}],\"next\":null}",
		body);
	const char *pages[] = {text.at, NULL};
	const struct format_options o = {.bodies = true};
	struct pages p = {.at = pages};
	close(mkstemp(path));
	assert_int_equal(export(&p, &o, path, "x.ndjson", &result, &why), OK);
	read_back(path, &got);
	assert_int_equal(got.len, 2 * JSON_DEPTH_MAX + 1);
	assert_memory_equal(got.at, body, 2 * JSON_DEPTH_MAX);
	unlink(path);
	buf_done(&text);
	buf_done(&got);
}

static void a_file_appears_whole_or_stays_as_it_was(void **state)
{
	static const char *const pages[] = {LIST(A, "\"1\""), LIST(C, "null"), NULL};
	const struct format_options o = {0};
	char dir[] = "/tmp/test_exporter.XXXXXX", path[64], part[80];
	struct export_result result;
	struct buf got = {0};
	struct reason why;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/x.ndjson", dir);
	snprintf(part, sizeof part, "%s.part", path);
	struct pages broken = {.at = pages, .fails = true}, good = {.at = pages};
	assert_int_equal(export(&broken, &o, path, path, &result, &why), RETRY);
	read_back(path, &got);
	assert_string_equal(got.at, "(none)");
	assert_int_equal(export(&good, &o, path, path, &result, &why), OK);
	read_back(path, &got);
	assert_string_equal(got.at, A "\n" C "\n");
	struct pages again = {.at = pages, .fails = true};
	assert_int_equal(export(&again, &o, path, path, &result, &why), RETRY);
	read_back(path, &got);
	assert_string_equal(got.at, A "\n" C "\n");
	assert_int_equal(stat(part, &st), -1);
	unlink(path);
	rmdir(dir);
	buf_done(&got);
}

static void a_place_that_cannot_be_written_is_said(void **state)
{
	struct output out;
	struct reason why;

	(void)state;
	assert_int_equal(output_open(&out, "/tmp", &why), INVALID);
	assert_string_equal(why.text, "a directory, where a file was expected");
	assert_int_equal(output_open(&out, "/tmp/no/such/file", &why), GONE);
	assert_int_equal(output_open(&out, "/dev/full", &why), OK);
	assert_int_equal(output_put(&out, span_of("x"), &why), OK);
	assert_int_equal(output_end(&out, true, &why), RETRY);
	assert_string_equal(why.text, REASON_DISK_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_keeps_every_byte),
		cmocka_unit_test(csv_gives_back_what_was_imported),
		cmocka_unit_test(what_csv_would_not_give_back_is_refused),
		cmocka_unit_test(columns_show_any_body),
		cmocka_unit_test(owners),
		cmocka_unit_test(an_answer_that_is_no_page_is_refused),
		cmocka_unit_test(deep_bodies),
		cmocka_unit_test(a_file_appears_whole_or_stays_as_it_was),
		cmocka_unit_test(a_place_that_cannot_be_written_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
