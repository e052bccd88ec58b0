/* By which name we are asked, and whether a page of another site has it done. */
#include "shared/router_private.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_loopback_name(struct span name)
{
	char text[INET6_ADDRSTRLEN + 1] = "";
	struct in_addr v4;
	struct in6_addr v6;
	if (router_same_word(name, span_of("localhost")))
		return true;
	if (name.len >= sizeof text)
		return false;
	memcpy(text, name.at, name.len);
	if (inet_pton(AF_INET, text, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* The name part of "name", "name:port", "[v6]:port"; false when it is none of these. */
static bool host_name(struct span host, struct span *ret)
{
	const char *end = host.at + host.len, *after;
	if (host.len > 0 && host.at[0] == '[') {
		const char *close = memchr(host.at, ']', host.len);
		if (!close)
			return false;
		*ret = (struct span){host.at + 1, (size_t)(close - host.at) - 1};
		after = close + 1;
	} else {
		const char *colon = memchr(host.at, ':', host.len);
		after = colon ? colon : end;
		*ret = (struct span){host.at, (size_t)(after - host.at)};
	}
	uint64_t port;
	if (after == end)
		return true;
	return *after == ':' &&
	       span_to_u64((struct span){after + 1, (size_t)(end - after) - 1}, 65535, &port);
}

static bool is_same_origin(struct span origin, struct span host)
{
	static const char *const schemes[] = {"http://", "https://"};
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t len = strlen(schemes[i]);
		if (origin.len > len && strncasecmp(origin.at, schemes[i], len) == 0)
			return router_same_word((struct span){origin.at + len, origin.len - len}, host);
	}
	return false;
}

/*
 * Does a page of another site ask?  A browser says so where it trusts the address (https, or loopback), also with what
 * carries no Origin: images, scripts, styles.  Somebody who follows a link to here is no such page: what comes is shown to
 * him alone.
 */
static bool is_foreign_page(const struct http_request *q)
{
	bool safe = q->method == HTTP_GET || q->method == HTTP_HEAD;
	if (!q->fetch_site.at || span_is(q->fetch_site, "same-origin") || span_is(q->fetch_site, "none"))
		return false;
	return !(safe && span_is(q->fetch_mode, "navigate") && span_is(q->fetch_dest, "document"));
}

/*
 * A web page must not reach a daemon on loopback: neither by a name that it made resolve here,
 * nor by a form, nor by what it includes.
 */
bool router_refuse_host(const struct router *t, const struct http_request *q, struct http_reply *r)
{
	struct span name;
	if (q->host.at && t->hosts) {
		if (!host_name(q->host, &name) ||
			!(is_loopback_name(name) || router_listed(t->hosts, name, router_same_word))) {
			http_problem(r, "forbidden", "the Host header names none of this server's names");
			return true;
		}
	}
	if (q->origin.at && !(q->host.at && is_same_origin(q->origin, q->host))) {
		http_problem(r, "forbidden", "the Origin is another than the Host");
		return true;
	}
	if (is_foreign_page(q)) {
		http_problem(r, "forbidden", "a page of another site asks, as Sec-Fetch-Site says");
		return true;
	}
	return false;
}
