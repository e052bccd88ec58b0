/* page: what one end writes the other reads; every cut and every disorder is refused with its line. */
#include "shared/entropy.h"
#include "shared/page.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define EPOCH "0123456789abcdef0123456789abcdef"
#define REQUEST "fedcba9876543210fedcba9876543210"

static const struct page_begin begin = {
	.node = "site-a", .epoch = {EPOCH}, .request = {REQUEST}, .version = "0.1.0", .protocol = 1};

static struct page_end end_at(uint64_t seq, uint64_t head_seq)
{
	return (struct page_end){.to = {seq, {{seq ? 1 : 0, seq}}},
		.head_seq = head_seq,
		.more = seq < head_seq,
		.digest = {3, {UINT64_MAX, 7}},
		.oldest_after_us = seq < head_seq ? 1000000 : -1,
		.t_recv_us = 5,
		.t_send_us = 6,
		.clock_error_us = seq % 2 ? -1 : 250};
}

static void add_record(struct buf *out, const char *id, uint64_t seq)
{
	struct record r = {.owner = span_of("site-a"),
		.id = span_of(id),
		.type = span_of("t"),
		.body = span_of("{\"a\":1}"),
		.dot = {9, seq},
		.clock_error_us = -1,
		.seq = seq};

	r.hash = record_hash(&r);
	record_encode(&r, out);
	buf_char(out, '\n');
}

/* Records 3, 5 and 9 of a log of 9. */
static void make(struct buf *out)
{
	struct page_end end = end_at(9, 9);

	page_encode_begin(&begin, out);
	add_record(out, "c", 3);
	add_record(out, "e", 5);
	add_record(out, "i", 9);
	page_encode_end(&end, out);
}

static enum err decode(struct page *p, const struct buf *b, uint64_t after, struct reason *why)
{
	return page_decode(p, buf_span(b), span_of("site-a"), after, why);
}

static void assert_refused(const struct buf *b, uint64_t after, const char *wanted)
{
	struct page p = {.n = 77};
	struct reason why = {0};

	assert_int_equal(decode(&p, b, after, &why), INVALID);
	assert_string_equal(why.text, wanted);
	assert_int_equal(p.n, 77);
}

static void says_the_request(void **unused)
{
	struct page_request q = {.centre = {EPOCH},
		.request = {REQUEST},
		.after = 12,
		.witness = {12, {{1, 2}}},
		.limit = 5000,
		.max_bytes = 100};
	struct buf out = {0};

	(void)unused;
	page_request_encode(&q, &out);
	assert_string_equal(out.at, "/v1/changes?centre=" EPOCH "&request=" REQUEST
				    "&protocol=1&epoch=&witness=12.01000000000000000200000000000000"
				    "&after=12&limit=5000&max_bytes=100");
	buf_clear(&out);
	q.epoch = q.centre;
	q.wait_ms = 1000;
	q.recount = true;
	page_request_encode(&q, &out);
	assert_non_null(strstr(out.at, "&epoch=" EPOCH "&"));
	assert_non_null(strstr(out.at, "&max_bytes=100&wait=1000&recount=1"));
	buf_done(&out);
}

static void says_the_lines_of_the_protocol(void **unused)
{
	struct page_end end = end_at(9, 12);
	struct buf out = {0};

	(void)unused;
	page_encode_begin(&begin, &out);
	assert_string_equal(out.at, "{\"node\":\"site-a\",\"epoch\":\"" EPOCH "\",\"request\":\"" REQUEST
				    "\",\"version\":\"0.1.0\",\"protocol\":1}\n");
	buf_clear(&out);
	page_encode_end(&end, &out);
	assert_string_equal(out.at, "{\"end\":true,\"to_seq\":9,\"to_head\":"
				    "\"01000000000000000900000000000000\",\"head_seq\":12,\"more\":true,"
				    "\"digest\":{\"count\":3,\"sum\":\"ffffffffffffffff0000000000000007\"},"
				    "\"oldest_after\":\"1970-01-01T00:00:01.000000Z\",\"t_recv_us\":5,\"t_"
				    "send_us\":6,\"clock_error_us\":null}\n");
	buf_done(&out);
}

static enum err decode_end(struct page_end *ret, const struct buf *line, struct reason *why)
{
	return page_decode_end(ret, (struct span){line->at, line->len - 1}, why);
}

