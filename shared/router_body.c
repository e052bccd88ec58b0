/* A request's body: whether it may come, and what it holds. */
#include "shared/router_private.h"

#include <string.h>
#include <strings.h>

#include "shared/coding.h"

/* A charset other than UTF-8 would be other bytes than what is checked and stored; other parameters mean
 * nothing. */
static bool is_known_parameter(struct span p)
{
	static const char charset[] = "charset=";
	size_t len = sizeof charset - 1;
	if (p.len < len || strncasecmp(p.at, charset, len) != 0)
		return true;
	struct span value = {p.at + len, p.len - len};
	return router_same_word(value, span_of("utf-8")) || router_same_word(value, span_of("\"utf-8\""));
}

static bool is_known_media(struct span type)
{
	static const char known[] =
		"application/json application/x-ndjson application/x-www-form-urlencoded ";
	bool first = true, good = true;
	while (type.len > 0 && good) {
		const char *semi = memchr(type.at, ';', type.len);
		struct span part = {type.at, semi ? (size_t)(semi - type.at) : type.len};
		size_t step = part.len + (semi ? 1 : 0);
		type = (struct span){type.at + step, type.len - step};
		part = span_trimmed(part);
		good = first ? router_listed(known, part, router_same_word) : is_known_parameter(part);
		first = false;
	}
	return good;
}

bool router_refuse_body(const struct router *t, const struct route *route, struct http_request *q,
	uint64_t length, struct http_reply *r)
{
	enum coding coding;
	bool packed = t->packed != ROUTE_ALWAYS && t->packed == route->access;
	bool bodiless = q->method == HTTP_GET || q->method == HTTP_HEAD;
	if (!bodiless && !is_known_media(q->content_type)) {
		http_problem(r, "unsupported_media_type",
			"send application/json or application/x-ndjson in UTF-8");
		return true;
	}
	if (!coding_parse(q->content_encoding, &coding) || (coding != CODING_NONE && !packed)) {
		http_problem(r, "unsupported_media_type", "send the body %s",
			packed ? "by zstd, by gzip, or without a Content-Encoding"
			       : "without a Content-Encoding");
		r->accepts = packed ? CODING_ACCEPTED : NULL;
		return true;
	}
	q->unpacks = coding != CODING_NONE ? route->max_body : 0;
	if ((q->framing_errors & HTTP_FRAMING_NO_LENGTH) && route->max_body > 0) {
		http_problem(r, "length_required", "send the body with a Content-Length");
		return true;
	}
	if (length > route->max_body) {
		http_problem(r, "body_too_large", "the body has %llu bytes, at most %zu are taken here",
			(unsigned long long)length, route->max_body);
		return true;
	}
	return false;
}

static enum err unpack(
	const struct route *route, struct coding_unpacker *u, struct buf *out, struct reason *why)
{
	bool ended = false;
	enum err e = OK;

	while (e == OK && !ended && out->len <= route->max_body)
		e = coding_unpack(u, route->max_body - out->len + 1, out, &ended, why);
	return e;
}

bool router_unpack(const struct route *route, struct http_request *q, struct buf *out, struct http_reply *r)
{
	enum coding c = CODING_NONE;
	struct reason why = {""};

	if (!coding_parse(q->content_encoding, &c) || c == CODING_NONE)
		return true;
	struct coding_unpacker *u = coding_unpacker_new(c, q->body);
	enum err e = u ? unpack(route, u, out, &why) : fail(RETRY, &why, "no memory left to unpack the body");
	coding_unpacker_free(u);
	q->body = buf_span(out);
	if (e == OK && out->len <= route->max_body)
		return true;
	if (e == OK)
		http_problem(r, "body_too_large",
			"unpacked the body has more than the %zu bytes that are taken here", route->max_body);
	else
		http_problem(r, e == INVALID ? "bad_request" : "unavailable", "the body: %s", why.text);
	return false;
}
