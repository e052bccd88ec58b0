#include "shared/entropy.h"
#include "shared/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define LOCAL_ACTOR UINT64_C(0x1122334455667788)
#define CENTRE_ACTOR UINT64_C(0x4000000000000001)
#define NONE ((struct dot){0, 0})

static void makes_actors_of_63_bits(void **unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++) {
		uint64_t l = actor_new(false), c = actor_new(true);

		assert_true(l > 0 && l < ACTOR_CENTRE_BIT);
		assert_true(c >= ACTOR_CENTRE_BIT && c < UINT64_C(1) << 63);
		assert_false(actor_is_centre(l));
		assert_true(actor_is_centre(c));
	}
}

static void knows_what_a_vector_covers(void **unused)
{
	const struct dot dot = {CENTRE_ACTOR, 7};
	const struct vector vv = {.n = 2, .at = {{LOCAL_ACTOR, 2}, {CENTRE_ACTOR, 7}}}, none = {.n = 0};

	(void)unused;
	assert_int_equal(version_known(dot, &vv, LOCAL_ACTOR), 2);
	assert_int_equal(version_known(dot, &vv, CENTRE_ACTOR), 7);
	assert_int_equal(version_known(dot, &vv, 5), 0);
	assert_int_equal(version_known(dot, NULL, LOCAL_ACTOR), 0);
	assert_true(version_covers(dot, &vv, (struct dot){LOCAL_ACTOR, 2}));
	assert_false(version_covers(dot, &vv, (struct dot){LOCAL_ACTOR, 3}));
	assert_true(version_covers(dot, &none, (struct dot){CENTRE_ACTOR, 7}));
	assert_false(version_covers(dot, NULL, (struct dot){LOCAL_ACTOR, 1}));
}

static void sees_a_restored_centre(void **unused)
{
	const struct vector more = {.n = 2, .at = {{LOCAL_ACTOR, 3}, {CENTRE_ACTOR, 7}}};
	const struct dot local = {LOCAL_ACTOR, 3};

	(void)unused;
	assert_true(version_knows_more_of_centre(local, &more, (struct dot){CENTRE_ACTOR, 6}, NULL));
	assert_false(version_knows_more_of_centre(local, &more, (struct dot){CENTRE_ACTOR, 7}, NULL));
	assert_true(version_knows_more_of_centre((struct dot){CENTRE_ACTOR, 8}, NULL, local, &more));
	assert_false(version_knows_more_of_centre((struct dot){LOCAL_ACTOR, 9}, NULL, local, &more));
}

static void succeeds_one(void **unused)
{
	struct vector v;

	(void)unused;
	vector_succeed(&v, (struct dot){LOCAL_ACTOR, 1}, NONE, NULL, NONE, NULL);
	assert_int_equal(v.n, 0);
	vector_succeed(&v, (struct dot){LOCAL_ACTOR, 9}, (struct dot){LOCAL_ACTOR, 1}, NULL, NONE, NULL);
	assert_int_equal(v.n, 0);
	vector_succeed(&v, (struct dot){5, 9}, (struct dot){LOCAL_ACTOR, 1}, NULL, NONE, NULL);
	assert_int_equal(v.n, 2);
	assert_int_equal(v.at[0].actor, 5);
	assert_int_equal(v.at[0].n, 9);
	assert_int_equal(v.at[1].actor, LOCAL_ACTOR);
	assert_int_equal(v.at[1].n, 1);
}

static void succeeds_two_by_the_maximum(void **unused)
{
	const struct vector a = {.n = 3, .at = {{2, 5}, {4, 1}, {9, 8}}},
			    b = {.n = 2, .at = {{2, 3}, {4, 6}}};
	const struct vector wanted = {.n = 4, .at = {{2, 5}, {4, 6}, {7, 1}, {9, 8}}};
	struct vector v = {0};

	(void)unused;
	vector_succeed(&v, (struct dot){7, 1}, (struct dot){9, 8}, &a, (struct dot){4, 6}, &b);
	assert_int_equal(v.n, wanted.n);
	assert_memory_equal(v.at, wanted.at, wanted.n * sizeof(wanted.at[0]));
}