/* What keeps the local's clock rides along; a centre that cannot read it takes the page all the same. */
static void chrony_is_read_or_left(void **unused)
{
	static const char *const strange[] = {"null", "7", "[]", "{}", "{\"state\":\"new\"}",
		"{\"state\":\"synchronised\"}", "{\"state\":\"alone\",\"stratum\":99}"};
	struct page_end end = end_at(9, 12), got;
	struct buf out = {0};
	struct reason why = {0};

	(void)unused;
	end.chrony = (struct chrony){.state = CHRONY_SYNCHRONISED,
		.stratum = 2,
		.source = "10.0.0.1",
		.offset_us = -3,
		.error_us = 40};
	page_encode_end(&end, &out);
	assert_int_equal(decode_end(&got, &out, &why), OK);
	assert_int_equal(got.chrony.state, CHRONY_SYNCHRONISED);
	assert_string_equal(got.chrony.source, "10.0.0.1");
	assert_int_equal(got.chrony.error_us, 40);
	end.chrony.state = CHRONY_UNKNOWN;
	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
		buf_clear(&out);
		page_encode_end(&end, &out);
		out.len -= 2; /* }\n */
		buf_printf(&out, ",\"chrony\":%s}\n", strange[i]);
		got.chrony.state = CHRONY_SILENT;
		assert_int_equal(decode_end(&got, &out, &why), OK);
		assert_int_equal(got.chrony.state, CHRONY_UNKNOWN);
		assert_int_equal(got.head_seq, 12);
	}
	buf_done(&out);
}

/* What is only told decides nothing: what cannot be read of it is not known, and the page is taken. */
static void damage_is_read_or_not_known(void **unused)
{
	static const char *const strange[] = {"null", "7", "[]", "{}", "{\"records\":-1}",
		"{\"records\":\"1\"}", "{\"records\":1,\"records\":2}"};
	struct page_end end = end_at(12, 12), got;
	struct buf out = {0};
	struct reason why = {0};

	(void)unused;
	page_encode_end(&end, &out);
	assert_null(strstr(out.at, "damaged"));
	assert_int_equal(decode_end(&got, &out, &why), OK);
	assert_false(got.damage.known);
	end.damage = (struct page_damage){.known = true, .records = 3, .first = "r7"};
	buf_clear(&out);
	page_encode_end(&end, &out);
	assert_non_null(strstr(out.at, ",\"damaged\":{\"records\":3,\"first\":\"r7\"}}\n"));
	assert_int_equal(decode_end(&got, &out, &why), OK);
	assert_true(got.damage.known);
	assert_int_equal(got.damage.records, 3);
	assert_string_equal(got.damage.first, "r7");
	end.damage = (struct page_damage){0};
	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
		buf_clear(&out);
		page_encode_end(&end, &out);
		out.len -= 2; /* }\n */
		buf_printf(&out, ",\"damaged\":%s}\n", strange[i]);
		got.damage.known = true;
		assert_int_equal(decode_end(&got, &out, &why), OK);
		assert_false(got.damage.known);
	}
	buf_clear(&out);
	page_encode_end(&end, &out);
	out.len -= 2;
	buf_text(&out, ",\"damaged\":{\"records\":1,\"first\":\"no id, and longer than any, so that it would "
		       "not fit anywhere\"}}\n");
	assert_int_equal(decode_end(&got, &out, &why), OK);
	assert_int_equal(got.damage.records, 1);
	assert_string_equal(got.damage.first, "");
	buf_done(&out);
}

