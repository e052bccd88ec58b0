/* The centre's HTTP interface without a socket: what each call answers, and with which names. */
#include "central/routes.h"
#include "shared/clock.h"
#include "shared/json_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct desk {
	struct reason why;
	struct centre centre;
	struct router router;
	struct networks allowed;
	struct http_request q;
	struct http_reply r; /* of the last call */
};

static void must(struct desk *d, enum err e, const char *what)
{
	if (e != OK)
		fail_msg("%s: %s: %s", what, err_name(e), d->why.text);
}
#define MUST(call) must(d, (call), #call)

/* A store with one node, and a scheduler that never starts. */
static int set_up(void **state)
{
	static struct desk desk;
	static unsigned number;
	struct desk *d = &desk;
	char url[64];
	memset(d, 0, sizeof *d);
	snprintf(url, sizeof url, "sqlite:file:/api%u?vfs=memdb", number++);
	struct store_config store = {.url = url};
	MUST(store_open(&d->centre.store, &store, &d->why));
	MUST(store_node_add(d->centre.store, NULL, "a", "http://127.0.0.1:9", "", &d->why));
	networks_add_loopback(&d->allowed);
	struct scheduler_config s = {.store = d->centre.store, .allowed = &d->allowed, .interval_ms = 1000};
	MUST(scheduler_open(&d->centre.scheduler, &s, &d->why));
	d->centre.allowed = &d->allowed;
	d->centre.interval_ms = 1000;
	d->centre.started_us = clock_mono_us();
	central_routes_init(&d->router, &d->centre);
	*state = d;
	return 0;
}

static void forget(struct desk *d)
{
	http_reply_done(&d->r);
	arena_done(&d->q.arena);
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	forget(d);
	scheduler_close(d->centre.scheduler);
	store_close(d->centre.store);
	return 0;
}

static int ask(struct desk *d, enum http_method m, const char *target, const char *body, const char *if_match)
{
	forget(d);
	d->q = (struct http_request){
		.method = m, .target = span_of(target), .body = span_of(body), .loopback = true};
	if (if_match)
		*(if_match[0] == '*' ? &d->q.if_none_match : &d->q.if_match) = span_of(if_match);
	d->r = (struct http_reply){0};
	router_dispatch(&d->router, &d->q, &d->r);
	assert_false(buf_failed(&d->r.body));
	return d->r.status;
}

