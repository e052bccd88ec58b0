/* Pushes, renames and probes. */
#include "tests/unit/exchange_stage.h"

/* --- push --- */

static void test_push(void **state)
{
	const struct push_answer answer = {.id = span_of("p1"), .result = PUSH_APPLIED, .hash = {{1, 2}}};
	struct buf body = {0};
	struct outcome out;

	(void)state;
	st.to_push = 1;
	st.left_to_push = true;
	struct exchange x = begin("a", PLAN_PUSH);
	assert_int_equal(x.method, HTTP_POST);
	assert_non_null(strstr(x.target.at, "/v1/apply?"));
	assert_non_null(strstr(x.target.at, "witness=4."));
	assert_non_null(strstr(x.body.at, "\"id\":\"p1\""));
	assert_non_null(strstr(x.body.at, "\"expected\":null"));
	add_begin(&body, "a", e1, x.request);
	push_answer_encode(&answer, &body);
	add_end(&body, 6, 6);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_int_equal(out.pushed, 1);
	assert_true(out.to_push && out.sync_known);
	assert_false(out.at_head || out.pulled);
	assert_int_equal(out.sync.witness.seq, 6);
	assert_string_equal(out.event.kind, "pushed");
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK); /* once more */
	assert_int_equal(out.result, POLL_STALE);
	assert_null(out.event.kind);
	buf_done(&body);
	exchange_done(&x);
}

/* The next page at once, or what the local has first. */
static void test_push_on(void **state)
{
	static const struct {
		bool follows, left;
		size_t not_applied;
		bool at_head;
	} rows[] = {
		{true, true, 0, true},
		{false, true, 0, false}, /* the local wrote meanwhile: a pull brings it */
		{true, false, 0, false}, /* the last one: a pull brings the proof */
		{true, true, 1, false},
	};
	const struct push_answer answer = {.id = span_of("p1"), .result = PUSH_APPLIED, .hash = {{1, 2}}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf body = {0};
		struct outcome out;

		setup(state);
		st.to_push = 1;
		st.left_to_push = rows[i].left;
		st.follows = rows[i].follows;
		st.not_applied = rows[i].not_applied;
		struct exchange x = begin("a", PLAN_PUSH);
		add_begin(&body, "a", e1, x.request);
		push_answer_encode(&answer, &body);
		add_end(&body, 6, 6);
		assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
		assert_int_equal(out.at_head, rows[i].at_head);
		buf_done(&body);
		exchange_done(&x);
	}
}

static void test_push_answered_wrong(void **state)
{
	struct buf body = {0};
	struct outcome out;

	(void)state;
	st.to_push = 1;
	struct exchange x = begin("a", PLAN_PUSH);
	add_begin(&body, "a", e1, x.request); /* no answer to what was sent */
	add_end(&body, 6, 6);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_BAD_BODY);
	assert_string_equal(out.why.text, "0 answers to 1 records");
	assert_false(out.sync_known);
	assert_int_equal(sync_of("a")->witness.seq, 4);
	buf_done(&body);
	exchange_done(&x);
}

static void test_push_of_a_rewound(void **state)
{
	struct buf body = {0};
	struct outcome out;

	(void)state;
	st.to_push = 1;
	struct exchange x = begin("a", PLAN_PUSH);
	moved(&body, "rewound", "a", e1, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_EPOCH);
	assert_false(epoch_is_none(&sync_of("a")->rename_to));
	assert_string_equal(st.event, "REWOUND");
	buf_done(&body);
	exchange_done(&x);
}

static void test_begin_without_anything(void **state)
{
	static const struct {
		enum err fails;
		bool behind;
		enum err expected;
	} rows[] = {
		{OK, false, GONE}, {OK, true, CONFLICT}, {RETRY, false, RETRY}, {INTERNAL, false, INTERNAL}};
	const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct node n = node_named("a");
		struct exchange x;
		struct reason why;

		st.fails = rows[i].fails;
		n.sync.cursor -= rows[i].behind;
		assert_int_equal(exchange_begin(&x, &st, &n, (struct plan){.step = PLAN_PUSH}, &limits, &why),
			rows[i].expected);
		exchange_done(&x); /* holds nothing */
	}
}

/* --- epochs --- */

static void test_wiped(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	moved(&body, "epoch_changed", "a", e2, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_EPOCH);
	assert_string_equal(out.event.kind, "WIPED");
	assert_string_equal(out.event.node, "a");
	assert_true(out.sync_known && out.sync.reconciling);
	assert_false(out.at_head);
	assert_string_equal(sync_of("a")->epoch.hex, e2.hex);
	assert_true(st.change.abandon);
	assert_string_equal(st.change.abandoned.hex, e1.hex);
	assert_int_equal(st.change.abandoned_witness.seq, 4);
	assert_int_equal(st.events, 1);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK); /* once more */
	assert_int_equal(out.result, POLL_STALE);
	assert_null(out.event.kind);
	assert_int_equal(st.events, 1);
	buf_done(&body);
	exchange_done(&x);
}

