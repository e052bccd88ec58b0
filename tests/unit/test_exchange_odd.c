/* Answers that are well formed and fit nothing, and a store that fails between two steps: nothing moves by mistake. */
#include "shared/seal.h"
#include "tests/unit/exchange_stage.h"

/* --- what answers there is no node that keeps to the protocol --- */

static void a_version_that_was_not_offered_is_incompatible(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	const struct page_begin b = {
		.node = "a", .epoch = e1, .request = x.request, .version = "9.9", .protocol = 7};
	struct buf body = {0};
	struct outcome out;

	(void)state;
	page_encode_begin(&b, &body);
	add_end(&body, 5, 5);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_INCOMPATIBLE);
	assert_non_null(strstr(out.why.text, "the local (9.9) answers in protocol 7"));
	assert_int_equal(st.transactions, 0);
	buf_done(&body);
	exchange_done(&x);
}

/* What is no range of versions says nothing about which end is too old. */
static void a_range_that_is_none_is_told_in_the_local_s_words(void **state)
{
	static const char *const ranges[] = {
		"\"min\":7", "\"max\":9", "\"min\":\"7\",\"max\":9", "\"min\":7,\"max\":4294967296"};

	(void)state;
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		struct exchange x = begin("a", PLAN_PULL);
		struct buf body = {0};
		struct outcome out;

		buf_printf(&body, "{\"code\":\"incompatible\",\"detail\":\"odd\",%s}", ranges[i]);
		assert_int_equal(finish(&x, 400, buf_span(&body), &out), OK);
		assert_int_equal(out.result, POLL_INCOMPATIBLE);
		assert_string_equal(out.why.text, "400 incompatible: odd");
		buf_done(&body);
		exchange_done(&x);
	}
}

static void a_moved_database_says_its_epoch(void **state)
{
	static const char *const members[] = {"", ",\"epoch\":7", ",\"epoch\":\"1\"", ",\"epoch\":\"\""};

	(void)state;
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		struct exchange x = begin("a", PLAN_PULL);
		struct buf body = {0};
		struct outcome out;

		buf_printf(&body, "{\"code\":\"epoch_changed\",\"node\":\"a\",\"request\":\"%s\"%s}",
			x.request.hex, members[i]);
		assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
		assert_int_equal(out.result, POLL_BAD_BODY);
		assert_string_equal(out.why.text, "it does not say its epoch");
		assert_int_equal(st.transactions, 0);
		buf_done(&body);
		exchange_done(&x);
	}
}

/* Every byte of a sealed answer counts, also of those that no hash covers. */
static void an_altered_answer_is_not_believed(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	add_page(&body, &x);
	seal_answer(&body);
	*strstr(body.at, "9.9") = '8';
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_BAD_BODY);
	assert_non_null(strstr(out.why.text, "altered on its way"));
	assert_int_equal(st.transactions, 0);
	*strstr(body.at, "8.9") = '9';
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	buf_done(&body);
	exchange_done(&x);
}

/* It ends in terminals, logs and pages. */
static void a_local_s_words_come_without_control_characters(void **state)
{
	static const char body[] = "{\"code\":\"internal\",\"detail\":\"a\\u007fb\\u001bc~\"}";
	struct exchange x = begin("a", PLAN_PULL);
	struct outcome out;

	(void)state;
	assert_int_equal(finish(&x, 500, span_of(body), &out), OK);
	assert_string_equal(out.why.text, "500 internal: a?b?c~");
	exchange_done(&x);
}

static void buckets_whose_records_come_cut_are_asked_for_again(void **state)
{
	const struct apart apart = {.bits_known = true, .bits = 2, .seq = 5, .n = 1, .buckets = {1}};
	const struct plan plan = {.step = PLAN_FETCH, .apart = &apart};
	const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
	struct node n = node_named("a");
	struct exchange x;
	struct buf body = {0};
	struct outcome out;
	struct reason why;

	(void)state;
	assert_int_equal(exchange_begin(&x, &st, &n, plan, &limits, &why), OK);
	add_begin(&body, "a", e1, x.request);
	add_record(&body, "a", 5);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_BAD_BODY);
	assert_non_null(strstr(out.why.text, "truncated"));
	assert_int_equal(st.transactions, 0);
	buf_done(&body);
	exchange_done(&x);
}

