/* record: one line of JSON, its hash and its limits; the vectors are those of shared/PROTOCOL.md. */
#include "shared/entropy.h"
#include "shared/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TIMES "\"created_at\":\"2026-11-21T01:02:03.000004Z\",\"updated_at\":\"2026-11-21T01:02:04.000000Z\""
#define R1_HASH "4cfe8b9d750c34434774fb2c8c14fb77"
#define R1_START \
	"{\"owner\":\"site-a\",\"id\":\"r1\",\"type\":\"reading\",\"deleted\":false,\"body\":{\"t\":21.50},"
#define R1_HASHED R1_START "\"hash\":\"" R1_HASH "\","
#define R1_REST TIMES ",\"clock_error_us\":250,\"seq\":1}"
#define R1 R1_HASHED "\"dot\":\"1122334455667788.1\"," R1_REST
#define R2                                                                                                  \
	"{\"owner\":\"site-a\",\"id\":\"r2\",\"type\":\"note\",\"deleted\":false,\"body\":\"caf\xc3\xa9\"," \
	"\"hash\":\"41cc83e38cf79498f4416ebbb76b29fc\",\"dot\":\"4000000000000001.7\","                     \
	"\"vv\":[\"1122334455667788.2\",\"4000000000000001.7\"]," TIMES ",\"clock_error_us\":null}"
#define R3                                                                                         \
	"{\"owner\":\"site-a\",\"id\":\"r3\",\"type\":\"reading\",\"deleted\":true,\"body\":null," \
	"\"hash\":\"0941c80a6aadf58ffbd39314f9aab52d\",\"dot\":\"1122334455667788.3\"," TIMES      \
	",\"clock_error_us\":null,\"seq\":3}"

static enum err decode(const char *line, struct record *r, struct arena *a, struct reason *why)
{
	const struct record_decode how = {.owner = span_of("site-a")};

	return record_decode(r, span_of(line), &how, a, why);
}

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.at, text, s.len);
}

static void assert_refused(const char *line, const char *reason)
{
	struct arena a = {0};
	struct reason why = {0};
	struct record r = {.seq = 77};

	assert_int_equal(decode(line, &r, &a, &why), INVALID);
	assert_string_equal(why.text, reason);
	assert_int_equal(r.seq, 77);
	arena_done(&a);
}

static void reads_and_writes_the_same_bytes(void **unused)
{
	static const char *const lines[] = {R1, R2, R3};

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		struct arena a = {0};
		struct reason why = {0};
		struct record r;
		struct buf out = {0};

		assert_int_equal(decode(lines[i], &r, &a, &why), OK);
		record_encode(&r, &out);
		assert_string_equal(out.at, lines[i]);
		buf_done(&out);
		arena_done(&a);
	}
}

static void reads_each_field(void **unused)
{
	struct arena a = {0};
	struct reason why;
	struct record r;
	const char *line = R1;

	(void)unused;
	assert_int_equal(decode(line, &r, &a, &why), OK);
	assert_span(r.owner, "site-a");
	assert_span(r.id, "r1");
	assert_span(r.type, "reading");
	assert_span(r.body, "{\"t\":21.50}");
	assert_ptr_equal(r.body.at, strstr(line, "{\"t\"")); /* not copied */
	assert_null(a.blocks);                               /* nothing allocated */
	assert_false(r.deleted);
	assert_int_equal(r.dot.actor, 0x1122334455667788);
	assert_int_equal(r.dot.n, 1);
	assert_null(r.vv);
	assert_int_equal(r.updated_at_us - r.created_at_us, 999996);
	assert_int_equal(r.clock_error_us, 250);
	assert_int_equal(r.seq, 1);
	assert_int_equal(decode(R2, &r, &a, &why), OK);
	assert_int_equal(r.clock_error_us, -1);
	assert_int_equal(r.seq, 0);
	assert_int_equal(r.vv->n, 2);
	arena_done(&a);
}

