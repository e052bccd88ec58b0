/* What somebody says who holds the centre's token and is no honest centre: nothing that nobody acknowledged goes. */
#include "tests/contract/site.h"

static struct record held(struct site *s, const char *id, struct arena *a)
{
	struct record v;
	ASSERT_OK(replica_get(s->r, span_of(id), &v, a, &why));
	return v;
}

/* Pushes `body` over what is there. */
static enum push_result push_over(struct site *s, const char *id, const char *body)
{
	static uint64_t n;
	struct arena a = {0};
	struct vector vv;
	struct push_answer answer;
	struct record old = held(s, id, &a);
	struct push_item item = {.record = centre_version(id, body, ++n, &old, &vv), .expected = old.hash};
	enum push_result result = push_one(s, &item, &answer, &a);
	if (result == PUSH_CONFLICT)
		assert_true(answer.has_record && hash_equal(answer.record.hash, old.hash));
	arena_done(&a);
	return result;
}

/* The list of what is kept, as the API has it. */
static void kept_is(
	struct site *s, uint64_t after, unsigned limit, const char *const *bodies, const char *end)
{
	struct buf out = {0};
	ASSERT_OK(replica_replaced(s->r, after, limit, &out, &why));
	const char *at = out.at;
	for (; *bodies; bodies++) {
		char member[64];
		snprintf(member, sizeof member, "\"body\":%s,", *bodies);
		at = strstr(at, "\"body\":");
		assert_non_null(at);
		assert_int_equal(strncmp(at, member, strlen(member)), 0);
		at += strlen(member);
	}
	assert_null(strstr(at, "\"body\":"));
	assert_string_equal(strstr(at, "],\"next\""), end);
	buf_done(&out);
}
#define KEPT(s, ...) kept_is(s, 0, 10, (const char *const[]){__VA_ARGS__, NULL}, "],\"next\":null}")

static void acknowledge(struct site *s, struct position p)
{
	static const struct epoch centre = {"00000000000000000000000000000001"};
	replica_acknowledge(s->r, &centre, p);
}

static void what_a_push_replaces_is_kept(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "1");
	site_put(s, "b", "2");
	site_delete(s, "b");
	assert_int_equal(push_over(s, "a", "[]"), PUSH_APPLIED);
	assert_int_equal(push_over(s, "b", "[]"), PUSH_APPLIED);
	site_put(s, "a", "3"); /* who writes it there knows what he replaces */
	KEPT(s, "1", "null");
	kept_is(s, 0, 1, (const char *const[]){"1", NULL}, "],\"next\":1}");
	kept_is(s, 1, 1, (const char *const[]){"null", NULL}, "],\"next\":null}");
	site_reopen(s);
	KEPT(s, "1", "null");
	assert_int_equal(push_over(s, "a", "[]"), PUSH_APPLIED);
	KEPT(s, "1", "null", "3");
}

static void the_same_again_is_no_loss(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "1");
	assert_int_equal(push_over(s, "a", "1"), PUSH_APPLIED);
	KEPT(s, NULL);
}

static void what_nobody_acknowledged_never_goes(void **state)
{
	struct site *s = *state;
	s->replaced_kept = 2;
	site_reopen(s);
	site_put(s, "a", "1");
	site_put(s, "b", "2");
	struct position two = site_status(s).head;
	site_put(s, "c", "3");
	assert_int_equal(push_over(s, "b", "[]"), PUSH_APPLIED);
	assert_int_equal(push_over(s, "c", "[]"), PUSH_APPLIED);
	struct position before = site_status(s).head;
	assert_int_equal(push_over(s, "a", "[]"), PUSH_CONFLICT);
	assert_int_equal(push_over(s, "b", "{}"), PUSH_CONFLICT); /* as an application may have found it */
	assert_true(position_equal(before, site_status(s).head));
	KEPT(s, "2", "3");
	acknowledge(s, (struct position){.seq = before.seq + 1}); /* beyond the log: of no log that is here */
	assert_int_equal(push_over(s, "a", "[]"), PUSH_CONFLICT);
	acknowledge(s, two);
	assert_int_equal(push_over(s, "a", "[]"), PUSH_APPLIED);
	KEPT(s, "1", "3");
	assert_int_equal(push_over(s, "b", "{}"), PUSH_APPLIED); /* in place of "1" */
	KEPT(s, "3", "[]");
	assert_int_equal(push_over(s, "c", "{}"), PUSH_CONFLICT);
	site_reopen(s); /* the sums are read anew */
	assert_int_equal(push_over(s, "c", "{}"), PUSH_CONFLICT);
	KEPT(s, "3", "[]");
}

