/* Requests for pages, and the answers to them: applied, discarded or refused. */
#include "tests/unit/exchange_stage.h"

/* --- pull --- */

static void test_pull(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	struct buf body = {0};
	struct outcome out;

	(void)state;
	assert_int_equal(x.method, HTTP_GET);
	assert_non_null(strstr(x.target.at, "/v1/changes?"));
	assert_non_null(strstr(x.target.at, "epoch=11111111111111111111111111111111"));
	assert_non_null(strstr(x.target.at, "centre=cccccccccccccccccccccccccccccccc"));
	assert_non_null(strstr(x.target.at, x.request.hex));
	assert_non_null(strstr(x.target.at, "after=3&"));
	assert_non_null(strstr(x.target.at, "witness=4."));
	add_page(&body, &x);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_OK);
	assert_true(out.pulled && out.sync_known && out.at_head);
	assert_false(out.to_push);
	assert_int_equal(out.taken, 1);
	assert_int_equal(out.sync.cursor, 5);
	assert_int_equal(out.end.head_seq, 5);
	assert_string_equal(out.version, "9.9");
	assert_string_equal(out.event.kind, "pulled");
	assert_string_equal(out.event.node, "a");
	/* The same answer once more: the request is no longer what the node stands at. */
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_STALE);
	assert_true(out.stale);
	assert_int_equal(sync_of("a")->cursor, 5);
	buf_done(&body);
	exchange_done(&x);
	exchange_done(&x);
}

static void test_pull_says_where_it_stands(void **state)
{
	static const struct {
		uint64_t to, head;
		enum proof_verdict proof;
		bool recount, recount_after, to_push, at_head;
	} rows[] = {
		{5, 5, PROOF_EQUAL, false, false, false, true},
		{5, 9, PROOF_NONE, false, false, false, false},
		{5, 5, PROOF_DOUBTED, false, false, false, false},
		{5, 5, PROOF_DIVERGED, false, false, false, false},
		{5, 5, PROOF_NONE, false, false, true, true},
		{5, 5, PROOF_NONE, false, true, false, false},  /* the rows are to be summed: at once */
		{5, 5, PROOF_EQUAL, true, false, false, false}, /* they were: are the counters right again? */
		{5, 5, PROOF_EQUAL, true, true, false, true},   /* never more: they are summed each time */
		{5, 5, PROOF_NONE, true, true, true, true},     /* pushed first */
		{5, 5, PROOF_NONE, true, true, false, true},    /* no proof while refused records differ */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf body = {0};
		struct outcome out;

		setup(NULL);
		st.at[0].recount = rows[i].recount;
		st.recount_after = rows[i].recount_after;
		st.left_to_push = rows[i].to_push;
		st.proof = rows[i].proof;
		struct exchange x = begin("a", PLAN_PULL);
		assert_int_equal(strstr(x.target.at, "recount=1") != NULL, rows[i].recount);
		add_begin(&body, "a", e1, x.request);
		add_record(&body, "a", 5);
		add_end(&body, rows[i].to, rows[i].head);
		assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
		assert_int_equal(out.result, POLL_OK);
		assert_int_equal(out.at_head, rows[i].at_head);
		assert_int_equal(out.to_push, rows[i].to_push);
		assert_int_equal(out.proof, rows[i].proof);
		if (rows[i].proof == PROOF_DIVERGED)
			assert_string_equal(out.event.kind, "DIVERGED");
		buf_done(&body);
		exchange_done(&x);
	}
}

/* Cut at every byte, nothing of a page counts. */
static void test_truncated(void **state)
{
	(void)state;
	for (int push = 0; push < 2; push++) {
		st.to_push = 1;
		struct exchange x = begin("a", push ? PLAN_PUSH : PLAN_PULL);
		struct buf body = {0};
		struct outcome out;

		if (push) {
			struct push_answer answer = {
				.id = span_of("p1"), .result = PUSH_APPLIED, .hash = {{1, 2}}};

			add_begin(&body, "a", e1, x.request);
			push_answer_encode(&answer, &body);
			add_end(&body, 6, 6);
		} else {
			add_page(&body, &x);
		}
		for (size_t len = 0; len < body.len; len++) {
			/* a copy of exactly that length, so that a look behind its end is seen */
			struct buf cut = {0};

			buf_add(&cut, body.at, len);
			assert_int_equal(finish(&x, 200, buf_span(&cut), &out), OK);
			if (out.result != POLL_BAD_BODY)
				fail_msg("cut at %zu: %s, %s", len, poll_result_name(out.result),
					out.why.text);
			assert_true(out.why.text[0]);
			buf_done(&cut);
		}
		assert_int_equal(st.transactions, 0);
		assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
		assert_int_equal(out.result, POLL_OK);
		assert_int_equal(st.transactions, 1);
		buf_done(&body);
		exchange_done(&x);
		setup(NULL);
	}
}

