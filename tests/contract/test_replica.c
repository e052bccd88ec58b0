/* The replica's writing: versions, log, digest, compare-and-set, identity.  On a file and in memory. */
#include "tests/contract/site.h"

/* --- versions --- */

static void a_put_makes_a_version(void **state)
{
	struct site *s = *state;
	struct written w = site_put(s, "a", "{\"v\":\n1}");
	assert_true(w.created && w.changed);
	assert_int_equal(w.seq, 1);
	struct arena a = {0};
	struct record v;
	ASSERT_OK(replica_get(s->r, span_of("a"), &v, &a, &why));
	assert_true(span_is(v.owner, "site-a"));
	assert_true(span_is(v.body, "{\"v\": 1}"));
	assert_int_equal(v.dot.n, 1);
	assert_null(v.vv);
	assert_false(actor_is_centre(v.dot.actor));
	struct hash h = record_hash(&v);
	assert_true(hash_equal(v.hash, h) && hash_equal(w.hash, h));
	assert_true(v.created_at_us > 1500000000000000 && v.created_at_us == v.updated_at_us);
	arena_done(&a);
}

static void the_same_content_is_not_written(void **state)
{
	struct site *s = *state;
	struct written first = site_put(s, "a", "{\"v\":\n1}");
	struct replica_status before = site_status(s);
	struct written again = site_put(s, "a", "{\"v\":\r1}");
	assert_false(again.changed || again.created);
	assert_int_equal(again.seq, first.seq);
	assert_true(hash_equal(again.hash, first.hash));
	struct replica_status after = site_status(s);
	assert_true(position_equal(before.head, after.head));
	/* Another type with the same body is another version. */
	struct draft d = draft_of("a", "{\"v\": 1}");
	d.type = span_of("note");
	struct written w;
	site_begin(s);
	ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
	site_commit(s);
	assert_true(w.changed && !w.created && w.seq == 2);
}

static void a_draft_without_an_id_gets_one(void **state)
{
	struct site *s = *state;
	struct written one = site_put(s, "", "1"), two = site_put(s, "", "1");
	assert_int_equal(strlen(one.id), 36);
	assert_string_not_equal(one.id, two.id);
}

static void a_deleted_record_keeps_its_place(void **state)
{
	struct site *s = *state;
	struct written w;
	site_begin(s);
	assert_int_equal(replica_delete(s->r, span_of("a"), NULL, &w, &why), GONE);
	replica_write_rollback(s->r);
	site_put(s, "a", "1");
	w = site_delete(s, "a");
	assert_true(w.changed && w.seq == 2);
	struct written again = site_delete(s, "a");
	assert_true(!again.changed && again.seq == 2 && hash_equal(again.hash, w.hash));
	struct arena a = {0};
	struct record v;
	ASSERT_OK(replica_get(s->r, span_of("a"), &v, &a, &why));
	assert_true(v.deleted && span_is(v.body, "null") && span_is(v.type, "reading"));
	assert_int_equal(site_status(s).digest.count, 1);
	w = site_put(s, "a", "null"); /* the tombstone's body, but alive */
	assert_true(w.created && w.changed && w.seq == 3);
	arena_done(&a);
}

static void preconditions_are_kept(void **state)
{
	struct site *s = *state;
	struct draft d = draft_of("a", "2");
	struct precondition absent = {.must_be_absent = true}, match = {.must_match = true};
	struct written w;
	site_begin(s);
	assert_int_equal(replica_put(s->r, &d, &match, &w, &why), CONFLICT);
	replica_write_rollback(s->r);
	match.hash = site_put(s, "a", "1").hash;
	site_begin(s);
	assert_int_equal(replica_put(s->r, &d, &absent, &w, &why), CONFLICT);
	ASSERT_OK(replica_put(s->r, &d, &match, &w, &why));
	assert_int_equal(replica_put(s->r, &d, &match, &w, &why), CONFLICT);
	assert_int_equal(replica_delete(s->r, span_of("a"), &match, &w, &why), CONFLICT);
	site_commit(s);
	assert_int_equal(site_status(s).head.seq, 2);
	site_delete(s, "a");
	site_begin(s);
	ASSERT_OK(replica_put(s->r, &d, &absent, &w, &why));
	site_commit(s);
	assert_true(w.created);
}