static void what_ails_is_read_or_left(void **unused)
{
	static const char *const strange[] = {"null", "7", "[]", "{}", "{\"disk_low\":7}",
		"{\"new_kind\":\"x\"}", "{\"disk_low\":\"a\",\"disk_low\":\"b\"}"};
	struct page_end end = end_at(12, 12), got;
	struct buf out = {0};
	struct reason why = {0};

	(void)unused;
	ailments_add(&end.unwell, AILMENT_DISK_LOW, "only %d KiB \"left\"\n", 7);
	ailments_add(&end.unwell, AILMENT_DAMAGED, "%0200d", 0);
	page_encode_end(&end, &out);
	assert_int_equal(decode_end(&got, &out, &why), OK);
	assert_int_equal(got.unwell.kinds, AILMENT_BIT(AILMENT_DISK_LOW) | AILMENT_BIT(AILMENT_DAMAGED));
	assert_string_equal(got.unwell.text[AILMENT_DISK_LOW], "only 7 KiB \"left\"?");
	assert_int_equal(strlen(got.unwell.text[AILMENT_DAMAGED]), AILMENT_TEXT_MAX);
	end.unwell.kinds = 0;
	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
		buf_clear(&out);
		page_encode_end(&end, &out);
		assert_null(strstr(out.at, "unwell"));
		out.len -= 2; /* }\n */
		buf_printf(&out, ",\"unwell\":%s}\n", strange[i]);
		got.unwell.kinds = 1;
		assert_int_equal(decode_end(&got, &out, &why), OK);
		assert_int_equal(got.unwell.kinds, 0);
	}
	buf_done(&out);
}

/* How many there are is told even where nobody can say which. */
static void damage_is_counted_without_a_first_one(void **unused)
{
	static const char *const members[] = {"", ",\"first\":7"};
	struct page_end end = end_at(12, 12), got;
	struct buf out = {0};
	struct reason why = {0};

	(void)unused;
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		buf_clear(&out);
		page_encode_end(&end, &out);
		out.len -= 2; /* }\n */
		buf_printf(&out, ",\"damaged\":{\"records\":2%s}}\n", members[i]);
		assert_int_equal(decode_end(&got, &out, &why), OK);
		assert_true(got.damage.known);
		assert_int_equal(got.damage.records, 2);
		assert_string_equal(got.damage.first, "");
	}
	buf_done(&out);
}

static void reads_what_it_writes(void **unused)
{
	struct buf b = {0};
	struct page p;
	struct reason why = {0};

	(void)unused;
	make(&b);
	assert_int_equal(decode(&p, &b, 2, &why), OK);
	assert_string_equal(p.begin.node, "site-a");
	assert_string_equal(p.begin.version, "0.1.0");
	assert_true(epoch_equal(&p.begin.epoch, &begin.epoch));
	assert_true(epoch_equal(&p.begin.request, &begin.request));
	assert_int_equal(p.n, 3);
	assert_int_equal(p.records[2].seq, 9);
	assert_true(p.records[2].id.at > b.at && p.records[2].id.at < b.at + b.len);
	assert_true(position_equal(p.end.to, end_at(9, 9).to));
	assert_true(digest_equal(p.end.digest, end_at(9, 9).digest));
	assert_false(p.end.more);
	assert_int_equal(p.end.oldest_after_us, -1);
	assert_int_equal(p.end.clock_error_us, -1);
	page_done(&p);
	buf_done(&b);
}

static void reads_an_empty_page(void **unused)
{
	struct page_end end = end_at(0, 0);
	struct buf b = {0};
	struct page p;
	struct reason why = {0};

	(void)unused;
	page_encode_begin(&begin, &b);
	page_encode_end(&end, &b);
	assert_int_equal(decode(&p, &b, 0, &why), OK);
	assert_int_equal(p.n, 0);
	assert_int_equal(p.end.clock_error_us, 250);
	page_done(&p);
	buf_done(&b);
}

/* Nothing of a page that was cut anywhere may be taken. */
static void refuses_every_cut(void **unused)
{
	struct buf b = {0}, cut = {0};

	(void)unused;
	make(&b);
	for (size_t len = 0; len < b.len; len++) {
		struct page p;
		struct reason why = {0};

		buf_clear(&cut);
		buf_add(&cut, b.at, len);
		assert_int_equal(decode(&p, &cut, 2, &why), INVALID);
		assert_non_null(strstr(why.text, "line "));
		assert_non_null(strstr(why.text, "truncated"));
	}
	buf_done(&b);
	buf_done(&cut);
}

static void names_the_line_of_a_cut(void **unused)
{
	struct buf b = {0};
	size_t whole;

	(void)unused;
	assert_refused(&b, 2, "line 1: truncated: nothing came");
	make(&b);
	whole = b.len;
	b.len = whole - 1;
	assert_refused(&b, 2, "line 5: truncated: the line has no end");
	b.len = (size_t)(strstr(b.at, "{\"end\"") - b.at);
	assert_refused(&b, 2, "line 4: truncated: the page's end is missing");
	b.len = (size_t)(strchr(b.at, '\n') + 1 - b.at);
	assert_refused(&b, 2, "line 2: truncated: the page's end is missing");
	buf_done(&b);
}

