/* What the centre's HTTP interface answers about nodes, and does to them. */
#include "tests/contract/desk.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(test_nodes_come_worst_first_page_by_page),
		DESK_TEST(test_verbs_answer_with_what_they_did),
		DESK_TEST(test_a_halted_node_is_resumed_with_what_answers_now),
		DESK_TEST(test_tokens_are_told_only_with_a_secret),
		DESK_TEST(test_many_nodes_come_once_each_in_order),
	};
	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
