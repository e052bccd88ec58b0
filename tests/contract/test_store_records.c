/* A store's records as operators and applications of the centre see and change them. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */
#include "tests/support/occurrences.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct draft draft(const char *owner, const char *id, const char *body)
{
	return (struct draft){span_of(owner), span_of(id), span_of("reading"), span_of(body)};
}

STAGE_TEST(a_put_makes_a_version_that_follows_the_present_one)
{
	struct draft d = draft("site-a", "r0000", "{\n\"a\": 1}");
	struct record before, after;
	struct written w;

	far_put_many(f, 1);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(
		store_record(g->store, span_of("site-a"), span_of("r0000"), &before, &g->arena, &g->why), OK);
	assert_int_equal(store_put(g->store, NULL, &d, 1, NULL, &w, &g->why), OK);
	assert_true(w.changed && !w.created);
	assert_int_equal(
		store_record(g->store, span_of("site-a"), span_of("r0000"), &after, &g->arena, &g->why), OK);
	assert_true(hash_equal(after.hash, w.hash));
	assert_true(hash_equal(after.hash, record_hash(&after)));
	assert_true(span_is(after.body, "{ \"a\": 1}"));
	assert_true(actor_is_centre(after.dot.actor));
	assert_true(version_covers(after.dot, after.vv, before.dot));
	assert_true(after.created_at_us == before.created_at_us);
	assert_int_equal(store_put(g->store, NULL, &d, 1, NULL, &w, &g->why), OK);
	assert_true(!w.changed && hash_equal(w.hash, after.hash));
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(a_put_is_all_or_none)
{
	struct draft d[3] = {draft("site-a", "a", "1"), draft("site-a", "b", "1"), draft("nobody", "c", "1")};
	struct written w[3];
	const char *before = stage_dump(g);

	(void)f;
	assert_int_equal(store_put(g->store, NULL, d, 3, NULL, w, &g->why), GONE);
	assert_true(w[1].id[0] && !w[2].id[0]); /* that one is why */
	assert_string_equal(stage_dump(g), before);
	assert_int_equal(store_put(g->store, NULL, d, 2, NULL, w, &g->why), OK);
	assert_int_equal(stage_node(g, "site-a").sync.digest.count, 2);
	d[2] = draft("site-a", "", "1"); /* one without an id gets one */
	assert_int_equal(store_put(g->store, NULL, &d[2], 1, NULL, w, &g->why), OK);
	assert_int_equal(strlen(w[0].id), 36);
	assert_true(w[0].created);
}

/* Owners may alternate, an id may come twice: each version follows the one before. */
STAGE_TEST(a_put_may_mix_owners_and_repeat_ids)
{
	static struct far other;
	struct draft d[5] = {draft("site-a", "x", "1"), draft("site-b", "x", "1"), draft("site-a", "x", "2"),
		draft("site-b", "y", "1"), draft("site-a", "y", "1")};
	struct written w[5];

	far_open(&other, "site-b", &g->arena);
	stage_meet(g, &other);
	assert_int_equal(store_put(g->store, NULL, d, 5, NULL, w, &g->why), OK);
	assert_string_equal(stage_body(g, "site-a", "x"), "2");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_settle(g, &other), PROOF_EQUAL);
	assert_int_equal(f->n, 2);
	assert_int_equal(other.n, 2);
}

