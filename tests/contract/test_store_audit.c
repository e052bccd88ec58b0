/*
 * What a person changes is one event with who, before and after, in the transaction of the change; and no number of
 * other events takes its place.
 */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */
#include "tests/support/occurrences.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct author ann = {.who = "ann", .address = "192.0.2.7"}, bob = {.who = "bob"};

/* The events asked for as the API lists them. */
static const char *list(struct stage *g, const struct event_query *q)
{
	struct buf b = {0};
	struct event_query all = *q;
	const char *text;

	all.limit = all.limit ? all.limit : 1000;
	all.least_level = -1;
	assert_int_equal(store_events(g->store, &all, &b, &g->why), OK);
	text = arena_copy(&g->arena, b.at, b.len);
	buf_done(&b);
	return text;
}

static const char *audit(struct stage *g)
{
	return list(g, &(struct event_query){.audit = true});
}

static unsigned audited(struct stage *g)
{
	return occurrences(audit(g), "\"at\":");
}

/* The newest of the audit ends so. */
static void told(struct stage *g, const char *kind, const char *end)
{
	const char *last = list(g, &(struct event_query){.audit = true, .limit = 1});
	char text[1200];

	(void)snprintf(text, sizeof(text), "\"kind\":\"%s\"", kind);
	if (!strstr(last, text))
		fail_msg("%s is not in %s", text, last);
	(void)snprintf(text, sizeof(text), "%s}],\"next\":null}", end);
	if (!strstr(last, text))
		fail_msg("%s is not the end of %s", text, last);
}

#define GOOD(call) assert_int_equal((call), OK)

STAGE_TEST(a_node_of_each_change)
{
	uint64_t rotation;
	struct reason said;

	(void)f;
	assert_int_equal(audited(g), 0); /* the stage's own node is nobody's */
	GOOD(store_node_add(g->store, &ann, "site-b", "http://b/", "B", &g->why));
	told(g, "node.added",
		"\"who\":\"ann\",\"address\":\"192.0.2.7\",\"before\":null,"
		"\"after\":{\"url\":\"http://b/\",\"title\":\"B\",\"paused\":false}");
	GOOD(store_node_edit(g->store, &bob, "site-b", NULL, "C", &said, &g->why));
	assert_string_equal(said.text, "its title is now C");
	told(g, "node.changed",
		"\"who\":\"bob\",\"address\":null,\"before\":{\"title\":\"B\"},\"after\":{\"title\":\"C\"}");
	GOOD(store_node_edit(g->store, &bob, "site-b", "http://c/", "", &said, &g->why));
	assert_string_equal(said.text, "its URL is now http://c/, it has no title any more");
	told(g, "node.changed",
		"\"before\":{\"url\":\"http://b/\",\"title\":\"C\"},\"after\":{\"url\":\"http://c/"
		"\",\"title\":\"\"}");
	GOOD(store_node_pause(g->store, &bob, "site-b", true, &g->why));
	told(g, "node.paused", "\"before\":{\"paused\":false},\"after\":{\"paused\":true}");
	GOOD(store_node_pause(g->store, &bob, "site-b", false, &g->why));
	told(g, "node.resumed", "\"before\":{\"paused\":true},\"after\":{\"paused\":false}");
	GOOD(store_node_rotate(g->store, &bob, "site-b", &rotation, &g->why));
	told(g, "node.rotated", "\"before\":{\"rotation\":0},\"after\":{\"rotation\":1}");
	GOOD(store_node_remove(g->store, &bob, "site-b", &g->why));
	told(g, "node.removed",
		"\"before\":{\"url\":\"http://c/\",\"title\":\"\",\"paused\":false},\"after\":null");
	assert_int_equal(audited(g), 7);
}

