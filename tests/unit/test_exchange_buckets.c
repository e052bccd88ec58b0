/* Comparing by buckets: digests asked for, buckets fetched, and when everything is read instead. */
#include "tests/unit/exchange_stage.h"

static void add_bucket(struct buf *out, uint16_t number, uint64_t count, uint64_t lane)
{
	const struct bucket b = {number, {count, {lane, lane}}};

	bucket_encode(&b, out);
}

/* The node a is to be compared; of 4 believed records, one lies in each of 4 buckets. */
static struct exchange begin_digest(struct plan plan)
{
	static struct digest believed[1 << 4];
	struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
	struct node n;
	struct exchange x;
	struct reason why;

	for (int i = 0; i < 4; i++)
		believed[i] = (struct digest){1, {1, 1}};
	st.believed = believed;
	sync_of("a")->digest.count = 4;
	sync_compare(sync_of("a"), &e1, (struct position){.seq = 4, .head = {{9, 9}}});
	limits.bucket_records = 1;
	n = node_named("a");
	assert_int_equal(exchange_begin(&x, &st, &n, plan, &limits, &why), OK);
	return x;
}

static struct exchange begin_fetch(const struct apart *apart, unsigned failures)
{
	const struct plan plan = {.step = PLAN_FETCH, .apart = apart, .failures = failures};
	const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
	struct node n = node_named("a");
	struct exchange x;
	struct reason why;

	assert_int_equal(exchange_begin(&x, &st, &n, plan, &limits, &why), OK);
	return x;
}

static const struct plan digest_plan = {.step = PLAN_DIGEST};

static void test_buckets_that_are_equal(void **state)
{
	struct exchange x = begin_digest(digest_plan);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	assert_int_equal(x.method, HTTP_GET);
	assert_non_null(strstr(x.target.at, "/v1/digest?centre="));
	assert_non_null(strstr(x.target.at, "&witness=4."));
	assert_non_null(strstr(x.target.at, "&bits=2"));
	add_begin(&body, "a", e1, x.request);
	for (uint16_t i = 0; i < 4; i++)
		add_bucket(&body, i, 1, 1);
	add_end(&body, 9, 9);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_true(out.compared && out.sync_known && !out.pulled);
	assert_string_equal(out.event.kind, "compared");
	assert_false(out.sync.comparing);
	assert_int_equal(out.sync.cursor, 9);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK); /* once more */
	assert_true(out.stale && !out.compared);
	buf_done(&body);
	exchange_done(&x);
}