static void refuses_disorder(void **unused)
{
	struct buf b = {0};
	struct page_end end = end_at(8, 9);

	(void)unused;
	make(&b);
	assert_refused(&b, 3, "line 2: seq: 3, where one from 4 to 9 was expected");
	assert_refused(&b, 10, "line 5: to_seq: before the 10 that was asked for");
	buf_clear(&b);
	page_encode_begin(&begin, &b);
	add_record(&b, "a", 5);
	add_record(&b, "b", 5);
	page_encode_end(&end, &b);
	assert_refused(&b, 2, "line 3: seq: 5, where one from 6 to 8 was expected");
	buf_clear(&b);
	page_encode_begin(&begin, &b);
	add_record(&b, "a", 9);
	page_encode_end(&end, &b);
	assert_refused(&b, 2, "line 2: seq: 9, where one from 3 to 8 was expected");
	buf_clear(&b);
	page_encode_begin(&begin, &b);
	add_record(&b, "a", 0);
	page_encode_end(&end, &b);
	assert_refused(&b, 2, "line 2: dot: not \"<16 hex digits>.<number>\"");
	buf_done(&b);
}

static void refuses_another_node(void **unused)
{
	struct buf b = {0};
	struct page p;
	struct reason why;

	(void)unused;
	make(&b);
	assert_int_equal(page_decode(&p, buf_span(&b), span_of("site-b"), 2, &why), INVALID);
	assert_string_equal(why.text, "line 1: node: this is site-a, not site-b");
	buf_done(&b);
}

static void replace(struct buf *b, const char *old, const char *fresh)
{
	struct buf to = {0};
	const char *at = strstr(b->at, old);

	assert_non_null(at);
	buf_add(&to, b->at, (size_t)(at - b->at));
	buf_text(&to, fresh);
	buf_text(&to, at + strlen(old));
	buf_done(b);
	*b = to;
}

/* As long as nobody says whose it must be. */
static void takes_any_node_when_none_is_named(void **unused)
{
	struct buf b = {0};
	struct page p;
	struct reason why = {0};

	(void)unused;
	make(&b);
	assert_int_equal(page_decode(&p, buf_span(&b), (struct span){0}, 2, &why), OK);
	assert_string_equal(p.begin.node, "site-a");
	page_done(&p);
	buf_done(&b);
}

static void no_first_line_in_an_empty_answer(void **unused)
{
	struct page_begin got;
	struct reason why = {0};

	(void)unused;
	assert_int_equal(page_decode_begin(&got, (struct span){0}, &why), INVALID);
	assert_string_equal(why.text, "not a JSON object");
}

