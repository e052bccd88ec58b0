/* settle: which answer belongs to what was sent, what it moves, and what people are told of it. */
#include "central/settle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* last: its fail() is a macro */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Three records a, b and c, as they were sent. */
static struct push_item items[3];
static const struct push_page sent = {.items = items, .n = COUNT(items)};

static int setup(void **state)
{
	static const char *const ids[] = {"a", "b", "c"};

	(void)state;
	for (size_t i = 0; i < COUNT(items); i++) {
		struct record *r = &items[i].record;

		*r = (struct record){.owner = span_of("site-a"),
			.id = span_of(ids[i]),
			.type = span_of("t"),
			.body = span_of("1"),
			.dot = {7, i + 1}};
		r->hash = record_hash(r);
	}
	return 0;
}

static struct push_answer answer_to(size_t i, enum push_result result)
{
	return (struct push_answer){.id = items[i].record.id, .result = result, .hash = items[i].record.hash};
}

/* --- is anything to be written? --- */

/* A field left out here would be one that is not stored. */
static void every_stored_field_makes_a_difference(void **state)
{
	const struct node_sync a = {.epoch = {"11111111111111111111111111111111"}, .cursor = 4};
	struct node_sync other[9];

	(void)state;
	for (size_t i = 0; i < COUNT(other); i++)
		other[i] = a;
	assert_true(settle_same_sync(&a, &other[0]));
	other[0].cursor++;
	other[1].reconciling = true;
	other[2].recount = true;
	other[3].sweep_after[0] = 'm';
	other[4].digest.count++;
	other[5].doubt_seq++;
	other[6].doubt_local.lane[1]++;
	other[7].doubt_centre.lane[0]++;
	other[8].quarantined++;
	for (size_t i = 0; i < COUNT(other); i++)
		assert_false(settle_same_sync(&a, &other[i]));
}

/* --- answers to items --- */

static void answers_are_matched_in_any_order(void **state)
{
	struct push_answer given[] = {
		answer_to(2, PUSH_ALREADY), answer_to(0, PUSH_APPLIED), {.result = PUSH_REJECTED}};
	const struct push_answers answers = {.answers = given, .n = COUNT(given)};
	const struct push_answer *by_item[3];
	struct reason why;

	(void)state;
	assert_int_equal(settle_match(&sent, &answers, by_item, &why), OK);
	assert_ptr_equal(by_item[0], &given[1]);
	assert_null(by_item[1]); /* it could not even read its id */
	assert_ptr_equal(by_item[2], &given[0]);
}

static void answers_that_fit_nothing_are_refused(void **state)
{
	struct push_answer nameless = answer_to(1, PUSH_APPLIED), foreign = nameless, altered = nameless,
			   swapped = answer_to(1, PUSH_CONFLICT);
	const struct {
		const struct push_answer *second;
		const char *says;
	} rows[] = {
		{&nameless, "an answer for , which was not pushed"},
		{&foreign, "an answer for z, which was not pushed"},
		{&altered, "the answer for b: its hash is not the one sent"},
		{&swapped, "the answer for b: it carries another record"},
	};

	(void)state;
	nameless.id = (struct span){0};
	foreign.id = span_of("z");
	altered.hash.half[0]++;
	swapped.has_record = true;
	swapped.record = items[2].record;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct push_answer given[] = {
			answer_to(0, PUSH_APPLIED), *rows[i].second, answer_to(2, PUSH_APPLIED)};
		const struct push_answers answers = {.answers = given, .n = COUNT(given)};
		const struct push_answer *by_item[3];
		struct reason why;

		assert_int_equal(settle_match(&sent, &answers, by_item, &why), INVALID);
		assert_string_equal(why.text, rows[i].says);
	}
}

/* --- what an answer moves --- */

/* The log's end if these were written on top of what the witness tells. */
static struct position end_over(struct position at, const size_t *which, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		at.seq++;
		at.head =
			record_chain(at.head, at.seq, items[which[k]].record.id, items[which[k]].record.hash);
	}
	return at;
}

/* What the local did not take has no place in its log. */
static void own_records_are_passed_only_as_far_as_they_were_applied(void **state)
{
	static const size_t applied[] = {1}, all[] = {0, 1, 2};
	const struct push_answer conflict = answer_to(0, PUSH_CONFLICT), taken = answer_to(1, PUSH_APPLIED);
	const struct push_answer *const by_item[] = {&conflict, &taken, NULL};
	const struct node_sync before = {.cursor = 5, .witness = {.seq = 5, .head = {{3, 4}}}};
	struct node_sync s = before;
	struct page_end end = {.to = end_over(s.witness, applied, COUNT(applied))};

	(void)state;
	settle_own(&s, &sent, by_item, &end);
	assert_int_equal(s.cursor, 6);
	end.to = end_over(before.witness, all, COUNT(all)); /* somebody else wrote too */
	s = before;
	settle_own(&s, &sent, by_item, &end);
	assert_int_equal(s.cursor, 5);
}

/* --- what is told --- */

