/* The local's answers to a push and to a rename, through the router: each outcome a centre has to tell apart. */
#include "local/routes.h"
#include "local/writer.h"
#include "shared/seal.h"
#include "tests/contract/site.h"

#define CENTRE "00112233445566778899aabbccddeeff"
#define REQUEST "fedcba9876543210fedcba9876543210"

/* From sqlite3.h, which only shared/lite*.c includes. */
struct sqlite3_stmt;
const char *sqlite3_sql(struct sqlite3_stmt *s);
int __wrap_sqlite3_step(struct sqlite3_stmt *s);
int __real_sqlite3_step(struct sqlite3_stmt *s);

static const char *full_at; /* the statement that finds no room any more */

int __wrap_sqlite3_step(struct sqlite3_stmt *s)
{
	if (full_at && strstr(sqlite3_sql(s), full_at))
		return 13; /* SQLITE_FULL */
	return __real_sqlite3_step(s);
}

static const char *prefer = ""; /* of the next requests */

static void post(struct site *s, const char *target, struct span body, struct http_reply *r)
{
	struct local l = {.replica = s->r, .writer = writer_new(s->r)};
	struct router t;
	struct http_request q = {.method = HTTP_POST,
		.target = span_of(target),
		.body = body,
		.content_type = span_of("application/json"),
		.host = span_of("127.0.0.1"),
		.prefer = span_of(prefer),
		.loopback = true};

	*r = (struct http_reply){0};
	routes_init(&t, &l);
	router_dispatch(&t, &q, r);
	arena_done(&q.arena);
	writer_free(l.writer);
}

static void assert_problem(struct http_reply *r, int status, const char *code, const char *detail)
{
	buf_char(&r->body, '\0');
	assert_int_equal(r->status, status);
	assert_non_null(strstr(r->body.at, code));
	if (!strstr(r->body.at, detail))
		fail_msg("%s", r->body.at);
	assert_true(seal_holds((struct span){r->body.at, r->body.len - 1}));
	http_reply_done(r);
}

/* --- pushes --- */

static struct push_request basis_of(struct site *s)
{
	struct replica_status st = site_status(s);

	return (struct push_request){
		.centre = {CENTRE}, .request = {REQUEST}, .epoch = st.epoch, .witness = st.head};
}

static void push(struct site *s, const struct push_request *basis, struct span body, struct http_reply *r)
{
	struct buf target = {0};

	push_request_encode(basis, &target);
	post(s, target.at, body, r);
	buf_done(&target);
}

/* A version of the centre's over `expected`; none: over nothing. */
static void add_item(struct buf *out, const char *id, uint64_t n, struct hash expected)
{
	struct push_item item = {.record = {.owner = span_of("site-a"),
					 .id = span_of(id),
					 .type = span_of("note"),
					 .body = span_of("1"),
					 .dot = {ACTOR_CENTRE_BIT | 5, n}},
		.expected = expected};

	item.record.hash = record_hash(&item.record);
	push_item_encode(&item, out);
}

/* Good lines and bad ones: what can be taken is, and each of the others is told why not. */
static void a_push_is_answered_line_by_line(void **state)
{
	struct site *s = *state;
	const struct push_request basis = basis_of(s);
	struct buf body = {0};
	struct http_reply r;
	struct push_answers a;

	site_put(s, "b", "2");
	add_item(&body, "a", 1, (struct hash){{0, 0}});
	add_item(&body, "b", 2, (struct hash){{0, 0}}); /* over the local's own */
	add_item(&body, "c", 3, (struct hash){{7, 7}}); /* over one that is not there */
	buf_text(&body, "{\"id\":\"d\",\"owner\":\"site-b\"}\nrubbish\n");
	push(s, &basis, buf_span(&body), &r);
	assert_int_equal(r.status, 200);
	assert_true(seal_holds(buf_span(&r.body)));
	ASSERT_OK(push_answers_decode(&a, buf_span(&r.body), span_of("site-a"), &why));
	assert_int_equal(a.n, 5);
	assert_int_equal(a.answers[0].result, PUSH_APPLIED);
	assert_int_equal(a.answers[1].result, PUSH_CONFLICT);
	assert_true(a.answers[1].has_record && span_is(a.answers[1].record.body, "2"));
	assert_int_equal(a.answers[2].result, PUSH_CONFLICT);
	assert_false(a.answers[2].has_record);
	assert_int_equal(a.answers[3].result, PUSH_REJECTED);
	assert_true(span_is(a.answers[3].id, "d"));
	assert_int_equal(a.answers[4].result, PUSH_REJECTED);
	assert_int_equal(a.answers[4].id.len, 0);
	assert_int_equal(a.end.to.seq, 2);
	assert_true(position_equal(a.end.to, site_status(s).head));
	push_answers_done(&a);
	http_reply_done(&r);
	push(s, &basis, buf_span(&body), &r); /* once more: nothing is written again */
	ASSERT_OK(push_answers_decode(&a, buf_span(&r.body), span_of("site-a"), &why));
	assert_int_equal(a.answers[0].result, PUSH_ALREADY);
	assert_int_equal(a.end.to.seq, 2);
	push_answers_done(&a);
	http_reply_done(&r);
	buf_done(&body);
}

