#include "shared/http.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/utf8.h"

#define SHORT_LIST 100

static const char *const METHODS[] = {
	[HTTP_GET] = "GET",
	[HTTP_HEAD] = "HEAD",
	[HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",
	[HTTP_PATCH] = "PATCH",
	[HTTP_DELETE] = "DELETE",
	[HTTP_OTHER] = "OTHER",
};

const char *http_method_name(enum http_method m)
{
	return METHODS[m];
}

enum http_method http_method_parse(const char *name)
{
	for (unsigned i = 0; i < HTTP_OTHER; i++) {
		if (strcmp(name, METHODS[i]) == 0)
			return (enum http_method)i;
	}
	return HTTP_OTHER;
}

const char *http_proof_name(enum http_proof p)
{
	static const char *const names[] = {
		[HTTP_BY_NONE] = "none", [HTTP_BY_BEARER] = "bearer", [HTTP_BY_COOKIE] = "cookie"};
	return names[p];
}

static struct span pair_value(const struct http_pair *pairs, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (span_is(pairs[i].name, name))
			return pairs[i].value;
	}
	return (struct span){0};
}

bool http_may_be_large(const struct http_request *q, struct http_reply *r)
{
	if (!q->rim || q->rim->may_be_large(q->rim_ctx))
		return true;
	if (r)
		http_problem(r, "unavailable", "nobody waits for the answer any more");
	return false;
}

bool http_may_list(const struct http_request *q, uint64_t limit, struct http_reply *r)
{
	return limit <= SHORT_LIST || http_may_be_large(q, r);
}

bool http_may_wait(const struct http_request *q)
{
	return !q->rim || q->rim->may_wait(q->rim_ctx);
}

bool http_is_gone(const struct http_request *q)
{
	return q->rim && q->rim->is_gone(q->rim_ctx);
}

void http_put_metrics(const struct http_request *q, struct buf *out)
{
	if (q->rim)
		q->rim->put_metrics(q->rim_ctx, out);
}

struct span http_query(const struct http_request *q, const char *name)
{
	return pair_value(q->query, q->n_query, name);
}

struct span http_param(const struct http_request *q, const char *name)
{
	return pair_value(q->params, q->n_params, name);
}

struct span http_bearer(const struct http_request *q)
{
	struct span given = q->authorization, scheme = span_of("Bearer ");
	if (given.len <= scheme.len || strncasecmp(given.at, scheme.at, scheme.len) != 0)
		return (struct span){0};
	return (struct span){given.at + scheme.len, given.len - scheme.len};
}

/* RFC 6265, 4.1.1: a cookie's value has no blank, quote, comma, semicolon, backslash or control byte. */
static bool is_cookie_value(struct span v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.at[i];
		if (c <= ' ' || c >= 0x7F || strchr("\",;\\", c))
			return false;
	}
	return true;
}

struct span http_cookie(const struct http_request *q, const char *name)
{
	struct span rest = q->cookie, found = {0};
	while (rest.len > 0) {
		const char *semi = memchr(rest.at, ';', rest.len);
		struct span pair = {rest.at, semi ? (size_t)(semi - rest.at) : rest.len};
		size_t step = pair.len + (semi ? 1 : 0);
		rest = (struct span){rest.at + step, rest.len - step};
		while (pair.len > 0 && pair.at[0] == ' ')
			pair = (struct span){pair.at + 1, pair.len - 1};
		const char *eq = memchr(pair.at, '=', pair.len);
		if (!eq || !span_is((struct span){pair.at, (size_t)(eq - pair.at)}, name))
			continue;
		struct span value = {eq + 1, (size_t)(pair.at + pair.len - eq) - 1};
		if (found.at || !is_cookie_value(value))
			return (struct span){0};
		found = value;
	}
	return found;
}