static void refuses_wrong_frames(void **unused)
{
	static const struct {
		const char *old, *fresh, *reason;
	} cases[] = {
		{"{\"node\"", "[{\"node\"", "line 1: not a JSON object"},
		{"\"site-a\"", "7", "line 1: node: not a text"},
		{"\"site-a\"", "\"Site\"", "line 1: node: " RECORD_OWNER_RULE},
		{EPOCH, "", "line 1: epoch: not 32 hex digits"},
		{"\"epoch\":\"" EPOCH "\"", "\"epoch\":7", "line 1: epoch: not 32 hex digits"},
		{"\"epoch\":\"" EPOCH "\",", "", "line 1: epoch: missing"},
		{REQUEST, "xedcba9876543210fedcba9876543210", "line 1: request: not 32 hex digits"},
		{"\"0.1.0\"", "1", "line 1: version: not a text"},
		{"0.1.0", "\\u0041", "line 1: version: longer than 31 plain characters"},
		{"0.1.0", "0.\x7f.0", "line 1: version: longer than 31 plain characters"},
		{"\"version\":", "\"v\":", "line 1: version: missing"},
		{"0.1.0", "01234567890123456789012345678901",
			"line 1: version: longer than 31 plain characters"},
		{",\"protocol\":1", "", "line 1: protocol: missing"},
		{"\"protocol\":1", "\"protocol\":4294967297", "line 1: protocol: not a version"},
		{"\"protocol\":1", "\"protocol\":2", "line 1: protocol: not a version that was offered"},
		{"\"end\":true", "\"end\":false", "line 5: truncated: the page's end is missing"},
		{"\"to_seq\":9", "\"to_seq\":-9",
			"line 5: to_seq: not a whole number from 0 to 9223372036854775807"},
		{"\"to_seq\":9", "\"to_seq\":10", "line 5: to_seq: past head_seq"},
		{"\"head_seq\":9,", "", "line 5: head_seq: missing"},
		{"\"more\":false", "\"more\":0", "line 5: more: not true or false"},
		{"\"more\":false", "\"more\":true", "line 5: more: does not fit to_seq and head_seq"},
		{"\"to_head\":\"01", "\"to_head\":\"0", "line 5: to_head: not 32 hex digits"},
		{"\"to_head\":\"01000000000000000900000000000000\",", "", "line 5: to_head: missing"},
		{"\"to_head\":\"01000000000000000900000000000000\"", "\"to_head\":1",
			"line 5: to_head: not 32 hex digits"},
		{"\"to_seq\":9", "\"to_seq\":0", "line 5: to_head: not zero at seq 0"},
		{"\"digest\":", "\"d\":", "line 5: digest: missing"},
		{"\"digest\":{", "\"digest\":7,\"d\":{", "line 5: digest: not an object"},
		{"\"count\":3", "\"count\":3,\"count\":3", "line 5: digest: count: comes twice"},
		{"\"sum\":", "\"s\":", "line 5: digest: sum: not 32 hex digits"},
		{"\"sum\":\"", "\"sum\":7,\"s\":\"", "line 5: digest: sum: not 32 hex digits"},
		{"\"count\":3", "\"count\":3.5",
			"line 5: digest: count: not a whole number from 0 to 9223372036854775807"},
		{"\"sum\":\"f", "\"sum\":\"F", "line 5: digest: sum: not 32 hex digits"},
		{"\"oldest_after\":null", "\"oldest_after\":1", "line 5: oldest_after: not a time"},
		{"\"t_recv_us\":5,", "", "line 5: t_recv_us: missing"},
		{"\"clock_error_us\":null}\n", "\"clock_error_us\":\"\"}\n",
			"line 5: clock_error_us: not a whole number from 0 to 9223372036854775807"},
		{"\"t_send_us\":6", "\"t_send_us\":null", "line 5: t_send_us: not a whole number"},
		{"\"digest\"", "\"more\":true,\"digest\"", "line 5: more: comes twice"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = {0};

		make(&b);
		replace(&b, cases[i].old, cases[i].fresh);
		assert_refused(&b, 2, cases[i].reason);
		buf_done(&b);
	}
}

/* In the last line. */
static void replace_last(struct buf *b, const char *old, const char *fresh)
{
	size_t at = b->len - 1;
	struct buf line = {0};

	while (at > 0 && b->at[at - 1] != '\n')
		at--;
	buf_text(&line, b->at + at);
	replace(&line, old, fresh);
	b->len = at;
	buf_text(b, line.at);
	buf_done(&line);
}

/* What a line lost decides whether it still says which record it is. */
static void a_broken_line_is_put_aside_or_refuses_the_page(void **unused)
{
	static const struct {
		const char *old, *fresh;
		bool aside;
		const char *reason;
	} cases[] = {
		{"\"type\":\"t\"", "\"type\":\"u\"", true, "hash: does not fit the record"},
		{"\"type\":\"t\"", "\"type\":\"T\"", true, "type: " RECORD_TYPE_RULE},
		{"\"owner\":\"site-a\"", "\"owner\":\"site-b\"", true,
			"owner: site-b, where only records of site-a belong"},
		{"\"dot\":\"", "\"dot\":\"x", true, "dot: not \"<16 hex digits>.<number>\""},
		{"\"body\":", "\"body\":{", true, NULL}, {"\"body\":", "\"body\":\"", true, NULL},
		{"\"body\":", "\"body\":\"\x01", true, NULL},
		{"\"id\":\"", "\"id\":\"/", false, "line 2: id: " RECORD_ID_RULE},
		{"\"hash\":\"", "\"hash\":\"x", false, "line 2: hash: not 32 hex digits"},
		{"\"seq\":", "\"seq\":-", false,
			"line 2: seq: not a whole number from 0 to 9223372036854775807"},
		{"\"body\":", "\"body\":{\"seq\":7,", false, NULL}, /* cut within a number */
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = {0};
		struct page p = {0};
		struct reason why = {0};
		enum err e;

		make(&b);
		replace(&b, cases[i].old, cases[i].fresh);
		if (i + 1 == sizeof(cases) / sizeof(cases[0]))
			replace(&b, ",\"seq\":3}", ",\"seq\":3");
		e = decode(&p, &b, 2, &why);
		assert_int_equal(e, cases[i].aside ? OK : INVALID);
		if (cases[i].aside) {
			assert_int_equal(p.n, 2);
			assert_int_equal(p.n_refused, 1);
			assert_int_equal(p.refused[0].claim.seq, 3);
			assert_true(span_is(p.refused[0].claim.id, "c"));
			assert_true(p.refused[0].line.at[0] == '{');
			why = p.refused[0].why;
		}
		if (cases[i].reason)
			assert_string_equal(why.text, cases[i].reason);
		page_done(&p);
		buf_done(&b);
	}
}

/* Each with its own reason, in the order they came. */
static void many_broken_lines_are_all_put_aside(void **unused)
{
	const struct page_end end = end_at(99, 99);
	struct buf b = {0};
	struct page p;
	struct reason why = {0};

	(void)unused;
	page_encode_begin(&begin, &b);
	for (uint64_t seq = 1; seq <= 40; seq++) {
		char id[24];

		snprintf(id, sizeof id, "id-%llu", (unsigned long long)seq);
		add_record(&b, id, seq);
		if (seq % 8 != 0)
			replace_last(&b, seq % 2 ? "\"type\":\"t\"" : "\"body\":",
				seq % 2 ? "\"type\":\"T\"" : "\"body\":[");
	}
	page_encode_end(&end, &b);
	assert_int_equal(decode(&p, &b, 0, &why), OK);
	assert_int_equal(p.n, 5);
	assert_int_equal(p.n_refused, 35);
	for (size_t i = 0, seq = 1; i < p.n_refused; i++, seq += seq % 8 == 7 ? 2 : 1) {
		assert_int_equal(p.refused[i].claim.seq, seq);
		assert_true((strstr(p.refused[i].why.text, "type: ") != NULL) == (seq % 2 == 1));
	}
	page_done(&p);
	buf_done(&b);
}

/* Hashes are proven several at once: wherever wrong ones stand, the others keep their places. */
static void wrong_hashes_are_put_aside_wherever_they_stand(void **unused)
{
	const struct page_end end = end_at(99, 99);

	(void)unused;
	for (uint64_t pattern = 1; pattern <= 60; pattern++) {
		struct buf b = {0};
		struct page p;
		struct reason why = {0};
		size_t good = 0, aside = 0;

		page_encode_begin(&begin, &b);
		for (uint64_t seq = 1; seq <= 40; seq++) {
			add_record(&b, "a", seq);
			if (seq * pattern % 13 < 2)
				replace_last(&b, seq * pattern % 13 ? "\"type\":\"t\"" : "\"body\":{\"a\":1}",
					seq * pattern % 13 ? "\"type\":\"T\"" : "\"body\":{\"a\":2}");
		}
		page_encode_end(&end, &b);
		assert_int_equal(decode(&p, &b, 0, &why), OK);
		for (uint64_t seq = 1; seq <= 40; seq++) {
			if (seq * pattern % 13 >= 2) {
				assert_int_equal(p.records[good++].seq, seq);
				continue;
			}
			assert_int_equal(p.refused[aside].claim.seq, seq);
			assert_true((strstr(p.refused[aside++].why.text, "hash: ") != NULL) ==
				    (seq * pattern % 13 == 0));
		}
		assert_int_equal(p.n, good);
		assert_int_equal(p.n_refused, aside);
		page_done(&p);
		buf_done(&b);
	}
}

/* Short lines that only claim to be records: what is kept of each is much larger than the line. */
static void claims_without_records_are_bounded(void **unused)
{
	struct buf b = {0};
	struct page p;
	struct reason why = {0};
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;

	(void)unused;
	for (uint64_t most = PAGE_REFUSED_MAX; most <= 9 * PAGE_REFUSED_MAX; most += 8 * PAGE_REFUSED_MAX) {
		const struct page_end end = end_at(most, most);

		buf_clear(&b);
		page_encode_begin(&begin, &b);
		for (uint64_t seq = 1; seq <= most; seq++)
			buf_printf(&b, "{\"id\":\"a\",\"seq\":%llu,\"hash\":\"%032llu\"}\n",
				(unsigned long long)seq, (unsigned long long)seq);
		page_encode_end(&end, &b);
		if (most == PAGE_REFUSED_MAX) {
			assert_int_equal(decode(&p, &b, 0, &why), OK);
			assert_int_equal(p.n_refused, PAGE_REFUSED_MAX);
			assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before < 4 << 20);
			page_done(&p);
		} else {
			assert_int_equal(decode(&p, &b, 0, &why), INVALID);
			assert_non_null(strstr(why.text, "line 1002: more than 1000 lines are no records"));
		}
	}
	buf_done(&b);
}