/* In a transaction, in runs and in turns: what is written without a look at what is there must be the same. */
static void new_and_known_ones_come_in_any_order(void **state)
{
	static const struct {
		const char *id, *body;
		enum { NEW, CHANGED, SAME } is;
	} puts[] = {
		{"a", "1", SAME},
		{"n1", "1", NEW},
		{"n2", "1", NEW},
		{"n1", "1", SAME},
		{"n1", "2", CHANGED},
		{"n3", "1", NEW},
		{"gone", "1", NEW},
		{"a", "2", CHANGED},
		{"gone", "1", SAME},
		{"n4", "1", NEW},
	};
	struct site *s = *state;
	struct written w;
	uint64_t seq = 3;
	site_put(s, "a", "1");
	site_put(s, "gone", "1");
	site_delete(s, "gone");
	site_begin(s);
	for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
		struct draft d = draft_of(puts[i].id, puts[i].body);
		ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
		assert_string_equal(w.id, puts[i].id);
		assert_int_equal(w.created, puts[i].is == NEW);
		assert_int_equal(w.changed, puts[i].is != SAME);
		assert_true(puts[i].is == SAME || w.seq == ++seq);
	}
	site_commit(s);
	assert_int_equal(site_status(s).head.seq, seq);
	assert_int_equal(site_status(s).digest.count, 6);
	assert_true(digest_equal(site_status(s).digest, site_recount(s)));
}

static void an_actor_is_fresh_at_each_opening(void **state)
{
	struct site *s = *state;
	struct arena a = {0};
	struct record one, two, three;
	site_put(s, "a", "1");
	ASSERT_OK(replica_get(s->r, span_of("a"), &one, &a, &why));
	site_put(s, "a", "2");
	ASSERT_OK(replica_get(s->r, span_of("a"), &two, &a, &why));
	assert_true(one.dot.actor == two.dot.actor && two.dot.n == 2 && !two.vv);
	site_reopen(s);
	site_put(s, "a", "3");
	ASSERT_OK(replica_get(s->r, span_of("a"), &three, &a, &why));
	assert_true(three.dot.actor != two.dot.actor && three.dot.n == 3);
	assert_true(version_covers(three.dot, three.vv, two.dot));
	arena_done(&a);
}

/* --- pushes --- */

static void a_push_compares_and_sets(void **state)
{
	struct site *s = *state;
	struct arena a = {0};
	struct vector vv;
	struct push_answer answer;
	struct push_item item = {.record = centre_version("a", "1", 1, NULL, &vv), .expected = {{1, 1}}};
	assert_int_equal(push_one(s, &item, &answer, &a), PUSH_CONFLICT); /* it holds none */
	assert_false(answer.has_record);
	item.expected = (struct hash){{0, 0}};
	assert_int_equal(push_one(s, &item, &answer, &a), PUSH_APPLIED);
	assert_int_equal(push_one(s, &item, &answer, &a), PUSH_ALREADY);
	assert_true(hash_equal(answer.hash, item.record.hash));
	assert_int_equal(site_status(s).head.seq, 1);
	struct record held;
	ASSERT_OK(replica_get(s->r, span_of("a"), &held, &a, &why));
	assert_true(held.dot.actor == item.record.dot.actor && held.dot.n == 1 && held.updated_at_us == 2000);
	assert_int_equal(held.clock_error_us, -1);
	struct push_item next = {.record = centre_version("a", "2", 2, &held, &vv)};
	assert_int_equal(push_one(s, &next, &answer, &a), PUSH_CONFLICT); /* it was thought to hold none */
	assert_true(answer.has_record && hash_equal(answer.record.hash, held.hash));
	assert_true(span_is(answer.record.body, "1"));
	next.expected = held.hash;
	site_put(s, "a", "9");
	assert_int_equal(push_one(s, &next, &answer, &a), PUSH_CONFLICT);
	assert_true(span_is(answer.record.body, "9"));
	assert_true(version_covers(answer.record.dot, answer.record.vv, held.dot));
	assert_int_equal(site_status(s).head.seq, 2);
	arena_done(&a);
}