static void assert_hex(struct hash h, const char *hex)
{
	char got[33];

	hash_hex(h, got);
	assert_string_equal(got, hex);
}

static void chains_heads(void **unused)
{
	static const char *const lines[] = {R1, R2, R3};
	static const char *const heads[] = {"80947ae2f8ff50b72896527db6818d89",
		"f71f25b813d422c6b5fcfe8ba8fd8c9c", "0e48c804788cd1103e1a22a5e8396a13"};
	struct hash head = {{0}};

	(void)unused;
	for (uint64_t i = 0; i < 3; i++) {
		struct arena a = {0};
		struct reason why;
		struct record r;

		assert_int_equal(decode(lines[i], &r, &a, &why), OK);
		head = record_chain(head, i + 1, r.id, r.hash);
		assert_hex(head, heads[i]);
		arena_done(&a);
	}
}

static void passes_over_what_it_does_not_know(void **unused)
{
	struct arena a = {0};
	struct reason why;
	struct record r;
	const char *line =
		" { \"new\" : [1,{\"id\":2}] , \"body\":{\"t\":21.50}, "
		"\"type\":\"reading\",\"id\":\"r\\u0031\","
		"\"deleted\":false,\"dot\":\"1122334455667788.1\",\"hash\":\"" R1_HASH "\"," TIMES " } ";

	(void)unused;
	assert_int_equal(decode(line, &r, &a, &why), OK);
	assert_span(r.owner, "site-a"); /* from the one asked */
	assert_span(r.id, "r1");
	assert_int_equal(r.clock_error_us, -1);
	arena_done(&a);
}

static void hands_out_what_a_push_expects(void **unused)
{
	struct arena a = {0};
	struct reason why;
	struct record r;
	struct json_value expected = {.raw = {NULL, 0}};
	const struct record_decode how = {.expected = &expected};
	const struct span line =
		span_of(R1_HASHED "\"dot\":\"1122334455667788.1\",\"expected\":null," R1_REST);

	(void)unused;
	assert_int_equal(record_decode(&r, line, &how, &a, &why), OK);
	assert_int_equal(expected.kind, JSON_NULL);
	assert_span(expected.raw, "null");
	assert_int_equal(
		record_decode(&r, line, &(struct record_decode){.owner = span_of("site-a")}, &a, &why),
		OK); /* unknown */
	assert_int_equal(record_decode(&r, span_of(R1), &how, &a, &why), OK);
	assert_null(expected.raw.at);
	arena_done(&a);
}

static void refuses_a_wrong_frame(void **unused)
{
	(void)unused;
	assert_refused("", "not a JSON object");
	assert_refused("[]", "not a JSON object");
	assert_refused(R1 "x", "something follows the JSON object");
	assert_refused(R1_START "\"id\":\"r1\"," R1_REST, "id: comes twice");
	assert_refused(R1_START "\"body\":1," R1_REST, "body: comes twice");
}

static void refuses_wrong_names(void **unused)
{
	(void)unused;
	assert_refused("{}", "id: missing");
	assert_refused("{\"owner\":1}", "owner: not a text");
	assert_refused("{\"owner\":\"Site\"}", "owner: " RECORD_OWNER_RULE);
	assert_refused("{\"owner\":\"site-b\"}", "owner: site-b, where only records of site-a belong");
	assert_refused("{\"id\":7}", "id: not a text");
	assert_refused("{\"id\":\"a b\"}", "id: not 1 to 64 of A-Z a-z 0-9 . _ : -");
	assert_refused("{\"id\":\"a\"}", "type: missing");
	assert_refused("{\"id\":\"a\",\"type\":\"A\"}", "type: not 1 to 32 of a-z 0-9 _ -");
	assert_refused("{\"id\":\"a\",\"type\":\"b\"}", "deleted: missing");
	assert_refused("{\"id\":\"a\",\"type\":\"b\",\"deleted\":0}", "deleted: not true or false");
	assert_refused("{\"id\":\"a\",\"type\":\"b\",\"deleted\":false}", "body: missing");
}