static void a_comparison_is_told_in_numbers(void **state)
{
	static const struct {
		enum apart_verdict verdict;
		unsigned bits;
		struct apart apart;
		const char *says;
	} rows[] = {
		{APART_NONE, 0, {.found = 0},
			"compared 1 bucket: the node holds what it is believed to hold"},
		{APART_FEW, 4, {.found = 1, .records = 1},
			"compared 16 buckets: 1 differs, with 1 record to be read"},
		{APART_FEW, 4, {.found = 2, .records = 9},
			"compared 16 buckets: 2 differ, with 9 records to be read"},
		{APART_FINER, 1, {.found = 2, .bits = 3},
			"compared 2 buckets: 2 differ; 8 smaller ones are compared"},
		{APART_FINER, 0, {.found = 1, .bits = 4},
			"compared 1 bucket: 1 differs; 16 smaller ones are compared"},
		{APART_MUCH, 0, {.found = 1},
			"compared 1 bucket: 1 differs, which is much; everything is read again"},
		{APART_MUCH, 4, {.found = 15},
			"compared 16 buckets: 15 differ, which is much; everything is read again"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct buckets told = {.bits = rows[i].bits};
		const struct digest_apply p = {
			.node = "site-a", .told = &told, .verdict = rows[i].verdict, .apart = rows[i].apart};
		struct event ev;

		settle_digest_event(&p, &ev);
		assert_string_equal(ev.kind, "compared");
		assert_string_equal(ev.node, "site-a");
		assert_string_equal(ev.text.text, rows[i].says);
	}
}

static const char *rejection_told(const struct push_answer *rejection, struct event events[SETTLE_EVENTS])
{
	const struct push_apply p = {.node = "site-a", .rejected = 1};

	assert_int_equal(settle_push_events(&p, rejection, events), 1);
	assert_string_equal(events[0].kind, "rejected");
	return events[0].text.text;
}

/* The cause is a peer's text: of any length, and in any script. */
static void a_rejection_is_told_whole_and_never_cut_within_a_letter(void **state)
{
	struct event events[SETTLE_EVENTS];
	struct push_answer a = {
		.id = span_of("r1"), .result = PUSH_REJECTED, .reason = span_of("no such type")};
	char text[99];

	(void)state;
	assert_string_equal(
		rejection_told(&a, events), "the local rejected 1 record, first r1: no such type");
	memset(text, 'x', sizeof text);
	memcpy(text + 78, "\xe2\x82\xac", 3); /* a euro sign from 78 to 80: the 80th byte is within it */
	a.reason = (struct span){text, sizeof text};
	const char *told = rejection_told(&a, events);
	assert_int_equal(strlen(told), strlen("the local rejected 1 record, first r1: ") + 78);
	assert_int_equal(told[strlen(told) - 1], 'x');
	assert_string_equal(rejection_told(NULL, events), "the local rejected 1 record, first ?: unreadable");
	const struct push_answer nameless = {
		.result = PUSH_REJECTED, .reason = span_of("no such type"), .line = 1};
	assert_string_equal(
		rejection_told(&nameless, events), "the local rejected 1 record, first ?: no such type");
}

static void a_restored_centre_is_told_of_one_record_and_of_many(void **state)
{
	struct event events[SETTLE_EVENTS];
	struct push_apply p = {.node = "site-a", .centre_restored = 1, .conflicts = 1};

	(void)state;
	assert_int_equal(settle_push_events(&p, NULL, events), 2);
	assert_string_equal(events[0].kind, "conflict");
	assert_non_null(strstr(events[0].text.text, "1 record edited at both ends; the losing version is"));
	assert_string_equal(events[1].kind, "CENTRE_REWOUND");
	assert_non_null(strstr(events[1].text.text, "1 record carries edits of the centre"));
	p.centre_restored = p.conflicts = 2;
	assert_int_equal(settle_push_events(&p, NULL, events), 2);
	assert_non_null(
		strstr(events[0].text.text, "2 records edited at both ends; the losing versions are"));
	assert_non_null(strstr(events[1].text.text, "2 records carry edits of the centre"));
}

/* A local that turns the order round made every answer cost as many looks as there were items. */
static void test_answers_of_a_large_page_in_the_wrong_order(void **state)
{
	enum { N = 5000 };
	static char ids[N][16];
	static struct push_item many[N];
	static struct push_answer turned[N];
	static const struct push_answer *by_item[N];
	struct push_page page = {.items = many, .n = N};
	struct push_answers answers = {.answers = turned, .n = N};
	struct reason why;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "r%zu", i);
		many[i].record.id = span_of(ids[i]);
		turned[N - 1 - i] = (struct push_answer){.id = span_of(ids[i]), .result = PUSH_APPLIED};
	}
	assert_int_equal(settle_match(&page, &answers, by_item, &why), OK);
	for (size_t i = 0; i < N; i++)
		assert_ptr_equal(by_item[i], &turned[N - 1 - i]);
	turned[7].id = span_of("r");
	assert_int_equal(settle_match(&page, &answers, by_item, &why), INVALID);
	assert_non_null(strstr(why.text, "which was not pushed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stored_field_makes_a_difference),
		cmocka_unit_test_setup(answers_are_matched_in_any_order, setup),
		cmocka_unit_test_setup(answers_that_fit_nothing_are_refused, setup),
		cmocka_unit_test_setup(own_records_are_passed_only_as_far_as_they_were_applied, setup),
		cmocka_unit_test(a_comparison_is_told_in_numbers),
		cmocka_unit_test(a_rejection_is_told_whole_and_never_cut_within_a_letter),
		cmocka_unit_test(a_restored_centre_is_told_of_one_record_and_of_many),
		cmocka_unit_test(test_answers_of_a_large_page_in_the_wrong_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