/* For who prefers it what was applied is only counted; whatever else became of a line is told as ever. */
static void a_push_may_be_answered_in_brief(void **state)
{
	struct site *s = *state;
	const struct push_request basis = basis_of(s);
	struct buf body = {0};
	struct http_reply r;
	struct push_answers a;

	site_put(s, "b", "2");
	add_item(&body, "a", 1, (struct hash){{0, 0}});
	add_item(&body, "b", 2, (struct hash){{0, 0}}); /* over the local's own */
	buf_text(&body, "{\"id\":\"d\",\"owner\":\"site-b\"}\nrubbish\n");
	add_item(&body, "e", 3, (struct hash){{0, 0}});
	prefer = "return=minimal";
	push(s, &basis, buf_span(&body), &r);
	prefer = "";
	assert_int_equal(r.status, 200);
	assert_true(seal_holds(buf_span(&r.body)));
	ASSERT_OK(push_answers_decode(&a, buf_span(&r.body), span_of("site-a"), &why));
	assert_true(a.end.brief);
	assert_int_equal(a.end.applied, 2);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.answers[0].result, PUSH_CONFLICT);
	assert_true(a.answers[0].has_record && span_is(a.answers[0].record.id, "b"));
	assert_int_equal(a.answers[1].result, PUSH_REJECTED);
	assert_true(span_is(a.answers[1].id, "d"));
	assert_int_equal(a.answers[1].line, 0); /* the id says it */
	assert_int_equal(a.answers[2].result, PUSH_REJECTED);
	assert_int_equal(a.answers[2].id.len, 0);
	assert_int_equal(a.answers[2].line, 4);
	assert_int_equal(a.end.to.seq, 3);
	push_answers_done(&a);
	http_reply_done(&r);
	push(s, &basis, buf_span(&body), &r); /* and who does not prefer it has a line for each */
	ASSERT_OK(push_answers_decode(&a, buf_span(&r.body), span_of("site-a"), &why));
	assert_false(a.end.brief);
	assert_int_equal(a.n, 5);
	push_answers_done(&a);
	http_reply_done(&r);
	buf_done(&body);
}

/* Where the log stands, and no more. */
static void an_empty_push_only_asks(void **state)
{
	struct site *s = *state;
	const struct push_request basis = basis_of(s);
	struct http_reply r;
	struct push_answers a;

	push(s, &basis, (struct span){0}, &r);
	assert_int_equal(r.status, 200);
	ASSERT_OK(push_answers_decode(&a, buf_span(&r.body), span_of("site-a"), &why));
	assert_int_equal(a.n, 0);
	assert_int_equal(a.end.to.seq, 0);
	push_answers_done(&a);
	http_reply_done(&r);
}

/* So many are decoded while the first are written already. */
static void add_many(struct buf *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char id[16];

		snprintf(id, sizeof id, "m%04u", i);
		add_item(out, id, i + 1, (struct hash){{0, 0}});
	}
}

static void a_long_push_is_answered_in_its_order(void **state)
{
	struct site *s = *state;
	const struct push_request basis = basis_of(s);
	struct buf body = {0};
	struct http_reply r;
	struct push_answers a;

	add_many(&body, 3000);
	push(s, &basis, buf_span(&body), &r);
	assert_int_equal(r.status, 200);
	ASSERT_OK(push_answers_decode(&a, buf_span(&r.body), span_of("site-a"), &why));
	assert_int_equal(a.n, 3000);
	assert_int_equal(a.end.to.seq, 3000);
	for (unsigned i = 0; i < a.n; i++) {
		char id[16];

		snprintf(id, sizeof id, "m%04u", i);
		assert_true(span_is(a.answers[i].id, id));
		assert_int_equal(a.answers[i].result, PUSH_APPLIED);
	}
	push_answers_done(&a);
	http_reply_done(&r);
	buf_done(&body);
}