/* What is as it is wanted already, and what is refused, is no change. */
STAGE_TEST(no_event_without_a_change)
{
	const struct precondition absent = {.must_be_absent = true};
	struct draft d = {span_of(f->name), span_of("x"), span_of("t"), span_of("1")};
	struct draft stranger = {span_of("nobody"), span_of("x"), span_of("t"), span_of("1")};
	struct draft both[2] = {d, stranger}, same[2] = {d, d};
	struct written w[2];
	struct reason said;
	char owner[RECORD_OWNER_MAX + 1];

	GOOD(store_node_pause(g->store, &ann, f->name, false, &g->why));
	GOOD(store_node_edit(g->store, &ann, f->name, stage_row(g, f->name).url, "", &said, &g->why));
	assert_string_equal(said.text, "");
	assert_int_equal(store_node_add(g->store, &ann, f->name, "http://new/", "", &g->why), CONFLICT);
	assert_int_equal(store_node_remove(g->store, &ann, "nobody", &g->why), GONE);
	assert_int_equal(store_put(g->store, &ann, &stranger, 1, NULL, w, &g->why), GONE);
	assert_int_equal(store_put(g->store, &ann, both, 2, NULL, w, &g->why), GONE);
	assert_int_equal(
		store_delete(g->store, &ann, span_of(f->name), span_of("x"), NULL, w, &g->why), GONE);
	assert_int_equal(store_conflict_promote(g->store, &ann, 1, owner, w, &g->why), GONE);
	assert_int_equal(store_quarantine_retry(g->store, &ann, 1, owner, &g->why), GONE);
	assert_int_equal(store_quarantine_drop(g->store, &ann, 1, owner, &g->why), GONE);
	assert_int_equal(audited(g), 0);
	GOOD(store_put(g->store, &ann, &d, 1, NULL, w, &g->why));
	assert_int_equal(audited(g), 1);
	GOOD(store_put(g->store, &ann, &d, 1, NULL, w, &g->why));
	GOOD(store_put(g->store, &ann, same, 2, NULL, w, &g->why));
	assert_int_equal(store_put(g->store, &ann, &d, 1, &absent, w, &g->why), CONFLICT);
	assert_int_equal(audited(g), 1);
	GOOD(store_delete(g->store, &ann, span_of(f->name), span_of("x"), NULL, w, &g->why));
	GOOD(store_delete(g->store, &ann, span_of(f->name), span_of("x"), NULL, w, &g->why));
	assert_int_equal(audited(g), 2);
}

STAGE_TEST(a_record_by_its_versions_and_many_by_their_number)
{
	struct draft one = {span_of(f->name), span_of("x"), span_of("t"), span_of("\"secret\"")};
	struct draft many[3] = {one, {span_of(f->name), span_of("y"), span_of("t"), span_of("1")},
		{span_of("site-b"), span_of("z"), span_of("t"), span_of("1")}};
	struct written w[3];
	char was[33], is[33], end[400];

	GOOD(store_put(g->store, &ann, &one, 1, NULL, w, &g->why));
	hash_hex(w[0].hash, was);
	(void)snprintf(end, sizeof(end),
		"\"before\":null,\"after\":{\"id\":\"x\",\"type\":\"t\",\"hash\":\"%s\"}", was);
	told(g, "record.written", end);
	GOOD(store_delete(g->store, &ann, span_of(f->name), span_of("x"), NULL, w, &g->why));
	hash_hex(w[0].hash, is);
	(void)snprintf(end, sizeof(end),
		"\"before\":{\"id\":\"x\",\"type\":\"t\",\"hash\":\"%s\"},"
		"\"after\":{\"id\":\"x\",\"type\":\"t\",\"hash\":\"%s\",\"deleted\":true}",
		was, is);
	told(g, "record.deleted", end);
	GOOD(store_put(g->store, &ann, many, 2, NULL, w, &g->why));
	told(g, "records.written", "\"before\":null,\"after\":{\"created\":2,\"changed\":0}");
	assert_int_equal(occurrences(audit(g), "\"node\":\"site-a\""), 3);
	GOOD(store_node_add(g->store, NULL, "site-b", "http://b/", "", &g->why));
	many[0].body = many[1].body = span_of("2");
	GOOD(store_put(g->store, &ann, many, 3, NULL, w, &g->why));
	told(g, "records.written", "\"after\":{\"created\":1,\"changed\":2}");
	assert_int_equal(occurrences(audit(g), "\"node\":null"), 1); /* of several nodes */
	assert_null(strstr(audit(g), "secret"));
	GOOD(store_put(g->store, NULL, &one, 1, NULL, w, &g->why));
	assert_int_equal(audited(g), 4);
}

/* Quotes, line ends, HTML and control characters are what they are, and JSON stays JSON. */
STAGE_TEST(texts_stay_texts)
{
	static const char title[] = "\",\"who\":\"root\"}\n<script>\x1b[2J\\ Грюße";
	static const char json[] = "\\\",\\\"who\\\":\\\"root\\\"}\\n<script>\\u001b[2J\\\\ Грюße";
	char end[600];

	(void)f;
	GOOD(store_node_add(g->store, &ann, "site-b", "http://b/", title, &g->why));
	(void)snprintf(end, sizeof(end),
		"\"after\":{\"url\":\"http://b/\",\"title\":\"%s\",\"paused\":false}", json);
	told(g, "node.added", end);
	assert_int_equal(occurrences(list(g, &(struct event_query){.who = "root"}), "\"at\":"), 0);
	if (g->kind == STAGE_POSTGRES)
		assert_string_equal(
			backstage_ask(g, "SELECT after->>'title' FROM tidemark.events WHERE who = 'ann'"),
			title);
}