static void asks_for_an_owner_if_none_is_implied(void **unused)
{
	const struct record_decode any = {0};
	struct arena a = {0};
	struct reason why;
	struct record r;

	(void)unused;
	assert_int_equal(record_decode(&r, span_of("{\"id\":\"a\"}"), &any, &a, &why), INVALID);
	assert_string_equal(why.text, "owner: missing");
	assert_int_equal(record_decode(&r, span_of(R1), &any, &a, &why), OK);
	arena_done(&a);
}

#define BODY(deleted, body) "{\"id\":\"a\",\"type\":\"b\",\"deleted\":" deleted ",\"body\":" body "}"

static void refuses_wrong_bodies(void **unused)
{
	(void)unused;
	assert_refused(BODY("false", "[1,\n2]"), "body: not on one line");
	assert_refused(BODY("false", "[1,\r2]"), "body: not on one line");
	assert_refused(BODY("true", "{}"), "body: not null in a deleted record");
	assert_refused(BODY("true", "0"), "body: not null in a deleted record");
	assert_refused(BODY("false", "1"), "dot: missing");
}

#define VERSION(dot, rest) BODY_OPEN ",\"dot\":" dot rest "}"
#define BODY_OPEN "{\"id\":\"a\",\"type\":\"b\",\"deleted\":false,\"body\":1"
#define DOT "\"1122334455667788.1\""

static void refuses_wrong_versions(void **unused)
{
	const char *dot = "dot: not \"<16 hex digits>.<number>\"",
		   *entry = "vv: an entry is not \"<16 hex digits>.<number>\"";

	(void)unused;
	assert_refused(VERSION("5", ""), dot);
	assert_refused(VERSION("\"0000000000000000.1\"", ""), dot);
	assert_refused(VERSION("\"8000000000000000.1\"", ""), dot);
	assert_refused(VERSION("\"1122334455667788.0\"", ""), dot);
	assert_refused(VERSION(DOT, ",\"vv\":{}"), "vv: not an array");
	assert_refused(VERSION(DOT, ",\"vv\":null"), "vv: not an array");
	assert_refused(VERSION(DOT, ",\"vv\":[1]"), entry);
	assert_refused(VERSION(DOT, ",\"vv\":[\"x\"]"), entry);
	assert_refused(VERSION(DOT, ",\"vv\":[]"), "vv: does not hold the dot");
	assert_refused(VERSION(DOT, ",\"vv\":[\"0000000000000001.1\",\"1122334455667788.2\"]"),
		"vv: does not hold the dot");
	assert_refused(VERSION(DOT, ",\"vv\":[" DOT "]"), "vv: holds only the dot, and is then left out");
	assert_refused(VERSION(DOT, ",\"vv\":[" DOT ",\"0000000000000001.1\"]"), "vv: not sorted by actor");
	assert_refused(VERSION(DOT, ",\"vv\":[" DOT "," DOT "]"), "vv: an actor comes twice");
}

static void refuses_a_vector_over_the_cap(void **unused)
{
	struct buf line = {0};

	(void)unused;
	buf_text(&line, BODY_OPEN ",\"dot\":\"0000000000000001.1\",\"vv\":[");
	for (unsigned i = 1; i <= VECTOR_MAX + 1; i++)
		buf_printf(&line, "%s\"%016x.1\"", i > 1 ? "," : "", i);
	buf_text(&line, "]}");
	assert_refused(line.at, "vv: more than 32 entries");
	buf_done(&line);
}

