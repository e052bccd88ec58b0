#include "central/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000000)

static struct key a_key(const char *name, const char *token, enum role role)
{
	struct key k = {.role = role, .expires_us = -1, .used_us = -1};
	snprintf(k.name, sizeof k.name, "%s", name);
	key_hash(span_of(token), k.hash);
	return k;
}

static void a_token_is_new_and_can_be_searched_for(void **state)
{
	(void)state;
	char one[KEY_TOKEN_BYTES], other[KEY_TOKEN_BYTES], hash[KEY_HASH_BYTES];
	key_make_token(one);
	key_make_token(other);
	assert_memory_equal(one, "tidemark_", 9);
	assert_int_equal(strlen(one), 73);
	assert_int_equal(strspn(one + 9, "0123456789abcdef"), 64);
	assert_string_not_equal(one, other);
	key_hash(span_of(one), hash);
	assert_int_equal(strlen(hash), 64);
	assert_null(strstr(one, hash));
}

static void names_that_mean_something_else_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "secret", "anyone", "settings", "Ann", "-a", "a b", "a/b",
		"n234567890123456789012345678901234567890123456789012345678901234"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(key_name_ok(bad[i]));
	assert_true(key_name_ok("ann.b-c_1"));
	assert_true(key_name_ok("secret2"));
}

static void they_come_and_go(void **state)
{
	(void)state;
	struct keyring *r = keyring_new();
	struct key a = a_key("a", "one", ROLE_VIEWER), b = a_key("b", "two", ROLE_ADMIN), got;
	keyring_put(r, &b);
	keyring_put(r, &a);
	assert_true(keyring_by_hash(r, a.hash, &got));
	assert_string_equal(got.name, "a");
	assert_int_equal(got.role, ROLE_VIEWER);
	assert_true(keyring_by_name(r, span_of("b"), &got));
	assert_int_equal(got.role, ROLE_ADMIN);
	struct key again = a_key("a", "three", ROLE_OPERATOR);
	keyring_put(r, &again);
	assert_false(keyring_by_hash(r, a.hash, &got));
	assert_true(keyring_by_hash(r, again.hash, &got));
	keyring_drop(r, "a");
	keyring_drop(r, "nobody");
	assert_false(keyring_by_hash(r, again.hash, &got));
	assert_false(keyring_by_name(r, span_of("a"), &got));
	assert_true(keyring_by_hash(r, b.hash, &got));
	struct key c = a_key("c", "four", ROLE_VIEWER);
	keyring_set(r, &(struct keys){&c, 1});
	assert_false(keyring_by_hash(r, b.hash, &got));
	assert_true(keyring_by_hash(r, c.hash, &got));
	keyring_free(r);
}

static void a_copy_is_by_name(void **state)
{
	(void)state;
	static const char *const names[] = {"c", "a", "d", "b"};
	struct keyring *r = keyring_new();
	struct keys ks;
	for (size_t i = 0; i < 4; i++)
		keyring_put(r, &(struct key[]){a_key(names[i], names[i], ROLE_VIEWER)}[0]);
	keyring_drop(r, "a");
	keyring_copy(r, &ks);
	assert_int_equal(ks.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(ks.at[i].name[0], 'b' + (char)i);
	keys_done(&ks);
	keyring_free(r);
}

static void no_more_than_it_holds(void **state)
{
	(void)state;
	struct keyring *r = keyring_new();
	struct key k, got;
	char name[16];
	for (int i = 0; i < KEYS_MOST + 1; i++) {
		snprintf(name, sizeof name, "k%d", i);
		k = a_key(name, name, ROLE_VIEWER);
		keyring_put(r, &k);
	}
	assert_false(keyring_by_name(r, span_of("k1000"), &got));
	assert_true(keyring_by_name(r, span_of("k999"), &got));
	keyring_free(r);
}

/* Told once an hour, however often it is used; a reading of the store does not take it back. */
static void a_use_is_told_by_the_hour(void **state)
{
	(void)state;
	struct keyring *r = keyring_new();
	struct key a = a_key("a", "one", ROLE_VIEWER), got;
	keyring_put(r, &a);
	assert_false(keyring_take_use(r, &got));
	keyring_use(r, "a", 5 * HOUR + 7);
	keyring_use(r, "a", 5 * HOUR + 9);
	keyring_use(r, "nobody", 5 * HOUR);
	assert_true(keyring_take_use(r, &got));
	assert_int_equal(got.used_us, 5 * HOUR);
	assert_false(keyring_take_use(r, &got));
	keyring_use(r, "a", 6 * HOUR - 1);
	assert_false(keyring_take_use(r, &got));
	keyring_use(r, "a", 6 * HOUR);
	keyring_set(r, &(struct keys){&a, 1});
	assert_true(keyring_take_use(r, &got));
	assert_int_equal(got.used_us, 6 * HOUR);
	keyring_free(r);
}

static void what_expires(void **state)
{
	(void)state;
	struct key k = a_key("a", "one", ROLE_VIEWER);
	assert_false(key_expired(&k, INT64_MAX));
	k.expires_us = 100;
	assert_false(key_expired(&k, 99));
	assert_true(key_expired(&k, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_new_and_can_be_searched_for),
		cmocka_unit_test(names_that_mean_something_else_are_refused),
		cmocka_unit_test(they_come_and_go),
		cmocka_unit_test(a_copy_is_by_name),
		cmocka_unit_test(no_more_than_it_holds),
		cmocka_unit_test(a_use_is_told_by_the_hour),
		cmocka_unit_test(what_expires),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
