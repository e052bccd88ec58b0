/* The local's replication calls through the router: what a centre acknowledges, and what it is told. */
#include "local/routes.h"
#include "local/writer.h"
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

/* Pushes one new record, and `n` over versions that were never there. */
static void push_stale(struct site *s, unsigned n, struct http_reply *r)
{
	struct local l = {.replica = s->r, .writer = writer_new(s->r)};
	struct router t;
	struct buf target = {0}, body = {0};
	struct page_request p = next_pull(s, 0);
	struct push_request q = {
		.centre = p.centre, .request = p.request, .epoch = p.epoch, .witness = p.witness};

	for (unsigned i = 0; i <= n; i++) {
		char id[16] = "new";
		struct push_item item = {.record = {.owner = span_of("site-a"),
						 .type = span_of("note"),
						 .body = span_of("1"),
						 .dot = {ACTOR_CENTRE_BIT | 5, i + 1}}};

		if (i > 0) {
			snprintf(id, sizeof id, "l%02u", i - 1);
			item.expected = (struct hash){{1, 2}};
		}
		item.record.id = span_of(id);
		item.record.hash = record_hash(&item.record);
		push_item_encode(&item, &body);
	}
	routes_init(&t, &l);
	push_request_encode(&q, &target);
	struct http_request post = {.method = HTTP_POST,
		.target = buf_span(&target),
		.body = buf_span(&body),
		.content_type = span_of("application/x-ndjson"),
		.host = span_of("127.0.0.1"),
		.loopback = true};
	router_dispatch(&t, &post, r);
	buf_done(&target);
	buf_done(&body);
	arena_done(&post.arena);
	writer_free(l.writer);
}

/* No answer holds a whole database in memory; what is refused is refused whole. */
static void refuses_a_push_that_needs_too_large_an_answer(void **state)
{
	struct site *s = *state;
	struct http_reply r = {0};
	unsigned n = site_put_large(s);
	struct position head = site_status(s).head;

	push_stale(s, n, &r);
	assert_int_equal(r.status, 413);
	assert_true(r.body.len < 1000);
	http_reply_done(&r);
	assert_true(position_equal(site_status(s).head, head));
	push_stale(s, n - 4, &r);
	assert_int_equal(r.status, 200);
	http_reply_done(&r);
	assert_int_equal(site_status(s).head.seq, head.seq + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			acknowledges_what_was_pulled_not_what_was_witnessed, site_in_memory, site_gone),
		cmocka_unit_test_setup_teardown(says_which_epoch_it_has, site_in_memory, site_gone),
		cmocka_unit_test_setup_teardown(says_that_it_went_back, site_in_memory, site_gone),
		cmocka_unit_test_setup_teardown(
			refuses_a_push_that_needs_too_large_an_answer, site_in_memory, site_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