static void a_record_is_as_old_as_its_life(void **state)
{
	struct site *s = *state;
	struct arena a = {0};
	struct vector vv;
	struct push_answer answer;
	struct record v;
	struct push_item item = {.record = centre_version("a", "1", 1, NULL, &vv)};
	push_one(s, &item, &answer, &a);
	site_put(s, "a", "2");
	ASSERT_OK(replica_get(s->r, span_of("a"), &v, &a, &why));
	assert_true(v.created_at_us == 1000 && v.updated_at_us > 2000);
	site_delete(s, "a");
	site_put(s, "a", "3");
	ASSERT_OK(replica_get(s->r, span_of("a"), &v, &a, &why));
	assert_int_equal(v.created_at_us, v.updated_at_us);
	arena_done(&a);
}

/* --- log and digest --- */

static void the_log_is_a_chain_and_the_digest_its_sum(void **state)
{
	struct site *s = *state;
	unsigned seed = 42;
	struct hash head = {{0, 0}};
	for (uint64_t i = 0; i < 300; i++) {
		struct position before = site_status(s).head;
		site_random_write(s, &seed);
		struct position after = site_status(s).head;
		struct page_request q = request_of(s, before.seq, before);
		struct served_page p;
		site_feed(s, &q, &p);
		assert_true(p.page.n <= 1 && after.seq == before.seq + p.page.n);
		if (p.page.n == 1) {
			struct record *v = &p.page.records[0];
			head = record_chain(head, v->seq, v->id, v->hash);
		}
		assert_true(hash_equal(after.head, head));
		served_done(&p);
		struct digest d = site_status(s).digest;
		assert_true(digest_equal(d, site_recount(s)));
		if (chance(&seed, 20) == 0)
			site_reopen(s);
	}
	assert_int_equal(site_status(s).digest.count, 9);
}

static void a_job_is_undone_alone(void **state)
{
	struct site *s = *state;
	struct draft d = draft_of("a", "1");
	struct written w;
	site_begin(s);
	replica_job_begin(s->r);
	ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
	replica_job_end(s->r, true);
	replica_job_begin(s->r);
	d.id = span_of("b");
	ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
	replica_job_end(s->r, false);
	replica_job_begin(s->r);
	d.id = span_of("c");
	ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
	assert_int_equal(w.seq, 2);
	replica_job_end(s->r, true);
	struct position p;
	struct digest g;
	replica_position(s->r, &p, &g);
	site_commit(s);
	struct replica_status status = site_status(s);
	assert_true(position_equal(p, status.head) && digest_equal(g, status.digest));
	assert_true(digest_equal(g, site_recount(s)));
	assert_int_equal(g.count, 2);
}

/* --- identity --- */

static enum err rename_epoch(struct site *s, const char *from, const char *to, struct position witness,
	enum rename_result *ret, struct epoch *now)
{
	struct rename_request q = {.witness = witness};
	assert_true(epoch_parse(span_of(from), &q.from) && epoch_parse(span_of(to), &q.to));
	site_begin(s);
	enum err e = replica_rename_epoch(s->r, &q, ret, now, &why);
	site_commit(s);
	return e;
}

static void an_epoch_is_renamed_once(void **state)
{
	struct site *s = *state;
	const char *e2 = "22222222222222222222222222222222", *e3 = "33333333333333333333333333333333";
	struct position stranger = {.seq = 1, .head = {{5, 5}}};
	struct epoch e1 = site_status(s).epoch, now;
	enum rename_result result = RENAME_DONE;
	site_put(s, "a", "1");
	struct position here = site_status(s).head;
	assert_int_equal(rename_epoch(s, e1.hex, e2, here, &result, &now), OK);
	assert_int_equal(result, RENAME_NOT_REWOUND);
	assert_true(epoch_equal(&now, &e1));
	assert_int_equal(rename_epoch(s, e1.hex, e2, stranger, &result, &now), OK);
	assert_int_equal(result, RENAME_DONE);
	assert_string_equal(now.hex, e2);
	assert_string_equal(site_status(s).epoch.hex, e2);
	result = RENAME_NOT_REWOUND;
	assert_int_equal(rename_epoch(s, e1.hex, e2, stranger, &result, &now), OK); /* the reply was lost */
	assert_int_equal(result, RENAME_DONE);
	assert_int_equal(rename_epoch(s, e1.hex, e3, stranger, &result, &now), CONFLICT);
	assert_string_equal(now.hex, e2);
	assert_true(position_equal(site_status(s).head, here));
	site_reopen(s);
	assert_string_equal(site_status(s).epoch.hex, e2);
}

