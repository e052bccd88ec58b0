#include "shared/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct buf seen; /* KIND=DATA; of each message */
static unsigned refuse; /* the n-th */

static enum err take(void *ctx, const struct sse_message *m, struct reason *why)
{
	(void)ctx;
	buf_put(&seen, m->name);
	buf_char(&seen, '=');
	buf_put(&seen, m->data);
	buf_char(&seen, ';');
	(void)why;
	return refuse && --refuse == 0 ? CONFLICT : OK;
}

/* In pieces of so many bytes. */
static enum err read_text(const char *text, size_t piece)
{
	struct sse s = {.each = take};
	struct reason why;
	enum err e = OK;

	buf_clear(&seen);
	for (size_t i = 0, n = strlen(text); i < n && e == OK; i += piece)
		e = sse_read(&s, (struct span){text + i, n - i < piece ? n - i : piece}, &why);
	sse_done(&s);
	buf_char(&seen, '\0');
	return e;
}

static void check(const char *text, const char *expected)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		assert_int_equal(read_text(text, piece), OK);
		assert_string_equal(seen.at, expected);
	}
}

static void messages_are_read_however_they_are_cut(void **state)
{
	(void)state;
	check("retry: 2000\n\nid: 7\nevent: event\ndata: {\"id\":7}\n\n: still here\n\nevent: "
	      "status\ndata:{}\n\n",
		"event={\"id\":7};status={};");
	check("data: a\r\ndata: b\r\n\r\ndata:  c\rdata\r\rdata: d\n\n",
		"message=a\nb;message= c\n;message=d;");
	check("event: nothing\n\ndata: x\n\n", "message=x;");
	check("dataset: x\nevents: y\n: data: z\n\n", "");
	check("data: not ended\n", "");
	check("event: a\nevent: b\ndata: \303\274\n\n", "b=\303\274;");
}

static void an_end_that_is_asked_for_is_one(void **state)
{
	(void)state;
	refuse = 2;
	assert_int_equal(read_text("data: 1\n\ndata: 2\n\ndata: 3\n\n", 100), CONFLICT);
	assert_string_equal(seen.at, "message=1;message=2;");
	refuse = 0;
}

static void no_message_is_endless(void **state)
{
	static char line[64 * 1024];
	struct sse s = {.each = take};
	struct reason why;
	enum err e = OK;
	size_t lines = 0;

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "data: ", 6);
	line[sizeof line - 1] = '\n';
	for (; e == OK && lines < 100; lines++)
		e = sse_read(&s, (struct span){line, sizeof line}, &why);
	assert_int_equal(e, INVALID);
	assert_in_range(lines, 16, 18);
	sse_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_read_however_they_are_cut),
		cmocka_unit_test(an_end_that_is_asked_for_is_one),
		cmocka_unit_test(no_message_is_endless),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_done(&seen);
	return failed;
}
