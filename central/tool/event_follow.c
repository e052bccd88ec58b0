/*
 * Events as they happen, from the centre's stream.  Where the stream ends, the next one begins behind the last event that was
 * printed, so that none is missing and none comes twice, whatever became of the centre or the line meanwhile.
 */
#include <stdio.h>

#include "central/tool/event.h"
#include "central/tool/interrupt.h"
#include "shared/backoff.h"
#include "shared/clock.h"
#include "shared/sse.h"

#define FIRST_WAIT_MS 200
#define MOST_FAILURES 5              /* after which the wait grows no more */
#define SILENCE_US INT64_C(20000000) /* the centre says something every few seconds */

struct following {
	struct tool *t;
	struct sse sse;
	uint64_t last; /* the id of the last event */
	int64_t heard_us;
	unsigned failures; /* in a row */
	bool lost;         /* that it was has been said */
};

static bool is_over(void)
{
	return interrupt_came() || interrupt_nobody_reads();
}

static void say_missing(struct following *f, struct span gap)
{
	struct json_doc *d = NULL;

	if (json_doc_parse(&d, gap, NULL) != OK)
		return;
	uint64_t after = tool_u64(d, "after"), next = tool_u64(d, "next");
	if (next <= after)
		fprintf(stderr,
			"tidemark: the centre has an older copy of its database: it goes on from event "
			"%llu\n",
			(unsigned long long)next);
	else
		fprintf(stderr, "tidemark: events between %llu and %llu are missing, they were removed\n",
			(unsigned long long)after, (unsigned long long)next);
	if (next > 0)
		f->last = next - 1;
	json_doc_free(d);
}

static enum err take_message(void *ctx, const struct sse_message *m, struct reason *why)
{
	struct following *f = ctx;

	if (span_is(m->name, "event")) {
		uint64_t id = event_print(f->t, m->data);

		if (!id)
			return fail(RETRY, why, "an event that is none");
		f->last = id;
	} else if (span_is(m->name, "gap")) {
		say_missing(f, m->data);
	}
	return OK;
}

/* Bytes of the stream; also called now and then without. */
static enum err take_bytes(void *ctx, struct span bytes, uint64_t total, struct reason *why)
{
	struct following *f = ctx;
	int64_t now_us = clock_mono_us();
	enum err e = OK;

	(void)total;
	if (bytes.len) {
		if (f->lost)
			fputs("tidemark: connected again\n", stderr);
		f->lost = false;
		f->failures = 0;
		f->heard_us = now_us;
		e = sse_read(&f->sse, bytes, why);
		fflush(stdout);
	}
	if (e == OK && is_over())
		return fail(CONFLICT, why, "enough");
	if (e == OK && now_us - f->heard_us > SILENCE_US)
		return fail(RETRY, why, "%s has been silent for %d s", f->t->central,
			(int)(SILENCE_US / 1000000));
	return e;
}

static void say_lost(struct following *f, const char *why)
{
	if (!f->lost)
		fprintf(stderr, "tidemark: %s; it is asked again until it answers\n", why);
	f->lost = true;
}

/* One stream, until it ends.  Not EXIT_OK: the centre will not have it. */
static int follow_once(struct following *f)
{
	struct client_reply reply = {0};
	struct reason why = {"the stream ended"};
	struct buf target = {0};
	int code = EXIT_OK;

	buf_printf(&target, "/v1/events/stream?after=%llu", (unsigned long long)f->last);
	event_put_wish(f->t, &target);
	f->heard_us = clock_mono_us();
	enum err e = client_download(f->t->client, target.at, 0, take_bytes, f, &reply, &why);
	if (e == OK && reply.status != 200 && reply.status != 503)
		code = tool_complain(f->t, &reply);
	else if (e == OK && reply.status == 503)
		say_lost(f, "the centre cannot be followed now");
	else if (!is_over())
		say_lost(f, why.text);
	client_reply_done(&reply);
	buf_done(&target);
	sse_done(&f->sse); /* a message that was cut short comes again */
	return code;
}

int event_follow(struct tool *t, struct span page)
{
	struct following f = {.t = t, .sse = {.each = take_message, .ctx = &f}};
	int code = EXIT_OK;

	interrupt_take();
	f.last = event_print_page(t, page);
	while (!is_over() && (code = follow_once(&f)) == EXIT_OK && !is_over()) {
		if (f.failures < MOST_FAILURES)
			f.failures++;
		interrupt_pause(backoff_ms(f.failures, FIRST_WAIT_MS));
	}
	return code;
}
