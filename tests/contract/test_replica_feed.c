/* The replica's reading: pages, positions, what a restored database says. */
#include "tests/contract/site.h"

#include <fcntl.h>

static void write_some(struct site *s, unsigned n, unsigned *seed)
{
	for (unsigned i = 0; i < n; i++)
		site_random_write(s, seed);
}

/* --- pages --- */

static void pages_partition_the_log(void **state)
{
	struct site *s = *state;
	unsigned seed = 7;
	write_some(s, 60, &seed);
	struct position head = site_status(s).head;
	for (unsigned round = 0; round < 60; round++) {
		struct position at = {0};
		struct digest sum = {0};
		bool more = true;
		while (more) {
			struct page_request q = request_of(s, at.seq, at);
			q.limit = 1 + chance(&seed, 12);
			q.max_bytes = chance(&seed, 3) ? PAGE_BYTES_DEFAULT : chance(&seed, 1500);
			struct served_page p;
			site_feed(s, &q, &p);
			assert_int_equal(p.served.verdict, FEED_SERVED);
			assert_int_equal(p.served.records, p.page.n);
			assert_true(p.page.n >= 1 && p.page.n <= q.limit);
			for (size_t i = 0; i < p.page.n; i++) {
				assert_true(p.page.records[i].seq > at.seq);
				digest_add(&sum, p.page.records[i].hash);
			}
			at = p.page.end.to;
			more = p.page.end.more;
			assert_int_equal(more, at.seq < head.seq);
			assert_int_equal(p.page.end.head_seq, head.seq);
			assert_int_equal(p.page.end.oldest_after_us != -1, more);
			assert_int_equal(p.page.end.t_recv_us, 17);
			assert_true(digest_equal(p.page.end.digest, site_status(s).digest));
			served_done(&p);
		}
		assert_true(position_equal(at, head));
		assert_true(digest_equal(sum, site_status(s).digest));
	}
}

static void a_page_keeps_to_its_bytes_but_holds_one(void **state)
{
	struct site *s = *state;
	for (int i = 0; i < 4; i++)
		site_put(s, "", "\"0123456789012345678901234567890123456789\"");
	struct page_request q = request_of(s, 0, (struct position){0});
	struct served_page p;
	size_t line;
	q.max_bytes = 1;
	site_feed(s, &q, &p);
	assert_int_equal(p.page.n, 1);
	struct buf one = {0};
	record_encode(&p.page.records[0], &one);
	line = one.len + 1;
	buf_done(&one);
	served_done(&p);
	q.max_bytes = (unsigned)(3 * line);
	site_feed(s, &q, &p);
	assert_int_equal(p.page.n, 3);
	served_done(&p);
	q.max_bytes--;
	site_feed(s, &q, &p);
	assert_int_equal(p.page.n, 2);
	assert_int_equal(p.page.end.to.seq, 2);
	served_done(&p);
}

static void an_empty_page_ends_where_it_began(void **state)
{
	struct site *s = *state;
	struct served_page p;
	struct page_request q = request_of(s, 0, (struct position){0});
	site_feed(s, &q, &p);
	assert_true(p.page.n == 0 && p.page.end.to.seq == 0 && !p.page.end.more);
	served_done(&p);
	site_put(s, "a", "1");
	struct position first = site_status(s).head;
	site_put(s, "b", "1");
	struct position head = site_status(s).head;
	q = request_of(s, head.seq, head);
	site_feed(s, &q, &p);
	assert_true(p.page.n == 0 && position_equal(p.page.end.to, head) && !p.page.end.more);
	served_done(&p);
	q = request_of(s, first.seq, first);
	q.limit = 0; /* a probe moves nobody's cursor */
	site_feed(s, &q, &p);
	assert_true(p.page.n == 0 && position_equal(p.page.end.to, first) && p.page.end.more);
	served_done(&p);
}