/* Smaller ones were wanted when there was room for more of them. */
static void digests_are_asked_for_as_deep_as_there_is_room(void **state)
{
	const struct apart apart = {.bits_known = true, .bits = 12};
	const struct plan plan = {.step = PLAN_DIGEST, .apart = &apart};
	struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
	const struct node n = node_named("a");
	struct exchange x;
	struct reason why;

	(void)state;
	assert_int_equal(exchange_begin(&x, &st, &n, plan, &limits, &why), OK);
	assert_non_null(strstr(x.target.at, "&bits=12"));
	exchange_done(&x);
	limits.pull_bytes = 4096;
	assert_int_equal(exchange_begin(&x, &st, &n, plan, &limits, &why), OK);
	assert_in_range(x.compare.bits, 0, 11);
	exchange_done(&x);
}

/* --- what is told --- */

static void the_gravest_event_of_a_page_is_told(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	add_page(&body, &x);
	st.conflicts = 1;
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.conflicts, 1);
	assert_string_equal(out.event.kind, "conflict"); /* not "pulled" */
	assert_int_equal(out.event.level, LOG_WARN);
	buf_done(&body);
	exchange_done(&x);
}

static void what_a_local_rejects_is_told_with_its_reason(void **state)
{
	const struct push_answer answer = {
		.id = span_of("p1"), .result = PUSH_REJECTED, .reason = span_of("no such type here")};
	struct buf body = {0};
	struct outcome out;

	(void)state;
	st.to_push = st.rejects = 1;
	struct exchange x = begin("a", PLAN_PUSH);
	add_begin(&body, "a", e1, x.request);
	push_answer_encode(&answer, &body);
	add_end(&body, 5, 5);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.rejected, 1);
	assert_string_equal(out.event.kind, "rejected");
	assert_non_null(strstr(out.event.text.text, "first p1: no such type here"));
	buf_done(&body);
	exchange_done(&x);
}

