/* hash and position: the vectors of shared/PROTOCOL.md, which were computed by other code. */
#include "shared/entropy.h"
#include "shared/hash.h"
#include "shared/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct hash parsed(const char *hex)
{
	struct hash h = {{0}};

	assert_true(hash_parse(span_of(hex), &h));
	return h;
}

static void assert_hash(struct hash h, const char *hex)
{
	char got[33];

	hash_hex(h, got);
	assert_string_equal(got, hex);
}

static void hashes_bytes(void **unused)
{
	(void)unused;
	assert_hash(hash_of(span_of("abc")), "cf4ab791c62b8d2b2109c90275287816");
	assert_hash(hash_of(span_of("")), "cae66941d9efbd404e4d88758ea67670");
}

static void hashes_pieces_like_the_whole(void **unused)
{
	struct hash_state s;

	(void)unused;
	hash_begin(&s);
	hash_field(&s, span_of("ab"));
	hash_u32(&s, 0x01020304);
	hash_u64(&s, 0x1122334455667788);
	assert_true(hash_equal(hash_end(&s),
		hash_of((struct span){"\2\0\0\0ab\4\3\2\1\x88\x77\x66\x55\x44\x33\x22\x11", 18})));
}

/* Of all lengths around a block's end, side by side, against the library's. */
static void hashes_eight_at_once_like_each_alone(void **unused)
{
	static char text[HASH_LANES][700];
	struct span from[HASH_LANES + 3];
	struct hash got[HASH_LANES + 3];

	(void)unused;
	entropy_bytes(text, sizeof text);
	for (size_t round = 0; round < 3000; round++) {
		size_t n = HASH_LANES + round % 4;

		for (size_t i = 0; i < n; i++) {
			size_t len = round < 1000 ? (round + i * (round & 1)) % 400 : 0;

			if (round >= 1000)
				entropy_bytes(&len, 2);
			from[i] = (struct span){text[i % HASH_LANES], len % sizeof text[0]};
			if (from[i].len == 0)
				from[i].at = NULL;
		}
		hash_of_each(from, n, got);
		for (size_t i = 0; i < n; i++)
			assert_true(hash_equal(got[i], hash_of(from[i])));
	}
}

static void reads_halves_little_endian(void **unused)
{
	struct hash h = parsed("4cfe8b9d750c34434774fb2c8c14fb77");

	(void)unused;
	assert_int_equal(h.half[0], 0x43340c759d8bfe4c);
	assert_int_equal(h.half[1], 0x77fb148c2cfb7447);
}

static void refuses_wrong_hex(void **unused)
{
	static const char *const wrong[] = {"", "4cfe8b9d750c34434774fb2c8c14fb7",
		"4cfe8b9d750c34434774fb2c8c14fb777", "4CFE8B9D750C34434774FB2C8C14FB77",
		"4cfe8b9d750c3443 774fb2c8c14fb77", "gcfe8b9d750c34434774fb2c8c14fb77"};
	struct hash h = {{7, 8}};

	(void)unused;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(hash_parse(span_of(wrong[i]), &h));
	assert_int_equal(h.half[0], 7);
	assert_int_equal(h.half[1], 8);
}

static void puts_ids_into_buckets(void **unused)
{
	struct span id = span_of("0190d3c4-7b7e-7d4a-9f00-000000000001");

	(void)unused;
	assert_int_equal(hash_bucket(span_of("r1"), 0), 0);
	assert_int_equal(hash_bucket(span_of("r1"), 1), 1);
	assert_int_equal(hash_bucket(span_of("r2"), 1), 0);
	assert_int_equal(hash_bucket(span_of("r3"), 8), 246);
	assert_int_equal(hash_bucket(id, 12), 2637);
	assert_int_equal(hash_bucket(id, 16), 42199);
}

static void sums_a_digest_in_any_order(void **unused)
{
	struct hash r1 = parsed("4cfe8b9d750c34434774fb2c8c14fb77"),
		    r2 = parsed("41cc83e38cf79498f4416ebbb76b29fc"),
		    r3 = parsed("0941c80a6aadf58ffbd39314f9aab52d");
	struct digest a = {0}, b = {0};
	struct buf out = {0};

	(void)unused;
	digest_add(&a, r1);
	digest_add(&a, r2);
	digest_add(&a, r3);
	digest_encode(a, &out);
	assert_string_equal(out.at, "{\"count\":3,\"sum\":\"6bbeb16c8bd80b96a1da2b3cfcfd8a36\"}");
	digest_add(&b, r3);
	digest_add(&b, r2);
	assert_false(digest_equal(a, b));
	digest_add(&b, r1);
	assert_true(digest_equal(a, b));
	digest_drop(&b, r3);
	digest_drop(&b, r1);
	digest_drop(&b, r2);
	assert_true(digest_equal(b, (struct digest){0}));
	buf_done(&out);
}

