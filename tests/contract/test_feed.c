/* The local's replication calls through the router: what a centre acknowledges, and what it is told. */
#include "local/routes.h"
#include "tests/contract/site.h"

#define CENTRE "00112233445566778899aabbccddeeff"
#define REQUEST "fedcba9876543210fedcba9876543210"

static void get_changes(struct site *s, const struct page_request *p, struct http_reply *r)
{
	struct local l = {.replica = s->r, .never_wait = true};
	struct router t;
	struct buf target = {0};

	routes_init(&t, &l);
	page_request_encode(p, &target);
	struct http_request q = {.method = HTTP_GET,
		.target = buf_span(&target),
		.host = span_of("127.0.0.1"),
		.loopback = true};
	router_dispatch(&t, &q, r);
	buf_done(&target);
	arena_done(&q.arena);
}

static struct page_request next_pull(struct site *s, uint64_t after)
{
	struct replica_status st = site_status(s);

	return (struct page_request){.centre = {CENTRE},
		.request = {REQUEST},
		.epoch = st.epoch,
		.after = after,
		.witness = st.head,
		.limit = 10,
		.max_bytes = PAGE_BYTES_DEFAULT};
}

static void acknowledges_what_was_pulled_not_what_was_witnessed(void **state)
{
	struct site *s = *state;
	struct http_reply r = {0};
	struct page page;

	site_put(s, "a", "1");
	site_put(s, "b", "2");
	struct page_request p = next_pull(s, 1); /* a push's answer told position 2 before b was pulled */
	get_changes(s, &p, &r);
	assert_int_equal(r.status, 200);
	ASSERT_OK(page_decode(&page, buf_span(&r.body), span_of("site-a"), 1, &why));
	assert_int_equal(page.n, 1);
	assert_true(position_equal(page.end.to, p.witness));
	page_done(&page);
	http_reply_done(&r);
	struct replica_status st = site_status(s);
	assert_int_equal(st.acknowledged.seq, 1);
	assert_int_equal(st.unacknowledged, 1);
	p = next_pull(s, 2);
	get_changes(s, &p, &r);
	http_reply_done(&r);
	assert_int_equal(site_status(s).unacknowledged, 0);
}

static void says_which_epoch_it_has(void **state)
{
	struct site *s = *state;
	struct http_reply r = {0};
	struct page_request p = next_pull(s, 0);
	struct epoch own = p.epoch;

	p.epoch = (struct epoch){0};
	get_changes(s, &p, &r);
	assert_int_equal(r.status, 409);
	assert_non_null(strstr(r.body.at, "\"code\":\"epoch_changed\""));
	assert_non_null(strstr(r.body.at, own.hex));
	assert_non_null(strstr(r.body.at, REQUEST));
	assert_int_equal(site_status(s).acknowledged_at_us, -1);
	http_reply_done(&r);
}

static void says_that_it_went_back(void **state)
{
	struct site *s = *state;
	struct http_reply r = {0};

	site_put(s, "a", "1");
	struct page_request p = next_pull(s, 0);
	p.witness.head.half[0]++;
	get_changes(s, &p, &r);
	assert_int_equal(r.status, 409);
	assert_non_null(strstr(r.body.at, "\"code\":\"rewound\""));
	http_reply_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			acknowledges_what_was_pulled_not_what_was_witnessed, site_in_memory, site_gone),
		cmocka_unit_test_setup_teardown(says_which_epoch_it_has, site_in_memory, site_gone),
		cmocka_unit_test_setup_teardown(says_that_it_went_back, site_in_memory, site_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
