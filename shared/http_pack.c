#include "shared/http.h"

#include "shared/coding.h"

void http_pack(const struct http_request *q, struct http_reply *r)
{
	enum coding c = coding_choose(q->accept_encoding);

	r->vary = "Accept-Encoding";
	if (coding_pack_smaller(c, &r->body))
		r->encoding = coding_name(c);
}
