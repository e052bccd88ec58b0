/* push: records to a local and its answers; one bad line never fails the others. */
#include "shared/push.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CENTRE "00112233445566778899aabbccddeeff"
#define EPOCH "0123456789abcdef0123456789abcdef"
#define REQUEST "fedcba9876543210fedcba9876543210"
#define HEAD "80947ae2f8ff50b72896527db6818d89"

static const struct span owner = {"site-a", 6};

static struct push_item item_of(const char *id, struct hash expected)
{
	struct push_item item = {.record = {.owner = owner,
					 .id = span_of(id),
					 .type = span_of("t"),
					 .body = span_of("1"),
					 .dot = {9, 1},
					 .clock_error_us = -1},
		.expected = expected};

	item.record.hash = record_hash(&item.record);
	return item;
}

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.at, text, s.len);
}

static void says_the_request(void **unused)
{
	struct push_request q = {.centre = {CENTRE}, .request = {REQUEST}, .epoch = {EPOCH}};
	struct buf out = {0};

	(void)unused;
	push_request_encode(&q, &out);
	assert_string_equal(out.at, "/v1/apply?centre=" CENTRE "&request=" REQUEST "&protocol=1&epoch=" EPOCH
				    "&witness=0.00000000000000000000000000000000");
	buf_done(&out);
}

static void carries_records_and_what_is_expected(void **unused)
{
	const struct hash expected = {{3, 4}};
	struct push_item one = item_of("a", (struct hash){0}), two = item_of("b", expected);
	struct buf body = {0};
	struct push p;
	struct reason why;

	(void)unused;
	push_item_encode(&one, &body);
	push_item_encode(&two, &body);
	assert_non_null(strstr(body.at, ",\"expected\":null}\n"));
	assert_non_null(strstr(body.at, ",\"expected\":\"03000000000000000400000000000000\"}\n"));
	assert_int_equal(push_decode(&p, buf_span(&body), owner, &why), OK);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.n_bad, 0);
	assert_span(p.items[0].record.id, "a");
	assert_true(hash_is_none(p.items[0].expected));
	assert_span(p.items[1].record.id, "b");
	assert_true(hash_equal(p.items[1].expected, expected));
	assert_true(hash_equal(p.items[1].record.hash, two.record.hash));
	push_done(&p);
	buf_done(&body);
}

static void keeps_bad_lines_apart(void **unused)
{
	struct push_item good = item_of("a", (struct hash){0});
	struct buf body = {0};
	struct push p;
	struct reason why;

	(void)unused;
	buf_text(&body, "{\"id\":\"x\",\"type\":\"t\",\"deleted\":false,\"body\":1,\"expected\":null}\n");
	push_item_encode(&good, &body);
	buf_text(&body, "rubbish\n{\"id\":\"no good\"}\n");
	record_encode(&good.record, &body);
	buf_char(&body, '\n');
	record_encode_open(&good.record, &body);
	buf_text(&body, ",\"expected\":null,\"expected\":null}\n");
	record_encode_open(&good.record, &body);
	buf_text(&body, ",\"expected\":\"1\"}\n{\"owner\":\"site-b\",\"id\":\"y\"}");
	assert_int_equal(push_decode(&p, buf_span(&body), owner, &why), OK);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.n_bad, 7);
	assert_int_equal(p.bad[0].line, 1);
	assert_span(p.bad[0].id, "x");
	assert_string_equal(p.bad[0].why.text, "dot: missing");
	assert_int_equal(p.bad[1].line, 3);
	assert_span(p.bad[1].id, "");
	assert_string_equal(p.bad[1].why.text, "not a JSON object");
	assert_span(p.bad[2].id, "");
	assert_string_equal(p.bad[3].why.text, "expected: missing");
	assert_string_equal(p.bad[4].why.text, "expected: comes twice");
	assert_string_equal(p.bad[5].why.text, "expected: neither null nor 32 hex digits");
	assert_span(p.bad[6].id, "y");
	assert_string_equal(p.bad[6].why.text, "owner: site-b, where only records of site-a belong");
	push_done(&p);
	buf_done(&body);
}

