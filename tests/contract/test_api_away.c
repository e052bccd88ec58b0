/* What the centre's HTTP interface answers while its store is away, or when nobody knows whether it did what was asked. */
#include "tests/contract/desk.h"

/* tests.mk has these stand before the real ones. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(test_without_the_store_the_rest_is_still_said),
		DESK_TEST(test_why_and_safe_answer_with_or_without_the_store),
		DESK_TEST(test_a_node_that_may_have_been_added_is_looked_for),
		DESK_TEST(test_a_write_whose_answer_cannot_be_read_is_said_to_be_done),
	};
	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
