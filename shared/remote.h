/*
 * remote - the records of a local or of the centre over its HTTP API: where an import goes and an export comes
 * from.  What fails for the moment (nobody answers, 503, 429, a broken connection) is asked again a few times:
 * an import's records have ids, so sending them twice writes them once.  One thread.
 */
#ifndef SHARED_REMOTE_H
#define SHARED_REMOTE_H

#include "shared/exporter.h"
#include "shared/importer.h"

struct remote;

struct remote_config {
	const char *url;
	const char *token; /* NULL or "": none */
	bool plain_http;   /* this and the next as in client.h */
	const struct tls *tls;
	int64_t timeout_ms; /* of a request; 0 = a minute */
	bool centre;
	const struct format *format; /* what an export asks for */
};

/* Asks once who is there.  INVALID: no URL; else as below. */
enum err remote_open(struct remote **ret, const struct remote_config *c, struct reason *why) MUST_USE;
void remote_close(struct remote *r);

/*
 * RETRY, UNCERTAIN: not reached in spite of several attempts, or it has no room; DENIED: 401, 403, or as in client.h; INVALID: refused,
 * in the server's words; INTERNAL: what answers is no Tidemark of that kind.
 */
struct import_sink remote_sink(struct remote *r);
struct export_source remote_source(struct remote *r);

#endif