/* Hashes are proven several at once: wherever a wrong one or a line that is none stands, all others keep their places. */
static void a_wrong_hash_among_many_is_kept_apart_alone(void **unused)
{
	(void)unused;
	for (unsigned pattern = 0; pattern < 200; pattern++) {
		char ids[40][8];
		struct buf body = {0};
		struct push p;
		struct reason why;
		size_t good = 0, bad = 0;

		for (unsigned i = 0; i < 40; i++) {
			unsigned kind = pattern == 0 ? 0 : (i * pattern + i * i / 5) % 11;

			snprintf(ids[i], sizeof ids[i], "i%u", i);
			struct push_item item = item_of(ids[i], (struct hash){0});
			item.record.hash.half[1] ^= kind == 1;
			if (kind == 2)
				buf_text(&body, "rubbish\n");
			else
				push_item_encode(&item, &body);
		}
		assert_int_equal(push_decode(&p, buf_span(&body), owner, &why), OK);
		for (unsigned i = 0; i < 40; i++) {
			unsigned kind = pattern == 0 ? 0 : (i * pattern + i * i / 5) % 11;

			if (kind != 1 && kind != 2) {
				assert_span(p.items[good++].record.id, ids[i]);
				continue;
			}
			assert_int_equal(p.bad[bad].line, i + 1);
			assert_span(p.bad[bad].id, kind == 1 ? ids[i] : "");
			assert_string_equal(p.bad[bad++].why.text,
				kind == 1 ? "hash: does not fit the record" : "not a JSON object");
		}
		assert_int_equal(p.n, good);
		assert_int_equal(p.n_bad, bad);
		push_done(&p);
		buf_done(&body);
	}
}

static void names_no_id_of_a_line_without_one(void **unused)
{
	static const char *const lines[] = {
		"", "[{\"id\":\"x\"}]", "{\"id\":7}", "{\"type\":\"t\"}", "{\"new\":\"id\",\"id\":\"/\"}"};

	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct buf body = {0};
		struct push p;
		struct reason why;

		buf_printf(&body, "%s\n", lines[i]);
		assert_int_equal(push_decode(&p, buf_span(&body), owner, &why), OK);
		assert_int_equal(p.n, 0);
		assert_int_equal(p.n_bad, 1);
		assert_span(p.bad[0].id, "");
		push_done(&p);
		buf_done(&body);
	}
}

/* Nothing, or a hash: zero stands for nothing, and only null says so. */
static void refuses_what_cannot_be_expected(void **unused)
{
	static const char *const wrong[] = {"\"\"", "7", "\"x" CENTRE "\"",
		"\"x0112233445566778899aabbccddeeff\"", "\"00000000000000000000000000000000\"",
		"[1234567890123456789012345678901]"};
	const struct push_item item = item_of("a", (struct hash){0});

	(void)unused;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct buf body = {0};
		struct push p;
		struct reason why;

		record_encode_open(&item.record, &body);
		buf_printf(&body, ",\"expected\":%s}\n", wrong[i]);
		assert_int_equal(push_decode(&p, buf_span(&body), owner, &why), OK);
		assert_int_equal(p.n, 0);
		assert_span(p.bad[0].id, "a");
		assert_string_equal(p.bad[0].why.text, "expected: neither null nor 32 hex digits");
		push_done(&p);
		buf_done(&body);
	}
}

static void refuses_too_many(void **unused)
{
	struct buf body = {0};
	struct push p;
	struct reason why;

	(void)unused;
	assert_int_equal(push_decode(&p, (struct span){0}, owner, &why), OK);
	assert_int_equal(p.n + p.n_bad, 0);
	push_done(&p);
	for (int i = 0; i <= PUSH_LIMIT_MAX; i++)
		buf_text(&body, "{}\n");
	assert_int_equal(push_decode(&p, buf_span(&body), owner, &why), INVALID);
	assert_string_equal(why.text, "5001 records, where at most 5000 are allowed");
	buf_done(&body);
}

static void add_frame(struct buf *out, void (*middle)(struct buf *))
{
	const struct page_begin begin = {
		.node = "site-a", .epoch = {EPOCH}, .request = {REQUEST}, .version = "0.1.0", .protocol = 1};
	const struct page_end end = {
		.to = {4, {{1, 1}}}, .head_seq = 4, .oldest_after_us = -1, .clock_error_us = -1};

	page_encode_begin(&begin, out);
	middle(out);
	page_encode_end(&end, out);
}

static void add_all_four(struct buf *out)
{
	struct push_answer answers[] = {
		{.id = span_of("a"), .result = PUSH_APPLIED, .hash = {{1, 2}}},
		{.id = span_of("b"), .result = PUSH_ALREADY, .hash = {{3, 4}}},
		{.id = span_of("c"), .result = PUSH_CONFLICT, .has_record = true},
		{.id = span_of("d"), .result = PUSH_CONFLICT},
		{.id = span_of(""), .result = PUSH_REJECTED, .reason = span_of("not \"JSON\"")},
	};

	answers[2].record = item_of("c", (struct hash){0}).record;
	for (size_t i = 0; i < 5; i++)
		push_answer_encode(&answers[i], out);
}

