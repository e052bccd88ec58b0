/*
 * sse - reads server-sent events as their bytes come, cut anywhere.  A message has a name and data; comments, other
 * fields and messages without data are passed over.
 */
#ifndef SHARED_SSE_H
#define SHARED_SSE_H

#include "shared/buf.h"
#include "shared/err.h"

#define SSE_MESSAGE_MAX_BYTES ((size_t)1024 * 1024)

struct sse_message {
	struct span name; /* "message" where it was not said */
	struct span data; /* its lines joined by line ends */
};
/* Not OK: the reading ends with that. */
typedef enum err sse_fn(void *ctx, const struct sse_message *m, struct reason *why);

/* Zeroed, but for the first two.  After an answer has broken off the next one begins with another. */
struct sse {
	sse_fn *each;
	void *ctx;
	struct buf line, kind, data;
	bool cr; /* the last byte was a CR, which may have an LF behind it */
};
/* INVALID: a message of more than SSE_MESSAGE_MAX_BYTES; RETRY: out of memory; or what `each` said. */
enum err sse_read(struct sse *s, struct span bytes, struct reason *why) MUST_USE;
void sse_done(struct sse *s);

#endif