STAGE_TEST(a_delete_leaves_a_tombstone)
{
	struct span owner = span_of("site-a"), id = span_of("r0000");
	struct written w, again;
	struct record r;

	far_put_many(f, 2);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(store_delete(g->store, NULL, owner, span_of("none"), NULL, &w, &g->why), GONE);
	assert_int_equal(store_delete(g->store, NULL, span_of("nobody"), id, NULL, &w, &g->why), GONE);
	assert_int_equal(store_delete(g->store, NULL, owner, id, NULL, &w, &g->why), OK);
	assert_int_equal(store_record(g->store, owner, id, &r, &g->arena, &g->why), OK);
	assert_true(r.deleted && span_is(r.body, "null") && span_is(r.type, "reading"));
	assert_int_equal(store_delete(g->store, NULL, owner, id, NULL, &again, &g->why), OK);
	assert_true(!again.changed && hash_equal(again.hash, w.hash));
	stage_put(g, "site-a", "r0000", "2"); /* it may come back */
	assert_string_equal(stage_body(g, "site-a", "r0000"), "2");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(preconditions_hold_or_nothing_changes)
{
	struct draft d = draft("site-a", "a", "2");
	struct precondition absent = {.must_be_absent = true};
	struct precondition match = {.must_match = true};
	struct written w;
	struct hash h;

	(void)f;
	assert_int_equal(store_put(g->store, NULL, &d, 1, &match, &w, &g->why), CONFLICT);
	assert_int_equal(store_put(g->store, NULL, &d, 1, &absent, &w, &g->why), OK);
	h = w.hash;
	assert_int_equal(store_put(g->store, NULL, &d, 1, &absent, &w, &g->why), CONFLICT);
	match.hash = h;
	d.body = span_of("3");
	assert_int_equal(store_put(g->store, NULL, &d, 1, &match, &w, &g->why), OK);
	assert_int_equal(store_delete(g->store, NULL, d.owner, d.id, &match, &w, &g->why), CONFLICT);
	assert_string_equal(stage_body(g, "site-a", "a"), "3");
	stage_delete(g, "site-a", "a");
	assert_int_equal(store_put(g->store, NULL, &d, 1, &absent, &w, &g->why), OK);
	assert_true(w.created);
}

/* --- lists --- */

static const char *list(struct stage *g, struct record_query q)
{
	struct buf b = {0};
	const char *text;

	assert_int_equal(store_records(g->store, &q, &b, &g->why), OK);
	text = arena_copy(&g->arena, b.at, b.len);
	buf_done(&b);
	return text;
}

STAGE_TEST(a_list_is_walked_by_its_keys)
{
	static struct far other;
	struct record_query q = {.limit = 3};
	struct buf bad = {0};
	unsigned seen = 0;

	far_open(&other, "site-b", &g->arena);
	stage_meet(g, &other);
	far_put_many(f, 5);
	far_put_many(&other, 5);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_settle(g, &other), PROOF_EQUAL);
	for (int page = 0; page < 4; page++) {
		const char *text = list(g, q), *next = strstr(text, "\"next\":\"");

		seen += occurrences(text, "\"hash\"");
		if (!next)
			break;
		q.after = (struct span){next + 8, strcspn(next + 8, "\"")};
	}
	assert_int_equal(seen, 10);
	q = (struct record_query){
		.owner = span_of("site-b"), .after = span_of("site-b/r0002"), .limit = 1000};
	assert_int_equal(occurrences(list(g, q), "\"hash\""), 2);
	q = (struct record_query){.owner = span_of("nobody"), .limit = 1000};
	assert_string_equal(list(g, q), "{\"records\":[],\"next\":null}");
	q = (struct record_query){.after = span_of("no-slash"), .limit = 1000};
	assert_int_equal(store_records(g->store, &q, &bad, &g->why), INVALID);
	buf_done(&bad);
}

/* A rare type among many: each page looks at so many, says how far it has come, and misses none. */
STAGE_TEST(a_list_looks_at_so_many_and_no_more)
{
	static struct far other;
	struct draft d = {span_of("site-b"), span_of("r0007"), span_of("rare"), span_of("1")};
	struct record_query q = {.limit = 2, .looks = 5, .type = span_of("rare")};
	struct written w;
	unsigned pages = 0, found = 0;

	far_open(&other, "site-b", &g->arena);
	stage_meet(g, &other);
	far_put_many(f, 11);
	far_put_many(&other, 11);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_settle(g, &other), PROOF_EQUAL);
	assert_string_equal(list(g, q), "{\"records\":[],\"next\":\"site-a/r0004\"}");
	assert_int_equal(store_put(g->store, NULL, &d, 1, NULL, &w, &g->why), OK);
	for (bool more = true; more; pages++) {
		const char *text = list(g, q), *next = strstr(text, "\"next\":\"");

		found += occurrences(text, "\"hash\"");
		more = next;
		if (more)
			q.after = (struct span){next + 8, strcspn(next + 8, "\"")};
	}
	assert_int_equal(found, 1);
	assert_int_equal(pages, 5);
	q = (struct record_query){
		.owner = span_of("site-a"), .limit = 2, .looks = 5, .type = span_of("rare")};
	assert_string_equal(list(g, q), "{\"records\":[],\"next\":\"site-a/r0004\"}");
	q.after = span_of("site-a/r0006");
	assert_string_equal(list(g, q), "{\"records\":[],\"next\":null}");
	/* Deleted ones are looked at, too. */
	for (unsigned i = 0; i < 9; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "r%04u", i);
		stage_delete(g, "site-a", id);
	}
	q = (struct record_query){.owner = span_of("site-a"), .limit = 2, .looks = 5};
	assert_string_equal(list(g, q), "{\"records\":[],\"next\":\"site-a/r0004\"}");
}

STAGE_TEST(a_list_leaves_out_what_was_not_asked_for)
{
	struct draft d = {span_of("site-a"), span_of("odd"), span_of("other"), span_of("1")};
	struct written w;

	far_put_many(f, 3);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_delete(g, "site-a", "r0001");
	assert_int_equal(store_put(g->store, NULL, &d, 1, NULL, &w, &g->why), OK);
	assert_int_equal(occurrences(list(g, (struct record_query){.limit = 10}), "\"hash\""), 3);
	assert_int_equal(
		occurrences(list(g, (struct record_query){.limit = 10, .deleted = true}), "\"hash\""), 4);
	assert_int_equal(occurrences(list(g, (struct record_query){.limit = 10, .type = span_of("other")}),
				 "\"hash\""),
		1);
	assert_int_equal(occurrences(list(g, (struct record_query){.owner = span_of("site-a"),
						     .limit = 10,
						     .type = span_of("reading")}),
				 "\"hash\""),
		2);
}