static void carries_all_four_answers(void **unused)
{
	struct buf body = {0};
	struct push_answers p;
	struct reason why = {0};

	(void)unused;
	add_frame(&body, add_all_four);
	assert_int_equal(push_answers_decode(&p, buf_span(&body), owner, &why), OK);
	assert_int_equal(p.n, 5);
	assert_int_equal(p.answers[0].result, PUSH_APPLIED);
	assert_int_equal(p.answers[0].hash.half[1], 2);
	assert_int_equal(p.answers[1].result, PUSH_ALREADY);
	assert_int_equal(p.answers[1].hash.half[0], 3);
	assert_true(p.answers[2].has_record);
	assert_span(p.answers[2].record.id, "c");
	assert_int_equal(p.answers[3].result, PUSH_CONFLICT);
	assert_false(p.answers[3].has_record);
	assert_int_equal(p.answers[4].result, PUSH_REJECTED);
	assert_span(p.answers[4].reason, "not \"JSON\"");
	assert_int_equal(p.end.to.seq, 4);
	assert_string_equal(p.begin.epoch.hex, EPOCH);
	push_answers_done(&p);
	buf_done(&body);
}

static void assert_line_refused(const char *line, const char *wanted)
{
	struct buf body = {0};
	struct push_answers p = {.n = 77};
	struct reason why = {0};
	const struct page_begin begin = {
		.node = "site-a", .epoch = {EPOCH}, .request = {REQUEST}, .version = "0.1.0", .protocol = 1};
	const struct page_end end = {.oldest_after_us = -1, .clock_error_us = -1};

	page_encode_begin(&begin, &body);
	buf_text(&body, line);
	buf_char(&body, '\n');
	page_encode_end(&end, &body);
	assert_int_equal(push_answers_decode(&p, buf_span(&body), owner, &why), INVALID);
	assert_string_equal(why.text, wanted);
	assert_int_equal(p.n, 77);
	buf_done(&body);
}

static void refuses_wrong_answers(void **unused)
{
	(void)unused;
	assert_line_refused("{}", "line 2: id: missing");
	assert_line_refused("{\"id\":\"a\"}", "line 2: result: missing");
	assert_line_refused("{\"id\":\"a\",\"result\":\"no\"}",
		"line 2: result: not applied, already, conflict or rejected");
	assert_line_refused("{\"id\":\"a\",\"result\":\"applied\"}", "line 2: hash: missing");
	assert_line_refused(
		"{\"id\":\"a\",\"result\":\"already\",\"hash\":\"1\"}", "line 2: hash: not 32 hex digits");
	assert_line_refused(
		"{\"id\":\"a\",\"result\":7}", "line 2: result: not applied, already, conflict or rejected");
	assert_line_refused(
		"{\"id\":\"a\",\"result\":\"applied\",\"hash\":7}", "line 2: hash: not 32 hex digits");
	assert_line_refused("{\"id\":\"a\",\"result\":\"conflict\"}", "line 2: record: missing");
	assert_line_refused(
		"{\"id\":\"a\",\"result\":\"conflict\",\"record\":{}}", "line 2: record: id: missing");
	assert_line_refused("{\"id\":\"a\",\"result\":\"rejected\"}", "line 2: reason: missing");
}

static void refuses_a_conflict_about_another_id(void **unused)
{
	struct push_answer a = {.id = span_of("a"), .result = PUSH_CONFLICT, .has_record = true};
	struct buf line = {0};

	(void)unused;
	a.record = item_of("b", (struct hash){0}).record;
	push_answer_encode(&a, &line);
	line.at[line.len - 1] = '\0';
	assert_line_refused(line.at, "line 2: record: of another id");
	buf_done(&line);
}

/* Damaged at the local, it is kept aside as one of a page is, and holds up no other. */
static void a_conflict_with_a_broken_record_says_which(void **unused)
{
	struct push_answer a = {.id = span_of("a"), .result = PUSH_CONFLICT, .has_record = true};
	const struct page_begin begin = {
		.node = "site-a", .epoch = {EPOCH}, .request = {REQUEST}, .version = "0.1.0", .protocol = 1};
	const struct page_end end = {.oldest_after_us = -1, .clock_error_us = -1};
	struct push_answers p = {0};
	struct buf body = {0};
	struct reason why = {0};
	char *hash;

	(void)unused;
	a.record = item_of("a", (struct hash){0}).record;
	a.record.seq = 7;
	page_encode_begin(&begin, &body);
	push_answer_encode(&a, &body);
	page_encode_end(&end, &body);
	hash = strstr(body.at, "\"hash\":\"") + strlen("\"hash\":\"");
	*hash = *hash == '0' ? '1' : '0';
	assert_int_equal(push_answers_decode(&p, buf_span(&body), owner, &why), OK);
	assert_int_equal(p.n, 1);
	assert_false(p.answers[0].has_record);
	assert_non_null(p.answers[0].broken);
	assert_true(span_is(p.answers[0].broken->claim.id, "a"));
	assert_int_equal(p.answers[0].broken->claim.seq, 7);
	assert_string_equal(p.answers[0].broken->why.text, "hash: does not fit the record");
	push_answers_done(&p);
	buf_done(&body);
}