/* --- every wrong answer --- */

enum shape {
	AS_TEXT,
	FOREIGN_NODE,
	FOREIGN_REQUEST,
	FOREIGN_EPOCH,
	FOREIGN_OWNER,
	NO_PROGRESS,
	NOTHING_BUT_PROGRESS,
	BEHIND,
	MOVED_FOREIGN_NODE,
	MOVED_FOREIGN_REQUEST,
	MOVED_TO_SAME,
	MOVED_NOWHERE,
	REWOUND_ELSEWHERE
};

static const struct {
	enum shape shape;
	int status;
	const char *text;
	enum poll_result result;
} wrong[] = {
	{AS_TEXT, 200, "", POLL_BAD_BODY},
	{AS_TEXT, 200, "<html><body>It works!</body></html>\n", POLL_NOT_TIDEMARK},
	{AS_TEXT, 200, "{\"hello\":\"world\"}", POLL_NOT_TIDEMARK},
	{AS_TEXT, 200, "{\"hello\":\"world\"}\n", POLL_NOT_TIDEMARK},
	{AS_TEXT, 200, "\n\n\n", POLL_NOT_TIDEMARK},
	{AS_TEXT, 204, "", POLL_NOT_TIDEMARK},
	{AS_TEXT, 301, "<html>moved</html>", POLL_NOT_TIDEMARK},
	{AS_TEXT, 400, "{\"code\":\"incompatible\",\"detail\":\"it speaks 7 to 9\"}", POLL_INCOMPATIBLE},
	{AS_TEXT, 400, "{\"code\":\"bad_request\",\"detail\":\"no\"}", POLL_HTTP},
	{AS_TEXT, 400, "{\"code\":7}", POLL_NOT_TIDEMARK},
	{AS_TEXT, 401, "{\"code\":\"unauthorised\"}", POLL_UNAUTHORISED},
	{AS_TEXT, 403, "<html>no</html>", POLL_UNAUTHORISED},
	{AS_TEXT, 404, "{\"code\":\"not_found\"}", POLL_NOT_TIDEMARK},
	{AS_TEXT, 409, "{\"code\":\"conflict\"}", POLL_HTTP},
	{AS_TEXT, 409, "{\"code\":\"epoch_changed\"}", POLL_WRONG_NODE},
	{AS_TEXT, 500, "{\"code\":\"internal\",\"detail\":\"\\u001b[2Jout of \xc3\xa4\"}", POLL_HTTP},
	{AS_TEXT, 502, "<html>bad gateway</html>", POLL_NOT_TIDEMARK},
	{AS_TEXT, 503, "{\"code\":\"unavailable\",\"detail\":\"disk is busy\"}", POLL_HTTP},
	{FOREIGN_NODE, 200, "", POLL_WRONG_NODE},
	{FOREIGN_REQUEST, 200, "", POLL_BAD_BODY},
	{FOREIGN_EPOCH, 200, "", POLL_BAD_BODY},
	{FOREIGN_OWNER, 200, "", POLL_BAD_BODY},
	{NO_PROGRESS, 200, "", POLL_BAD_BODY},
	{NOTHING_BUT_PROGRESS, 200, "", POLL_BAD_BODY},
	{BEHIND, 200, "", POLL_BAD_BODY},
	{MOVED_FOREIGN_NODE, 409, "", POLL_WRONG_NODE},
	{MOVED_FOREIGN_REQUEST, 409, "", POLL_BAD_BODY},
	{MOVED_TO_SAME, 409, "", POLL_BAD_BODY},
	{MOVED_NOWHERE, 409, "", POLL_BAD_BODY},
	{REWOUND_ELSEWHERE, 409, "", POLL_BAD_BODY},
};

