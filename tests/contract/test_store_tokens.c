/* API tokens as they are stored: names, roles and hashes, each once. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct author ann = {.who = "ann"};

static struct key a_key(const char *name, enum role role, int64_t expires_us)
{
	struct key k = {.role = role, .created_us = 1000, .expires_us = expires_us, .used_us = -1};
	snprintf(k.name, sizeof(k.name), "%s", name);
	snprintf(k.created_by, sizeof(k.created_by), "secret");
	key_hash(span_of(name), k.hash);
	return k;
}

static void assert_key(const struct key *got, const struct key *k)
{
	assert_string_equal(got->name, k->name);
	assert_int_equal(got->role, k->role);
	assert_string_equal(got->hash, k->hash);
	assert_string_equal(got->created_by, k->created_by);
	assert_int_equal(got->created_us, k->created_us);
	assert_int_equal(got->expires_us, k->expires_us);
	assert_int_equal(got->used_us, k->used_us);
}

STAGE_TEST(they_are_read_as_they_were_added)
{
	struct key b = a_key("b", ROLE_ADMIN, -1), a = a_key("a", ROLE_VIEWER, 2000);
	struct keys ks;
	(void)f;
	assert_int_equal(store_keys(g->store, &ks, &g->why), OK);
	assert_int_equal(ks.n, 0);
	keys_done(&ks);
	assert_int_equal(store_key_add(g->store, &ann, &b, &g->why), OK);
	assert_int_equal(store_key_add(g->store, &ann, &a, &g->why), OK);
	a.used_us = 3600000000;
	assert_int_equal(store_key_used(g->store, &a, &g->why), OK);
	if (g->kind != STAGE_MEMORY)
		stage_reopen(g);
	assert_int_equal(store_keys(g->store, &ks, &g->why), OK);
	assert_int_equal(ks.n, 2);
	assert_key(&ks.at[0], &a);
	assert_key(&ks.at[1], &b);
	keys_done(&ks);
	assert_int_equal(stage_events(g, "token.added"), 2);
}

STAGE_TEST(a_name_is_taken_until_it_is_removed)
{
	struct key k = a_key("a", ROLE_VIEWER, -1), other = a_key("a", ROLE_ADMIN, -1);
	struct keys ks;
	(void)f;
	key_hash(span_of("another token"), other.hash);
	assert_int_equal(store_key_add(g->store, &ann, &k, &g->why), OK);
	assert_int_equal(store_key_add(g->store, &ann, &other, &g->why), CONFLICT);
	assert_non_null(strstr(g->why.text, "exists"));
	assert_int_equal(store_keys(g->store, &ks, &g->why), OK);
	assert_int_equal(ks.n, 1);
	assert_key(&ks.at[0], &k);
	keys_done(&ks);
	assert_int_equal(stage_events(g, "token.added"), 1);
	assert_int_equal(store_key_remove(g->store, &ann, "a", &g->why), OK);
	assert_int_equal(store_key_remove(g->store, &ann, "a", &g->why), GONE);
	assert_int_equal(stage_events(g, "token.removed"), 1);
	assert_int_equal(store_key_add(g->store, &ann, &other, &g->why), OK);
	/* The use of the one before is not that of this one. */
	k.used_us = 3600000000;
	assert_int_equal(store_key_used(g->store, &k, &g->why), OK);
	assert_int_equal(store_keys(g->store, &ks, &g->why), OK);
	assert_int_equal(ks.n, 1);
	assert_key(&ks.at[0], &other);
	keys_done(&ks);
}

STAGE_TEST(there_are_no_more_than_so_many)
{
	char name[16];
	struct keys ks;
	(void)f;
	if (g->kind == STAGE_FILE) /* a commit each, and the same code as in memory */
		return;
	for (int i = 0; i < KEYS_MOST; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		struct key k = a_key(name, ROLE_VIEWER, -1);
		assert_int_equal(store_key_add(g->store, &ann, &k, &g->why), OK);
	}
	struct key more = a_key("more", ROLE_VIEWER, -1);
	assert_int_equal(store_key_add(g->store, &ann, &more, &g->why), CONFLICT);
	assert_int_equal(store_key_remove(g->store, &ann, "k7", &g->why), OK);
	assert_int_equal(store_key_add(g->store, &ann, &more, &g->why), OK);
	assert_int_equal(store_keys(g->store, &ks, &g->why), OK);
	assert_int_equal(ks.n, KEYS_MOST);
	keys_done(&ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_read_as_they_were_added),
		cmocka_unit_test(a_name_is_taken_until_it_is_removed),
		cmocka_unit_test(there_are_no_more_than_so_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
