#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "central/apart.h"

#include <cmocka.h>

static const struct apart_limits limits = {.records = 100, .bytes = 4 * 1024 * 1024, .bucket_records = 10};

/* Both ends hold `each` records in every bucket of that depth; then the far end's differ as said. */
struct ends {
	struct digest near[1 << 8];
	struct bucket lines[1 << 8];
	struct buckets far;
};

static void ends_init(struct ends *e, unsigned bits, uint64_t each)
{
	size_t all = (size_t)1 << bits;

	*e = (struct ends){.far = {.bits = bits, .end.to.seq = 77}};
	e->far.at = e->lines;
	for (size_t i = 0; i < all && each > 0; i++) {
		e->near[i] = (struct digest){each, {i, 2 * i}};
		e->lines[e->far.n++] = (struct bucket){(uint16_t)i, e->near[i]};
	}
}

static void differ(struct ends *e, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++)
		e->lines[i].digest.lane[1]++;
}

static enum apart_verdict judge(const struct ends *e, struct apart *ret)
{
	return apart_judge(e->near, &e->far, &limits, ret);
}

static void test_depth(void **state)
{
	static const struct {
		uint64_t records;
		unsigned bytes, expected;
	} rows[] = {
		{0, 4u << 20, 0},
		{10, 4u << 20, 0},
		{11, 4u << 20, 1},
		{10 << 8, 4u << 20, 8},
		{UINT64_MAX, 4u << 20, 15}, /* 2^15 lines of 88 bytes fit into 4 MiB */
		{UINT64_MAX, BUCKET_LINE_MAX << 16, 16},
		{UINT64_MAX, (BUCKET_LINE_MAX << 16) - 1, 15},
		{UINT64_MAX, 64u << 10, 9},
		{UINT64_MAX, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct apart_limits l = {.records = 100, .bytes = rows[i].bytes, .bucket_records = 10};

		assert_int_equal(apart_bits(rows[i].records, &l), rows[i].expected);
	}
}

static void test_equal(void **state)
{
	static struct ends e;
	struct apart a;

	(void)state;
	ends_init(&e, 8, 10);
	assert_int_equal(judge(&e, &a), APART_NONE);
	assert_int_equal(a.seq, 77);
	assert_int_equal(a.n, 0);
	ends_init(&e, 3, 0); /* two empty ends are equal */
	assert_int_equal(judge(&e, &a), APART_NONE);
}

static void test_few(void **state)
{
	static struct ends e;
	struct apart a;

	(void)state;
	ends_init(&e, 8, 10);
	differ(&e, 3, 1);
	differ(&e, 255, 1);
	assert_int_equal(judge(&e, &a), APART_FEW);
	assert_true(a.bits_known);
	assert_int_equal(a.bits, 8);
	assert_int_equal(a.seq, 77);
	assert_int_equal(a.found, 2);
	assert_int_equal(a.records, 20);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.buckets[0], 3);
	assert_int_equal(a.buckets[1], 255);
}

/* A bucket that only one end has differs, whichever it is. */
static void test_one_sided(void **state)
{
	static struct ends e;
	struct apart a;

	(void)state;
	ends_init(&e, 2, 10);
	e.near[1] = (struct digest){0};
	e.far.n--; /* 3 */
	assert_int_equal(judge(&e, &a), APART_FEW);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.buckets[0], 1);
	assert_int_equal(a.buckets[1], 3);
	assert_int_equal(a.records, 20);
}

static void test_much(void **state)
{
	static struct ends e;
	struct apart a;

	(void)state;
	ends_init(&e, 8, 10);
	e.far.n = 0; /* the local holds nothing */
	assert_int_equal(judge(&e, &a), APART_MUCH);
	assert_int_equal(a.n, 0);
	ends_init(&e, 8, 10);
	differ(&e, 0,
		200); /* more than a page and an eighth, and the digests of smaller buckets would cost more */
	assert_int_equal(judge(&e, &a), APART_MUCH);
	ends_init(&e, 8, 100);
	differ(&e, 0, 112);
	assert_int_equal(judge(&e, &a), APART_MUCH);
	differ(&e, 112, 1); /* now they would cost less than what they save */
	assert_int_equal(judge(&e, &a), APART_FINER);
	assert_int_equal(a.bits, 15);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.found, 113);
	differ(&e, 113, 111);
	assert_int_equal(judge(&e, &a), APART_FINER);
	differ(&e, 224, 1); /* hardly a bucket is equal: smaller ones would not be either */
	assert_int_equal(judge(&e, &a), APART_MUCH);
}

/* At the greatest depth: up to an eighth of all. */
static void test_an_eighth(void **state)
{
	const struct apart_limits small = {
		.records = 100, .bytes = BUCKET_LINE_MAX << 8, .bucket_records = 10};
	static struct ends e;
	struct apart a;

	(void)state;
	ends_init(&e, 8, 10);
	differ(&e, 100, 32);
	assert_int_equal(apart_judge(e.near, &e.far, &small, &a), APART_FEW);
	assert_int_equal(a.n, 32);
	differ(&e, 132, 1);
	assert_int_equal(apart_judge(e.near, &e.far, &small, &a), APART_MUCH);
	ends_init(&e, 8, 10 * APART_RECORDS_MAX);
	differ(&e, 7, 1);
	assert_int_equal(apart_judge(e.near, &e.far, &small, &a), APART_MUCH);
}

static void test_more_buckets_than_are_listed(void **state)
{
	enum { ALL = 1 << 10 };
	static struct digest near[ALL];
	static struct bucket lines[ALL];
	struct buckets far = {.bits = 10, .at = lines, .n = ALL};
	const struct apart_limits l = {.records = 100000, .bytes = BUCKET_LINE_MAX << 10};
	struct apart a;

	(void)state;
	for (size_t i = 0; i < ALL; i++)
		lines[i] = (struct bucket){(uint16_t)i, {1, {1, 1}}};
	memset(near, 0, sizeof near);
	for (size_t i = 0; i < ALL - APART_BUCKETS_MAX; i++)
		near[i] = lines[i].digest;
	assert_int_equal(apart_judge(near, &far, &l, &a), APART_FEW);
	assert_int_equal(a.n, APART_BUCKETS_MAX);
	near[0].count = 2;
	assert_int_equal(apart_judge(near, &far, &l, &a), APART_MUCH);
	assert_int_equal(a.found, APART_BUCKETS_MAX + 1);
}

static void test_shares(void **state)
{
	struct apart a = {.bits_known = true, .bits = 8, .n = 4, .records = 400, .buckets = {2, 4, 6, 8}};
	struct apart_limits l = {.records = 250, .bytes = 4 << 20};

	(void)state;
	assert_int_equal(apart_share(&a, &l), 2); /* records */
	l.bytes = 110 * 1024;
	assert_int_equal(apart_share(&a, &l), 1); /* bytes */
	l.bytes = 1;
	assert_int_equal(apart_share(&a, &l), 1); /* at least one */
	l = (struct apart_limits){.records = 1000, .bytes = 4 << 20};
	assert_int_equal(apart_share(&a, &l), 4);
	a.most = 3; /* more at once were too large */
	assert_int_equal(apart_share(&a, &l), 3);
	apart_drop(&a, 3);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.buckets[0], 8);
	assert_int_equal(a.records, 100);
	assert_int_equal(apart_share(&a, &l), 1);
	apart_drop(&a, 1);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.records, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_one_sided),
		cmocka_unit_test(test_much),
		cmocka_unit_test(test_an_eighth),
		cmocka_unit_test(test_more_buckets_than_are_listed),
		cmocka_unit_test(test_shares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