static void so_many_bytes_are_kept_and_no_more(void **state)
{
	struct site *s = *state;
	static char body[RECORD_BODY_MAX + 1];
	unsigned n = REPLACED_BYTES / RECORD_BODY_MAX;
	memset(body, '7', RECORD_BODY_MAX);
	for (unsigned i = 0; i <= n; i++) {
		char id[16];
		snprintf(id, sizeof id, "l%u", i);
		site_put(s, id, body);
		assert_int_equal(push_over(s, id, "[]"), i < n ? PUSH_APPLIED : PUSH_CONFLICT);
	}
	acknowledge(s, site_status(s).head);
	assert_int_equal(push_over(s, "l0", "{}"), PUSH_APPLIED); /* the oldest goes for it */
	kept_is(s, 0, 1, (const char *const[]){"[]", NULL}, "],\"next\":2}");
}

/* A job that is undone, and a transaction, leave no trace in what is kept or counted. */
static void what_is_undone_keeps_nothing(void **state)
{
	struct site *s = *state;
	s->replaced_kept = 1;
	site_reopen(s);
	struct arena a = {0};
	struct vector vv;
	struct push_answer answer;
	site_put(s, "a", "1");
	struct record old = held(s, "a", &a);
	struct push_item item = {.record = centre_version("a", "[]", 9, &old, &vv), .expected = old.hash};
	for (int job = 0; job < 2; job++) {
		site_begin(s);
		if (job)
			replica_job_begin(s->r);
		ASSERT_OK(replica_apply(s->r, &item, &answer, &a, &why));
		assert_int_equal(answer.result, PUSH_APPLIED);
		if (job)
			replica_job_end(s->r, false);
		replica_write_rollback(s->r);
		KEPT(s, NULL);
	}
	assert_int_equal(push_one(s, &item, &answer, &a), PUSH_APPLIED);
	KEPT(s, "1");
	arena_done(&a);
}

/* Else the centre would take the next write of this process for one that the pushed version knows, and undo it. */
static void nobody_vouches_for_what_was_never_written(void **state)
{
	struct site *s = *state;
	struct arena a = {0};
	struct vector vv;
	struct push_answer answer;
	site_put(s, "a", "1");
	struct record old = held(s, "a", &a);
	struct push_item item = {.record = centre_version("a", "[]", 1, &old, &vv), .expected = old.hash};
	for (int as_dot = 0; as_dot < 2; as_dot++) {
		struct push_item forged = item;
		struct vector more = vv;
		struct dot never = {.actor = old.dot.actor, .n = 2};
		if (as_dot)
			forged.record.dot = never;
		for (unsigned i = 0; i < more.n; i++)
			if (more.at[i].actor == never.actor)
				more.at[i].n = never.n;
		forged.record.vv = &more;
		forged.record.hash = record_hash(&forged.record);
		assert_int_equal(push_one(s, &forged, &answer, &a), PUSH_REJECTED);
		assert_true(answer.reason.len > 0);
		forged.expected = (struct hash){{0, 0}};
		forged.record.id = span_of("new");
		assert_int_equal(push_one(s, &forged, &answer, &a), PUSH_REJECTED);
	}
	assert_int_equal(site_status(s).head.seq, 1);
	assert_int_equal(push_one(s, &item, &answer, &a), PUSH_APPLIED); /* it knows what was written */
	arena_done(&a);
}

/* Who asks where a long forgotten place of the log ends, and then for that end, has found no damage. */
static void a_forgotten_place_is_no_contradiction(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "1");
	for (unsigned i = 0; i < 40; i++) {
		char body[16];
		snprintf(body, sizeof body, "%u", i + 2);
		acknowledge(s, site_status(s).head);
		site_put(s, "a", body);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct served_page p;
		struct page_request q = request_of(s, 2, (struct position){0});
		q.limit = 0;
		site_feed(s, &q, &p);
		q.witness = p.page.end.to;
		assert_int_equal(p.served.verdict, FEED_SERVED);
		assert_true(q.witness.seq == 2 && hash_is_none(q.witness.head));
		served_done(&p);
		site_feed(s, &q, &p);
		assert_int_equal(p.served.verdict, FEED_REWOUND);
		served_done(&p);
	}
	assert_int_equal(replica_contradictions(s->r), 0);
}

/* Nor has who was served, and then claims to hold more than there is. */
static void a_claim_beyond_the_end_is_no_contradiction(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "1");
	struct position head = site_status(s).head;
	for (unsigned i = 0; i < 3; i++) {
		struct served_page p;
		struct page_request q = request_of(s, head.seq, head);
		site_feed(s, &q, &p);
		assert_int_equal(p.served.verdict, FEED_SERVED);
		served_done(&p);
		q.after = head.seq + 1;
		site_feed(s, &q, &p);
		assert_int_equal(p.served.verdict, FEED_REWOUND);
		served_done(&p);
	}
	assert_int_equal(replica_contradictions(s->r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(what_a_push_replaces_is_kept),
		SITE_TEST(the_same_again_is_no_loss),
		SITE_TEST(what_nobody_acknowledged_never_goes),
		SITE_TEST(so_many_bytes_are_kept_and_no_more),
		SITE_TEST(what_is_undone_keeps_nothing),
		SITE_TEST(nobody_vouches_for_what_was_never_written),
		SITE_TEST(a_forgotten_place_is_no_contradiction),
		SITE_TEST(a_claim_beyond_the_end_is_no_contradiction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
