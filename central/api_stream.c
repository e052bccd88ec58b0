#include "central/api_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/api_events.h"
#include "central/stream.h"

#define RETRY_AFTER_S 5

struct follower {
	struct stream_reader rd;
	const struct access *access;
	struct access_pass pass; /* by which they came in */
};

/* Heard of every few seconds at the latest: whose token was removed meanwhile hears no more. */
static bool go_on(void *ctx, struct buf *out)
{
	struct follower *f = ctx;
	return access_holds(f->access, &f->pass) && stream_read(&f->rd, out);
}

static void leave(void *ctx)
{
	struct follower *f = ctx;
	stream_leave(&f->rd);
	free(f);
}

/* Where somebody begins: what it last saw, as its browser says when it comes back, or as it asks itself. */
static bool read_start(const struct http_request *q, struct stream_reader *rd, struct http_reply *r)
{
	struct span after = http_query(q, "after");
	if (q->last_event_id.at)
		after = q->last_event_id;
	rd->from_past = after.at;
	if (after.at && !span_to_u64(after, INT64_MAX - 1, &rd->wish.after)) {
		http_problem(r, "bad_request", "%s: not a whole number",
			q->last_event_id.at ? "Last-Event-ID" : "after");
		return false;
	}
	return true;
}

/* A name longer than any finds nothing. */
static void read_who(const struct http_request *q, struct ring_wish *w)
{
	struct span who = http_query(q, "who");
	w->by_who = who.at;
	if (who.at)
		snprintf(w->who, sizeof w->who, "%.*s", who.len <= AUTHOR_MAX ? (int)who.len : 0, who.at);
	w->audit = w->audit || w->by_who;
}

static bool read_wish(const struct http_request *q, struct stream_reader *rd, struct http_reply *r)
{
	struct span node = http_query(q, "node");
	bool good = api_events_audit(q, &rd->wish.audit, r);
	read_who(q, &rd->wish);
	return good && (!node.at || centre_node_name(node, rd->wish.node, r)) &&
	       api_events_level(http_query(q, "level"), &rd->wish.least_level, r) &&
	       api_events_moves(q, &rd->wish.no_moves, r) && read_start(q, rd, r);
}

static void join(struct centre *c, struct stream_reader *rd, struct http_reply *r)
{
	struct reason why;
	if (!c->stream)
		http_problem(r, "unavailable", "not running");
	else if (stream_join(c->stream, rd, &why) != OK)
		http_problem(r, "unavailable", "%s", why.text);
	else
		return;
	r->retry_after_s = RETRY_AFTER_S;
}

void api_stream(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct follower *f = calloc(1, sizeof *f);
	if (!f) {
		http_problem(r, "unavailable", "out of memory");
		return;
	}
	f->access = c->access;
	access_pass_of(q, &f->pass);
	if (read_wish(q, &f->rd, r) && q->method != HTTP_HEAD)
		join(c, &f->rd, r);
	if (r->status == 0) {
		r->content_type = "text/event-stream";
		r->status = 200;
	}
	if (!f->rd.stream) {
		free(f);
		return;
	}
	buf_text(&r->body, "retry: 2000\n\n");
	r->stream = go_on;
	r->stream_done = leave;
	r->stream_ctx = f;
}