static void make_wrong(struct buf *out, size_t i, const struct exchange *x)
{
	const struct epoch none = {""};

	switch (wrong[i].shape) {
	case AS_TEXT:
		buf_text(out, wrong[i].text);
		return;
	case MOVED_FOREIGN_NODE:
		moved(out, "epoch_changed", "b", e2, x->request);
		return;
	case MOVED_FOREIGN_REQUEST:
		moved(out, "epoch_changed", "a", e2, e3);
		return;
	case MOVED_TO_SAME:
		moved(out, "epoch_changed", "a", e1, x->request);
		return;
	case MOVED_NOWHERE:
		moved(out, "epoch_changed", "a", none, x->request);
		return;
	case REWOUND_ELSEWHERE:
		moved(out, "rewound", "a", e2, x->request);
		return;
	case FOREIGN_NODE:
	case FOREIGN_REQUEST:
	case FOREIGN_EPOCH:
	case FOREIGN_OWNER:
	case NO_PROGRESS:
	case NOTHING_BUT_PROGRESS:
	case BEHIND:
		break;
	}
	add_begin(out, wrong[i].shape == FOREIGN_NODE ? "b" : "a", wrong[i].shape == FOREIGN_EPOCH ? e2 : e1,
		wrong[i].shape == FOREIGN_REQUEST ? e3 : x->request);
	if (wrong[i].shape == FOREIGN_NODE)
		add_record(out, "b", 5);
	for (uint64_t seq = 5; wrong[i].shape == FOREIGN_OWNER && seq < 5 + QUARANTINE_WHOLE_PAGE; seq++)
		add_record(out, "b", seq);
	if (wrong[i].shape == NO_PROGRESS)
		add_end(out, 3, 9);
	else if (wrong[i].shape == NOTHING_BUT_PROGRESS)
		add_end(out, 4, 9);
	else if (wrong[i].shape == BEHIND)
		add_end(out, 2, 2);
	else if (wrong[i].shape == FOREIGN_OWNER)
		add_end(out, 99, 99);
	else
		add_end(out, 5, 5);
}

static void test_wrong_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct exchange x = begin("a", PLAN_PULL);
		struct buf body = {0};
		struct outcome out;

		make_wrong(&body, i, &x);
		assert_int_equal(finish(&x, wrong[i].status, buf_span(&body), &out), OK);
		if (out.result != wrong[i].result || !out.why.text[0] || out.sync_known || out.pulled ||
			out.event.kind)
			fail_msg("row %zu: %s, \"%s\"", i, poll_result_name(out.result), out.why.text);
		for (const char *c = out.why.text; *c; c++)
			assert_in_range(*c, ' ', '~');
		assert_int_equal(st.transactions, 0);
		buf_done(&body);
		exchange_done(&x);
	}
}

