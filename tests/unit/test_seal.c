/* seal: the vectors of shared/PROTOCOL.md, which were computed by other code; and every bit that may be altered. */
#include "shared/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define RENAMED                                     \
	"{\"result\":\"renamed\",\"epoch\":\"a0b1c" \
	"2d3e4f5061728394a5b6c7d8e9f\",\"request\":\"fedcba9876543210fedcba9876543210\""
#define SEAL ",\"check\":\"d0b7c0411c16630e\"}"

static void assert_bytes(struct buf *b, const char *expected)
{
	assert_string_equal(b->at, expected);
	assert_int_equal(b->len, strlen(expected));
	buf_done(b);
}

static void is_the_last_member_of_an_answer(void **unused)
{
	struct buf b = {0};

	(void)unused;
	buf_text(&b, RENAMED "}");
	seal_answer(&b);
	assert_true(seal_holds(buf_span(&b)));
	assert_bytes(&b, RENAMED SEAL);
}

static void is_in_the_last_line(void **unused)
{
	struct buf b = {0};

	(void)unused;
	buf_text(&b, "{\"a\":1}\n" RENAMED "}\n");
	seal_answer(&b);
	assert_true(seal_holds(buf_span(&b)));
	assert_int_equal(b.at[b.len - 1], '\n');
	assert_non_null(strstr(b.at, "\"}\n"));
	assert_null(strstr(b.at, SEAL)); /* it is over the first line, too */
	buf_done(&b);
}

static void is_the_end_of_the_query(void **unused)
{
	static const char body[] = "{\"bits\":4,\"buckets\":[8]}";
	struct buf one = {0}, none = {0};

	(void)unused;
	buf_text(&one, "/proxied/v1/digest?bits=4");
	seal_request(&one, (struct span){"", 0});
	assert_true(seal_request_holds(buf_span(&one), (struct span){NULL, 0}));
	assert_bytes(&one, "/proxied/v1/digest?bits=4&check=287efb4141d27fa3");
	buf_text(&none, "/v1/fetch");
	seal_request(&none, span_of(body));
	assert_true(seal_request_holds(buf_span(&none), span_of(body)));
	assert_false(seal_request_holds(buf_span(&none), span_of("{}")));
	assert_bytes(&none, "/v1/fetch?check=10147aaa708b39b5");
}

static void what_carries_none_holds(void **unused)
{
	static const char *const answers[] = {"", "\n", "{}", "}", "half of a li", RENAMED "}", "<html>",
		"\"}", RENAMED ",\"checked\":\"d0b7c0411c16630e\"}"};
	static const char *const targets[] = {"", "/", "/v1/changes", "/v1/changes?", "/v1/changes?after=1",
		"/v1/changes?check=12", "/v1/changes?uncheck=287efb4141d27fa3"};

	(void)unused;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		assert_true(seal_holds(span_of(answers[i])));
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		assert_true(seal_request_holds(span_of(targets[i]), span_of("body")));
}

static void leaves_alone_what_is_no_object(void **unused)
{
	struct buf text = {0}, nothing = {0};

	(void)unused;
	buf_text(&text, "plain words\n");
	seal_answer(&text);
	assert_bytes(&text, "plain words\n");
	seal_answer(&nothing);
	assert_int_equal(nothing.len, 0);
}

/* Altered where the seal itself is, it may be no seal any more; the bytes under it never are others. */
static void breaks_with_any_bit(void **unused)
{
	struct buf b = {0}, target = {0};
	const size_t covered = strlen(RENAMED), before = strlen("/v1/digest?"), query = strlen("bits=4");

	(void)unused;
	buf_text(&b, RENAMED "}\n");
	seal_answer(&b);
	buf_text(&target, "/v1/digest?bits=4");
	seal_request(&target, span_of("body"));
	for (size_t bit = 0; bit < covered * 8; bit++) {
		b.at[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(seal_holds(buf_span(&b)));
		b.at[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t bit = before * 8; bit < (before + query) * 8; bit++) {
		target.at[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(seal_request_holds(buf_span(&target), span_of("body")));
		target.at[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_true(seal_holds(buf_span(&b)));
	buf_done(&b);
	buf_done(&target);
}

static void breaks_with_its_own_digits(void **unused)
{
	static const char spoilt[][sizeof RENAMED SEAL] = {
		RENAMED ",\"check\":\"d0b7c0411c166300\"}",
		RENAMED ",\"check\":\"d0b7c0411c16630g\"}",
	};

	(void)unused;
	for (size_t i = 0; i < 2; i++)
		assert_false(seal_holds(span_of(spoilt[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_last_member_of_an_answer),
		cmocka_unit_test(is_in_the_last_line),
		cmocka_unit_test(is_the_end_of_the_query),
		cmocka_unit_test(what_carries_none_holds),
		cmocka_unit_test(leaves_alone_what_is_no_object),
		cmocka_unit_test(breaks_with_any_bit),
		cmocka_unit_test(breaks_with_its_own_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