#define EXPECT(d, status, ...)                                                                            \
	do {                                                                                              \
		int got_ = ask(d, __VA_ARGS__);                                                           \
		if (got_ != (status))                                                                     \
			fail_msg("%s: %d: %s", #__VA_ARGS__, got_, (d)->r.body.at ? (d)->r.body.at : ""); \
	} while (0)
#define GET(target) HTTP_GET, target, NULL, NULL

static void has(struct desk *d, const char *text)
{
	if (!strstr(d->r.body.at, text))
		fail_msg("no %s in %s", text, d->r.body.at);
}

static const struct {
	int status;
	enum http_method method;
	const char *target, *body, *code;
} refusals[] = {
	{404, HTTP_GET, "/nothing", NULL, "not_found"},
	{405, HTTP_DELETE, "/v1/status", NULL, "method_not_allowed"},
	{404, HTTP_GET, "/v1/nodes/nobody", NULL, "not_found"},
	{404, HTTP_GET, "/v1/nodes/NOBODY", NULL, "not_found"},
	{400, HTTP_GET, "/v1/nodes?state=good", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes?limit=1001", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes?limit=0", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes?unwell=1", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes?history=61", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes?after=x", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes?what=1", NULL, "bad_request"},
	{404, HTTP_GET, "/v1/nodes/nobody/why", NULL, "not_found"},
	{404, HTTP_GET, "/v1/nodes/nobody/safe", NULL, "not_found"},
	{404, HTTP_GET, "/v1/nodes/nobody/check", NULL, "not_found"},
	{400, HTTP_GET, "/v1/nodes/a/check?after=no%20id", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes/a/why?since=1", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes/a/safe?since=x", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/nodes/a/safe?position=-1", NULL, "bad_request"},
	{400, HTTP_POST, "/v1/nodes", "{", "bad_json"},
	{400, HTTP_POST, "/v1/nodes", "{}", "bad_request"},
	{400, HTTP_POST, "/v1/nodes", "{\"name\":\"b\"}", "bad_request"},
	{400, HTTP_POST, "/v1/nodes", "{\"name\":\"B\",\"url\":\"http://127.0.0.1:1\"}", "bad_request"},
	{400, HTTP_POST, "/v1/nodes", "{\"name\":1,\"url\":\"http://127.0.0.1:1\"}", "bad_request"},
	{400, HTTP_POST, "/v1/nodes", "{\"name\":\"b\",\"url\":\"file:///x\"}", "bad_request"},
	{400, HTTP_POST, "/v1/nodes", "{\"name\":\"b\",\"url\":\"http://10.0.0.1\"}", "bad_request"},
	{409, HTTP_POST, "/v1/nodes", "{\"name\":\"a\",\"url\":\"http://127.0.0.1:1\"}", "conflict"},
	{409, HTTP_POST, "/v1/nodes", "{\"name\":\"b\",\"url\":\"http://127.0.0.1:9\"}", "conflict"},
	{404, HTTP_PATCH, "/v1/nodes/nobody", "{\"title\":\"x\"}", "not_found"},
	{400, HTTP_PATCH, "/v1/nodes/a", "{\"url\":\"nonsense\"}", "bad_request"},
	{404, HTTP_DELETE, "/v1/nodes/nobody", NULL, "not_found"},
	{404, HTTP_POST, "/v1/nodes/nobody/pull", NULL, "not_found"},
	{404, HTTP_POST, "/v1/nodes/a/dance", NULL, "not_found"},
	{400, HTTP_GET, "/v1/records?deleted=maybe", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/records?type=T", NULL, "bad_type"},
	{404, HTTP_GET, "/v1/records/a/none", NULL, "not_found"},
	{400, HTTP_GET, "/v1/records/A/none", NULL, "bad_id"},
	{400, HTTP_GET, "/v1/records/a/no%20ne", NULL, "bad_id"},
	{404, HTTP_PUT, "/v1/records/nobody/x", "{\"type\":\"t\",\"body\":1}", "not_found"},
	{400, HTTP_PUT, "/v1/records/a/x", "{\"type\":\"T\",\"body\":1}", "bad_type"},
	{404, HTTP_DELETE, "/v1/records/a/x", NULL, "not_found"},
	{404, HTTP_POST, "/v1/records", "{\"owner\":\"nobody\",\"type\":\"t\",\"body\":1}", "not_found"},
	{400, HTTP_POST, "/v1/records", "[{\"owner\":\"a\",\"type\":\"t\",\"body\":1},", "bad_json"},
	{400, HTTP_GET, "/v1/events?level=loud", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/events?moves=no", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/events?after=x", NULL, "bad_request"},
	{404, HTTP_POST, "/v1/conflicts/1/promote", NULL, "not_found"},
	{404, HTTP_POST, "/v1/conflicts/x/promote", NULL, "not_found"},
	{400, HTTP_GET, "/v1/quarantine?limit=1001", NULL, "bad_request"},
	{400, HTTP_GET, "/v1/quarantine?after=x", NULL, "bad_request"},
	{404, HTTP_POST, "/v1/quarantine/1/retry", NULL, "not_found"},
	{404, HTTP_POST, "/v1/quarantine/x/retry", NULL, "not_found"},
	{404, HTTP_DELETE, "/v1/quarantine/1", NULL, "not_found"},
	{404, HTTP_DELETE, "/v1/quarantine/x", NULL, "not_found"},
};

static void test_wrong_requests_are_refused_by_table(void **state)
{
	struct desk *d = *state;
	char code[64];
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		int status = ask(d, refusals[i].method, refusals[i].target, refusals[i].body, NULL);
		snprintf(code, sizeof code, "\"code\":\"%s\"", refusals[i].code);
		if (status != refusals[i].status || !strstr(d->r.body.at, code))
			fail_msg("%s: %s", refusals[i].target, d->r.body.at);
	}
	EXPECT(d, 200, GET("/v1/nodes")); /* and nothing changed */
	has(d, "[{\"name\":\"a\"");
	has(d, "}],\"next\":null}");
	EXPECT(d, 200, GET("/v1/records"));
	has(d, "{\"records\":[],\"next\":null}");
	EXPECT(d, 200, GET("/v1/quarantine?owner=a"));
	has(d, "{\"quarantine\":[],\"next\":null}");
}

static void test_unknown_values_are_null(void **state)
{
	struct desk *d = *state;
	EXPECT(d, 200, GET("/v1/nodes/a"));
	has(d, "\"state\":\"never_seen\"");
	has(d, "\"next_attempt_at\":null");
	has(d, "\"epoch\":null,\"cursor\":null,\"head_seq\":null,\"records\":0");
	has(d, "\"backlog\":{\"pull\":null,\"push\":0,\"oldest_s\":null,");
	has(d, "\"pull_left_s\":null,\"push_left_s\":0.000}");
	has(d, "\"proof\":{\"equal\":null,\"at\":null,\"age_s\":null,\"seq\":null,\"poll\":null,\"count\":"
	       "null,\"digest\":"
	       "null}");
	has(d, "\"clock\":{\"offset_us\":null,\"error_us\":null,\"rtt_us\":null,\"age_s\":null,\"skewed\":"
	       "null,\"disagrees\":null,"
	       "\"reason\":\"not measured yet\",\"synchronised\":null,\"own_error_us\":null,\"source\":null,"
	       "\"keeper\":\"not told yet\",\"chrony\":null}");
	has(d, "\"last_ms\":null,\"history\":[]");
	has(d, "\"counted\":{\"at\":null,\"poll\":null,\"damaged\":null,\"first\":null}");
	has(d, "\"rejected\":0,\"quarantined\":0,");
	has(d, "\"version\":null");
	EXPECT(d, 200, GET("/v1/status"));
	has(d, "\"clock\":{\"synchronised\":");
	has(d, "\"reason\":\"chronyd has not been asked\",\"chrony\":null}");
	has(d, "\"nodes\":{\"total\":1,\"in_sync\":0");
	has(d, "\"never_seen\":1");
	has(d, "\"backlog\":{\"pull\":null");
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/pause", NULL,
		NULL); /* what an operator paused is left out of the sum */
	has(d, "\"backlog\":{\"pull\":null");
	EXPECT(d, 200, GET("/v1/status"));
	has(d, "\"backlog\":{\"pull\":0");
}

/* --- a store that is away: tests.mk has these stand before the real ones --- */

static bool away;
static unsigned asked_while_away;

static enum err stand_in(struct reason *why)
{
	asked_while_away++;
	snprintf(why->text, sizeof why->text, "the database is away");
	return RETRY;
}

enum err __real_store_ping(struct store *st, struct reason *why);
enum err __wrap_store_ping(struct store *st, struct reason *why);
enum err __wrap_store_ping(struct store *st, struct reason *why)
{
	return away ? stand_in(why) : __real_store_ping(st, why);
}

enum err __real_store_counts(struct store *st, struct owner_counts *counts, size_t n, struct reason *why);
enum err __wrap_store_counts(struct store *st, struct owner_counts *counts, size_t n, struct reason *why);
enum err __wrap_store_counts(struct store *st, struct owner_counts *counts, size_t n, struct reason *why)
{
	return away ? stand_in(why) : __real_store_counts(st, counts, n, why);
}

static void test_without_the_store_the_rest_is_still_said(void **state)
{
	struct desk *d = *state;
	EXPECT(d, 201, HTTP_POST, "/v1/nodes", "{\"name\":\"b\",\"url\":\"http://127.0.0.1:8\"}", NULL);
	EXPECT(d, 201, HTTP_POST, "/v1/records",
		"[{\"owner\":\"a\",\"type\":\"t\",\"body\":1},{\"owner\":\"b\",\"type\":\"t\",\"body\":1}]",
		"application/json");
	EXPECT(d, 200, GET("/metrics"));
	has(d, "tidemark_store_up 1\n");
	has(d, "tidemark_conflicts 0\n");
	has(d, "tidemark_quarantined 0\n");
	has(d, "tidemark_backlog_records{node=\"a\",direction=\"push\"} 1\n");
	away = true;
	static const char *const targets[] = {"/v1/status", "/v1/nodes", "/v1/nodes/b", "/metrics"};
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		asked_while_away = 0;
		EXPECT(d, 200, GET(targets[i]));
		assert_int_equal(asked_while_away, 1); /* not once a node: it may take long to fail */
		if (i < 3)
			has(d, "\"backlog\":{\"pull\":null,\"push\":null,\"oldest_s\":null,");
		if (i < 3)
			has(d, "\"conflicts\":null");
	}
	has(d, "tidemark_store_up 0\n");
	has(d, "tidemark_nodes{state=\"never_seen\"} 2\n");
	assert_null(strstr(d->r.body.at, "tidemark_conflicts 0"));
	assert_null(strstr(d->r.body.at, "tidemark_quarantined 0"));
	assert_null(strstr(d->r.body.at, "direction=\"push\""));
	EXPECT(d, 200, GET("/v1/status"));
	has(d, "\"store\":{\"kind\":\"sqlite\",\"ok\":false}");
	has(d, "\"conflicts\":null,\"quarantined\":null");
	has(d, "\"total\":2");
	EXPECT(d, 503, GET("/readyz"));
	EXPECT(d, 200, GET("/healthz"));
	away = false;
	EXPECT(d, 200, GET("/v1/status"));
	has(d, "\"ok\":true");
	has(d, "\"push\":2");
}

