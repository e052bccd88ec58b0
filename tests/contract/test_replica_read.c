/* The replica's other reading: status, lists, buckets, and waiting for news. */
#include "tests/contract/site.h"
#include "tests/support/occurrences.h"

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

/* Of records that are written over again and again, for two centres, of which one goes back: as if counted one by one. */
static void what_nobody_has_is_counted_exactly(void **state)
{
	struct site *s = *state;
	enum { IDS = 150, ROUNDS = 900 };
	struct epoch centres[2] = {
		{"00000000000000000000000000000001"}, {"00000000000000000000000000000002"}};
	uint64_t at[IDS] = {0}, acknowledged[2] = {0};
	struct position heads[ROUNDS + 1] = {{0}};

	for (unsigned i = 1; i <= ROUNDS; i++) {
		unsigned which = i < IDS ? i : i * i % IDS;
		char id[16], body[16];

		(void)snprintf(id, sizeof id, "r%u", which);
		(void)snprintf(body, sizeof body, "%u", i);
		site_put(s, id, body);
		heads[i] = site_status(s).head;
		at[which] = heads[i].seq;
		if (i % 40 == 0) {
			unsigned c = i % 3 == 0, to = i % 7 == 0 ? i / 2 : i - i % 90; /* sometimes back */

			acknowledged[c] = heads[to ? to : 1].seq;
			replica_acknowledge(s->r, &centres[c], heads[to ? to : 1]);
		}
		if (i == ROUNDS / 2)
			site_reopen(s);
		uint64_t upto = acknowledged[0] && acknowledged[1] && acknowledged[1] < acknowledged[0]
					? acknowledged[1]
				: acknowledged[0] ? acknowledged[0]
						  : acknowledged[1];
		unsigned n = 0;
		for (unsigned k = 0; k < IDS; k++)
			n += at[k] > upto;
		assert_int_equal(site_status(s).unacknowledged, n);
	}
}

static void put_rare(struct site *s, const char *id)
{
	struct draft d = draft_of(id, "1");
	struct written w;
	d.type = span_of("rare");
	site_begin(s);
	ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
	site_commit(s);
}

/* A rare type among many: each page looks at so many, says how far it has come, and misses none. */
static void a_list_looks_at_so_many_and_no_more(void **state)
{
	struct site *s = *state;
	struct buf out = {0};
	struct record_query q = {.limit = 2, .looks = 5, .type = span_of("rare")};
	char id[16], after[16] = "";
	unsigned pages = 0, found = 0;

	for (unsigned i = 0; i < 23; i++) {
		(void)snprintf(id, sizeof id, "r%02u", i);
		site_put(s, id, "1");
	}
	ASSERT_OK(replica_list(s->r, &q, &out, &why));
	assert_string_equal(out.at, "{\"records\":[],\"next\":\"r04\"}");
	put_rare(s, "r07");
	put_rare(s, "r22");
	for (const char *next = after; next; pages++) {
		q.after = span_of(after);
		buf_clear(&out);
		ASSERT_OK(replica_list(s->r, &q, &out, &why));
		found += occurrences(out.at, "\"id\":");
		next = strstr(out.at, "\"next\":\"");
		if (next)
			(void)snprintf(after, sizeof after, "%.3s", next + 8);
	}
	assert_int_equal(found, 2);
	assert_int_equal(pages, 5);
	buf_done(&out);
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
	unsigned least = PAGE_BYTES_DEFAULT / RECORD_BODY_MAX, found;
	struct buf out = {0};
	struct record_query q = {.limit = 1000};

	(void)site_put_large(s);
	ASSERT_OK(replica_list(s->r, &q, &out, &why));
	found = occurrences(out.at, "\"id\":\"l");
	assert_in_range(found, least - 1, least + 1);
	char next[32];
	snprintf(next, sizeof next, "\"next\":\"l%02u\"}", found - 1);
	assert_non_null(strstr(out.at + out.len - 20, next));
	buf_done(&out);
}

/* Their answers, decoded as the centre does; `ret` holds what the call returned. */
struct fetched_page {
	struct feed_served served;
	struct buf text;
	struct page page;
	enum err e;
};

static void fetch(struct site *s, const struct page_request *q, const struct bucket_set *wanted,
	struct fetched_page *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->e = replica_fetch(s->r, q, wanted, 17, &ret->served, &ret->text, &why);
	if (ret->e == OK && ret->served.verdict == FEED_SERVED)
		ASSERT_OK(page_decode(&ret->page, buf_span(&ret->text), span_of("site-a"), 0, &why));
}

static void fetched_done(struct fetched_page *p)
{
	page_done(&p->page);
	buf_done(&p->text);
}

static void a_fetch_is_bounded_in_bytes(void **state)
{
	struct site *s = *state;
	const uint16_t all = 0, some[] = {0, 1, 2, 3};
	const struct bucket_set whole = {.bits = 0, .at = &all, .n = 1},
				few = {.bits = 4, .at = some, .n = 4};
	struct fetched_page p;
	struct page_request q;
	site_put_large(s);
	q = request_of(s, 0, (struct position){0});
	q.max_bytes = PAGE_BYTES_MAX;
	fetch(s, &q, &whole, &p);
	assert_int_equal(p.e, INVALID);
	fetched_done(&p);
	fetch(s, &q, &few, &p);
	assert_int_equal(p.e, OK);
	assert_true(p.page.n > 0);
	assert_int_equal(p.page.n, p.served.records);
	fetched_done(&p);
	q.max_bytes = RECORD_BODY_MAX;
	fetch(s, &q, &few, &p);
	assert_int_equal(p.e, INVALID);
	fetched_done(&p);
}