static void drops_the_smallest_over_the_cap(void **unused)
{
	struct vector a = {.n = VECTOR_MAX}, b = {.n = VECTOR_MAX}, v = {0};

	(void)unused;
	for (unsigned i = 0; i < VECTOR_MAX; i++) {
		a.at[i] = (struct dot){2 * i + 2, 100 + i};
		b.at[i] = (struct dot){2 * i + 3, 200 + i};
	}
	vector_succeed(&v, (struct dot){1000, 1}, a.at[0], &a, b.at[0], &b);
	assert_int_equal(v.n, VECTOR_MAX);
	assert_int_equal(v.at[VECTOR_MAX - 1].actor, 1000);
	assert_int_equal(v.at[VECTOR_MAX - 1].n, 1);
	for (unsigned i = 0; i + 1 < VECTOR_MAX; i++)
		assert_int_equal(v.at[i].n, 201 + i);
}

static struct vector random_vector(void)
{
	struct vector v = {.n = (unsigned)entropy_below(VECTOR_MAX + 1)};
	uint64_t actor = 0;

	for (unsigned i = 0; i < v.n; i++) {
		actor += 1 + entropy_below(UINT64_C(1) << 57);
		v.at[i] = (struct dot){actor, 1 + entropy_below(INT64_MAX)};
	}
	return v;
}

static void packs_and_unpacks(void **unused)
{
	(void)unused;
	for (int round = 0; round < 500; round++) {
		struct vector v = random_vector(), w = {0};
		unsigned char bytes[16 * VECTOR_MAX];
		size_t len = vector_pack(&v, bytes);

		assert_int_equal(len, 16 * v.n);
		assert_true(vector_unpack(&w, bytes, len));
		assert_int_equal(v.n, w.n);
		assert_memory_equal(v.at, w.at, v.n * sizeof(v.at[0]));
	}
}

static void refuses_to_unpack_rubbish(void **unused)
{
	unsigned char one[33 * 16] = {[0] = 2, [8] = 1, [16] = 1, [24] = 1};
	struct vector v = {.n = 9};

	(void)unused;
	assert_false(vector_unpack(&v, one, 15));
	assert_false(vector_unpack(&v, one, sizeof(one)));
	assert_false(vector_unpack(&v, one, 32)); /* not sorted */
	one[16] = 2;
	assert_false(vector_unpack(&v, one, 32)); /* twice */
	one[16] = 3;
	one[24] = 0;
	assert_false(vector_unpack(&v, one, 32)); /* n = 0 */
	one[24] = 1;
	one[23] = 0x80;
	assert_false(vector_unpack(&v, one, 32)); /* 64 bits */
	assert_int_equal(v.n, 9);
	one[23] = 0;
	assert_true(vector_unpack(&v, one, 32));
}

static void says_dots_and_vectors(void **unused)
{
	const struct vector v = {.n = 2, .at = {{LOCAL_ACTOR, 2}, {CENTRE_ACTOR, 7}}};
	struct buf out = {0};
	struct dot d;

	(void)unused;
	vector_encode(&v, &out);
	assert_string_equal(out.at, "[\"1122334455667788.2\",\"4000000000000001.7\"]");
	buf_done(&out);
	assert_true(dot_parse(span_of("4000000000000001.9223372036854775807"), &d));
	assert_int_equal(d.actor, CENTRE_ACTOR);
	assert_int_equal(d.n, INT64_MAX);
}

static void refuses_wrong_dots(void **unused)
{
	static const char *const wrong[] = {"", "1122334455667788", "1122334455667788.", "1122334455667788.0",
		"1122334455667788.01", "0000000000000000.1", "8000000000000000.1", "112233445566778.1",
		"1122334455667788.9223372036854775808", "1122334455667788.-1", "112233445566778G.1",
		"112233445566778A.1", "1122334455667788:1", "1122334455667788.1 "};
	struct dot d = {3, 4};

	(void)unused;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(dot_parse(span_of(wrong[i]), &d));
	assert_int_equal(d.actor, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_actors_of_63_bits),
		cmocka_unit_test(knows_what_a_vector_covers),
		cmocka_unit_test(sees_a_restored_centre),
		cmocka_unit_test(succeeds_one),
		cmocka_unit_test(succeeds_two_by_the_maximum),
		cmocka_unit_test(drops_the_smallest_over_the_cap),
		cmocka_unit_test(packs_and_unpacks),
		cmocka_unit_test(refuses_to_unpack_rubbish),
		cmocka_unit_test(says_dots_and_vectors),
		cmocka_unit_test(refuses_wrong_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