static void flood(struct stage *g, unsigned n, const struct author *by, const char *kind)
{
	struct event evs[50];

	for (unsigned i = 0; i < 50; i++)
		evs[i] = (struct event){.level = LOG_INFO, .kind = kind, .by = by};
	for (unsigned i = 0; i < n; i += 50)
		GOOD(store_events_add(g->store, evs, 50, &g->why));
}

/* None takes another's place: what happens by itself, what operators do, what administrators do, who comes and goes. */
STAGE_TEST(no_flood_washes_away_what_people_did)
{
	const struct event_query anns = {.who = "ann"};

	(void)f;
	store_retune(g->store, POLICY_OWNER, 100, 100);
	GOOD(store_node_add(g->store, &ann, "site-b", "http://b/", "", &g->why));
	flood(g, 1000, NULL, "pulled");
	assert_in_range(
		occurrences(list(g, &(struct event_query){.oldest = true}), "\"kind\":\"pulled\""), 100, 111);
	assert_int_equal(occurrences(list(g, &anns), "\"at\":"), 1);
	flood(g, 1000, &bob, "record.written");
	assert_in_range(occurrences(audit(g), "\"kind\":\"record.written\""), 100, 111);
	assert_int_equal(occurrences(list(g, &anns), "\"at\":"), 1);
	flood(g, 1000, NULL, "pulled");
	assert_in_range(occurrences(audit(g), "\"kind\":\"record.written\""), 100, 111);
	flood(g, 1000, &bob, "session.began"); /* which a viewer may */
	flood(g, 1000, &bob, "session.ended");
	assert_in_range(occurrences(audit(g), "\"kind\":\"session."), 100, 111);
	assert_in_range(occurrences(audit(g), "\"kind\":\"record.written\""), 100, 111);
	assert_int_equal(occurrences(list(g, &anns), "\"at\":"), 1);
	flood(g, 500, &bob, "node.changed"); /* the same kind: its own bound */
	assert_in_range(occurrences(audit(g), "\"kind\":\"node.changed\""), 100, 111);
	assert_int_equal(occurrences(list(g, &anns), "\"at\":"), 0);
	assert_in_range(occurrences(audit(g), "\"kind\":\"record.written\""), 100, 111);
}

STAGE_TEST(they_are_found_by_who_and_node)
{
	(void)f;
	flood(g, 50, NULL, "pulled");
	GOOD(store_node_pause(g->store, &ann, f->name, true, &g->why));
	GOOD(store_node_add(g->store, &bob, "site-b", "http://b/", "", &g->why));
	flood(g, 50, NULL, "pulled");
	GOOD(store_node_pause(g->store, &ann, "site-b", true, &g->why));
	assert_int_equal(audited(g), 3);
	assert_int_equal(occurrences(list(g, &(struct event_query){.who = "ann"}), "\"who\":\"ann\""), 2);
	assert_int_equal(
		occurrences(list(g, &(struct event_query){.who = "ann", .node = "site-b"}), "\"at\":"), 1);
	assert_int_equal(
		occurrences(list(g, &(struct event_query){.audit = true, .node = "site-b"}), "\"at\":"), 2);
	assert_int_equal(occurrences(list(g, &(struct event_query){.who = "carl"}), "\"at\":"), 0);
	/* page by page, rising */
	struct event_query page = {.audit = true, .oldest = true, .limit = 1};
	const char *text;
	unsigned n = 0;
	do {
		text = list(g, &page);
		page.after = strtoull(strstr(text, "\"id\":") + 5, NULL, 10);
		n++;
	} while (!strstr(text, "\"next\":null"));
	assert_int_equal(n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_of_each_change),
		cmocka_unit_test(no_event_without_a_change),
		cmocka_unit_test(a_record_by_its_versions_and_many_by_their_number),
		cmocka_unit_test(texts_stay_texts),
		cmocka_unit_test(no_flood_washes_away_what_people_did),
		cmocka_unit_test(they_are_found_by_who_and_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
