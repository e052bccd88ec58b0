/* What a push is made of, and what its answer changes. */
#include "tests/unit/exchange_stage.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_push, setup),
		cmocka_unit_test_setup(test_push_on, setup),
		cmocka_unit_test_setup(test_push_answered_wrong, setup),
		cmocka_unit_test_setup(test_push_of_a_rewound, setup),
		cmocka_unit_test_setup(test_begin_without_anything, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