/* Nothing of it is wanted any more, and nobody waits for the rest to be decoded. */
/* New ones go in many at a time: up to one that is there already, and from the next on again. */
static void a_long_push_may_hold_what_is_there(void **state)
{
	static const unsigned there[] = {0, 1, 40, 41, 47, 48, 63, 64, 200, 999};
	struct site *s = *state;
	struct push_request basis;
	struct buf body = {0};
	struct http_reply r;
	struct push_answers a;
	char id[16];
	size_t k = 0;

	for (unsigned i = 0; i < sizeof there / sizeof *there; i++) {
		snprintf(id, sizeof id, "m%04u", there[i]);
		site_put(s, id, "2");
	}
	basis = basis_of(s);
	add_many(&body, 1000);
	push(s, &basis, buf_span(&body), &r);
	ASSERT_OK(push_answers_decode(&a, buf_span(&r.body), span_of("site-a"), &why));
	assert_int_equal(a.n, 1000);
	for (unsigned i = 0; i < a.n; i++) {
		bool was_there = i == there[k];

		snprintf(id, sizeof id, "m%04u", i);
		assert_true(span_is(a.answers[i].id, id));
		assert_int_equal(a.answers[i].result, was_there ? PUSH_CONFLICT : PUSH_APPLIED);
		k += was_there && k + 1 < sizeof there / sizeof *there;
	}
	assert_int_equal(a.end.to.seq, 1000);
	assert_int_equal(a.end.digest.count, 1000);
	assert_true(position_equal(a.end.to, site_status(s).head));
	push_answers_done(&a);
	http_reply_done(&r);
	buf_done(&body);
}

static void a_long_push_on_another_basis_writes_nothing(void **state)
{
	struct site *s = *state;
	struct push_request basis = basis_of(s);
	struct buf body = {0};
	struct http_reply r;

	add_many(&body, PUSH_LIMIT_MAX);
	basis.epoch = (struct epoch){REQUEST};
	push(s, &basis, buf_span(&body), &r);
	assert_problem(&r, 409, "\"code\":\"epoch_changed\"", site_status(s).epoch.hex);
	assert_int_equal(site_status(s).head.seq, 0);
	buf_done(&body);
}

/* It was meant for another database: not even what fits is written. */
static void a_push_on_another_basis_writes_nothing(void **state)
{
	struct site *s = *state;
	struct push_request basis;
	struct buf body = {0};
	struct http_reply r;

	site_put(s, "b", "2");
	basis = basis_of(s);
	add_item(&body, "a", 1, (struct hash){{0, 0}});
	basis.witness.head.half[0]++;
	push(s, &basis, buf_span(&body), &r);
	assert_problem(&r, 409, "\"code\":\"rewound\"", "position 1 is not in this database's log");
	basis.witness.head.half[0]--;
	basis.epoch = (struct epoch){REQUEST};
	push(s, &basis, buf_span(&body), &r);
	assert_problem(&r, 409, "\"code\":\"epoch_changed\"", site_status(s).epoch.hex);
	assert_int_equal(site_status(s).head.seq, 1);
	buf_done(&body);
}

static void a_push_that_cannot_be_read_is_refused(void **state)
{
	struct site *s = *state;
	const struct push_request basis = basis_of(s);
	struct buf body = {0}, target = {0};
	struct http_reply r;

	post(s, "/v1/apply?centre=" CENTRE "&request=" REQUEST "&epoch=1", (struct span){0}, &r);
	assert_problem(&r, 400, "bad_request", "epoch is not 32 hex digits");
	for (int i = 0; i <= PUSH_LIMIT_MAX; i++)
		buf_text(&body, "{}\n");
	push(s, &basis, buf_span(&body), &r);
	assert_problem(&r, 400, "bad_request", "5001 records, where at most 5000 are allowed");
	buf_clear(&body);
	add_item(&body, "a", 1, (struct hash){{0, 0}});
	push_request_encode(&basis, &target);
	seal_request(&target, buf_span(&body));
	body.at[body.len - 3] ^= 1;
	post(s, target.at, buf_span(&body), &r);
	assert_problem(&r, 400, "bad_request", "altered on its way");
	assert_int_equal(site_status(s).head.seq, 0);
	buf_done(&body);
	buf_done(&target);
}

/* Not applied is not acknowledged, wherever the disk gives out; with room again the same push goes in. */
static void a_push_without_room_is_refused_whole(void **state)
{
	static const char *const statements[] = {"SELECT head FROM", "INSERT", "COMMIT"};
	struct site *s = *state;
	struct push_request basis;
	struct buf body = {0};
	struct http_reply r;

	site_put(s, "b", "2");
	basis = basis_of(s);
	site_put(s, "c", "3"); /* so that the witness has to be looked up */
	add_item(&body, "a", 1, (struct hash){{0, 0}});
	for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
		full_at = statements[i];
		push(s, &basis, buf_span(&body), &r);
		full_at = NULL;
		assert_problem(&r, 507, "disk_full", "full");
		assert_int_equal(site_status(s).head.seq, 2);
	}
	push(s, &basis, buf_span(&body), &r);
	assert_int_equal(r.status, 200);
	http_reply_done(&r);
	assert_int_equal(site_status(s).head.seq, 3);
	buf_done(&body);
}

