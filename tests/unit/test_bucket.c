#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "shared/bucket.h"

#include <cmocka.h>

#define SUM "6bbeb16c8bd80b96a1da2b3cfcfd8a36"
#define BEGIN                                                                         \
	"{\"node\":\"a\",\"epoch\":\"0123456789abcdef0123456789abcdef\",\"request\":" \
	"\"fedcba9876543210fedcba9876543210\",\"version\":\"1\",\"protocol\":1}\n"
#define END_OF(seq, head, more)                                                                  \
	"{\"end\":true,\"to_seq\":" seq                                                          \
	",\"to_head\":\"80947ae2f8ff50b72896527db6818d89\",\"head_seq\":" head ",\"more\":" more \
	",\"digest\":{\"count\":3,\"sum\":\"" SUM "\"},\"oldest_after\":null,\"t_recv_us\":1,"   \
	"\"t_send_us\":2,\"clock_error_us\":null}\n"
#define END END_OF("9", "9", "false")
#define LINE(bucket, count) "{\"bucket\":" bucket ",\"count\":" count ",\"sum\":\"" SUM "\"}\n"

static void test_request(void **state)
{
	const struct page_request q = {.centre = {"cccccccccccccccccccccccccccccccc"},
		.request = {"fedcba9876543210fedcba9876543210"},
		.epoch = {"0123456789abcdef0123456789abcdef"},
		.max_bytes = 1000};
	const uint16_t numbers[] = {0, 7, 4095};
	const struct bucket_set some = {.bits = 12, .at = numbers, .n = 3};
	struct bucket_set read;
	struct buf target = {0}, body = {0};
	struct arena a = {0};
	struct reason why = {""};

	(void)state;
	bucket_request_encode(&q, 12, &target);
	assert_string_equal(target.at,
		"/v1/digest?centre=cccccccccccccccccccccccccccccccc&request=fedcba9876543210fedcba9876543210"
		"&protocol=1&epoch=0123456789abcdef0123456789abcdef&witness=0."
		"00000000000000000000000000000000&bits=12");
	buf_clear(&target);
	fetch_request_encode(&q, &some, &target, &body);
	assert_non_null(strstr(target.at, "/v1/fetch?centre="));
	assert_non_null(strstr(target.at, "&max_bytes=1000"));
	assert_string_equal(body.at, "{\"bits\":12,\"buckets\":[0,7,4095]}");
	assert_int_equal(fetch_request_decode(&read, buf_span(&body), &a, &why), OK);
	assert_int_equal(read.bits, 12);
	assert_int_equal(read.n, 3);
	assert_memory_equal(read.at, numbers, sizeof numbers);
	arena_done(&a);
	buf_done(&target);
	buf_done(&body);
}