static void refuses_wrong_times(void **unused)
{
	const char *time = "not a time like \"2026-11-21T01:02:03.000004Z\"";
	char reason[100];

	(void)unused;
	assert_refused(VERSION(DOT, ""), "created_at: missing");
	snprintf(reason, sizeof(reason), "created_at: %s", time);
	assert_refused(VERSION(DOT, ",\"created_at\":5"), reason);
	snprintf(reason, sizeof(reason), "updated_at: %s", time);
	assert_refused(
		VERSION(DOT,
			",\"created_at\":\"2026-11-21T01:02:03Z\",\"updated_at\":\"2026-13-21T01:02:03Z\""),
		reason);
	assert_refused(VERSION(DOT, "," TIMES ",\"clock_error_us\":-1"),
		"clock_error_us: not a whole number from 0 to 9223372036854775807");
	assert_refused(VERSION(DOT, "," TIMES ",\"seq\":\"1\""),
		"seq: not a whole number from 0 to 9223372036854775807");
	assert_refused(VERSION(DOT, "," TIMES ",\"seq\":0"), "seq: 0, but a log counts from 1");
}

static void refuses_another_hash(void **unused)
{
	(void)unused;
	assert_refused(VERSION(DOT, "," TIMES), "hash: missing");
	assert_refused(VERSION(DOT, "," TIMES ",\"hash\":\"abc\""), "hash: not 32 hex digits");
	assert_refused(R1_START
		"\"hash\":\"5cfe8b9d750c34434774fb2c8c14fb77\",\"dot\":\"1122334455667788.1\"," R1_REST,
		"hash: does not fit the record");
	assert_refused(R1_HASHED "\"dot\":\"1122334455667788.2\"," R1_REST, "hash: does not fit the record");
}

static void decode_body(struct span body, enum err wanted)
{
	struct record r = {.owner = span_of("site-a"),
			      .id = span_of("x"),
			      .type = span_of("t"),
			      .body = body,
			      .dot = {5, 6},
			      .clock_error_us = -1},
		      got;
	struct arena a = {0};
	struct reason why = {0};
	struct buf line = {0};

	r.hash = record_hash(&r);
	record_encode(&r, &line);
	assert_int_equal(decode(line.at, &got, &a, &why), wanted);
	if (wanted == OK) {
		assert_int_equal(got.body.len, body.len);
		assert_memory_equal(got.body.at, body.at, body.len);
	}
	buf_done(&line);
	arena_done(&a);
}

static void holds_bodies_to_their_limits(void **unused)
{
	struct buf body = {0};

	(void)unused;
	for (size_t len = RECORD_BODY_MAX; len <= RECORD_BODY_MAX + 1; len++) {
		buf_clear(&body);
		buf_char(&body, '"');
		while (body.len < len - 1)
			buf_char(&body, 'x');
		buf_char(&body, '"');
		decode_body(buf_span(&body), len == RECORD_BODY_MAX ? OK : INVALID);
	}
	for (int depth = 64; depth <= 65; depth++) {
		buf_clear(&body);
		for (int i = 0; i < depth; i++)
			buf_char(&body, '[');
		for (int i = 0; i < depth; i++)
			buf_char(&body, ']');
		decode_body(buf_span(&body), depth == 64 ? OK : INVALID);
	}
	buf_done(&body);
	decode_body(span_of("1e999999"), OK);
	decode_body(span_of("{\"a\":1,\"a\":2}"), OK);
	decode_body(span_of("-0.10"), OK);
	decode_body(span_of("\"\\u0000\""), INVALID);
	decode_body(span_of("\"\\ud800\""), INVALID);
	decode_body(span_of("\"\xff\""), INVALID);
	decode_body(span_of("01"), INVALID);
}

static struct span random_word(char *at, size_t max, const char *alphabet)
{
	size_t n = 1 + entropy_below(max);

	for (size_t i = 0; i < n; i++)
		at[i] = alphabet[entropy_below(strlen(alphabet))];
	return (struct span){at, n};
}

