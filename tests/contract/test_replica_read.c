/* The replica's other reading: status, lists, buckets, and waiting for news. */
#include "tests/contract/site.h"

#include "shared/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static void the_status_counts_what_nobody_has(void **state)
{
	struct site *s = *state;
	struct epoch one = {"00000000000000000000000000000001"}, two = {"00000000000000000000000000000002"};
	struct replica_status st = site_status(s);
	assert_true(
		st.unacknowledged == 0 && st.oldest_unacknowledged_us == -1 && st.acknowledged_at_us == -1);
	site_put(s, "a", "1");
	site_put(s, "b", "1");
	struct position here = site_status(s).head;
	site_put(s, "c", "1");
	st = site_status(s);
	assert_true(st.unacknowledged == 3 && st.oldest_unacknowledged_us > 0 && st.acknowledged.seq == 0);
	replica_acknowledge(s->r, &one, here);
	st = site_status(s);
	assert_true(st.unacknowledged == 1 && position_equal(st.acknowledged, here));
	assert_true(st.acknowledged_at_us > 0 && st.usable);
	replica_acknowledge(s->r, &one, st.head);
	st = site_status(s);
	assert_true(st.unacknowledged == 0 && st.oldest_unacknowledged_us == -1);
	replica_acknowledge(s->r, &two, here); /* a second centre makes nothing look safe */
	assert_int_equal(site_status(s).unacknowledged, 1);
	site_put(s, "d", "1"); /* takes them to disk */
	site_reopen(s);
	st = site_status(s);
	assert_true(position_equal(st.acknowledged, here) && st.acknowledged_at_us == -1);
	assert_int_equal(st.unacknowledged, 2);
	/* Eight more centres: the two of before are forgotten. */
	for (int i = 0; i < CENTRES_KEPT; i++) {
		struct epoch c;
		snprintf(c.hex, sizeof c.hex, "%032x", 16 + i);
		replica_acknowledge(s->r, &c, st.head);
	}
	assert_int_equal(site_status(s).unacknowledged, 0);
}

static void a_list_goes_by_key(void **state)
{
	struct site *s = *state;
	const char *const ids[] = {"d", "b", "a", "c", "e"};
	for (size_t i = 0; i < 5; i++)
		site_put(s, ids[i], "1");
	site_delete(s, "c");
	struct buf out = {0};
	struct record_query q = {.limit = 2};
	ASSERT_OK(replica_list(s->r, &q, &out, &why));
	assert_non_null(strstr(out.at, "\"id\":\"a\""));
	assert_non_null(strstr(out.at, "\"id\":\"b\""));
	assert_non_null(strstr(out.at, "\"next\":\"b\"}"));
	buf_clear(&out);
	q.after = span_of("b");
	ASSERT_OK(replica_list(s->r, &q, &out, &why));
	assert_null(strstr(out.at, "\"id\":\"c\""));
	assert_non_null(strstr(out.at, "\"id\":\"e\""));
	assert_non_null(strstr(out.at, "\"next\":null}"));
	buf_clear(&out);
	q.deleted = true;
	ASSERT_OK(replica_list(s->r, &q, &out, &why));
	assert_non_null(strstr(out.at, "\"id\":\"c\""));
	buf_clear(&out);
	q = (struct record_query){.limit = 9, .type = span_of("other")};
	ASSERT_OK(replica_list(s->r, &q, &out, &why));
	assert_string_equal(out.at, "{\"records\":[],\"next\":null}");
	buf_done(&out);
}

static void a_list_is_bounded_in_bytes(void **state)
{
	struct site *s = *state;
	unsigned n = site_put_large(s), found = 0;
	struct buf out = {0};
	struct record_query q = {.limit = 1000};
	ASSERT_OK(replica_list(s->r, &q, &out, &why));
	for (const char *at = out.at; (at = strstr(at, "\"id\":\"l")); at++)
		found++;
	assert_in_range(found, n - 4, n - 1);
	char next[32];
	snprintf(next, sizeof next, "\"next\":\"l%02u\"}", found - 1);
	assert_non_null(strstr(out.at + out.len - 20, next));
	buf_done(&out);
}

