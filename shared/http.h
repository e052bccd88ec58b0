/*
 * http - a request and a reply as plain structs; the rim (server.c, transfer.c, the simulation) fills and
 * sends them.  A request and its reply are one thread's at a time.
 */
#ifndef SHARED_HTTP_H
#define SHARED_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/err.h"
#include "shared/role.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OTHER };
const char *http_method_name(enum http_method m);
enum http_method http_method_parse(const char *name);

#define HTTP_PARAMS_MAX 4
#define HTTP_QUERY_MAX 16

struct http_pair {
	struct span name, value; /* percent-decoded, except for the router's raw path */
};

/* By what a request is known to be somebody's. */
enum http_proof { HTTP_BY_NONE, HTTP_BY_BEARER, HTTP_BY_COOKIE };
const char *http_proof_name(enum http_proof p); /* "none", "bearer", "cookie" */

#define HTTP_PEER_BYTES 46 /* an address as text */

struct http_reply;

/* What a handler may ask of the rim, with the request's rim_ctx. */
struct http_rim {
	bool (*may_wait)(void *ctx);
	bool (*is_gone)(void *ctx);
	bool (*may_be_large)(void *ctx);
	void (*put_metrics)(void *ctx, struct buf *out);
};

/* Everything is borrowed from the rim until the reply has been sent. */
struct http_request {
	enum http_method method;
	struct span target; /* as on the request line: path and query, still encoded */
	struct span body;
	struct span content_type, content_encoding, if_match, if_none_match, authorization, origin, host;
	struct span accept, accept_encoding, prefer, last_event_id, cookie;
	struct span fetch_site, fetch_mode, fetch_dest; /* Sec-Fetch-…: what a browser says of who asks */
	unsigned framing_errors;                        /* what the rim saw, HTTP_FRAMING_… */
	char peer[HTTP_PEER_BYTES]; /* the peer's address: "192.0.2.1", "2001:db8::1"; "" = not known */
	/* So large the body may become besides, once it is unpacked; the router's, 0 = it comes as it is. */
	uint64_t unpacks;
	bool loopback;              /* it is a loopback one */
	bool tls;                   /* it came by TLS */
	const char *uncertified;    /* why it showed no good certificate; NULL: it did, or need not */
	int64_t received_us;        /* wall clock when the request's head had come */
	const struct http_rim *rim; /* NULL: nobody is there to ask */
	void *rim_ctx;

	/* set by the router, in `arena` */
	const char *
		who; /* asks, as the books name it: "anyone" where no token is asked for, "secret", or a token's name */
	enum role role; /* what they may do */
	enum http_proof by;
	int64_t expires_us;  /* wall clock; when this ends to be so; -1 = never */
	char credential[65]; /* a hash of what they showed, by which it is known again; "" = nothing */
	struct span path;    /* without the query */
	struct http_pair params[HTTP_PARAMS_MAX]; /* {name} parts of the route */
	unsigned n_params;
	struct http_pair query[HTTP_QUERY_MAX];
	unsigned n_query;
	struct arena arena; /* the handler may use it; freed by the rim */
};

enum {
	HTTP_FRAMING_TWO_LENGTHS = 1,
	HTTP_FRAMING_ENCODED = 2,   /* a Transfer-Encoding */
	HTTP_FRAMING_NO_LENGTH = 4, /* POST, PUT or PATCH without a Content-Length */
	HTTP_FRAMING_NUL = 8,       /* a NUL, a blank or another control byte in the target */
	HTTP_FRAMING_TWO_HOSTS = 16,
	HTTP_FRAMING_BODY_ON_GET = 32,
	HTTP_FRAMING_TWICE = 64, /* Authorization, Origin, Content-Type, … came twice */
};

/*
 * Percent-decodes into the arena (`plus`: a '+' is a blank, as in a query).  INVALID for a bad
 * escape, a NUL, and what is not UTF-8 afterwards; the reason says which.
 */
enum err http_decode(
	struct arena *a, struct span text, bool plus, struct span *ret, struct reason *why) MUST_USE;
/* Fills q->query from `raw`, the target's part behind the '?'.  INVALID as above, for a name that
 * comes twice, and for more than HTTP_QUERY_MAX. */
enum err http_query_parse(struct http_request *q, struct span raw, struct reason *why) MUST_USE;

/*
 * Waits for its turn to make an answer that may become large: few are made at once, so that those who ask for many cannot
 * fill the memory.  False: the client has gone or we are about to, and the reply is filled, unless it is NULL.
 */
