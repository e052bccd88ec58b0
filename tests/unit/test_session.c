#include "central/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char secret[] = "the secret of the centre", other[] = "another secret";

static struct session read_back(const char *text)
{
	struct session s;
	assert_true(session_parse(span_of(text), &s));
	return s;
}

/* Two centres on one host have two. */
static void the_cookies_name_has_the_port(void **state)
{
	char name[SESSION_COOKIE_BYTES];
	(void)state;
	session_cookie_name(65535, name);
	assert_string_equal(name, "tidemark_session_65535");
}

/* What was made is what is read, and holds for that secret and that token's hash alone. */
static void a_session_holds_for_its_secret_and_token(void **state)
{
	(void)state;
	static const char *const names[] = {"a", "secret", "a.b-c_d", "x.1.2",
		"n23456789012345678901234567890123456789012345678901234567890123"};
	char hash[KEY_HASH_BYTES], hash2[KEY_HASH_BYTES], text[SESSION_TEXT_BYTES];
	key_hash(span_of("token"), hash);
	key_hash(span_of("token2"), hash2);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		session_make(span_of(secret), names[i], hash, 1795784501, text);
		struct session s = read_back(text);
		assert_string_equal(s.name, names[i]);
		assert_int_equal(s.expires_s, 1795784501);
		assert_true(session_holds(&s, span_of(secret), hash));
		assert_false(session_holds(&s, span_of(other), hash));
		assert_false(session_holds(&s, span_of(secret), hash2));
		assert_null(strstr(text, hash));
	}
}

/* Whichever of its characters is changed: it is no session, or holds no more. */
static void each_character_counts(void **state)
{
	(void)state;
	char hash[KEY_HASH_BYTES], text[SESSION_TEXT_BYTES];
	key_hash(span_of("token"), hash);
	session_make(span_of(secret), "ann.b", hash, 1795784501, text);
	for (size_t i = 0; text[i]; i++)
		for (const char *c = "0179afz.Z -"; *c; c++) {
			char changed[SESSION_TEXT_BYTES];
			struct session s;
			strcpy(changed, text); /* NOLINT: of the same size */
			changed[i] = *c;
			if (text[i] != *c && session_parse(span_of(changed), &s))
				assert_false(session_holds(&s, span_of(secret), hash));
		}
}

static void what_is_no_session_is_refused(void **state)
{
	(void)state;
#define SEAL "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	static const char *const bad[] = {"", ".", "..", "1795784501", "1795784501.ann", "1795784501.ann.",
		"1795784501.ann.abc", "1795784501.ann" SEAL, "1795784501." SEAL, "1795784501.." SEAL,
		".ann." SEAL, "-1.ann." SEAL, "+1.ann." SEAL, "1 .ann." SEAL, "0x1.ann." SEAL,
		"999999999999.ann." SEAL, "18446744073709551617.ann." SEAL, "1795784501.ANN." SEAL,
		"1795784501.-a." SEAL, "1795784501.a b." SEAL,
		"1795784501.n234567890123456789012345678901234567890123456789012345678901234." SEAL,
		"1795784501.a/b." SEAL};
	struct session s;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (session_parse(span_of(bad[i]), &s))
			fail_msg("%s", bad[i]);
	assert_false(session_parse(span_of("01795784501.ann." SEAL), &s));
	assert_true(session_parse(span_of("1795784501.ann." SEAL), &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cookies_name_has_the_port),
		cmocka_unit_test(a_session_holds_for_its_secret_and_token),
		cmocka_unit_test(each_character_counts),
		cmocka_unit_test(what_is_no_session_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