static void refuses_every_cut(void **unused)
{
	struct buf body = {0};

	(void)unused;
	add_frame(&body, add_all_four);
	for (size_t len = 0; len < body.len; len++) {
		struct push_answers p;
		struct reason why = {0};

		assert_int_equal(push_answers_decode(&p, (struct span){body.at, len}, owner, &why), INVALID);
		assert_non_null(strstr(why.text, "truncated"));
	}
	buf_done(&body);
}

static void renames(void **unused)
{
	struct rename_request q = {.centre = {CENTRE},
				      .request = {REQUEST},
				      .from = {EPOCH},
				      .to = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
				      .witness = {12, {{1, 2}}}},
			      got;
	struct buf out = {0};
	struct reason why = {0};

	(void)unused;
	rename_request_encode(&q, &out);
	assert_string_equal(out.at,
		"{\"centre\":\"" CENTRE "\",\"request\":\"" REQUEST "\",\"protocol\":\"1\",\"from\":\"" EPOCH
		"\",\"to\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		"\"witness\":\"12.01000000000000000200000000000000\"}");
	assert_int_equal(rename_request_decode(&got, buf_span(&out), &why), OK);
	assert_true(epoch_equal(&q.centre, &got.centre) && epoch_equal(&q.request, &got.request));
	assert_true(epoch_equal(&q.from, &got.from) && epoch_equal(&q.to, &got.to));
	assert_true(position_equal(q.witness, got.witness));
	buf_done(&out);
}

static void refuses_wrong_renames(void **unused)
{
	struct rename_request q;
	struct reason why = {0};

	(void)unused;
	assert_int_equal(rename_request_decode(&q, span_of("{\"centre\":\"\"}"), &why), INVALID);
	assert_string_equal(why.text, "centre: not 32 hex digits");
	assert_int_equal(
		rename_request_decode(&q,
			span_of("{\"centre\":\"" CENTRE "\",\"request\":\"" REQUEST "\",\"from\":\"" EPOCH
				"\",\"to\":\"" EPOCH "\",\"witness\":\"12." HEAD "\"}"),
			&why),
		INVALID);
	assert_string_equal(why.text, "to: the same as from");
	assert_int_equal(
		rename_request_decode(&q,
			span_of("{\"centre\":\"" CENTRE "\",\"request\":\"" REQUEST "\",\"from\":\"" EPOCH
				"\",\"to\":\"" CENTRE "\",\"witness\":\"12\"}"),
			&why),
		INVALID);
	assert_string_equal(why.text, "witness: not a position like \"12.<32 hex digits>\"");
}

static void answers_a_rename(void **unused)
{
	const struct epoch epoch = {EPOCH}, request = {REQUEST};
	struct reason why = {0};

	(void)unused;
	for (int i = 0; i < 2; i++) {
		enum rename_result r = i ? RENAME_DONE : RENAME_NOT_REWOUND,
				   wanted = i ? RENAME_NOT_REWOUND : RENAME_DONE;
		struct epoch now, answered;
		struct buf out = {0};

		rename_answer_encode(wanted, &epoch, &request, &out);
		assert_int_equal(rename_answer_decode(&r, &now, &answered, buf_span(&out), &why), OK);
		assert_int_equal(r, wanted);
		assert_true(epoch_equal(&now, &epoch) && epoch_equal(&answered, &request));
		buf_done(&out);
	}
	enum rename_result r;
	struct epoch now, answered;
	assert_int_equal(
		rename_answer_decode(&r, &now, &answered,
			span_of("{\"result\":\"x\",\"epoch\":\"" EPOCH "\",\"request\":\"" REQUEST "\"}"),
			&why),
		INVALID);
	assert_string_equal(why.text, "result: neither renamed nor not_rewound");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_the_request),
		cmocka_unit_test(carries_records_and_what_is_expected),
		cmocka_unit_test(keeps_bad_lines_apart),
		cmocka_unit_test(a_wrong_hash_among_many_is_kept_apart_alone),
		cmocka_unit_test(names_no_id_of_a_line_without_one),
		cmocka_unit_test(refuses_what_cannot_be_expected),
		cmocka_unit_test(refuses_too_many),
		cmocka_unit_test(carries_all_four_answers),
		cmocka_unit_test(refuses_wrong_answers),
		cmocka_unit_test(refuses_a_conflict_about_another_id),
		cmocka_unit_test(a_conflict_with_a_broken_record_says_which),
		cmocka_unit_test(refuses_every_cut),
		cmocka_unit_test(renames),
		cmocka_unit_test(refuses_wrong_renames),
		cmocka_unit_test(answers_a_rename),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