static void a_fetch_is_bounded_in_bytes(void **state)
{
	struct site *s = *state;
	uint32_t all = 0, some[] = {0, 1, 2, 3};
	struct buf out = {0};
	site_put_large(s);
	assert_int_equal(replica_fetch(s->r, 0, &all, 1, &out, &why), INVALID);
	buf_clear(&out);
	ASSERT_OK(replica_fetch(s->r, 4, some, 4, &out, &why));
	assert_non_null(strstr(out.at, "\"end\":true"));
	buf_done(&out);
}

static void buckets_cut_the_digest(void **state)
{
	struct site *s = *state;
	for (int i = 0; i < 20; i++) {
		char id[16];
		snprintf(id, sizeof id, "n%d", i);
		site_put(s, id, "1");
	}
	struct buf out = {0};
	ASSERT_OK(replica_buckets(s->r, 0, &out, &why));
	struct buf whole = {0};
	digest_encode(site_status(s).digest, &whole);
	assert_non_null(strstr(out.at, strstr(whole.at, "\"count\""))); /* one bucket, the whole digest */
	buf_clear(&out);
	uint32_t bucket = hash_bucket(span_of("n3"), 3);
	uint32_t wanted[] = {bucket, 999};
	ASSERT_OK(replica_fetch(s->r, 3, wanted, 2, &out, &why));
	size_t expected = 0, found = 0;
	for (int i = 0; i < 20; i++) {
		char id[16], member[32];
		snprintf(id, sizeof id, "n%d", i);
		snprintf(member, sizeof member, "\"id\":\"%s\"", id);
		bool in = hash_bucket(span_of(id), 3) == bucket;
		expected += in;
		found += strstr(out.at, member) != NULL;
		assert_int_equal(strstr(out.at, member) != NULL, in);
	}
	assert_true(found == expected && found >= 1 && found < 20);
	assert_non_null(strstr(out.at, "\"end\":true"));
	buf_done(&whole);
	buf_done(&out);
}

struct waiting {
	struct site *site;
	uint64_t after;
	atomic_bool ended;
};

static void *wait_for_news(void *ctx)
{
	struct waiting *w = ctx;
	replica_wait_news(w->site->r, w->after, 60000);
	atomic_store(&w->ended, true);
	return NULL;
}

static void news_end_a_wait(void **state)
{
	struct site *s = *state;
	struct waiting w = {.site = s};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, wait_for_news, &w), 0);
	site_put(s, "a", "1"); /* before or after the other waits: it must not miss it */
	assert_int_equal(pthread_join(thread, NULL), 0);
	replica_wait_news(s->r, 0, 60000); /* old news */
	w.after = 1;
	replica_wait_news(s->r, 1, 1); /* the deadline */
	int64_t begun_us = clock_mono_us();
	atomic_store(&w.ended, false);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_news, &w), 0);
	while (!atomic_load(&w.ended)) { /* it may not wait yet */
		replica_wake(s->r, false);
		sched_yield();
	}
	assert_true(clock_mono_us() - begun_us < 30000000);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_news, &w), 0);
	replica_wake(s->r, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	replica_wait_news(s->r, 1, 60000);
	assert_true(clock_mono_us() - begun_us < 30000000);
}

#define BOTH(f)                                                      \
	{#f ", on a file", f, site_on_file, site_gone, NULL},        \
	{                                                            \
#f ", in memory", f, site_in_memory, site_gone, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(the_status_counts_what_nobody_has),
		BOTH(a_list_goes_by_key),
		BOTH(a_list_is_bounded_in_bytes),
		BOTH(buckets_cut_the_digest),
		BOTH(a_fetch_is_bounded_in_bytes),
		BOTH(news_end_a_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