static bool unsure; /* the store's next addition: it is done, and not known to be */

enum err __real_store_node_add(struct store *st, const struct author *by, const char *name, const char *url,
	const char *title, struct reason *why);
enum err __wrap_store_node_add(struct store *st, const struct author *by, const char *name, const char *url,
	const char *title, struct reason *why);
enum err __wrap_store_node_add(struct store *st, const struct author *by, const char *name, const char *url,
	const char *title, struct reason *why)
{
	enum err e = __real_store_node_add(st, by, name, url, title, why);
	if (!unsure)
		return e;
	unsure = false;
	snprintf(why->text, sizeof why->text, "the connection was lost");
	return UNCERTAIN;
}

static void test_why_and_safe_answer_with_or_without_the_store(void **state)
{
	struct desk *d = *state;
	EXPECT(d, 200, GET("/v1/nodes/a/why"));
	has(d, "{\"name\":\"a\",\"state\":\"never_seen\",\"since\":\"");
	has(d, "\"known\":[{\"topic\":\"exchange\",\"text\":\"no exchange worked since the centre started");
	has(d, "\"next\":\"now: a pull of what its log holds after position 0\",\"unblock\":null}");
	EXPECT(d, 200, GET("/v1/nodes/a/safe"));
	has(d, "\"polls_begun\":0,\"safe\":null,\"pending\":true,\"position\":null,\"at\":null,\"text\":\"");
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/pause", NULL, NULL);
	EXPECT(d, 200, GET("/v1/nodes/a/why"));
	has(d, "\"unblock\":\"`tidemark node resume a`\"}");
	EXPECT(d, 200, GET("/v1/nodes/a/safe?since=0"));
	has(d, "\"safe\":null,\"pending\":false");
	EXPECT(d, 201, HTTP_POST, "/v1/records", "{\"owner\":\"a\",\"type\":\"t\",\"body\":1}",
		"application/json");
	away = true;
	asked_while_away = 0;
	EXPECT(d, 200, GET("/v1/nodes/a/why"));
	assert_int_equal(asked_while_away, 1); /* not once for each count */
	has(d, "{\"topic\":\"rejected\",\"text\":\"not known, since the centre's own store cannot say\"}");
	EXPECT(d, 200, GET("/v1/nodes/a/safe"));
	has(d, "\"safe\":null");
	away = false;
}

