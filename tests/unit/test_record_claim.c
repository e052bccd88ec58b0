/* record_claim: a broken line is put aside only when it still says which record it is, and where. */
#include "shared/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: its fail() is a macro */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HASH "0123456789abcdef0123456789abcdef"

static bool claims(const char *line, struct record_claim *ret)
{
	struct arena a = {0};
	char hex[33];
	bool said = record_claim(span_of(line), ret, &a);

	if (said) {
		assert_true(span_is(ret->id, "r1"));
		hash_hex(ret->hash, hex);
		assert_string_equal(hex, HASH);
	}
	arena_done(&a);
	return said;
}

struct row {
	const char *line;
	uint64_t seq; /* 0: it does not say */
};

static void assert_claim(const struct row *row)
{
	struct record_claim c;

	assert_int_equal(claims(row->line, &c), row->seq > 0);
	if (row->seq > 0)
		assert_int_equal(c.seq, row->seq);
}

/* Its JSON can be read; something else of it is wrong. */
static void an_object_says_it_by_its_members(void **state)
{
	static const struct row rows[] = {
		{"{\"id\":\"r1\",\"hash\":\"" HASH "\",\"seq\":7}", 7},
		{"{\"seq\":7,\"body\":[],\"hash\":\"" HASH "\",\"id\":\"r\\u0031\"}", 7},
		{"{\"hash\":\"" HASH "\",\"seq\":7}", 0},
		{"{\"id\":1,\"hash\":\"" HASH "\",\"seq\":7}", 0},
		{"{\"id\":\"r 1\",\"hash\":\"" HASH "\",\"seq\":7}", 0},
		{"{\"id\":\"r1\",\"seq\":7}", 0},
		{"{\"id\":\"r1\",\"hash\":7,\"seq\":7}", 0},
		{"{\"id\":\"r1\",\"hash\":\"" HASH "0\",\"seq\":7}", 0},
		{"{\"id\":\"r1\",\"hash\":\"" HASH "\"}", 0},
		{"{\"id\":\"r1\",\"hash\":\"" HASH "\",\"seq\":-7}", 0},
		{"{\"id\":\"r1\",\"hash\":\"" HASH "\",\"seq\":0}", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_claim(&rows[i]);
}

/* A body that is no JSON: the id is the one before it, hash and seq are those after it. */
static void a_line_that_is_no_json_says_it_by_its_text(void **state)
{
	static const struct row rows[] = {
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":7}", 7},
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":7,\"new\":1}", 7},
		{"{\"id\":\"r1\",\"body\":{\"id\":\"r2\",\"hash\":\"no\",\"seq\":1,,\"hash\":\"" HASH
		 "\",\"seq\":7}",
			7},
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":9223372036854775807}",
			9223372036854775807},
		{"", 0},
		{"rubbish", 0},
		{"{\"id\":\"", 0},
		{"{\"id\":\"r1", 0},
		{"{\"id\":\"r 1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":7}", 0},
		{"{\"id\":\"r1\",\"body\":{,\"seq\":7}", 0},
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"0123\",\"seq\":7}", 0},
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\"}", 0},
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":", 0},
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":7", 0},    /* cut within a number */
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":7.5}", 0}, /* no whole one */
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":/}", 0},
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":0}", 0},
		{"{\"id\":\"r1\",\"body\":{,\"hash\":\"" HASH "\",\"seq\":12345678901234567890}", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_claim(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_says_it_by_its_members),
		cmocka_unit_test(a_line_that_is_no_json_says_it_by_its_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