static void passes_over_new_members(void **unused)
{
	struct buf b = {0};
	struct page p;
	struct reason why = {0};

	(void)unused;
	make(&b);
	replace(&b, "{\"node\"", "{\"new\":[{}],\"node\"");
	replace(&b, "{\"owner\"", "{\"new\":1,\"owner\"");
	replace(&b, "{\"end\"", "{\"new\":null,\"end\"");
	assert_int_equal(decode(&p, &b, 2, &why), OK);
	assert_int_equal(p.n, 3);
	page_done(&p);
	buf_done(&b);
}

static void refuses_too_many_records(void **unused)
{
	struct buf b = {0};

	(void)unused;
	for (int i = 0; i < PAGE_LIMIT_MAX + 3; i++)
		buf_text(&b, "{}\n");
	assert_refused(&b, 0, "line 10002: more than the 10000 lines that are allowed here");
	buf_done(&b);
}

static void survives_random_pages(void **unused)
{
	(void)unused;
	for (int round = 0; round < 200; round++) {
		uint64_t n = entropy_below(20), seq = 0;
		struct page_end end;
		struct buf b = {0};
		struct page p;
		struct reason why = {0};

		page_encode_begin(&begin, &b);
		for (uint64_t i = 0; i < n; i++) {
			char id[24];

			seq += 1 + entropy_below(1000);
			snprintf(id, sizeof(id), "id-%llu", (unsigned long long)seq);
			add_record(&b, id, seq);
		}
		end = end_at(seq, seq + entropy_below(2));
		page_encode_end(&end, &b);
		if (decode(&p, &b, 0, &why) != OK)
			fail_msg("%s", why.text);
		assert_int_equal(p.n, n);
		assert_true(position_equal(p.end.to, end.to));
		assert_int_equal(p.end.more, end.more);
		assert_int_equal(p.end.oldest_after_us, end.oldest_after_us);
		page_done(&p);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_the_request),
		cmocka_unit_test(says_the_lines_of_the_protocol),
		cmocka_unit_test(chrony_is_read_or_left),
		cmocka_unit_test(damage_is_read_or_not_known),
		cmocka_unit_test(what_ails_is_read_or_left),
		cmocka_unit_test(damage_is_counted_without_a_first_one),
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(reads_an_empty_page),
		cmocka_unit_test(refuses_every_cut),
		cmocka_unit_test(names_the_line_of_a_cut),
		cmocka_unit_test(refuses_disorder),
		cmocka_unit_test(refuses_another_node),
		cmocka_unit_test(takes_any_node_when_none_is_named),
		cmocka_unit_test(no_first_line_in_an_empty_answer),
		cmocka_unit_test(refuses_wrong_frames),
		cmocka_unit_test(a_broken_line_is_put_aside_or_refuses_the_page),
		cmocka_unit_test(many_broken_lines_are_all_put_aside),
		cmocka_unit_test(wrong_hashes_are_put_aside_wherever_they_stand),
		cmocka_unit_test(claims_without_records_are_bounded),
		cmocka_unit_test(passes_over_new_members),
		cmocka_unit_test(refuses_too_many_records),
		cmocka_unit_test(survives_random_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