static void random_vv(struct record *r, struct vector *vv)
{
	uint64_t actor = 0;

	vv->n = 2 + (unsigned)entropy_below(VECTOR_MAX - 1);
	for (unsigned i = 0; i < vv->n; i++) {
		actor += 1 + entropy_below(UINT64_C(1) << 57);
		vv->at[i] = (struct dot){actor, 1 + entropy_below(INT64_MAX)};
	}
	r->dot = vv->at[entropy_below(vv->n)];
	r->vv = vv;
}

static void survives_random_round_trips(void **unused)
{
	static const char *const bodies[] = {
		"null", "{}", "[1, 2.50 ,-0]", "\"\\\"\\n\"", "{\"a\" : {\"id\":\"b\"}}", "1E+5"};
	const int64_t year_3000 = INT64_C(32503680000000000);

	(void)unused;
	for (int round = 0; round < 2000; round++) {
		char id[RECORD_ID_MAX], type[RECORD_TYPE_MAX];
		struct vector vv;
		struct record r = {.owner = span_of("site-a"),
				      .dot = {1 + entropy_below(INT64_MAX), 1 + entropy_below(INT64_MAX)},
				      .deleted = entropy_below(4) == 0,
				      .seq = entropy_below(INT64_MAX)},
			      got;
		struct arena a = {0};
		struct reason why = {0};
		struct buf one = {0}, two = {0};

		r.id = random_word(id, sizeof(id), "ABCZabcz0189._:-");
		r.type = random_word(type, sizeof(type), "abcz0189_-");
		r.body = span_of(bodies[r.deleted ? 0 : entropy_below(6)]);
		r.created_at_us = (int64_t)entropy_below((uint64_t)year_3000);
		r.updated_at_us = (int64_t)entropy_below((uint64_t)year_3000);
		r.clock_error_us = (int64_t)entropy_below(1000) - 1;
		if (entropy_below(2))
			random_vv(&r, &vv);
		r.hash = record_hash(&r);
		record_encode(&r, &one);
		if (decode(one.at, &got, &a, &why) != OK)
			fail_msg("%s: %s", why.text, one.at);
		record_encode(&got, &two);
		assert_string_equal(one.at, two.at);
		buf_done(&one);
		buf_done(&two);
		arena_done(&a);
	}
}

/* A line changed anywhere in what is hashed must not be taken for the record. */
static void notices_any_flipped_bit(void **unused)
{
	char line[] = R2;
	const size_t hashed = (size_t)(strstr(line, "\"created_at\"") - line);

	(void)unused;
	/* an owner under another name is an absent one, which is implied */
	for (size_t i = 8 * (size_t)(strstr(line, "\"id\"") - line); i < hashed * 8; i++) {
		struct arena a = {0};
		struct reason why;
		struct record r;

		line[i / 8] = (char)(line[i / 8] ^ (1 << i % 8));
		if (decode(line, &r, &a, &why) == OK)
			assert_string_equal(line, "");
		line[i / 8] = (char)(line[i / 8] ^ (1 << i % 8));
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_the_same_bytes),
		cmocka_unit_test(reads_each_field),
		cmocka_unit_test(chains_heads),
		cmocka_unit_test(passes_over_what_it_does_not_know),
		cmocka_unit_test(hands_out_what_a_push_expects),
		cmocka_unit_test(refuses_a_wrong_frame),
		cmocka_unit_test(refuses_wrong_names),
		cmocka_unit_test(asks_for_an_owner_if_none_is_implied),
		cmocka_unit_test(refuses_wrong_bodies),
		cmocka_unit_test(refuses_wrong_versions),
		cmocka_unit_test(refuses_a_vector_over_the_cap),
		cmocka_unit_test(refuses_wrong_times),
		cmocka_unit_test(refuses_another_hash),
		cmocka_unit_test(holds_bodies_to_their_limits),
		cmocka_unit_test(survives_random_round_trips),
		cmocka_unit_test(notices_any_flipped_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