static void test_a_bucket_that_differs(void **state)
{
	struct exchange x = begin_digest(digest_plan), y;
	const uint32_t of_r1 = hash_bucket(span_of("r1"), 2);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	add_begin(&body, "a", e1, x.request);
	for (uint16_t i = 0; i < 4; i++)
		add_bucket(&body, i, 1, i == of_r1 ? 2 : 1);
	add_end(&body, 5, 5);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_true(out.compared && out.sync.comparing);
	assert_int_equal(out.apart.n, 1);
	assert_int_equal(out.apart.buckets[0], of_r1);
	y = begin_fetch(&out.apart, 0);
	assert_int_equal(y.method, HTTP_POST);
	assert_non_null(strstr(y.target.at, "/v1/fetch?centre="));
	assert_non_null(strstr(y.target.at, "&witness=5."));
	assert_non_null(strstr(y.target.at, "&max_bytes=4194304"));
	assert_non_null(strstr(y.body.at, "{\"bits\":2,\"buckets\":["));
	buf_clear(&body);
	add_begin(&body, "a", e1, y.request);
	add_record(&body, "a", 5);
	add_end(&body, 7, 7);
	assert_int_equal(finish(&y, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_true(out.pulled && !out.sync.comparing);
	assert_int_equal(out.sync.cursor, 5); /* of the digests */
	assert_int_equal(out.sync.witness.seq, 7);
	assert_false(out.at_head);
	buf_done(&body);
	exchange_done(&x);
	exchange_done(&y);
}

static void test_digests_answered_wrong(void **state)
{
	static const struct {
		const char *what;
		uint16_t number;
		uint64_t head;
		const char *says;
	} rows[] = {
		{"deeper than asked", 4, 9, "none of the depth"},
		{"a log that ends before the witness", 1, 3, "ends before a position"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf body = {0};
		struct outcome out;
		struct node_sync before;

		setup(state);
		struct exchange x = begin_digest(digest_plan);
		before = *sync_of("a");
		add_begin(&body, "a", e1, x.request);
		add_bucket(&body, rows[i].number, 1, 1);
		add_end(&body, rows[i].head, rows[i].head);
		assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
		assert_int_equal(out.result, POLL_BAD_BODY);
		assert_non_null(strstr(out.why.text, rows[i].says));
		assert_false(out.sync_known || out.compared);
		assert_true(settle_same_sync(&before, sync_of("a")));
		buf_done(&body);
		exchange_done(&x);
	}
}

static void test_records_that_were_not_asked_for(void **state)
{
	struct apart apart = {.bits_known = true, .bits = 2, .seq = 5, .n = 1, .records = 1};
	struct buf body = {0};
	struct outcome out;

	(void)state;
	apart.buckets[0] = (uint16_t)((hash_bucket(span_of("r1"), 2) + 1) % 4);
	struct exchange first = begin_digest(digest_plan), x = begin_fetch(&apart, 0);
	add_begin(&body, "a", e1, x.request);
	add_record(&body, "a", 5);
	add_end(&body, 5, 5);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_BAD_BODY);
	assert_non_null(strstr(out.why.text, "none of the buckets asked for"));
	buf_clear(&body);
	add_begin(&body, "a", e1, x.request);
	add_end(&body, 4, 4); /* before the digests */
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_BAD_BODY);
	assert_int_equal(st.transactions, 0);
	buf_done(&body);
	exchange_done(&first);
	exchange_done(&x);
}

/* Refused for good: everything is read again, and the node is none the worse for it. */
static void test_a_local_that_cannot_compare(void **state)
{
	static const struct {
		int status;
		const char *body;
		bool rereads;
		enum poll_result result;
	} rows[] = {
		{404, "{\"code\":\"not_found\",\"detail\":\"no such call\"}", true, POLL_OK},
		{400, "{\"code\":\"bad_request\",\"detail\":\"altered\"}", false, POLL_HTTP},
		{405, "{\"code\":\"method_not_allowed\"}", true, POLL_OK},
		{413, "{\"code\":\"body_too_large\"}", true, POLL_OK},
		{400, "{\"code\":\"incompatible\",\"min\":8,\"max\":9}", false, POLL_INCOMPATIBLE},
		{404, "<html>nobody</html>", false, POLL_NOT_TIDEMARK},
		{401, "{\"code\":\"unauthorised\"}", false, POLL_UNAUTHORISED},
		{503, "{\"code\":\"unavailable\"}", false, POLL_HTTP},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct outcome out;

		setup(state);
		struct exchange x = begin_digest(digest_plan);
		assert_int_equal(finish(&x, rows[i].status, span_of(rows[i].body), &out), OK);
		assert_int_equal(out.result, rows[i].result);
		assert_true(sync_of("a")->comparing != rows[i].rereads);
		assert_int_equal(sync_of("a")->generation, rows[i].rereads ? 2 : 1);
		if (rows[i].rereads)
			assert_non_null(strstr(out.event.text.text, "everything is read again"));
		exchange_done(&x);
	}
}

static void test_buckets_too_large_at_once(void **state)
{
	static const char body[] = "{\"code\":\"body_too_large\"}";
	struct apart apart = {
		.bits_known = true, .bits = 2, .seq = 5, .n = 3, .records = 3, .buckets = {0, 1, 2}};
	struct outcome out;

	(void)state;
	struct exchange first = begin_digest(digest_plan), x = begin_fetch(&apart, 0);
	assert_false(!x.compare.fetched.last);
	assert_int_equal(finish(&x, 413, span_of(body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_true(out.too_large && sync_of("a")->comparing);
	exchange_done(&x);
	apart.most = 1;
	x = begin_fetch(&apart, 0);
	assert_int_equal(x.compare.fetched.buckets.n, 1);
	assert_false(x.compare.fetched.last);
	assert_int_equal(finish(&x, 413, span_of(body), &out), OK);
	assert_false(out.too_large || sync_of("a")->comparing);
	exchange_done(&x);
	exchange_done(&first);
}

/* By itself, not because the node is down. */
static void test_a_comparison_that_fails_too_often(void **state)
{
	static const struct {
		enum poll_result result;
		unsigned failures;
		bool rereads;
	} rows[] = {
		{POLL_TIMEOUT, EXCHANGE_COMPARE_TRIES - 2, false},
		{POLL_TIMEOUT, EXCHANGE_COMPARE_TRIES - 1, true},
		{POLL_NETWORK, EXCHANGE_COMPARE_TRIES - 1, true},
		{POLL_REFUSED, 99, false},
		{POLL_RESOLVE, 99, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct plan plan = {.step = PLAN_DIGEST, .failures = rows[i].failures};
		const struct answer a = {.result = rows[i].result, .why = "no"};
		struct outcome out;
		struct reason why;

		setup(state);
		struct exchange x = begin_digest(plan);
		assert_int_equal(exchange_finish(&x, &st, &a, &out, &why), OK);
		assert_int_equal(out.result, rows[i].result);
		assert_true(sync_of("a")->comparing != rows[i].rereads);
		exchange_done(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_buckets_that_are_equal, setup),
		cmocka_unit_test_setup(test_a_bucket_that_differs, setup),
		cmocka_unit_test_setup(test_digests_answered_wrong, setup),
		cmocka_unit_test_setup(test_records_that_were_not_asked_for, setup),
		cmocka_unit_test_setup(test_a_local_that_cannot_compare, setup),
		cmocka_unit_test_setup(test_buckets_too_large_at_once, setup),
		cmocka_unit_test_setup(test_a_comparison_that_fails_too_often, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
