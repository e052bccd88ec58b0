/* Ranges of the protocol's versions: which one is shared, and who has to be upgraded when none is. */
#include "shared/protocol.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void ranges_are_read_and_written(void **unused)
{
	static const struct {
		const char *text;
		bool good;
		unsigned min, max;
		const char *written;
	} cases[] = {
		{"1", true, 1, 1, "1"},
		{"1-1", true, 1, 1, "1"},
		{"1-3", true, 1, 3, "1-3"},
		{"2-4294967295", true, 2, UINT32_MAX, "2-4294967295"},
		{"", false, 0, 0, ""},
		{"-", false, 0, 0, ""},
		{"1-", false, 0, 0, ""},
		{"-1", false, 0, 0, ""},
		{"3-1", false, 0, 0, ""},
		{"1-2-3", false, 0, 0, ""},
		{"one", false, 0, 0, ""},
		{"1 ", false, 0, 0, ""},
		{"4294967296", false, 0, 0, ""},
	};
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct protocol_range r = {77, 77};
		struct buf out = {0};

		assert_int_equal(protocol_parse(span_of(cases[i].text), &r), cases[i].good);
		if (!cases[i].good) {
			assert_int_equal(r.min, 77); /* left alone */
			continue;
		}
		assert_int_equal(r.min, cases[i].min);
		assert_int_equal(r.max, cases[i].max);
		protocol_encode(r, &out);
		assert_string_equal(out.at, cases[i].written);
		buf_done(&out);
	}
}

static void the_highest_shared_version_is_taken(void **unused)
{
	static const struct {
		struct protocol_range a, b;
		unsigned shared;
	} cases[] = {
		{{1, 1}, {1, 1}, 1},
		{{1, 1}, {1, 5}, 1},
		{{1, 3}, {2, 5}, 3},
		{{2, 3}, {1, 2}, 2},
		{{1, 9}, {4, 4}, 4},
		{{1, 1}, {2, 3}, 0},
		{{4, 5}, {2, 3}, 0},
	};
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(protocol_shared(cases[i].a, cases[i].b), cases[i].shared);
		assert_int_equal(protocol_shared(cases[i].b, cases[i].a), cases[i].shared);
	}
	assert_true(protocol_within(PROTOCOL_VERSION_MIN, protocol_ours()));
	assert_true(protocol_within(PROTOCOL_VERSION_MAX, protocol_ours()));
	assert_false(protocol_within(PROTOCOL_VERSION_MAX + 1, protocol_ours()));
	assert_false(protocol_within(0, protocol_ours()));
}

static void the_older_end_is_told_to_be_upgraded(void **unused)
{
	struct reason why;

	(void)unused;
	protocol_say((struct protocol_range){1, 1}, "0.1.0", (struct protocol_range){2, 3}, "1.0.0", &why);
	assert_string_equal(why.text,
		"the local (0.1.0) speaks protocol 1, the centre (1.0.0) speaks protocol 2 to 3: "
		"upgrade the local to a version that speaks protocol 2");
	protocol_say((struct protocol_range){4, 5}, NULL, (struct protocol_range){1, 3}, "0.1.0", &why);
	assert_string_equal(why.text,
		"the local speaks protocol 4 to 5, the centre (0.1.0) speaks protocol 1 to 3: "
		"upgrade the centre to a version that speaks protocol 4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_read_and_written),
		cmocka_unit_test(the_highest_shared_version_is_taken),
		cmocka_unit_test(the_older_end_is_told_to_be_upgraded),
	};
	return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
