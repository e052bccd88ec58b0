/* PostgreSQL's binary format, against bytes written down from its documentation and seen on its wire. */
#include "central/postgres_binary.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_bytes(struct buf *b, const char *bytes, size_t len)
{
	assert_int_equal(b->len, len);
	assert_memory_equal(b->at, bytes, len);
	buf_done(b);
}
#define ASSERT_BYTES(b, literal) assert_bytes((b), (literal), sizeof(literal) - 1)

static void numbers_are_big_endian(void **state)
{
	struct buf b = {0};

	(void)state;
	binary_u16(&b, 0x0102);
	binary_u32(&b, 0x03040506);
	binary_u64(&b, 0x0708090a0b0c0d0e);
	ASSERT_BYTES(&b, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16");
}

static void a_field_stands_behind_its_length(void **state)
{
	struct buf b = {0};

	(void)state;
	binary_put_bytes(&b, span_of("ab"));
	binary_put_bytes(&b, span_of(""));
	binary_put_null(&b);
	binary_put_bool(&b, true);
	binary_put_bool(&b, false);
	binary_put_u64(&b, UINT64_MAX - 1);
	ASSERT_BYTES(&b, "\0\0\0\2ab"
			 "\0\0\0\0"
			 "\377\377\377\377"
			 "\0\0\0\1\1"
			 "\0\0\0\1\0"
			 "\0\0\0\10\377\377\377\377\377\377\377\376");
}

static void an_array_says_its_type_and_size(void **state)
{
	struct buf b = {0};

	(void)state;
	binary_array(&b, BINARY_TEXT, 2);
	ASSERT_BYTES(&b, "\0\0\0\1\0\0\0\1\0\0\0\31\0\0\0\2\0\0\0\1");
	b = (struct buf){0};
	binary_array(&b, BINARY_BIGINT, 0);
	ASSERT_BYTES(&b, "\0\0\0\0\0\0\0\1\0\0\0\24");
}

static void integers_of_any_width_are_read_with_their_sign(void **state)
{
	(void)state;
	assert_int_equal(binary_read("\1", 1), 1);
	assert_int_equal(binary_read("\377\376", 2), UINT64_MAX - 1);
	assert_int_equal(binary_read("\0\0\1\0", 4), 256);
	assert_int_equal((int64_t)binary_read("\200\0\0\0\0\0\0\0", 8), INT64_MIN);
	assert_int_equal(binary_read("", 0), 0);
}

static void the_elements_of_an_array_come_back_in_order(void **state)
{
	struct buf b = {0};
	uint64_t got;
	size_t at = 0;

	(void)state;
	binary_array(&b, BINARY_BIGINT, 3);
	for (uint64_t v = 7; v < 10; v++)
		binary_put_u64(&b, v);
	for (uint64_t v = 7; v < 10; v++) {
		assert_true(binary_next_u64(buf_span(&b), &at, &got));
		assert_int_equal(got, v);
	}
	assert_false(binary_next_u64(buf_span(&b), &at, &got));
	buf_done(&b);
}

static void a_short_array_ends_where_it_ends(void **state)
{
	struct buf b = {0};
	uint64_t got;
	size_t at = 0;

	(void)state;
	assert_false(binary_next_u64((struct span){0}, &at, &got));
	binary_array(&b, BINARY_BIGINT, 0);
	assert_false(binary_next_u64(buf_span(&b), &at, &got));
	buf_clear(&b);
	binary_array(&b, BINARY_BIGINT, 2);
	binary_put_u64(&b, 1);
	binary_put_u64(&b, 2);
	assert_true(binary_next_u64((struct span){b.at, b.len - 1}, &at, &got));
	assert_false(binary_next_u64((struct span){b.at, b.len - 1}, &at, &got));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(a_field_stands_behind_its_length),
		cmocka_unit_test(an_array_says_its_type_and_size),
		cmocka_unit_test(integers_of_any_width_are_read_with_their_sign),
		cmocka_unit_test(the_elements_of_an_array_come_back_in_order),
		cmocka_unit_test(a_short_array_ends_where_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
