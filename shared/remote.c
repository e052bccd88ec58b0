#include "shared/remote.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "shared/client.h"
#include "shared/members.h"

#define TIMEOUT_MS 60000
#define PAGE_RECORDS 1000
#define ANSWER_MAX (64 * 1024 * 1024)

struct remote {
	struct client *client;
	struct remote_config config;
	struct buf body;
};

void remote_close(struct remote *r)
{
	if (!r)
		return;
	client_close(r->client);
	buf_done(&r->body);
	free(r);
}

/* --- what was answered --- */

struct problem {
	struct span detail, code;
	uint64_t line; /* 0 = none */
	struct arena arena;
};

static void read_problem(struct problem *p, struct span body)
{
	static const struct span names[] = {MEMBER("detail"), MEMBER("code"), MEMBER("line")};
	struct json_value values[3] = {{0}};
	struct members m = {.names = names, .values = values, .n = 3};
	struct reason why;

	if (members_read(&m, body, &why) == OK && members_text(&m, 0, &p->arena, &p->detail, &why) == OK &&
		members_text(&m, 1, &p->arena, &p->code, &why) == OK &&
		members_u64(&m, 2, &p->line, &why) != OK)
		p->line = 0;
}

/* Not a 2xx. */
static enum err refused(
	const struct remote *r, const struct client_reply *reply, uint64_t *ret_line, struct reason *why)
{
	struct problem p = {0};
	int status = reply->status;
	enum err e = INVALID;

	read_problem(&p, buf_span(&reply->body));
	*ret_line = p.line;
	if (status == 401)
		e = fail(DENIED, why, "%s answered 401: %s%s", r->config.url,
			r->config.token && *r->config.token ? "another token is wanted in" : "give",
			r->config.centre ? " --token-file FILE with the centre's secret"
					 : " --app-token-file FILE");
	else if (!p.code.len)
		e = fail(INTERNAL, why, "%s answered %d; is this a tidemark-%s?", r->config.url, status,
			r->config.centre ? "central" : "local");
	else if (status == 404 && p.line == 0)
		e = fail(INTERNAL, why, "%s answered 404: %.*s; is this a tidemark-%s?", r->config.url,
			(int)(p.detail.len < 120 ? p.detail.len : 120), p.detail.at,
			r->config.centre ? "central" : "local");
	else
		e = fail(status == 403                                     ? DENIED
			 : status == 503 || status == 429 || status == 507 ? RETRY
									   : INVALID,
			why, "%s answered %d: %.*s", r->config.url, status, (int)p.detail.len, p.detail.at);
	arena_done(&p.arena);
	return e;
}

/* May the same call do better in a moment? */
static bool is_passing(enum err e, const struct client_reply *reply)
{
	return e == OK ? reply->status == 503 || reply->status == 429 : e == RETRY || e == UNCERTAIN;
}

/* OK: answered at all. */
static enum err call(struct remote *r, enum http_method m, const char *target, struct span body,
	struct client_reply *ret, struct reason *why)
{
	static const int pauses_ms[] = {250, 500, 1000, 2000, 4000, 8000};
	const char *type = body.len ? "application/x-ndjson" : NULL;
	struct client_reply reply = {0};
	enum err e = client_call(r->client, m, target, body, type, &reply, why);

	for (size_t i = 0; i < sizeof pauses_ms / sizeof *pauses_ms && is_passing(e, &reply); i++) {
		client_reply_done(&reply);
		poll(NULL, 0, pauses_ms[i]);
		reply = (struct client_reply){0};
		e = client_call(r->client, m, target, body, type, &reply, why);
	}
	if (e == OK)
		*ret = reply;
	else
		client_reply_done(&reply);
	return e == INVALID ? INTERNAL : e; /* the answer, not what was sent */
}

/* --- opening --- */

/* A centre's status speaks of its store, a local's of its node. */
static enum err check(const struct remote *r, struct reason *why)
{
	static const struct span names[] = {MEMBER("node"), MEMBER("store")};
	struct json_value values[2] = {{0}};
	struct members m = {.names = names, .values = values, .n = 2};
	struct client_reply reply = {0};
	struct reason cause;
	uint64_t line;
	enum err e = client_call(r->client, HTTP_GET, "/v1/status", (struct span){0}, NULL, &reply, why);

	if (e == OK && reply.status != 200)
		e = refused(r, &reply, &line, why);
	else if (e == OK && (members_read(&m, buf_span(&reply.body), &cause) != OK ||
				    !members_has(&m, r->config.centre)))
		e = fail(INTERNAL, why, "%s: what answers there is no tidemark-%s", r->config.url,
			r->config.centre ? "central" : "local");
	client_reply_done(&reply);
	return e;
}

enum err remote_open(struct remote **ret, const struct remote_config *c, struct reason *why)
{
	struct remote *r = calloc(1, sizeof *r);
	const struct client_config config = {.base_url = c->url,
		.token = c->token,
		.plain_http = c->plain_http,
		.tls = c->tls,
		.timeout_ms = c->timeout_ms ? c->timeout_ms : TIMEOUT_MS,
		.max_body = ANSWER_MAX};