/* Which end is to be upgraded, to what; where it cannot be told, the local's own words. */
static void test_incompatible_in_words(void **state)
{
	static const struct {
		const char *body, *words;
	} rows[] = {
		{"{\"code\":\"incompatible\",\"detail\":\"x\",\"min\":7,\"max\":9,\"version\":\"3.0\"}",
			"the local (3.0) speaks protocol 7 to 9"},
		{"{\"code\":\"incompatible\",\"detail\":\"x\",\"min\":7,\"max\":9}",
			"upgrade the centre to a version that speaks protocol 7"},
		{"{\"code\":\"incompatible\",\"detail\":\"7 to 9\"}", "400 incompatible: 7 to 9"},
		{"{\"code\":\"incompatible\",\"detail\":\"odd\",\"min\":1,\"max\":9}",
			"400 incompatible: odd"},
		{"{\"code\":\"incompatible\",\"detail\":\"odd\",\"min\":9,\"max\":7}",
			"400 incompatible: odd"},
		{"{\"code\":\"incompatible\"}", "400 incompatible: no detail"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct exchange x = begin("a", PLAN_PULL);
		struct outcome out;

		assert_int_equal(finish(&x, 400, span_of(rows[i].body), &out), OK);
		assert_int_equal(out.result, POLL_INCOMPATIBLE);
		if (!strstr(out.why.text, rows[i].words))
			fail_msg("row %zu: %s", i, out.why.text);
		exchange_done(&x);
	}
}

static void test_no_answer(void **state)
{
	struct exchange x = begin("a", PLAN_PULL);
	const struct answer a = {.result = POLL_TLS, .why = "certificate has expired", .status = 200};
	struct reason why;
	struct outcome out;

	(void)state;
	assert_int_equal(exchange_finish(&x, &st, &a, &out, &why), OK);
	assert_int_equal(out.result, POLL_TLS);
	assert_string_equal(out.why.text, "certificate has expired");
	assert_int_equal(st.transactions, 0);
	exchange_done(&x);
}

/* A page before the first contact cannot be the answer: nobody's epoch is none. */
static void test_first_contact(void **state)
{
	struct exchange x;
	struct buf body = {0};
	struct outcome out;

	(void)state;
	st.at[0] = (struct node_sync){.cursor = 0};
	x = begin("a", PLAN_PULL);
	add_begin(&body, "a", e1, x.request);
	add_end(&body, 0, 0);
	assert_int_equal(finish(&x, 200, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_BAD_BODY);
	buf_clear(&body);
	moved(&body, "epoch_changed", "a", e2, x.request);
	assert_int_equal(finish(&x, 409, buf_span(&body), &out), OK);
	assert_int_equal(out.result, POLL_EPOCH);
	assert_string_equal(sync_of("a")->epoch.hex, e2.hex);
	assert_int_equal(st.events, 0);
	buf_done(&body);
	exchange_done(&x);
}

/* --- several at once --- */

static void finish_three(struct outcome outs[3], enum err results[3])
{
	const char *const names[] = {"a", "b", "c"};
	struct exchange x[3], *xs[3];
	struct answer answers[3];
	struct buf bodies[3] = {{0}, {0}, {0}};
	struct reason whys[3];

	for (int i = 0; i < 3; i++)
		x[i] = begin(names[i], PLAN_PULL);
	add_page(&bodies[0], &x[0]);
	buf_text(&bodies[1], "<html>");
	add_page(&bodies[2], &x[2]);
	for (int i = 0; i < 3; i++) {
		answers[i] = (struct answer){.status = 200, .body = buf_span(&bodies[i])};
		xs[i] = &x[i];
	}
	exchange_finish_all(xs, &st, answers, 3, outs, results, whys);
	for (int i = 0; i < 3; i++) {
		buf_done(&bodies[i]);
		exchange_done(&x[i]);
	}
}

static void test_pages_share_a_transaction(void **state)
{
	struct outcome outs[3];
	enum err results[3];

	(void)state;
	finish_three(outs, results);
	assert_int_equal(st.transactions, 1);
	assert_int_equal(results[0], OK);
	assert_int_equal(results[1], OK);
	assert_int_equal(results[2], OK);
	assert_int_equal(outs[0].result, POLL_OK);
	assert_int_equal(outs[1].result, POLL_NOT_TIDEMARK);
	assert_int_equal(outs[2].result, POLL_OK);
	assert_int_equal(sync_of("a")->cursor, 5);
	assert_int_equal(sync_of("b")->cursor, 3);
	assert_int_equal(sync_of("c")->cursor, 5);
}

/* All sixteen at once, and the store refuses one of them: as many transactions as halvings, not as nodes. */
static void test_one_page_among_many_is_found_by_halves(void **state)
{
	char names[NODES][2];
	struct exchange x[NODES], *xs[NODES];
	struct answer answers[NODES];
	struct outcome outs[NODES];
	enum err results[NODES];
	struct buf bodies[NODES] = {{0}};
	struct reason whys[NODES];

	(void)state;
	for (int i = 0; i < NODES; i++) {
		snprintf(names[i], sizeof names[i], "%c", 'a' + i);
		x[i] = begin(names[i], PLAN_PULL);
		xs[i] = &x[i];
		add_page(&bodies[i], &x[i]);
		answers[i] = (struct answer){.status = 200, .body = buf_span(&bodies[i])};
	}
	st.poison = "f";
	exchange_finish_all(xs, &st, answers, NODES, outs, results, whys);
	assert_int_equal(st.transactions, 1 + 2 * 4);
	for (int i = 0; i < NODES; i++) {
		bool poisoned = names[i][0] == 'f';

		assert_int_equal(results[i], OK);
		assert_int_equal(outs[i].result, poisoned ? POLL_BAD_BODY : POLL_OK);
		assert_int_equal(sync_of(names[i])->cursor, poisoned ? 3 : 5);
		buf_done(&bodies[i]);
		exchange_done(&x[i]);
	}
}

static void test_one_page_does_not_hold_up_others(void **state)
{
	struct outcome outs[3];
	enum err results[3];

	(void)state;
	st.poison = "c";
	finish_three(outs, results);
	assert_int_equal(outs[0].result, POLL_OK);
	assert_int_equal(sync_of("a")->cursor, 5);
	assert_int_equal(results[2], OK);
	assert_int_equal(outs[2].result, POLL_BAD_BODY);
	assert_string_equal(outs[2].why.text, "the store says no");
	assert_int_equal(sync_of("c")->cursor, 3);
}

/* A store that is down is not asked again for each of them. */
static void test_store_down_for_all(void **state)
{
	struct outcome outs[3];
	enum err results[3];

	(void)state;
	st.fails = UNCERTAIN;
	finish_three(outs, results);
	assert_int_equal(st.transactions, 1);
	assert_int_equal(results[0], UNCERTAIN);
	assert_int_equal(results[1], OK);
	assert_int_equal(results[2], UNCERTAIN);
	assert_int_equal(outs[2].result, POLL_STORE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pull, setup),
		cmocka_unit_test_setup(test_pull_says_where_it_stands, setup),
		cmocka_unit_test_setup(test_truncated, setup),
		cmocka_unit_test_setup(test_wrong_answers, setup),
		cmocka_unit_test_setup(test_incompatible_in_words, setup),
		cmocka_unit_test_setup(test_no_answer, setup),
		cmocka_unit_test_setup(test_first_contact, setup),
		cmocka_unit_test_setup(test_pages_share_a_transaction, setup),
		cmocka_unit_test_setup(test_one_page_among_many_is_found_by_halves, setup),
		cmocka_unit_test_setup(test_one_page_does_not_hold_up_others, setup),
		cmocka_unit_test_setup(test_store_down_for_all, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
