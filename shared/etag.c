#include "shared/etag.h"

#include <stdio.h>
#include <string.h>

void etag_set(struct http_reply *r, struct hash h)
{
	char hex[33];
	hash_hex(h, hex);
	snprintf(r->etag, sizeof r->etag, "\"%s\"", hex);
}

bool etag_is_known(const struct http_request *q, const struct http_reply *r)
{
	struct span known = q->if_none_match;
	return known.at && (span_is(known, "*") || memmem(known.at, known.len, r->etag, strlen(r->etag)));
}

bool etag_precondition(const struct http_request *q, struct precondition *ret, struct http_reply *r)
{
	struct span tag = q->if_match;
	struct precondition p = {0};
	if (q->if_none_match.at) {
		if (!span_is(q->if_none_match, "*")) {
			http_problem(r, "bad_request", "If-None-Match takes * only");
			return false;
		}
		p.must_be_absent = true;
	}
	if (tag.at) {
		p.must_match = true;
		if (tag.len != 34 || tag.at[0] != '"' || tag.at[33] != '"' ||
			!hash_parse((struct span){tag.at + 1, 32}, &p.hash)) {
			http_problem(r, "bad_request", "If-Match takes one ETag: 32 hex digits in quotes");
			return false;
		}
	}
	*ret = p;
	return true;
}