static void reads_the_sum_it_writes(void **unused)
{
	uint64_t lane[2] = {1, 2};

	(void)unused;
	assert_false(digest_parse_sum(span_of("6bbeb16c8bd80b96a1da2b3cfcfd8a3"), lane));
	assert_int_equal(lane[0], 1);
	assert_true(digest_parse_sum(span_of("6bbeb16c8bd80b96a1da2b3cfcfd8a36"), lane));
	assert_int_equal(lane[0], 0x6bbeb16c8bd80b96);
	assert_int_equal(lane[1], 0xa1da2b3cfcfd8a36);
}

static void derives_tokens(void **unused)
{
	char token[65];

	(void)unused;
	hash_derive_token(span_of("secret"), "node:site-a:0", token);
	assert_string_equal(token, "ed4a9f8488c7e3dbf321b801f3c6de8074e28cdab04cfc7ef01e3d992f194a2b");
}

static void compares_secrets(void **unused)
{
	(void)unused;
	assert_true(hash_same_secret(span_of("abc"), span_of("abc")));
	assert_false(hash_same_secret(span_of("abc"), span_of("abd")));
	assert_false(hash_same_secret(span_of("abc"), span_of("abcd")));
	assert_true(hash_same_secret(span_of(""), span_of(NULL)));
}

static void says_positions(void **unused)
{
	struct position p = {12, parsed("80947ae2f8ff50b72896527db6818d89")}, q = {0};
	struct buf out = {0};

	(void)unused;
	position_encode(p, &out);
	assert_string_equal(out.at, "12.80947ae2f8ff50b72896527db6818d89");
	assert_true(position_parse(buf_span(&out), &q));
	assert_true(position_equal(p, q));
	buf_done(&out);
	assert_true(position_parse(span_of("0.00000000000000000000000000000000"), &q));
	assert_true(position_equal(q, (struct position){0}));
	assert_true(position_parse(span_of("9223372036854775807.80947ae2f8ff50b72896527db6818d89"), &q));
	assert_int_equal(q.seq, INT64_MAX);
}

static void refuses_wrong_positions(void **unused)
{
	static const char *const wrong[] = {"", "12", ".80947ae2f8ff50b72896527db6818d89",
		"12.80947ae2f8ff50b7", "12:80947ae2f8ff50b72896527db6818d89",
		"-1.80947ae2f8ff50b72896527db6818d89", "0.80947ae2f8ff50b72896527db6818d89",
		"9223372036854775808.80947ae2f8ff50b72896527db6818d89"};
	struct position p = {3, {{4, 5}}};

	(void)unused;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(position_parse(span_of(wrong[i]), &p));
	assert_int_equal(p.seq, 3);
}

static void reads_epochs(void **unused)
{
	struct epoch e = epoch_new(), f = epoch_new(), g;

	(void)unused;
	assert_false(epoch_is_none(&e));
	assert_false(epoch_equal(&e, &f));
	assert_true(epoch_parse(span_of(e.hex), &g));
	assert_true(epoch_equal(&e, &g));
	assert_true(epoch_parse(span_of(""), &g));
	assert_true(epoch_is_none(&g));
	assert_false(epoch_parse(span_of("0123456789abcdef0123456789abcde"), &g));
	assert_false(epoch_parse(span_of("0123456789abcdef0123456789abcdeF"), &g));
	assert_false(epoch_parse(span_of("0123456789abcdef0123456789abcde/"), &g));
}

/* RFC 4231, test cases 2 and 6: a short key, and one longer than a block. */
static void signs(void **unused)
{
	unsigned char key[131];
	char hex[65];

	(void)unused;
	hash_sign(span_of("Jefe"), span_of("what do ya want for nothing?"), hex);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hash_sign((struct span){(const char *)key, sizeof(key)},
		span_of("Test Using Larger Than Block-Size Key - Hash Key First"), hex);
	assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_bytes),
		cmocka_unit_test(hashes_pieces_like_the_whole),
		cmocka_unit_test(hashes_eight_at_once_like_each_alone),
		cmocka_unit_test(reads_halves_little_endian),
		cmocka_unit_test(refuses_wrong_hex),
		cmocka_unit_test(puts_ids_into_buckets),
		cmocka_unit_test(sums_a_digest_in_any_order),
		cmocka_unit_test(reads_the_sum_it_writes),
		cmocka_unit_test(derives_tokens),
		cmocka_unit_test(compares_secrets),
		cmocka_unit_test(signs),
		cmocka_unit_test(says_positions),
		cmocka_unit_test(refuses_wrong_positions),
		cmocka_unit_test(reads_epochs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