static void test_a_node_that_may_have_been_added_is_looked_for(void **state)
{
	struct desk *d = *state;
	unsure = true;
	EXPECT(d, 503, HTTP_POST, "/v1/nodes", "{\"name\":\"b\",\"url\":\"http://127.0.0.1:8\"}", NULL);
	has(d, "\"outcome\":\"unknown\"");
	has(d, "it may have been done");
	EXPECT(d, 200, GET("/v1/nodes/b"));
	has(d, "\"url\":\"http://127.0.0.1:8\"");
}

static bool unread; /* the database goes away after the write, before the answer is read from it */

enum err __real_store_record(struct store *st, struct span owner, struct span id, struct record *ret,
	struct arena *a, struct reason *why);
enum err __wrap_store_record(struct store *st, struct span owner, struct span id, struct record *ret,
	struct arena *a, struct reason *why);
enum err __wrap_store_record(struct store *st, struct span owner, struct span id, struct record *ret,
	struct arena *a, struct reason *why)
{
	return unread ? stand_in(why) : __real_store_record(st, owner, id, ret, a, why);
}

static void test_a_write_whose_answer_cannot_be_read_is_said_to_be_done(void **state)
{
	struct desk *d = *state;
	unread = true;
	EXPECT(d, 503, HTTP_PUT, "/v1/records/a/x", "{\"type\":\"t\",\"body\":1}", NULL);
	has(d, "\"outcome\":\"done\"");
	has(d, "the database is away; what was asked for is done");
	EXPECT(d, 503, GET("/v1/records/a/x"));
	assert_null(strstr(d->r.body.at, "outcome"));
	EXPECT(d, 503, HTTP_DELETE, "/v1/records/a/x", NULL, NULL);
	has(d, "\"outcome\":\"done\"");
	unread = false;
	EXPECT(d, 404, GET("/v1/records/a/x"));
	has(d, "has been deleted");
}