/* After the last buckets a pull brings the proof; only what is to be pushed may come before it. */
static void a_comparison_ends_at_the_head_where_a_push_is_due(void **state)
{
	static const struct {
		unsigned buckets; /* 2: these are not the last */
		uint64_t head;
		bool to_push, at_head;
	} rows[] = {{1, 5, true, true}, {1, 5, false, false}, {1, 9, true, false}, {2, 5, true, false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct apart apart = {.bits_known = true, .bits = 0, .seq = 5, .n = 1, .buckets = {0, 1}};
		const struct plan plan = {.step = PLAN_FETCH, .apart = &apart};
		const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
		struct exchange x;
		struct buf body = {0};
		struct outcome out;
		struct reason why;

		setup(state);
		sync_of("a")->comparing = true;
		st.left_to_push = rows[i].to_push;
		if (rows[i].buckets == 2) {
			apart.bits = 1;
			apart.n = 2;
			apart.most = 1;
			apart.buckets[0] = (uint16_t)hash_bucket(span_of("r1"), 1);
		}
		struct node n = node_named("a");
		assert_int_equal(exchange_begin(&x, &st, &n, plan, &limits, &why), OK);
		add_begin(&body, "a", e1, x.request);
		add_record(&body, "a", 5);
		add_end(&body, rows[i].head, rows[i].head);
		assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
		assert_int_equal(out.result, POLL_OK);
		assert_true(out.pulled);
		/* the cursor stays at the digests' position; what came after it is pulled */
		assert_int_equal(out.at_head, rows[i].at_head);
		buf_done(&body);
		exchange_done(&x);
	}
}

/* --- epochs --- */

/* A late answer to a pull that was sent before: what follows from it has been chosen already. */
static void a_choice_that_stands_is_not_made_again(void **state)
{
	struct buf body = {0};
	struct outcome out;

	(void)state;
	st.abandoned = st.at[0].probe = e2;
	struct exchange x = begin("a", PLAN_PULL);
	moved(&body, "epoch_changed", "a", e2, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_EPOCH);
	assert_int_equal(st.transactions, 0);
	assert_false(out.sync_known);
	exchange_done(&x);
	buf_clear(&body);
	st.at[0].probe = (struct epoch){""};
	st.at[0].rename_to = e3;
	x = begin("a", PLAN_PULL);
	moved(&body, "rewound", "a", e1, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_EPOCH);
	assert_int_equal(st.transactions, 0);
	assert_string_equal(sync_of("a")->rename_to.hex, e3.hex);
	buf_done(&body);
	exchange_done(&x);
}

static enum err begin_probe(struct exchange *x, struct reason *why)
{
	const struct node n = node_named("a");
	const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;

	return exchange_begin(x, &st, &n, (struct plan){.step = PLAN_PROBE}, &limits, why);
}

static void a_probe_needs_the_witness_that_was_left_behind(void **state)
{
	struct exchange x;
	struct reason why;

	(void)state;
	st.at[0].probe = e2;
	assert_int_equal(begin_probe(&x, &why), INTERNAL);
	assert_string_equal(why.text, "epoch 22222222 is to be probed and was never abandoned");
	st.abandoned = e2;
	st.abandoned_fails = RETRY;
	assert_int_equal(begin_probe(&x, &why), RETRY);
	assert_string_equal(why.text, "the store says no");
	st.abandoned_fails = OK;
	assert_int_equal(begin_probe(&x, &why), OK);
	exchange_done(&x);
}

/* Whether an epoch was left behind decides between a new database and a clone: without knowing, neither. */
static void without_the_store_no_epoch_is_judged(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	moved(&body, "epoch_changed", "a", e2, x.request);
	st.abandoned_fails = RETRY;
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), RETRY);
	assert_int_equal(out.result, POLL_STORE);
	assert_int_equal(st.transactions, 0);
	exchange_done(&x);

	st.abandoned_fails = OK;
	st.abandoned = st.at[0].probe = e2;
	x = begin("a", PLAN_PROBE);
	st.abandoned_fails = RETRY;
	buf_clear(&body);
	add_begin(&body, "a", e2, x.request);
	add_end(&body, 5, 5);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), RETRY);
	assert_int_equal(out.result, POLL_STORE);
	assert_int_equal(sync_of("a")->halt, HALT_NONE);
	assert_int_equal(st.transactions, 0);
	st.abandoned_fails = GONE; /* somebody resumed the node: it is forgotten */
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_true(out.stale);
	buf_done(&body);
	exchange_done(&x);
}

/* Who needs no words may leave them. */
static void a_failure_needs_nobody_to_hear_its_reason(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	add_page(&body, &x);
	st.fails = RETRY;
	const struct answer a = {.status = 200, .body = buf_span(&body)};
	assert_int_equal(exchange_finish(&x, &st, &a, &out, NULL), RETRY);
	assert_string_equal(out.why.text, "the store says no");
	buf_done(&body);
	exchange_done(&x);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_version_that_was_not_offered_is_incompatible, setup),
		cmocka_unit_test_setup(a_range_that_is_none_is_told_in_the_local_s_words, setup),
		cmocka_unit_test_setup(a_moved_database_says_its_epoch, setup),
		cmocka_unit_test_setup(an_altered_answer_is_not_believed, setup),
		cmocka_unit_test_setup(a_local_s_words_come_without_control_characters, setup),
		cmocka_unit_test_setup(buckets_whose_records_come_cut_are_asked_for_again, setup),
		cmocka_unit_test_setup(digests_are_asked_for_as_deep_as_there_is_room, setup),
		cmocka_unit_test_setup(the_gravest_event_of_a_page_is_told, setup),
		cmocka_unit_test_setup(what_a_local_rejects_is_told_with_its_reason, setup),
		cmocka_unit_test_setup(a_comparison_ends_at_the_head_where_a_push_is_due, setup),
		cmocka_unit_test_setup(a_choice_that_stands_is_not_made_again, setup),
		cmocka_unit_test_setup(a_probe_needs_the_witness_that_was_left_behind, setup),
		cmocka_unit_test_setup(without_the_store_no_epoch_is_judged, setup),
		cmocka_unit_test_setup(test_node_removed_meanwhile, setup),
		cmocka_unit_test_setup(test_store_fails, setup),
		cmocka_unit_test_setup(a_failure_needs_nobody_to_hear_its_reason, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