static void test_rewound_and_renamed(void **state)
{
	struct exchange x = begin("a", PLAN_PULL), y;
	struct buf body = {0};
	struct outcome out;
	struct epoch to;

	(void)state;
	moved(&body, "rewound", "a", e1, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_EPOCH);
	assert_string_equal(st.event, "REWOUND");
	to = sync_of("a")->rename_to;
	assert_false(epoch_is_none(&to));
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK); /* once more: the choice stands */
	assert_true(out.stale);
	assert_string_equal(sync_of("a")->rename_to.hex, to.hex);

	st.transactions = 0;
	y = begin("a", PLAN_RENAME);
	assert_int_equal(y.method, HTTP_POST);
	assert_memory_equal(y.target.at, "/v1/epoch?check=", strlen("/v1/epoch?check="));
	assert_non_null(strstr(y.body.at, to.hex));
	assert_non_null(strstr(y.body.at, e1.hex));
	buf_clear(&body);
	rename_answer_encode(RENAME_DONE, &to, &y.request, &body);
	assert_int_equal(finish(&y, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_string_equal(sync_of("a")->epoch.hex, to.hex);
	assert_int_equal(sync_of("a")->generation, 2);
	assert_int_equal(finish(&y, 200, buf_span(&body), &out), OK); /* once more */
	assert_true(out.stale);
	assert_int_equal(sync_of("a")->generation, 2);
	buf_done(&body);
	exchange_done(&x);
	exchange_done(&y);
}

/* Every log holds the empty one: a local that denies it would be renamed for ever. */
static void test_rewound_from_nothing(void **state)
{
	struct exchange x;
	struct buf body = {0};
	struct outcome out;

	(void)state;
	st.at[0].witness = (struct position){0};
	st.at[0].cursor = 0;
	x = begin("a", PLAN_PULL);
	moved(&body, "rewound", "a", e1, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_BAD_BODY);
	assert_int_equal(st.transactions, 0);
	buf_done(&body);
	exchange_done(&x);
}

/* The same while both ends are compared: that counts against comparing, which is given up in the end. */
static void test_comparing_ends_where_the_empty_log_is_denied(void **state)
{
	const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;

	(void)state;
	for (unsigned failures = 0; failures < EXCHANGE_COMPARE_TRIES; failures++) {
		bool last = failures == EXCHANGE_COMPARE_TRIES - 1;
		struct buf body = {0};
		struct exchange x;
		struct outcome out;
		struct reason why;

		setup(NULL);
		st.at[0] = (struct node_sync){.epoch = e1, .generation = 1, .comparing = true};
		const struct node n = node_named("a");

		assert_int_equal(
			exchange_begin(&x, &st, &n, (struct plan){.step = PLAN_DIGEST, .failures = failures},
				&limits, &why),
			OK);
		moved(&body, "rewound", "a", e1, x.request);
		assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
		assert_int_equal(out.result, POLL_BAD_BODY);
		assert_int_equal(sync_of("a")->comparing, !last);
		assert_int_equal(sync_of("a")->generation, last ? 2 : 1);
		buf_done(&body);
		exchange_done(&x);
	}
}

static void test_rename_answered_wrong(void **state)
{
	static const struct {
		enum rename_result r;
		const struct epoch *now;
		bool foreign;
	} rows[] = {{RENAME_DONE, &e3, false}, {RENAME_DONE, &e2, true}, {RENAME_NOT_REWOUND, &e2, false}};

	(void)state;
	st.at[0].rename_to = e2;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct exchange x = begin("a", PLAN_RENAME);
		struct buf body = {0};
		struct outcome out;

		rename_answer_encode(rows[i].r, rows[i].now, rows[i].foreign ? &e3 : &x.request, &body);
		for (size_t len = body.len; len > 0; len--) { /* whole, and cut anywhere */
			assert_int_equal(finish(&x, 200, (struct span){body.at, len}, &out), OK);
			assert_int_equal(out.result, POLL_BAD_BODY);
		}
		assert_int_equal(st.transactions, 0);
		buf_done(&body);
		exchange_done(&x);
	}
}

static void test_rename_not_rewound(void **state)
{
	struct exchange x;
	struct buf body = {0};
	struct outcome out;

	(void)state;
	st.at[0].rename_to = e2;
	x = begin("a", PLAN_RENAME);
	rename_answer_encode(RENAME_NOT_REWOUND, &e1, &x.request, &body);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_true(epoch_is_none(&sync_of("a")->rename_to));
	assert_int_equal(sync_of("a")->generation, 1);
	buf_done(&body);
	exchange_done(&x);
}

/* e2 was left behind at position 8 and answers again. */
static struct exchange probe(void)
{
	struct buf body = {0};
	struct outcome out;