STAGE_TEST(a_list_is_bounded_in_bytes)
{
	static char body[RECORD_BODY_MAX + 1];
	unsigned n = PAGE_BYTES_DEFAULT / RECORD_BODY_MAX + 3, found = 0, walks = 0;
	char id[16], after[64] = "";
	const char *text, *next;

	(void)f;
	memset(body, '7', RECORD_BODY_MAX);
	for (unsigned i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "r%04u", i);
		stage_put(g, "site-a", id, body);
	}
	do {
		text = list(g, (struct record_query){.limit = 1000, .after = span_of(after)});
		found += (unsigned)occurrences(text, "\"hash\"");
		assert_true(strlen(text) < PAGE_BYTES_DEFAULT + 2 * RECORD_LINE_MAX);
		next = strstr(text, "\"next\":") + 7;
		snprintf(after, sizeof(after), "%.*s", next[0] == '"' ? (int)strcspn(next + 1, "\"") : 0,
			next + 1);
		walks++;
	} while (after[0]);
	assert_int_equal(found, n);
	assert_int_equal(walks, 2);
}

static const char *check(struct stage *g, const char *after)
{
	static struct buf b;

	buf_clear(&b);
	assert_int_equal(store_check(g->store, span_of("site-a"), span_of(after), &b, &g->why), OK);
	return b.at;
}

STAGE_TEST(bytes_that_were_changed_are_found)
{
	bool postgres = g->kind == STAGE_POSTGRES;

	far_put_many(f, 5);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(store_node_add(g->store, NULL, "site-b", "http://b:1", "", &g->why), OK);
	stage_put(g, "site-b", "r0001", "1"); /* another's, not looked at */
	stage_delete(g, "site-a", "r0004");
	assert_string_equal(check(g, ""), "{\"damaged\":[],\"checked\":5,\"next\":null}\n");
	assert_string_equal(check(g, "r0001"), "{\"damaged\":[],\"checked\":3,\"next\":null}\n");
	assert_string_equal(check(g, "r0004"), "{\"damaged\":[],\"checked\":0,\"next\":null}\n");
	if (g->kind == STAGE_MEMORY) /* nobody else can write there */
		return;
	backstage_run(g, "UPDATE records SET body = '7' WHERE owner = 'site-a' AND id = 'r0001'");
	backstage_run(g, postgres
				 ? "UPDATE records SET vv = '\\x0102' WHERE owner = 'site-a' AND id = 'r0002'"
				 : "UPDATE records SET vv = x'0102' WHERE owner = 'site-a' AND id = 'r0002'");
	backstage_run(g, "UPDATE records SET n = n + 1 WHERE owner = 'site-a' AND id = 'r0003'");
	assert_string_equal(
		check(g, ""), "{\"damaged\":[\"r0001\",\"r0002\",\"r0003\"],\"checked\":5,\"next\":null}\n");
	assert_string_equal(check(g, "r0002"), "{\"damaged\":[\"r0003\"],\"checked\":2,\"next\":null}\n");
}

STAGE_TEST(a_check_is_bounded)
{
	static char body[RECORD_BODY_MAX + 1];
	unsigned n = 16 * 1024 * 1024 / RECORD_BODY_MAX + 3;
	char id[16], last[32];

	(void)f;
	memset(body, '7', RECORD_BODY_MAX);
	for (unsigned i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "r%04u", i);
		stage_put(g, "site-a", id, body);
	}
	snprintf(last, sizeof(last), "\"next\":\"r%04u\"}", n - 4);
	assert_non_null(strstr(check(g, ""), last));
	snprintf(id, sizeof(id), "r%04u", n - 4);
	assert_string_equal(check(g, id), "{\"damaged\":[],\"checked\":3,\"next\":null}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_put_makes_a_version_that_follows_the_present_one),
		cmocka_unit_test(a_put_is_all_or_none),
		cmocka_unit_test(a_put_may_mix_owners_and_repeat_ids),
		cmocka_unit_test(a_delete_leaves_a_tombstone),
		cmocka_unit_test(preconditions_hold_or_nothing_changes),
		cmocka_unit_test(a_list_is_walked_by_its_keys),
		cmocka_unit_test(a_list_looks_at_so_many_and_no_more),
		cmocka_unit_test(a_list_leaves_out_what_was_not_asked_for),
		cmocka_unit_test(a_list_is_bounded_in_bytes),
		cmocka_unit_test(bytes_that_were_changed_are_found),
		cmocka_unit_test(a_check_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