/* What is cut to fit is cut between characters: half of one would make the answer no JSON, and no text for a database. */
static void test_an_event_is_cut_between_characters(void **state)
{
	struct desk *d = *state;
	struct json_value whole;
	struct buf body = {0};
	buf_text(&body, "{\"title\":\"x");
	for (int i = 0; i < 125; i++)
		buf_text(&body, "ä");
	buf_text(&body, "\"}");
	EXPECT(d, 200, HTTP_PATCH, "/v1/nodes/a", body.at, NULL);
	EXPECT(d, 200, GET("/v1/events"));
	has(d, "its title is now xä");
	assert_int_equal(json_check(buf_span(&d->r.body), &whole, &d->why), OK);
	buf_done(&body);
}

static void test_records_carry_their_version(void **state)
{
	struct desk *d = *state;
	char etag[36];
	EXPECT(d, 201, HTTP_PUT, "/v1/records/a/x", "{\"type\":\"t\",\"body\":{\"v\":1.50}}", "*");
	memcpy(etag, d->r.etag, sizeof etag);
	assert_int_equal(strlen(etag), 34);
	has(d, "\"body\":{\"v\":1.50}");
	EXPECT(d, 412, HTTP_PUT, "/v1/records/a/x", "{\"type\":\"t\",\"body\":2}", "*");
	has(d, "precondition_failed");
	EXPECT(d, 200, HTTP_PUT, "/v1/records/a/x", "{\"type\":\"t\",\"body\":{\"v\":1.50}}", NULL);
	assert_string_equal(d->r.etag, etag); /* the same: no new version */
	EXPECT(d, 200, HTTP_PUT, "/v1/records/a/x", "{\"type\":\"t\",\"body\":2}", etag);
	assert_string_not_equal(d->r.etag, etag);
	EXPECT(d, 412, HTTP_DELETE, "/v1/records/a/x", NULL, etag);
	EXPECT(d, 400, HTTP_DELETE, "/v1/records/a/x", NULL, "W/\"x\"");
	EXPECT(d, 200, GET("/v1/records/a/x"));
	EXPECT(d, 200, HTTP_DELETE, "/v1/records/a/x", NULL, NULL);
	has(d, "\"deleted\":true,\"body\":null");
	memcpy(etag, d->r.etag, sizeof etag);
	EXPECT(d, 200, HTTP_DELETE, "/v1/records/a/x", NULL, NULL);
	assert_string_equal(d->r.etag, etag);
	EXPECT(d, 404, GET("/v1/records/a/x"));
	has(d, "\"hash\":\"");
	EXPECT(d, 200, GET("/v1/records?owner=a"));
	has(d, "{\"records\":[]");
	EXPECT(d, 200, GET("/v1/records?owner=a&deleted=true"));
	has(d, "\"id\":\"x\"");
	EXPECT(d, 200, GET("/v1/nodes/a"));
	has(d, "\"push\":1"); /* its owner has yet to hear of it */
}