	st.abandoned = e2;
	st.abandoned_witness = (struct position){.seq = 8, .head = {{3, 3}}};
	struct exchange x = begin("a", PLAN_PULL);

	moved(&body, "epoch_changed", "a", e2, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_string_equal(sync_of("a")->probe.hex, e2.hex);
	buf_done(&body);
	exchange_done(&x);
	st.transactions = 0;
	x = begin("a", PLAN_PROBE);
	assert_int_equal(x.method, HTTP_GET);
	assert_non_null(strstr(x.target.at, "epoch=22222222222222222222222222222222"));
	assert_non_null(strstr(x.target.at, "witness=8."));
	assert_non_null(strstr(x.target.at, "limit=0"));
	return x;
}

static void test_probe_finds_a_clone(void **state)
{
	struct exchange x = probe();
	struct buf body = {0};
	struct outcome out;

	(void)state;
	add_begin(&body, "a", e2, x.request);
	add_end(&body, 0, 9);
	for (size_t len = 0; len < body.len; len++) { /* a halt is not decided on half an answer */
		assert_int_equal(finish(&x, 200, (struct span){body.at, len}, &out), OK);
		assert_int_equal(out.result, POLL_BAD_BODY);
	}
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_int_equal(sync_of("a")->halt, HALT_IDENTITY);
	assert_string_equal(sync_of("a")->epoch.hex, e1.hex);
	assert_string_equal(st.event, "CLONED");
	buf_done(&body);
	exchange_done(&x);
}

static void test_probe_finds_an_older_copy(void **state)
{
	struct exchange x = probe();
	struct buf body = {0};
	struct outcome out;

	(void)state;
	moved(&body, "rewound", "a", e2, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_string_equal(sync_of("a")->epoch.hex, e2.hex);
	assert_int_equal(sync_of("a")->witness.seq, 8);
	assert_false(epoch_is_none(&sync_of("a")->rename_to));
	assert_true(epoch_is_none(&sync_of("a")->probe));
	assert_string_equal(st.event, "REWOUND");
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK); /* once more */
	assert_true(out.stale);
	buf_done(&body);
	exchange_done(&x);
}

static void test_probe_finds_it_gone(void **state)
{
	struct exchange x = probe();
	struct buf body = {0};
	struct outcome out;

	(void)state;
	moved(&body, "epoch_changed", "a", e1, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_EPOCH);
	assert_true(epoch_is_none(&sync_of("a")->probe));
	assert_int_equal(sync_of("a")->generation, 1);
	assert_int_equal(st.events, 0);
	buf_done(&body);
	exchange_done(&x);
}

/* --- our own store --- */

static void test_node_removed_meanwhile(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	add_page(&body, &x);
	st.fails = GONE;
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_true(out.stale);
	assert_false(out.sync_known || out.pulled);
	buf_done(&body);
	exchange_done(&x);
}

static void test_store_fails(void **state)
{
	static const enum err failures[] = {RETRY, UNCERTAIN, INTERNAL};
	struct exchange x = begin("a", PLAN_PULL);
	struct buf page = {0}, wiped = {0};
	struct outcome out;

	(void)state;
	add_page(&page, &x);
	moved(&wiped, "epoch_changed", "a", e2, x.request);
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		st.fails = failures[i];
		assert_int_equal(finish(&x, 200, buf_span(&page), &out), failures[i]);
		assert_int_equal(out.result, POLL_STORE);
		assert_false(out.sync_known || out.pulled);
		assert_int_equal(finish(&x, 409, buf_span(&wiped), &out), failures[i]);
		assert_int_equal(out.result, POLL_STORE);
		assert_false(out.sync_known);
		assert_null(out.event.kind);
	}
	buf_done(&page);
	buf_done(&wiped);
	exchange_done(&x);
}

/* --- comparing by buckets --- */

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
		cmocka_unit_test_setup(test_push, setup),
		cmocka_unit_test_setup(test_push_on, setup),
		cmocka_unit_test_setup(test_push_answered_wrong, setup),
		cmocka_unit_test_setup(test_push_of_a_rewound, setup),
		cmocka_unit_test_setup(test_begin_without_anything, setup),
		cmocka_unit_test_setup(test_wiped, setup),
		cmocka_unit_test_setup(test_rewound_and_renamed, setup),
		cmocka_unit_test_setup(test_rewound_from_nothing, setup),
		cmocka_unit_test_setup(test_comparing_ends_where_the_empty_log_is_denied, setup),
		cmocka_unit_test_setup(test_rename_answered_wrong, setup),
		cmocka_unit_test_setup(test_rename_not_rewound, setup),
		cmocka_unit_test_setup(test_probe_finds_a_clone, setup),
		cmocka_unit_test_setup(test_probe_finds_an_older_copy, setup),
		cmocka_unit_test_setup(test_probe_finds_it_gone, setup),
		cmocka_unit_test_setup(test_node_removed_meanwhile, setup),
		cmocka_unit_test_setup(test_store_fails, setup),
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