static void another_nodes_database_is_refused(void **state)
{
	struct site *s = *state;
	replica_close(s->r);
	struct replica_config c = {.path = s->path, .node = "site-b"};
	struct replica *r = NULL;
	assert_int_equal(replica_open(&r, &c, &why), DENIED);
	assert_non_null(strstr(why.text, "site-a"));
	assert_null(r);
	c.node = "Site b";
	assert_int_equal(replica_open(&r, &c, &why), INVALID);
	site_open(s);
}

static void a_second_opening_is_refused(void **state)
{
	struct site *s = *state;
	struct replica_config c = {.path = s->path, .node = "site-a"};
	struct replica *r = NULL;
	assert_int_equal(replica_open(&r, &c, &why), DENIED);
	assert_non_null(strstr(why.text, s->path));
	assert_null(r);
}

static void a_removed_file_is_not_written_to(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "1");
	assert_true(site_status(s).usable);
	assert_int_equal(unlink(s->path), 0);
	struct draft d = draft_of("b", "1");
	struct written w;
	site_begin(s);
	ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
	assert_int_equal(replica_write_commit(s->r, &why), INTERNAL);
	assert_non_null(strstr(why.text, "removed or replaced"));
	assert_int_equal(replica_write_begin(s->r, &why), INTERNAL);
	struct replica_status status;
	if (replica_status(s->r, &status, &why) == OK)
		assert_false(status.usable);
}

static void a_replaced_file_is_not_read(void **state)
{
	struct site *s = *state;
	char away[128];
	snprintf(away, sizeof away, "%s.away", s->path);
	site_put(s, "a", "1");
	assert_int_equal(rename(s->path, away), 0);
	FILE *other = fopen(s->path, "w");
	assert_non_null(other);
	fclose(other);
	struct replica_status status;
	assert_int_equal(replica_status(s->r, &status, &why), INTERNAL); /* the first reader to be opened */
	assert_non_null(strstr(why.text, "removed or replaced"));
	assert_int_equal(replica_write_begin(s->r, &why), INTERNAL);
}

static void a_newer_schema_is_refused(void **state)
{
	struct site *s = *state;
	replica_close(s->r);
	s->r = NULL;
	char command[256];
	/* user_version is the big-endian number at byte 60 of the file. */
	snprintf(command, sizeof command,
		"printf '\\000\\000\\003\\347' | dd of='%s' bs=1 seek=60 conv=notrunc 2>/dev/null", s->path);
	assert_int_equal(system(command), 0);
	struct replica_config c = {.path = s->path, .node = "site-a"};
	assert_int_equal(replica_open(&s->r, &c, &why), INVALID);
	assert_non_null(strstr(why.text, "newer version"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(a_put_makes_a_version),
		SITE_TEST(the_same_content_is_not_written),
		SITE_TEST(a_draft_without_an_id_gets_one),
		SITE_TEST(a_deleted_record_keeps_its_place),
		SITE_TEST(preconditions_are_kept),
		SITE_TEST(new_and_known_ones_come_in_any_order),
		SITE_TEST(an_actor_is_fresh_at_each_opening),
		SITE_TEST(a_push_compares_and_sets),
		SITE_TEST(a_record_is_as_old_as_its_life),
		SITE_TEST(the_log_is_a_chain_and_the_digest_its_sum),
		SITE_TEST(a_job_is_undone_alone),
		SITE_TEST(an_epoch_is_renamed_once),
		SITE_TEST(another_nodes_database_is_refused),
		SITE_TEST_ON_FILE(a_second_opening_is_refused),
		SITE_TEST_ON_FILE(a_removed_file_is_not_written_to),
		SITE_TEST_ON_FILE(a_replaced_file_is_not_read),
		SITE_TEST_ON_FILE(a_newer_schema_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
