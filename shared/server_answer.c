/* Answers: a body, or a stream of them. */
#include "shared/server_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

#define STREAM_BLOCK_BYTES (16 * 1024)

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (value && value[0] != '\0')
		(void)!MHD_add_response_header(response, name, value);
}

struct stream {
	struct server *server;
	struct reaper_entry *entry;
	struct http_reply r; /* its body is what waits to be sent */
	size_t sent;
	bool ended;
};

static ssize_t stream_read(void *cls, uint64_t pos, char *to, size_t max)
{
	struct stream *st = cls;
	(void)pos;
	while (st->sent == st->r.body.len) {
		if (st->ended || buf_failed(&st->r.body) || reaper_draining(st->server->reaper))
			return MHD_CONTENT_READER_END_OF_STREAM;
		buf_clear(&st->r.body);
		st->sent = 0;
		reaper_working(st->server->reaper, st->entry);
		st->ended = !st->r.stream(st->r.stream_ctx, &st->r.body);
	}
	size_t left = st->r.body.len - st->sent, n = left < max ? left : max;
	memcpy(to, st->r.body.at + st->sent, n);
	st->sent += n;
	reaper_sending(st->server->reaper, st->entry, st->server->reply_timeout_us);
	return (ssize_t)n;
}

static void stream_free(void *cls)
{
	struct stream *st = cls;
	http_reply_done(&st->r);
	free(st);
}

static struct MHD_Response *stream_response(struct exchange *x)
{
	struct stream *st = calloc(1, sizeof *st);
	if (!st)
		return NULL;
	*st = (struct stream){.server = x->server, .entry = x->entry, .r = x->r};
	x->r.body = (struct buf){0};
	x->r.stream_done = NULL;
	struct MHD_Response *response = MHD_create_response_from_callback(
		st->r.stream_bytes > 0 ? st->r.stream_bytes : MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
		stream_read, st, stream_free);
	if (!response)
		stream_free(st);
	return response;
}

static struct MHD_Response *body_response(struct http_reply *r)
{
	struct MHD_Response *response;
	if (r->body.len == 0)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	response = MHD_create_response_from_buffer(r->body.len, r->body.at, MHD_RESPMEM_MUST_FREE);
	if (response)
		r->body = (struct buf){0}; /* now the response's */
	return response;
}

/* For what is no page: it is in nobody's frame, and nothing in it runs, whatever it is taken for. */
static const char no_page[] = "default-src 'none'; frame-ancestors 'none'";

static void add_headers(struct MHD_Response *response, const struct http_reply *r)
{
	char seconds[16] = "";
	if (r->retry_after_s > 0)
		snprintf(seconds, sizeof seconds, "%u", r->retry_after_s);
	add_header(response, "Content-Type", r->content_type ? r->content_type : "application/json");
	add_header(response, "Cache-Control", r->cache ? r->cache : "no-store");
	add_header(response, "Vary", r->vary);
	add_header(response, "Content-Encoding", r->encoding);
	add_header(response, "Accept-Encoding", r->accepts);
	add_header(response, "Referrer-Policy", "no-referrer");
	add_header(response, "X-Content-Type-Options", "nosniff");
	add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	add_header(response, "ETag", r->etag);
	add_header(response, "Location", r->location);
	add_header(response, "Set-Cookie", r->set_cookie);
	add_header(response, "Allow", r->allow);
	add_header(response, "Retry-After", seconds);
	add_header(response, "WWW-Authenticate", r->status == 401 ? "Bearer" : NULL);
	add_header(response, "Content-Security-Policy", r->policy ? r->policy : no_page);
	add_header(response, "Cross-Origin-Opener-Policy", r->policy ? "same-origin" : NULL);
	add_header(response, "Connection", r->close ? "close" : NULL);
}

/* Its memory is what there is not enough of. */
static void shed(struct http_reply *r)
{
	buf_done(&r->body);
	http_problem(r, "unavailable", "too many large answers wait to be read: ask again in a second");
}

enum MHD_Result server_answer(struct exchange *x, struct MHD_Connection *c)
{
	struct server *s = x->server;
	if (buf_failed(&x->r.body))
		http_problem(&x->r, "unavailable", "out of memory");
	else if (!reaper_reply(s->reaper, x->entry, x->r.body.len))
		shed(&x->r);
	int64_t patience_us = s->reply_timeout_us + (int64_t)x->r.body.len * 1000000 / REAPER_BYTES_S;
	struct MHD_Response *response = x->r.stream ? stream_response(x) : body_response(&x->r);
	if (!response)
		return MHD_NO;
	add_headers(response, &x->r);
	reaper_sending(s->reaper, x->entry, patience_us);
	enum MHD_Result queued = MHD_queue_response(c, (unsigned)x->r.status, response);
	MHD_destroy_response(response);
	return queued;
}
