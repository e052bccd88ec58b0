/* The centre's HTTP interface without a socket: what each call answers, and with which names. */
#include "shared/json_check.h"
#include "tests/contract/desk.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(test_wrong_requests_are_refused_by_table),
		DESK_TEST(test_unknown_values_are_null),
		DESK_TEST(test_an_event_is_cut_between_characters),
		DESK_TEST(test_records_carry_their_version),
		DESK_TEST(test_many_records_all_or_none),
		DESK_TEST(test_metrics_are_well_formed),
	};
	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