	if (!r)
		return fail(RETRY, why, "out of memory");
	r->config = *c;
	enum err e = client_open(&r->client, &config, why);
	if (e == OK)
		e = check(r, why);
	if (e != OK) {
		remote_close(r);
		return e;
	}
	*ret = r;
	return OK;
}

/* --- the sink --- */

static void put_lines(struct remote *r, const struct draft *drafts, size_t n)
{
	buf_clear(&r->body);
	for (size_t i = 0; i < n; i++) {
		buf_text(&r->body, r->config.centre ? "{\"owner\":\"" : "{");
		buf_put(&r->body, drafts[i].owner);
		buf_text(&r->body, r->config.centre ? "\",\"id\":\"" : "\"id\":\"");
		buf_put(&r->body, drafts[i].id);
		buf_text(&r->body, "\",\"type\":\"");
		buf_put(&r->body, drafts[i].type);
		buf_text(&r->body, "\",\"body\":");
		buf_put(&r->body, drafts[i].body);
		buf_text(&r->body, "}\n");
	}
}

static enum err read_counts(
	const struct remote *r, struct span body, struct import_counts *counts, struct reason *why)
{
	static const struct span names[] = {MEMBER("created"), MEMBER("changed"), MEMBER("unchanged")};
	struct json_value values[3] = {{0}};
	struct members m = {.names = names, .values = values, .n = 3};
	uint64_t created, changed, unchanged;
	struct reason cause;

	if (members_read(&m, body, &cause) != OK || members_u64(&m, 0, &created, &cause) != OK ||
		members_u64(&m, 1, &changed, &cause) != OK || members_u64(&m, 2, &unchanged, &cause) != OK)
		return fail(INTERNAL, why,
			"%s took the records, but its answer does not count them (%.80s): is it of this "
			"version?",
			r->config.url, cause.text);
	counts->created += created;
	counts->changed += changed;
	counts->unchanged += unchanged;
	return OK;
}

static enum err put(void *ctx, const struct draft *drafts, size_t n, struct import_counts *counts,
	size_t *ret_failed, struct reason *why)
{
	struct remote *r = ctx;
	struct client_reply reply;
	uint64_t line = 0;

	put_lines(r, drafts, n);
	if (buf_failed(&r->body))
		return fail(RETRY, why, "out of memory");
	enum err e = call(r, HTTP_POST, "/v1/records", buf_span(&r->body), &reply, why);
	if (e != OK)
		return e;
	if (reply.status / 100 == 2)
		e = read_counts(r, buf_span(&reply.body), counts, why);
	else
		e = refused(r, &reply, &line, why);
	if (line > 0 && line <= n)
		*ret_failed = line - 1;
	client_reply_done(&reply);
	return e;
}

static enum err remove_record(
	void *ctx, const struct draft *which, struct import_counts *counts, struct reason *why)
{
	struct remote *r = ctx;
	struct client_reply before = {0}, reply = {0};
	struct buf target = {0};
	uint64_t line;

	buf_text(&target, "/v1/records/");
	buf_put(&target, which->owner);
	buf_text(&target, which->owner.len ? "/" : "");
	buf_put(&target, which->id);
	/* Asked first, since an answered DELETE does not say whether there was something to delete. */
	enum err e = buf_failed(&target) /* cut short it would name another record */
			     ? fail(RETRY, why, "out of memory")
			     : call(r, HTTP_GET, target.at, (struct span){0}, &before, why);
	if (e == OK && before.status == 404)
		counts->unchanged++;
	else if (e == OK)
		e = call(r, HTTP_DELETE, target.at, (struct span){0}, &reply, why);
	if (e == OK && reply.status / 100 == 2)
		counts->deleted++;
	else if (e == OK && reply.status != 0)
		e = refused(r, &reply, &line, why);
	client_reply_done(&before);
	client_reply_done(&reply);
	buf_done(&target);
	return e;
}

struct import_sink remote_sink(struct remote *r)
{
	return (struct import_sink){
		.ctx = r, .owners = r->config.centre, .put = put, .remove = remove_record};
}

/* --- the source --- */

static void put_member(struct buf *target, const char *name, struct span value)
{
	if (!value.len)
		return;
	buf_printf(target, "&%s=", name);
	buf_percent(target, value);
}

static enum err page(void *ctx, struct span after, struct buf *out, struct reason *why)
{
	struct remote *r = ctx;
	const struct format_options *o = r->config.format->options;
	struct client_reply reply;
	struct buf target = {0};
	uint64_t line;

	buf_printf(&target, "/v1/records?limit=%d", PAGE_RECORDS);
	put_member(&target, "owner", r->config.centre ? span_of(o->owner) : (struct span){0});
	put_member(&target, "type", span_of(o->type));
	put_member(&target, "deleted", span_of(o->deleted ? "true" : NULL));
	put_member(&target, "after", after);
	enum err e = buf_failed(&target) ? fail(RETRY, why, "out of memory")
					 : call(r, HTTP_GET, target.at, (struct span){0}, &reply, why);
	buf_done(&target);
	if (e != OK)
		return e;
	if (reply.status / 100 == 2)
		buf_put(out, buf_span(&reply.body));
	else
		e = refused(r, &reply, &line, why);
	client_reply_done(&reply);
	return e;
}

struct export_source remote_source(struct remote *r)
{
	return (struct export_source){.ctx = r, .owners = r->config.centre, .page = page};
}