static bool is_utf8(const char *at, size_t len)
{
	for (size_t i = 0, step; i < len; i += step) {
		step = utf8_length(at + i, len - i);
		if (step == 0)
			return false;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum err http_decode(struct arena *a, struct span text, bool plus, struct span *ret, struct reason *why)
{
	char *out = arena_alloc(a, text.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '%') {
			int high = i + 1 < text.len ? hex_digit(text.at[i + 1]) : -1;
			int low = i + 2 < text.len ? hex_digit(text.at[i + 2]) : -1;
			if (high < 0 || low < 0)
				return fail(INVALID, why, "a %% without two hex digits behind it");
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c == '\0')
			return fail(INVALID, why, "a NUL byte");
		out[n++] = c;
	}
	if (!is_utf8(out, n))
		return fail(INVALID, why, "not UTF-8");
	*ret = (struct span){out, n};
	return OK;
}

static enum err query_add(struct http_request *q, struct span pair, struct reason *why)
{
	const char *eq = memchr(pair.at, '=', pair.len);
	struct span name = {pair.at, eq ? (size_t)(eq - pair.at) : pair.len};
	struct span value = {"", 0};
	if (eq)
		value = (struct span){eq + 1, pair.len - name.len - 1};
	if (http_decode(&q->arena, name, true, &name, why) != OK ||
		http_decode(&q->arena, value, true, &value, why) != OK)
		return INVALID;
	if (http_query(q, name.at).at)
		return fail(INVALID, why, "%.60s comes twice", name.at);
	if (q->n_query == HTTP_QUERY_MAX)
		return fail(INVALID, why, "more than %d members", HTTP_QUERY_MAX);
	q->query[q->n_query++] = (struct http_pair){name, value};
	return OK;
}

enum err http_query_parse(struct http_request *q, struct span raw, struct reason *why)
{
	enum err e = OK;
	q->n_query = 0;
	while (e == OK && raw.len > 0) {
		const char *amp = memchr(raw.at, '&', raw.len);
		struct span pair = {raw.at, amp ? (size_t)(amp - raw.at) : raw.len};
		size_t step = pair.len + (amp ? 1 : 0);
		raw = (struct span){raw.at + step, raw.len - step};
		if (pair.len > 0)
			e = query_add(q, pair, why);
	}
	return e;
}

void http_reply_done(struct http_reply *r)
{
	buf_done(&r->body);
	if (r->stream_done)
		r->stream_done(r->stream_ctx);
	r->stream = NULL;
	r->stream_done = NULL;
}

/* The one table of codes; interface and documents list them in this order. */
static const struct {
	const char *code;
	int status;
} CODES[] = {
	{"bad_json", 400},
	{"bad_request", 400},
	{"bad_id", 400},
	{"bad_type", 400},
	{"incompatible", 400},
	{"tls_required", 400},
	{"unauthorised", 401},
	{"forbidden", 403},
	{"certificate_required", 403},
	{"not_found", 404},
	{"method_not_allowed", 405},
	{"conflict", 409},
	{"epoch_changed", 409},
	{"rewound", 409},
	{"length_required", 411},
	{"precondition_failed", 412},
	{"body_too_large", 413},
	{"too_many_records", 413},
	{"unsupported_media_type", 415},
	{"too_many_requests", 429},
	{"internal", 500},
	{"not_implemented", 501},
	{"unavailable", 503},
	{"disk_full", 507},
};

int http_status_of(const char *code)
{
	for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++) {
		if (strcmp(code, CODES[i].code) == 0)
			return CODES[i].status;
	}
	return 500;
}

/* A problem of type about:blank is titled by its status (RFC 9457, 4.2.1). */
static const char *status_title(int status)
{
	static const struct {
		int status;
		const char *title;
	} titles[] = {
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{429, "Too Many Requests"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{507, "Insufficient Storage"},
	};
	for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
		if (titles[i].status == status)
			return titles[i].title;
	}
	return "Internal Server Error";
}

static void PRINTF(4, 0)
	problem(struct http_reply *r, const char *code, const char *members, const char *fmt, va_list args)
{
	char said[512], detail[600];
	vsnprintf(said, sizeof said, fmt, args);
	snprintf(detail, sizeof detail, "%s%s", said,
		r->written ? "; what was asked for is done, only the answer cannot be given" : "");
	utf8_mask(detail); /* it may quote a peer's bytes, or be cut inside a character */
	int status = http_status_of(code);
	r->status = status;
	r->content_type = "application/problem+json";
	r->etag[0] = r->location[0] = r->set_cookie[0] = '\0';
	r->allow = NULL;
	r->encoding = r->accepts = NULL;
	r->retry_after_s = status == 503 || status == 429 ? 1 : 0;
	buf_clear(&r->body);
	buf_printf(&r->body,
		"{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", status_title(status),
		status);
	buf_json_text(&r->body, span_of(detail));
	buf_printf(&r->body, ",\"code\":\"%s\"", code);
	if (members[0] != '\0') {
		buf_char(&r->body, ',');
		buf_text(&r->body, members);
	}
	if (r->written)
		buf_text(&r->body, ",\"outcome\":\"done\"");
	buf_text(&r->body, "}\n");
}

void http_problem(struct http_reply *r, const char *code, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	problem(r, code, "", fmt, args);
	va_end(args);
}

void http_problem_with(struct http_reply *r, const char *code, const char *members, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	problem(r, code, members, fmt, args);
	va_end(args);
}

static const char *code_of(enum err e)
{
	switch (e) {
	case RETRY:
	case UNCERTAIN:
		return "unavailable";
	case INVALID:
		return "bad_request";
	case GONE:
		return "not_found";
	case DENIED:
		return "forbidden";
	case CONFLICT:
		return "conflict";
	case OK:
	case INTERNAL:
		break;
	}
	return "internal";
}

void http_problem_err(struct http_reply *r, enum err e, const struct reason *why)
{
	assert(e != OK);
	bool full = (e == RETRY || e == UNCERTAIN) && strstr(why->text, REASON_DISK_FULL);
	const char *code = full ? "disk_full" : code_of(e);
	if (e == UNCERTAIN && !r->written)
		http_problem_with(r, code, "\"outcome\":\"unknown\"",
			"%s; it may have been done: look before you repeat it", why->text);
	else
		http_problem(r, code, "%s", why->text);
}
