/*
 * etag - a record's version in HTTP: ETag on answers, If-Match and If-None-Match on requests.
 */
#ifndef SHARED_ETAG_H
#define SHARED_ETAG_H

#include "shared/http.h"
#include "shared/record.h"

void etag_set(struct http_reply *r, struct hash h);
/* Does If-None-Match name the reply's ETag?  Then the one who asks has it: 304. */
bool etag_is_known(const struct http_request *q, const struct http_reply *r);
/*
 * `If-Match: "<hash>"`, `If-None-Match: *`; absent ones ask for nothing.  False: the reply has
 * been filled.
 */
bool etag_precondition(const struct http_request *q, struct precondition *ret, struct http_reply *r) MUST_USE;

#endif