static void another_basis_is_not_served(void **state)
{
	struct site *s = *state;
	struct served_page p;
	site_put(s, "a", "1");
	struct position head = site_status(s).head, wrong = head, beyond = {.seq = 2, .head = head.head};
	wrong.head.half[0]++;
	struct page_request q = request_of(s, 0, (struct position){0});
	q.epoch = (struct epoch){""};
	site_feed(s, &q, &p);
	assert_int_equal(p.served.verdict, FEED_EPOCH_CHANGED);
	struct epoch now = site_status(s).epoch;
	assert_true(epoch_equal(&p.served.epoch, &now));
	assert_int_equal(p.text.len, 0);
	served_done(&p);
	q = request_of(s, 0, wrong);
	site_feed(s, &q, &p);
	assert_int_equal(p.served.verdict, FEED_REWOUND);
	served_done(&p);
	q = request_of(s, 0, beyond);
	site_feed(s, &q, &p);
	assert_int_equal(p.served.verdict, FEED_REWOUND);
	served_done(&p);
	q = request_of(s, 2, head); /* the cursor beyond the log */
	site_feed(s, &q, &p);
	assert_int_equal(p.served.verdict, FEED_REWOUND);
	served_done(&p);
	q = request_of(s, 0, (struct position){.seq = 0, .head = {{1, 0}}});
	site_feed(s, &q, &p);
	assert_int_equal(p.served.verdict, FEED_REWOUND);
	served_done(&p);
	enum feed_verdict verdict;
	site_begin(s);
	ASSERT_OK(replica_check_basis(s->r, &now, head, &verdict, &now, &why));
	assert_int_equal(verdict, FEED_SERVED);
	ASSERT_OK(replica_check_basis(s->r, &now, wrong, &verdict, &now, &why));
	assert_int_equal(verdict, FEED_REWOUND);
	replica_write_rollback(s->r);
}

/* --- positions --- */

static enum feed_verdict verdict_of(struct site *s, struct position witness)
{
	struct page_request q = request_of(s, 0, witness);
	struct served_page p;
	q.limit = 0;
	site_feed(s, &q, &p);
	enum feed_verdict v = p.served.verdict;
	served_done(&p);
	return v;
}

static void every_place_past_the_acknowledged_is_known(void **state)
{
	struct site *s = *state;
	struct epoch slow = {"00000000000000000000000000000001"}, fast = {"00000000000000000000000000000002"};
	struct position ends[201] = {0};
	unsigned seed = 3;
	uint64_t acknowledged = 0;
	for (unsigned i = 1; i <= 200; i++) {
		do
			write_some(s, 1, &seed);
		while (site_status(s).head.seq < i);
		ends[i] = site_status(s).head;
		replica_acknowledge(s->r, &fast, ends[i]);
		if (i % 7 == 0 || i == 1) {
			acknowledged = i > 20 ? i - 20 : 0;
			replica_acknowledge(s->r, &slow, ends[acknowledged]);
		}
		if (i % 50 == 0)
			site_reopen(s);
		if (i % 10)
			continue;
		for (unsigned k = (unsigned)acknowledged; k <= i; k++)
			assert_int_equal(verdict_of(s, ends[k]), FEED_SERVED);
		struct position wrong = ends[i - 1];
		wrong.head.half[1] ^= 1;
		assert_int_equal(verdict_of(s, wrong), FEED_REWOUND);
	}
	/* And what everybody is past was dropped. */
	size_t known = 0;
	for (unsigned k = 1; k < acknowledged - 10; k++)
		known += verdict_of(s, ends[k]) == FEED_SERVED;
	assert_true(known <= 9); /* at most what still stands in a row */
}

static void nothing_is_dropped_before_a_centre_was_heard(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "0");
	struct position first = site_status(s).head;
	for (int i = 1; i < 30; i++) {
		char body[16];
		snprintf(body, sizeof body, "%d", i);
		site_put(s, "a", body);
	}
	assert_int_equal(verdict_of(s, first), FEED_SERVED);
}

/* --- a database put back --- */

static void copy_file(const char *from, const char *to)
{
	char bytes[65536];
	ssize_t n;
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	assert_int_equal(n, 0);
	close(in);
	close(out);
}