static void test_many_records_all_or_none(void **state)
{
	struct desk *d = *state;
	EXPECT(d, 404, HTTP_POST, "/v1/records",
		"{\"owner\":\"a\",\"id\":\"1\",\"type\":\"t\",\"body\":1}\n"
		"{\"owner\":\"b\",\"id\":\"2\",\"type\":\"t\",\"body\":2}\n",
		NULL);
	has(d, "\"line\":2");
	EXPECT(d, 404, GET("/v1/records/a/1"));
	EXPECT(d, 201, HTTP_POST, "/v1/records",
		"[{\"owner\":\"a\",\"id\":\"1\",\"type\":\"t\",\"body\":1},{\"owner\":\"a\",\"type\":\"t\","
		"\"body\":2}]",
		NULL);
	has(d, "{\"records\":[{\"owner\":\"a\",\"id\":\"1\"");
	EXPECT(d, 200, GET("/v1/records/a/1"));
	EXPECT(d, 200, GET("/v1/records?limit=1"));
	has(d, "\"next\":\"a/");
}

static void test_nodes_come_worst_first_page_by_page(void **state)
{
	struct desk *d = *state;
	EXPECT(d, 201, HTTP_POST, "/v1/nodes",
		"{\"name\":\"b\",\"url\":\"http://127.0.0.1:8\",\"title\":\"\\u00e9\"}", NULL);
	has(d, "\"title\":\"\xc3\xa9\"");
	assert_string_equal(d->r.location, "/v1/nodes/b");
	EXPECT(d, 201, HTTP_POST, "/v1/nodes", "{\"name\":\"c\",\"url\":\"http://127.0.0.1:7\"}", NULL);
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/pause", NULL, NULL);
	has(d, "\"state\":\"paused\"");
	EXPECT(d, 200, GET("/v1/nodes?limit=2"));
	has(d, "{\"nodes\":[{\"name\":\"b\"");
	has(d, "\"next\":\"4.c\"");
	EXPECT(d, 200, GET("/v1/nodes?limit=2&after=4.c"));
	has(d, "{\"nodes\":[{\"name\":\"a\"");
	has(d, "\"next\":null");
	EXPECT(d, 200, GET("/v1/nodes?state=paused"));
	has(d, "{\"nodes\":[{\"name\":\"a\"");
	EXPECT(d, 200, GET("/v1/nodes?state=in_sync"));
	has(d, "{\"nodes\":[],\"next\":null}");
	EXPECT(d, 200, GET("/v1/nodes?unwell=true"));
	has(d, "{\"nodes\":[],\"next\":null}");
	EXPECT(d, 200, GET("/v1/nodes?unwell=false&state=paused&history=0"));
	has(d, "{\"nodes\":[{\"name\":\"a\"");
}

