#include "shared/http.h"

#include "shared/coding.h"

/* What fits a packet comes no sooner when it is smaller. */
#define LEAST_BYTES 1400

void http_pack(const struct http_request *q, struct http_reply *r)
{
	enum coding c = coding_choose(q->accept_encoding);
	struct buf packed = {0};

	r->vary = "Accept-Encoding";
	if (c == CODING_NONE || r->body.len < LEAST_BYTES || buf_failed(&r->body))
		return;
	if (!coding_pack(c, buf_span(&r->body), &packed) || packed.len >= r->body.len) {
		buf_done(&packed); /* then as it is */
		return;
	}
	buf_done(&r->body);
	r->body = packed;
	r->encoding = coding_name(c);
}