bool http_may_be_large(const struct http_request *q, struct http_reply *r) MUST_USE;
/* The same for a list of so many at most: a short one needs no turn, and waits for none. */
bool http_may_list(const struct http_request *q, uint64_t limit, struct http_reply *r) MUST_USE;
/* May the answer be held back until there is news?  False: too many from that address wait; answer now. */
bool http_may_wait(const struct http_request *q);
/* Has the client hung up meanwhile?  For a handler that waits, about once a second. */
bool http_is_gone(const struct http_request *q);
void http_put_metrics(const struct http_request *q, struct buf *out); /* of connections, for Prometheus */

/* The value of a query member; empty span with at == NULL when absent. */
struct span http_query(const struct http_request *q, const char *name);
/* Is the least answer enough for the client?  "Prefer: return=minimal" (RFC 7240). */
bool http_prefers_minimal(const struct http_request *q);
#define HTTP_PREFER_MINIMAL "return=minimal"
/* The token of an Authorization header; empty span with at == NULL when there is none. */
struct span http_bearer(const struct http_request *q);
/*
 * A cookie's value out of the Cookie header; empty span with at == NULL when absent.  So is one that comes twice (which
 * of them the server set cannot be told), and whatever stands in a header that is none.
 */
struct span http_cookie(const struct http_request *q, const char *name);
struct span http_param(const struct http_request *q, const char *name);

struct http_reply {
	int status;
	const char *content_type; /* static text; NULL = application/json */
	struct buf body;
	char etag[36];          /* with the quotes; "" = none */
	char location[256];     /* "" = none */
	char set_cookie[320];   /* "" = none */
	const char *allow;      /* for 405; static, or in the request's arena */
	unsigned retry_after_s; /* 0 = none */
	bool close;             /* end the connection afterwards */
	bool written;           /* what was asked for is done: a problem now is one of the answer alone */
	const char *policy;     /* a page's Content-Security-Policy; static text, NULL = nothing is allowed */
	const char *cache;      /* Cache-Control; static text, NULL = no-store */
	const char *vary;       /* static text, NULL = none */
	const char *encoding;   /* Content-Encoding of `body`; static text, NULL = none */
	const char *accepts;    /* Accept-Encoding, of bodies (RFC 7694); static text, NULL = not told */

	/*
	 * A body that goes on (server-sent events, a large file): when not NULL it is called again and again on the
	 * connection's own thread after `body` was sent, may wait, appends to `out`, and ends the answer with
	 * false.  A client that went away shows at the next bytes only, so send some every few seconds.
	 * `stream_done` (may be NULL) is called once, whatever happens.
	 */
	bool (*stream)(void *stream_ctx, struct buf *out);
	void (*stream_done)(void *stream_ctx);
	void *stream_ctx;
	uint64_t
		stream_bytes; /* of `body` and the stream together, when that is known (then announced); 0 = not */
};
/*
 * The rim adds Content-Length (no stream), to a 401 WWW-Authenticate: Bearer, and what keeps pages of other sites
 * from an answer: X-Content-Type-Options: nosniff, Cross-Origin-Resource-Policy: same-origin, Referrer-Policy: no-referrer;
 * with `policy` Cross-Origin-Opener-Policy: same-origin, else a Content-Security-Policy that allows nothing.
 */
void http_reply_done(struct http_reply *r);

/*
 * The last thing that is done to an answer: packs its body by a content coding that the client takes, where that makes it
 * smaller.  What is packed while the plain bytes are there takes memory beside them: see http_may_be_large().
 */
void http_pack(const struct http_request *q, struct http_reply *r);

/*
 * Answers application/problem+json {type, title, status, detail, code}; the status follows from the code by
 * one table.  What the reply held before goes, but not `close`.  503 and 429 get a Retry-After of a second.
 */
void http_problem(struct http_reply *r, const char *code, const char *fmt, ...) PRINTF(3, 4);
/* The same with more members: `members` is JSON text like "\"epoch\":\"…\"" or "" */
void http_problem_with(struct http_reply *r, const char *code, const char *members, const char *fmt, ...)
	PRINTF(4, 5);
/*
 * For an err of a store: RETRY and UNCERTAIN → unavailable, INVALID → bad_request, GONE → not_found,
 * DENIED → forbidden, CONFLICT → conflict, INTERNAL → internal.  After UNCERTAIN it says so, also to a program:
 * "outcome":"unknown".  After r->written the other problems say that it is done: "outcome":"done".  Whatever else
 * is refused was not done.
 */
void http_problem_err(struct http_reply *r, enum err e, const struct reason *why);
int http_status_of(const char *code); /* 500 for an unknown one */

#endif