/* --- renames --- */

static const struct epoch fresh = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

static void ask_rename(struct site *s, struct epoch from, struct position witness, struct http_reply *r)
{
	const struct rename_request q = {
		.centre = {CENTRE}, .request = {REQUEST}, .from = from, .to = fresh, .witness = witness};
	struct buf body = {0};

	rename_request_encode(&q, &body);
	post(s, "/v1/epoch", buf_span(&body), r);
	buf_done(&body);
}

static void assert_renamed(struct http_reply *r, enum rename_result wanted, const struct epoch *now)
{
	enum rename_result result;
	struct epoch said, request;

	assert_int_equal(r->status, 200);
	assert_true(seal_holds(buf_span(&r->body)));
	ASSERT_OK(rename_answer_decode(&result, &said, &request, buf_span(&r->body), &why));
	assert_int_equal(result, wanted);
	assert_true(epoch_equal(&said, now));
	assert_string_equal(request.hex, REQUEST);
	http_reply_done(r);
}

/* Only a database that lacks the position gets a new name, and a second asking finds it done. */
static void a_rename_is_for_a_rewound_log_alone(void **state)
{
	const struct position lost = {.seq = 9, .head = {{1, 2}}};
	struct site *s = *state;
	const struct epoch own = site_status(s).epoch;
	struct http_reply r;

	site_put(s, "a", "1");
	ask_rename(s, own, site_status(s).head, &r);
	assert_renamed(&r, RENAME_NOT_REWOUND, &own);
	ask_rename(s, own, lost, &r);
	assert_renamed(&r, RENAME_DONE, &fresh);
	ask_rename(s, own, lost, &r); /* the first answer was lost */
	assert_renamed(&r, RENAME_DONE, &fresh);
	assert_string_equal(site_status(s).epoch.hex, fresh.hex);
}

static void a_rename_of_another_database_changes_nothing(void **state)
{
	const struct position lost = {.seq = 9, .head = {{1, 2}}};
	struct site *s = *state;
	const struct epoch own = site_status(s).epoch;
	struct http_reply r;

	ask_rename(s, (struct epoch){CENTRE}, lost, &r);
	assert_problem(&r, 409, "\"code\":\"epoch_changed\"", own.hex);
	assert_string_equal(site_status(s).epoch.hex, own.hex);
}

static void a_rename_that_cannot_be_read_or_kept_is_refused(void **state)
{
	const struct position lost = {.seq = 9, .head = {{1, 2}}};
	struct site *s = *state;
	const struct epoch own = site_status(s).epoch;
	struct buf body = {0};
	struct http_reply r;

	post(s, "/v1/epoch", span_of("{\"centre\":\"\"}"), &r);
	assert_problem(&r, 400, "bad_request", "centre: not 32 hex digits");
	post(s, "/v1/epoch?check=0000000000000000", span_of("{\"centre\":\"\"}"), &r);
	assert_problem(&r, 400, "bad_request", "altered on its way");
	buf_printf(&body,
		"{\"centre\":\"" CENTRE "\",\"request\":\"" REQUEST
		"\",\"protocol\":\"7-9\",\"from\":\"%s\",\"to\":\"%s\",\"witness\":\"9.%s\"}",
		own.hex, fresh.hex, REQUEST);
	post(s, "/v1/epoch", buf_span(&body), &r);
	assert_problem(&r, 400, "\"code\":\"incompatible\"", "protocol 7 to 9");
	full_at = "COMMIT";
	ask_rename(s, own, lost, &r);
	full_at = NULL;
	assert_problem(&r, 507, "disk_full", "full");
	assert_string_equal(site_status(s).epoch.hex, own.hex);
	buf_done(&body);
}

#define IN_MEMORY(test) cmocka_unit_test_setup_teardown(test, site_in_memory, site_gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MEMORY(a_push_is_answered_line_by_line),
		IN_MEMORY(a_push_may_be_answered_in_brief),
		IN_MEMORY(a_long_push_may_hold_what_is_there),
		IN_MEMORY(an_empty_push_only_asks),
		IN_MEMORY(a_long_push_is_answered_in_its_order),
		IN_MEMORY(a_long_push_on_another_basis_writes_nothing),
		IN_MEMORY(a_push_on_another_basis_writes_nothing),
		IN_MEMORY(a_push_that_cannot_be_read_is_refused),
		IN_MEMORY(a_push_without_room_is_refused_whole),
		IN_MEMORY(a_rename_is_for_a_rewound_log_alone),
		IN_MEMORY(a_rename_of_another_database_changes_nothing),
		IN_MEMORY(a_rename_that_cannot_be_read_or_kept_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
