/* A push decoded ahead of whoever takes its records: all of them, in their order, whatever is among them. */
#include "local/decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct span owner = {"site-a", 6};

static void add_line(struct buf *out, unsigned i)
{
	char id[16];
	struct push_item item = {.record = {.owner = owner,
					 .type = span_of("t"),
					 .body = span_of("1"),
					 .dot = {9, 1},
					 .clock_error_us = -1}};

	snprintf(id, sizeof id, "r%05u", i);
	item.record.id = span_of(id);
	item.record.hash = record_hash(&item.record);
	push_item_encode(&item, out);
}

static struct decoder *start(const struct buf *body)
{
	struct decoder *d;
	struct reason why;

	assert_int_equal(decoder_start(&d, buf_span(body), owner, &why), OK);
	return d;
}

static const struct push_item *item_at(struct decoder *d, size_t i)
{
	size_t n = 77;
	const struct push_item *item = decoder_items(d, i, &n);

	assert_true(item ? n > 0 : n == 0);
	if (item) /* the last of those that are there is there indeed */
		assert_ptr_equal(decoder_items(d, i + n - 1, &(size_t){0}), &item[n - 1]);
	return item;
}

/* Some of them by a thread, some without. */
static const unsigned sizes[] = {0, 1, 256, 257, 1000, 5000};

static void gives_all_in_order(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
		struct buf body = {0};
		const struct push_item *item;
		size_t n = 0;
		char id[16];

		for (unsigned i = 0; i < sizes[k]; i++)
			add_line(&body, i);
		struct decoder *d = start(&body);
		for (; (item = item_at(d, n)); n++) {
			snprintf(id, sizeof id, "r%05zu", n);
			assert_true(span_is(item->record.id, id));
		}
		assert_int_equal(n, sizes[k]);
		assert_null(item_at(d, n));
		assert_int_equal(decoder_push(d)->n, n);
		assert_int_equal(decoder_push(d)->lines, n);
		decoder_free(d);
		buf_done(&body);
	}
}

static void tells_lines_that_are_no_records_by_their_number(void **unused)
{
	struct buf body = {0};
	size_t n = 0;

	(void)unused;
	for (unsigned i = 1; i <= 3000; i++) {
		if (i % 1000 == 0)
			buf_text(&body, "{\"id\":\"no\"}\n");
		else
			add_line(&body, i);
	}
	struct decoder *d = start(&body);
	while (item_at(d, n))
		n++;
	assert_int_equal(n, 2997);
	const struct push *p = decoder_push(d);
	assert_int_equal(p->n_bad, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(p->bad[i].line, 1000 * (i + 1));
		assert_true(span_is(p->bad[i].id, "no"));
	}
	decoder_free(d);
	buf_done(&body);
}

static void may_be_given_up_at_any_time(void **unused)
{
	struct buf body = {0};

	(void)unused;
	for (unsigned i = 0; i < 5000; i++)
		add_line(&body, i);
	for (size_t taken = 0; taken < 5000; taken += 700) {
		struct decoder *d = start(&body);

		if (taken > 0)
			assert_non_null(item_at(d, taken - 1));
		decoder_free(d);
	}
	buf_done(&body);
}

static void refuses_too_many(void **unused)
{
	struct buf body = {0};
	struct decoder *d;
	struct reason why;

	(void)unused;
	for (unsigned i = 0; i <= PUSH_LIMIT_MAX; i++)
		buf_text(&body, "x\n");
	assert_int_equal(decoder_start(&d, buf_span(&body), owner, &why), INVALID);
	assert_string_equal(why.text, "5001 records, where at most 5000 are allowed");
	buf_done(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_all_in_order),
		cmocka_unit_test(tells_lines_that_are_no_records_by_their_number),
		cmocka_unit_test(may_be_given_up_at_any_time),
		cmocka_unit_test(refuses_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