static void test_verbs_answer_with_what_they_did(void **state)
{
	struct desk *d = *state;
	struct node n;
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/verify", NULL, NULL);
	MUST(store_node(d->centre.store, "a", &n, &d->why));
	assert_true(n.sync.recount);
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/verify", NULL, NULL);
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/pull", NULL, NULL);
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/push", NULL, NULL);
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/pause", NULL, NULL);
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/resume", NULL, NULL);
	has(d, "\"state\":\"never_seen\"");
	EXPECT(d, 200, HTTP_PATCH, "/v1/nodes/a", "{\"title\":\"new\",\"url\":\"http://localhost:5\"}", NULL);
	has(d, "\"title\":\"new\",\"url\":\"http://localhost:5\"");
	EXPECT(d, 200, HTTP_DELETE, "/v1/nodes/a", NULL, NULL);
	EXPECT(d, 404, GET("/v1/nodes/a"));
	EXPECT(d, 200, GET("/v1/events?node=a"));
	has(d, "\"kind\":\"node.paused\"");
	has(d, "\"kind\":\"node.removed\"");
}

static void test_a_halted_node_is_resumed_with_what_answers_now(void **state)
{
	struct desk *d = *state;
	struct node n;
	MUST(store_node(d->centre.store, "a", &n, &d->why));
	struct sync_change change = {.to = n.sync};
	change.to.epoch = epoch_new();
	change.to.halt = HALT_DIVERGED;
	MUST(store_move_node(d->centre.store, "a", &n.sync, &change, NULL, &d->why));
	scheduler_changed(d->centre.scheduler, "a");
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/a/resume", NULL, NULL);
	MUST(store_node(d->centre.store, "a", &n, &d->why));
	assert_int_equal(n.sync.halt, HALT_NONE);
	assert_int_equal(n.sync.generation, 1);
}

static void test_tokens_are_told_only_with_a_secret(void **state)
{
	struct desk *d = *state;
	char first[128];
	EXPECT(d, 200, GET("/v1/nodes/a/token"));
	has(d, "\"token\":null");
	EXPECT(d, 409, HTTP_POST, "/v1/nodes/a/rotate", NULL, NULL);
	has(d, "no secret");
	EXPECT(d, 200, GET("/v1/events?node=a"));
	assert_null(strstr(d->r.body.at, "node.rotated"));
	d->centre.secret = "an operator's secret";
	EXPECT(d, 200, GET("/v1/nodes/a/token"));
	snprintf(first, sizeof first, "%s", d->r.body.at);
	EXPECT(d, 200, GET("/v1/nodes/a/token"));
	assert_string_equal(d->r.body.at, first);
	EXPECT(d, 200, HTTP_POST, "/v1/nodes/a/rotate", NULL, NULL);
	assert_string_not_equal(d->r.body.at, first);
	assert_int_equal(d->r.body.len, strlen(first));
	EXPECT(d, 200, GET("/v1/events?node=a"));
	has(d, "node.rotated");
	EXPECT(d, 404, GET("/v1/nodes/nobody/token"));
	EXPECT(d, 404, HTTP_POST, "/v1/nodes/nobody/rotate", NULL, NULL);
}

/* Each metric has its HELP and TYPE before its first sample, once, and each sample is a number. */
static void test_metrics_are_well_formed(void **state)
{
	struct desk *d = *state;
	char name[128] = "", line[512];
	EXPECT(d, 200, GET("/metrics"));
	assert_true(d->r.body.at[d->r.body.len - 1] == '\n');
	size_t families = 0;
	for (const char *at = d->r.body.at; *at; at = strchr(at, '\n') + 1) {
		double value;
		snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
		if (sscanf(line, "# HELP %100s", name) == 1) {
			char type[160];
			snprintf(type, sizeof type, "\n# TYPE %s ", name);
			assert_non_null(strstr(at, type));
			families++;
			continue;
		}
		if (line[0] == '#')
			continue;
		assert_int_equal(strncmp(line, name, strlen(name)), 0);
		assert_int_equal(sscanf(strrchr(line, ' '), "%lf", &value), 1);
	}
	assert_int_equal(families, 28);
	has(d, "tidemark_nodes{state=\"never_seen\"} 1\n");
	has(d, "tidemark_node_up{node=\"a\"} 0\n");
	has(d, "tidemark_node_state{node=\"a\",state=\"never_seen\"} 1\n");
	assert_null(strstr(d->r.body.at, "tidemark_clock_offset_seconds{")); /* not known */
	assert_null(strstr(d->r.body.at, "tidemark_clock_skewed{"));
	assert_null(strstr(d->r.body.at, "tidemark_lag_seconds{")); /* not known */
}

