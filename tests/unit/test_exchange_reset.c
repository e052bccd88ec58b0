/* Databases that are not what they were: wiped, rewound, cloned; the rename and the probe that follow. */
#include "tests/unit/exchange_stage.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_wiped, setup),
		cmocka_unit_test_setup(test_rewound_and_renamed, setup),
		cmocka_unit_test_setup(test_rewound_from_nothing, setup),
		cmocka_unit_test_setup(test_comparing_ends_where_the_empty_log_is_denied, setup),
		cmocka_unit_test_setup(test_rename_answered_wrong, setup),
		cmocka_unit_test_setup(test_rename_not_rewound, setup),
		cmocka_unit_test_setup(test_probe_finds_a_clone, setup),
		cmocka_unit_test_setup(test_probe_finds_an_older_copy, setup),
		cmocka_unit_test_setup(test_probe_finds_it_gone, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