static void test_request_refused(void **state)
{
	static const struct {
		const char *body, *says;
	} rows[] = {
		{"", "line"},
		{"7", ""},
		{"{\"bits\":4}", "buckets"},
		{"{\"buckets\":[]}", "bits: missing"},
		{"{\"bits\":17,\"buckets\":[]}", "from 0 to 16"},
		{"{\"bits\":-1,\"buckets\":[]}", "bits"},
		{"{\"bits\":4,\"buckets\":[16]}", "16 is no bucket at 4 bits"},
		{"{\"bits\":0,\"buckets\":[1]}", "1 is no bucket at 0 bits"},
		{"{\"bits\":4,\"buckets\":[\"1\"]}", "no bucket"},
		{"{\"bits\":4,\"buckets\":[2,1]}", "1 does not rise"},
		{"{\"bits\":4,\"buckets\":[2,2]}", "2 does not rise"},
		{"{\"bits\":4,\"buckets\":{}}", "not an array"},
		{"{\"bits\":4,\"buckets\":[1,]}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bucket_set s = {.bits = 99};
		struct arena a = {0};
		struct reason why = {""};

		if (fetch_request_decode(&s, span_of(rows[i].body), &a, &why) != INVALID ||
			(i > 0 && !strstr(why.text, rows[i].says)))
			fail_msg("%s: %s", rows[i].body, why.text);
		assert_int_equal(s.bits, 99);
		arena_done(&a);
	}
}

static void test_lines(void **state)
{
	const struct bucket longest = {UINT16_MAX, {.count = INT64_MAX, .lane = {UINT64_MAX, UINT64_MAX}}};
	struct buckets b;
	struct buf out = {0};
	struct reason why = {""};

	(void)state;
	assert_int_equal(
		buckets_decode(&b, span_of(BEGIN LINE("0", "2") LINE("15", "7") END), span_of("a"), 4, &why),
		OK);
	assert_int_equal(b.n, 2);
	assert_int_equal(b.at[1].number, 15);
	assert_int_equal(b.at[1].digest.count, 7);
	assert_int_equal(b.at[1].digest.lane[0], UINT64_C(0x6bbeb16c8bd80b96));
	assert_int_equal(b.end.to.seq, 9);
	bucket_encode(&b.at[1], &out);
	assert_string_equal(out.at, LINE("15", "7"));
	buckets_done(&b);
	assert_int_equal(buckets_decode(&b, span_of(BEGIN END), span_of("a"), 0, &why), OK);
	assert_int_equal(b.n, 0);
	buckets_done(&b);
	buf_clear(&out);
	bucket_encode(&longest, &out);
	assert_in_range(out.len, 40, BUCKET_LINE_MAX);
	buf_done(&out);
}

static void test_lines_refused(void **state)
{
	static const struct {
		const char *what, *body, *says;
	} rows[] = {
		{"nothing", "", "truncated"},
		{"no end", BEGIN LINE("0", "1"), "truncated"},
		{"cut in a line", BEGIN "{\"bucket\":0,", "truncated"},
		{"too many", BEGIN LINE("0", "1") LINE("1", "1") LINE("2", "1") END, "more than the 2 lines"},
		{"too deep", BEGIN LINE("2", "1") END, "line 2: bucket: none of the depth"},
		{"twice", BEGIN LINE("1", "1") LINE("1", "1") END, "line 3: bucket: not above"},
		{"falling", BEGIN LINE("1", "1") LINE("0", "1") END, "line 3: bucket: not above"},
		{"empty", BEGIN LINE("1", "0") END, "line 2: count: an empty bucket"},
		{"more records than places", BEGIN LINE("0", "4") LINE("1", "6") END, "line 3: count: more"},
		{"counts that wrap", BEGIN LINE("0", "9223372036854775807") END, "line 2: count: more"},
		{"negative", BEGIN LINE("-1", "1") END, "line 2: bucket"},
		{"no sum", BEGIN "{\"bucket\":0,\"count\":1}\n" END, "line 2: sum"},
		{"half a sum", BEGIN "{\"bucket\":0,\"count\":1,\"sum\":\"00\"}\n" END,
			"line 2: sum: not 32"},
		{"sum twice",
			BEGIN "{\"bucket\":0,\"count\":1,\"sum\":\"" SUM "\",\"sum\":\"" SUM "\"}\n" END,
			"line 2"},
		{"no object", BEGIN "[0,1]\n" END, "line 2"},
		{"not the whole log", BEGIN LINE("0", "1") END_OF("8", "9", "true"),
			"more: digests are of the whole"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buckets b = {.bits = 99};
		struct reason why = {""};

		if (buckets_decode(&b, span_of(rows[i].body), span_of("a"), 1, &why) != INVALID ||
			!strstr(why.text, rows[i].says))
			fail_msg("%s: %s", rows[i].what, why.text);
		assert_int_equal(b.bits, 99);
	}
}

static void test_set(void **state)
{
	const uint16_t numbers[] = {1, 140, 246};
	const struct bucket_set some = {.bits = 8, .at = numbers, .n = 3}, none = {.bits = 8};
	struct record records[2] = {{.id = span_of("r1")}, {.id = span_of("r3")}};
	struct page_refused refused = {.claim = {.id = span_of("r1")}};
	struct page p = {.records = records, .n = 2, .refused = &refused};
	struct reason why = {""};

	(void)state;
	assert_true(bucket_set_has(&some, span_of("r1"))); /* 140, by PROTOCOL */
	assert_true(bucket_set_has(&some, span_of("r3"))); /* 246 */
	assert_false(bucket_set_has(&some, span_of("r2")));
	assert_false(bucket_set_has(&none, span_of("r1")));
	assert_int_equal(fetch_check(&p, &some, &why), OK);
	records[1].id = span_of("r2");
	assert_int_equal(fetch_check(&p, &some, &why), INVALID);
	assert_string_equal(why.text, "id: r2 is in none of the buckets asked for");
	p.n = 1;
	p.n_refused = 1;
	assert_int_equal(fetch_check(&p, &some, &why), OK);
	refused.claim.id = span_of("r2");
	assert_int_equal(fetch_check(&p, &some, &why), INVALID);
	p.end.more = true;
	assert_int_equal(fetch_check(&p, &some, &why), INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_refused),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_refused),
		cmocka_unit_test(test_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