static void digests(struct site *s, const struct page_request *q, unsigned bits, struct buckets *ret)
{
	static struct buf out;
	struct feed_served served;
	buf_clear(&out);
	ASSERT_OK(replica_buckets(s->r, q, bits, 17, &served, &out, &why));
	assert_int_equal(served.verdict, FEED_SERVED);
	ASSERT_OK(buckets_decode(ret, buf_span(&out), span_of("site-a"), bits, &why));
	assert_int_equal(ret->end.to.seq, site_status(s).head.seq);
}

static void buckets_cut_the_digest(void **state)
{
	struct site *s = *state;
	char id[16];
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "n%d", i);
		site_put(s, id, "1");
	}
	struct page_request q = request_of(s, 0, site_status(s).head);
	struct buckets whole, eighths;
	struct digest sum = {0};
	digests(s, &q, 0, &whole);
	assert_int_equal(whole.n, 1);
	assert_true(digest_equal(whole.at[0].digest, site_status(s).digest));
	digests(s, &q, 3, &eighths);
	for (size_t i = 0; i < eighths.n; i++) {
		sum.count += eighths.at[i].digest.count;
		for (int lane = 0; lane < 2; lane++)
			sum.lane[lane] += eighths.at[i].digest.lane[lane];
	}
	assert_true(eighths.n > 1 && digest_equal(sum, whole.at[0].digest));
	uint16_t bucket = (uint16_t)hash_bucket(span_of("n3"), 3);
	const struct bucket_set wanted = {.bits = 3, .at = &bucket, .n = 1};
	struct fetched_page p;
	fetch(s, &q, &wanted, &p);
	ASSERT_OK(fetch_check(&p.page, &wanted, &why));
	size_t expected = 0;
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "n%d", i);
		expected += hash_bucket(span_of(id), 3) == bucket;
	}
	assert_true(p.page.n == expected && expected >= 1 && expected < 20);
	assert_true(position_equal(p.page.end.to, site_status(s).head));
	fetched_done(&p);
	buckets_done(&whole);
	buckets_done(&eighths);
}

static void of_a_removed_file_nothing_is_told(void **state)
{
	struct site *s = *state;
	const uint16_t all = 0;
	const struct bucket_set whole = {.bits = 0, .at = &all, .n = 1};
	struct feed_served served;
	struct fetched_page p;
	struct buf out = {0};
	site_put(s, "a", "1");
	struct page_request q = request_of(s, 0, site_status(s).head);
	fetch(s, &q, &whole, &p); /* whose connection stays open */
	assert_int_equal(p.e, OK);
	fetched_done(&p);
	assert_int_equal(unlink(s->path), 0);
	assert_int_not_equal(replica_feed(s->r, &q, 17, &served, &out, &why), OK);
	assert_int_not_equal(replica_buckets(s->r, &q, 0, 17, &served, &out, &why), OK);
	assert_non_null(strstr(why.text, "removed or replaced"));
	fetch(s, &q, &whole, &p);
	assert_int_not_equal(p.e, OK);
	fetched_done(&p);
	buf_done(&out);
}

/* Both calls speak only of the log that the centre knows. */
static void buckets_ask_for_the_basis(void **state)
{
	struct site *s = *state;
	const uint16_t all = 0;
	const struct bucket_set whole = {.bits = 0, .at = &all, .n = 1};
	struct fetched_page p;
	struct feed_served served;
	struct buf out = {0};
	site_put(s, "a", "1");
	struct page_request q = request_of(s, 0, site_status(s).head);
	q.witness.head.half[0]++;
	fetch(s, &q, &whole, &p);
	assert_int_equal(p.served.verdict, FEED_REWOUND);
	assert_int_equal(p.text.len, 0);
	fetched_done(&p);
	ASSERT_OK(replica_buckets(s->r, &q, 2, 17, &served, &out, &why));
	assert_int_equal(served.verdict, FEED_REWOUND);
	assert_int_equal(out.len, 0);
	q = request_of(s, 0, site_status(s).head);
	q.epoch = epoch_new();
	ASSERT_OK(replica_buckets(s->r, &q, 2, 17, &served, &out, &why));
	assert_int_equal(served.verdict, FEED_EPOCH_CHANGED);
	assert_string_equal(served.epoch.hex, site_status(s).epoch.hex);
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
	replica_wait_news(w->site->r, w->after, 60000, NULL, NULL);
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
	replica_wait_news(s->r, 0, 60000, NULL, NULL); /* old news */
	w.after = 1;
	replica_wait_news(s->r, 1, 1, NULL, NULL); /* the deadline */
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
	replica_wait_news(s->r, 1, 60000, NULL, NULL);
	assert_true(clock_mono_us() - begun_us < 30000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(the_status_counts_what_nobody_has),
		SITE_TEST(what_nobody_has_is_counted_exactly),
		SITE_TEST(a_list_looks_at_so_many_and_no_more),
		SITE_TEST(a_list_goes_by_key),
		SITE_TEST(a_list_is_bounded_in_bytes),
		SITE_TEST(buckets_cut_the_digest),
		SITE_TEST(buckets_ask_for_the_basis),
		{"of_a_removed_file_nothing_is_told, on a file", of_a_removed_file_nothing_is_told,
			site_on_file, site_gone, NULL},
		SITE_TEST(a_fetch_is_bounded_in_bytes),
		SITE_TEST(news_end_a_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
