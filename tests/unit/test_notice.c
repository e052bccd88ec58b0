/* What receivers are told, and in which words. */
#include "central/notice.h"
#include "shared/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	enum log_level least, level;
	const char *kind, *text;
	enum notice_want want;
} rows[] = {
	{LOG_WARN, LOG_WARN, "node.state", "offline (was in_sync): refused", NOTICE_YES},
	{LOG_WARN, LOG_ERROR, "DIVERGED", "", NOTICE_YES},
	{LOG_ERROR, LOG_WARN, "node.state", "offline (was in_sync): refused", NOTICE_NO},
	{LOG_WARN, LOG_INFO, "pulled", "", NOTICE_NO},
	{LOG_INFO, LOG_INFO, "pulled", "", NOTICE_YES},
	{LOG_WARN, LOG_INFO, "node.state", "in_sync (was offline): equal", NOTICE_IF_TROUBLED},
	{LOG_ERROR, LOG_INFO, "node.state", "in_sync (was catching_up): equal", NOTICE_IF_TROUBLED},
	{LOG_WARN, LOG_INFO, "node.state", "catching_up (was offline): 3 to go", NOTICE_NO},
	{LOG_INFO, LOG_INFO, "node.state", "in_sync (was offline): equal", NOTICE_YES},
	{LOG_WARN, LOG_WARN, "node.unwell", "disk_low: 3 MiB", NOTICE_YES},
	{LOG_WARN, LOG_INFO, "node.recovered", "disk_low: it is over, after 3 s", NOTICE_YES},
	{LOG_WARN, LOG_INFO, "centre.recovered", "disk_full: it is over", NOTICE_YES},
	{LOG_ERROR, LOG_INFO, "node.recovered", "disk_low: it is over, after 3 s", NOTICE_NO},
	{LOG_ERROR, LOG_INFO, "node.recovered", "database_damaged: it is over", NOTICE_YES},
	{LOG_WARN, LOG_INFO, "node.recovered", "clock_unsynchronised: it is over", NOTICE_NO},
	{LOG_WARN, LOG_INFO, "node.recovered", "disk_lower: it is over", NOTICE_NO},
	{LOG_WARN, LOG_INFO, "node.resumed", "disk_low: by hand", NOTICE_NO},
	{LOG_WARN, LOG_INFO, "notify.test", "", NOTICE_YES},
	{LOG_INFO, LOG_WARN, "notify.failed", "", NOTICE_NO},
	{LOG_INFO, LOG_INFO, "notify.healed", "", NOTICE_NO},
};

static void which_events_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (notice_want(rows[i].least, rows[i].level, rows[i].kind, span_of(rows[i].text)) !=
			rows[i].want)
			fail_msg("row %zu: %s %s", i, rows[i].kind, rows[i].text);
}

static struct notice one = {
	17, 1700000000000000, LOG_WARN, "node.state", "shop-1", "offline (was in_sync): \"refused\""};

static struct notice_message message_of(const struct notices *ns)
{
	return (struct notice_message){"d1", "c1", "http://127.0.0.1:7100", 1700000001000000, 2, 0, ns};
}

static void a_single_one_is_told_in_its_own_words(void **state)
{
	const struct notices ns = {.at = &one, .n = 1};
	struct notice_message m = message_of(&ns);
	struct buf out = {0};
	(void)state;
	notice_put_subject(&m, &out);
	assert_string_equal(out.at, "Tidemark: shop-1: offline (was in_sync): \"refused\"");
	buf_clear(&out);
	notice_put_text(&m, &out);
	assert_string_equal(out.at, "shop-1: offline (was in_sync): \"refused\"\n");
	buf_clear(&out);
	notice_put_json(&m, &out);
	assert_string_equal(out.at,
		"{\"id\":\"d1\",\"centre\":\"c1\",\"url\":\"http://127.0.0.1:7100\","
		"\"sent_at\":\"2023-11-14T22:13:21.000000Z\",\"attempt\":2,\"dropped\":0,"
		"\"subject\":\"Tidemark: shop-1: offline (was in_sync): \\\"refused\\\"\","
		"\"text\":\"shop-1: offline (was in_sync): \\\"refused\\\"\\n\",\"events\":["
		"{\"id\":17,\"at\":\"2023-11-14T22:13:20.000000Z\",\"level\":\"warn\",\"kind\":\"node."
		"state\","
		"\"node\":\"shop-1\",\"text\":\"offline (was in_sync): \\\"refused\\\"\","
		"\"state\":\"offline\",\"was\":\"in_sync\",\"reason\":\"\\\"refused\\\"\"}]}\n");
	buf_done(&out);
}

static void many_are_counted_and_the_worst_is_named(void **state)
{
	struct notice many[NOTICE_BATCH_MAX];
	const struct notices ns = {.at = many, .n = NOTICE_BATCH_MAX};
	struct notice_message m = message_of(&ns);
	struct buf out = {0};
	struct json_doc *d;
	const char *text;
	(void)state;
	for (size_t i = 0; i < NOTICE_BATCH_MAX; i++)
		many[i] = one;
	many[50] = (struct notice){67, 1, LOG_ERROR, "DIVERGED", NULL, "\x01 both ends differ"};
	m.dropped = 7;
	notice_put_subject(&m, &out);
	assert_string_equal(
		out.at, "Tidemark: 100 events, the worst: centre DIVERGED: \x01 both ends differ");
	buf_clear(&out);
	notice_put_text(&m, &out);
	assert_non_null(strstr(out.at, "7 earlier events could not be told"));
	assert_non_null(strstr(out.at, "\nand 80 more\n"));
	buf_clear(&out);
	notice_put_json(&m, &out);
	assert_int_equal(json_doc_parse(&d, buf_span(&out), NULL), OK);
	assert_int_equal(json_doc_count(d, "events"), NOTICE_BATCH_MAX);
	assert_int_equal(json_doc_text(d, "events.50.node", &text, NULL), GONE);
	assert_int_equal(json_doc_text(d, "events.50.state", &text, NULL), GONE);
	assert_int_equal(json_doc_text(d, "events.51.reason", &text, NULL), OK);
	json_doc_free(d);
	buf_done(&out);
}

static void nothing_but_what_went_by_is_a_message(void **state)
{
	const struct notices ns = {0};
	struct notice_message m = message_of(&ns);
	struct buf out = {0};
	struct json_doc *d;
	uint64_t dropped = 0;
	(void)state;
	m.dropped = 3;
	notice_put_json(&m, &out);
	assert_int_equal(json_doc_parse(&d, buf_span(&out), NULL), OK);
	assert_int_equal(json_doc_u64(d, "dropped", &dropped, NULL), OK);
	assert_int_equal(dropped, 3);
	assert_int_equal(json_doc_count(d, "events"), 0);
	json_doc_free(d);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_events_are_told),
		cmocka_unit_test(a_single_one_is_told_in_its_own_words),
		cmocka_unit_test(many_are_counted_and_the_worst_is_named),
		cmocka_unit_test(nothing_but_what_went_by_is_a_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