#define MANY 300

/* Every one of many comes on one page, in order, whatever the pages' size; with those whose state changes the order. */
static void assert_pages_of_many(struct desk *d, const char *query, unsigned limit, const char *first)
{
	char target[128], after[80] = "", last[64] = "";
	unsigned n = 0, pages = 0;
	do {
		(void)snprintf(target, sizeof target, "/v1/nodes?history=0&limit=%u%s%s%s", limit, query,
			after[0] ? "&after=" : "", after);
		EXPECT(d, 200, GET(target));
		for (const char *at = d->r.body.at; (at = strstr(at, "{\"name\":\"")) != NULL; n++) {
			char name[64];
			at += strlen("{\"name\":\"");
			(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\""), at);
			if (n == 0)
				assert_string_equal(name, first);
			else if (n > 1)
				assert_true(strcmp(last, name) < 0);
			memcpy(last, name, sizeof last);
		}
		const char *next = strstr(d->r.body.at, "\"next\":\"");
		for (const char *at = next; at; at = strstr(at + 1, "\"next\":\"")) /* a node has one, too */
			next = at;
		after[0] = '\0';
		if (next && !strstr(d->r.body.at, "],\"next\":null}"))
			(void)snprintf(after, sizeof after, "%.*s", (int)strcspn(next + 8, "\""), next + 8);
		pages++;
	} while (after[0]);
	assert_int_equal(n, MANY);
	assert_int_equal(pages, (MANY + limit - 1) / limit);
}

static void test_many_nodes_come_once_each_in_order(void **state)
{
	struct desk *d = *state;
	char body[128];
	for (unsigned i = 1; i < MANY; i++) { /* beside the one that is there */
		(void)snprintf(body, sizeof body, "{\"name\":\"b%04u\",\"url\":\"http://127.0.0.1:%u\"}", i,
			20000 + i);
		EXPECT(d, 201, HTTP_POST, "/v1/nodes", body, NULL);
	}
	assert_pages_of_many(d, "", 1000, "a");
	assert_pages_of_many(d, "", 7, "a");
	assert_pages_of_many(d, "", MANY, "a");
	assert_pages_of_many(d, "&order=name", 130, "a");
	EXPECT(d, 202, HTTP_POST, "/v1/nodes/b0299/pause", NULL, NULL); /* after all others */
	EXPECT(d, 200, GET("/v1/nodes?history=0&limit=299"));
	assert_null(strstr(d->r.body.at, "b0299\""));
	has(d, "],\"next\":\"4.b0298\"}");
	EXPECT(d, 200, GET("/v1/nodes?history=0&limit=299&after=4.b0298"));
	has(d, "{\"nodes\":[{\"name\":\"b0299\"");
	has(d, "],\"next\":null}");
	EXPECT(d, 200, GET("/v1/status"));
	has(d, "{\"total\":300,");
	has(d, "\"never_seen\":299,");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wrong_requests_are_refused_by_table),
		TEST(test_unknown_values_are_null),
		TEST(test_without_the_store_the_rest_is_still_said),
		TEST(test_why_and_safe_answer_with_or_without_the_store),
		TEST(test_a_node_that_may_have_been_added_is_looked_for),
		TEST(test_a_write_whose_answer_cannot_be_read_is_said_to_be_done),
		TEST(test_an_event_is_cut_between_characters),
		TEST(test_records_carry_their_version),
		TEST(test_many_records_all_or_none),
		TEST(test_nodes_come_worst_first_page_by_page),
		TEST(test_verbs_answer_with_what_they_did),
		TEST(test_a_halted_node_is_resumed_with_what_answers_now),
		TEST(test_tokens_are_told_only_with_a_secret),
		TEST(test_metrics_are_well_formed),
		TEST(test_many_nodes_come_once_each_in_order),
	};
	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