static void a_restored_database_is_recognised(void **state)
{
	struct site *s = *state;
	char copy[128];
	snprintf(copy, sizeof copy, "%s.copy", s->path);
	site_put(s, "a", "1");
	struct position old = site_status(s).head;
	replica_close(s->r);
	copy_file(s->path, copy); /* closing put everything into the one file */
	site_open(s);
	site_put(s, "b", "1");
	struct position seen = site_status(s).head;
	replica_close(s->r);
	copy_file(copy, s->path);
	site_open(s);
	assert_int_equal(verdict_of(s, seen), FEED_REWOUND);
	site_put(s, "b", "1"); /* as far as before, the same content: yet another write */
	assert_int_equal(site_status(s).head.seq, seen.seq);
	assert_int_equal(verdict_of(s, seen), FEED_REWOUND);
	site_put(s, "c", "1");
	assert_int_equal(verdict_of(s, seen), FEED_REWOUND);
	assert_int_equal(verdict_of(s, old), FEED_SERVED);
}

/* Another connection turns the log back while the replica is open. */
static void contents_changed_underneath_get_a_fresh_actor(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "1");
	uint64_t first = site_actor_of(s, "a");
	site_put(s, "b", "1");
	assert_int_equal(site_actor_of(s, "b"), first);
	site_meddle(s, "DELETE FROM records WHERE seq = 2",
		"UPDATE state SET seq = 1, head = (SELECT head FROM records WHERE seq = 1)");
	site_put(s, "c", "1");
	assert_int_equal(site_status(s).head.seq, 2);
	assert_int_not_equal(site_actor_of(s, "c"), first);
}

static void a_recount_is_the_truth(void **state)
{
	struct site *s = *state;
	site_put(s, "a", "1");
	struct digest truth = site_status(s).digest;
	site_meddle(s, "UPDATE state SET digest_count = 99", "UPDATE state SET digest_lane1 = 5");
	assert_int_equal(site_status(s).digest.count, 99);
	assert_true(digest_equal(site_recount(s), truth));
}

/* A re-read of everything asks for it with each page, and would scan everything for each. */
/* The sum goes by the hashes as they stand; whose bytes do not give theirs is told beside it. */
static void a_recount_finds_bytes_that_were_changed(void **state)
{
	struct site *s = *state;
	struct served_page p;
	site_put(s, "a", "1");
	site_put(s, "b", "2");
	struct digest truth = site_status(s).digest;
	struct page_request q = request_of(s, 0, (struct position){0});
	site_feed(s, &q, &p);
	assert_false(p.page.end.damage.known); /* nobody looked */
	served_done(&p);
	q.recount = true;
	q.after = 2;
	site_feed(s, &q, &p);
	assert_true(p.page.end.damage.known);
	assert_int_equal(p.page.end.damage.records, 0);
	served_done(&p);
	site_meddle(s, "UPDATE records SET body = '7' WHERE id = 'b'",
		"UPDATE records SET vv = x'00', type = '' WHERE id = 'a'");
	q.epoch = site_status(s).epoch;
	site_feed(s, &q, &p);
	assert_true(digest_equal(p.page.end.digest, truth));
	assert_int_equal(p.page.end.damage.records, 2);
	assert_string_equal(p.page.end.damage.first, "a");
	served_done(&p);
}
static void only_a_page_at_the_head_is_recounted(void **state)
{
	struct site *s = *state;
	struct served_page p;
	site_put(s, "a", "1");
	site_put(s, "b", "2");
	site_meddle(s, "UPDATE state SET digest_count = 99", "UPDATE state SET digest_lane1 = 5");
	struct page_request q = request_of(s, 0, (struct position){0});
	q.recount = true;
	q.limit = 1;
	site_feed(s, &q, &p);
	assert_true(p.page.end.more);
	assert_int_equal(p.page.end.digest.count, 99);
	served_done(&p);
	q.after = 1;
	site_feed(s, &q, &p);
	assert_false(p.page.end.more);
	assert_int_equal(p.page.end.digest.count, 2);
	served_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(pages_partition_the_log),
		SITE_TEST(a_page_keeps_to_its_bytes_but_holds_one),
		SITE_TEST(an_empty_page_ends_where_it_began),
		SITE_TEST(another_basis_is_not_served),
		SITE_TEST(every_place_past_the_acknowledged_is_known),
		SITE_TEST(nothing_is_dropped_before_a_centre_was_heard),
		SITE_TEST_ON_FILE(a_restored_database_is_recognised),
		SITE_TEST(a_recount_is_the_truth),
		SITE_TEST(a_recount_finds_bytes_that_were_changed),
		SITE_TEST(only_a_page_at_the_head_is_recounted),
		SITE_TEST(contents_changed_underneath_get_a_fresh_actor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
