/*
 * centre - what the handlers of the centre share: their `ctx` is a struct centre.
 *
 * Handlers run on a thread for each connection; what may change meanwhile (reload.h) is atomic, the rest stays as main
 * has set it, or locks for itself.
 */
#ifndef CENTRAL_CENTRE_H
#define CENTRAL_CENTRE_H

#include "central/access.h"
#include "central/backup.h"
#include "central/exchange.h"
#include "central/notifier.h"
#include "central/scheduler.h"
#include "central/selfcheck.h"
#include "shared/http.h"
#include "shared/json.h"

struct centre {
	struct store *store;
	const char *store_url;
	struct backup_turn backup;
	struct selfcheck self;
	struct scheduler *scheduler;
	struct stream *stream;     /* stream.h; NULL: what happens is not told as it happens */
	struct access *access;     /* NULL: anyone may do everything, as in tests */
	struct notifier *notifier; /* NULL: nobody is told, as in tests */
	_Atomic(const struct networks *) allowed;
	_Atomic(const char *) secret; /* NULL or "": none */
	_Atomic int64_t interval_ms;
	_Atomic int64_t certificate_ends_us, client_certificate_ends_us; /* wall clock; 0 = there is none */
	int64_t started_us;                                              /* monotonic */
};

/* --- reading requests; false: the reply has been filled --- */

/* `limit`: 1 … 1000, 100 when absent. */
bool centre_limit(const struct http_request *q, unsigned *ret, struct http_reply *r) MUST_USE;
/* An optional whole number; absent leaves *ret alone. */
bool centre_number(
	const struct http_request *q, const char *name, uint64_t *ret, struct http_reply *r) MUST_USE;
/*
 * The {name} of the path or a query member, as a NUL-terminated text; 404 for what cannot be a
 * node's name.
 */
bool centre_node_name(struct span text, char ret[RECORD_OWNER_MAX + 1], struct http_reply *r) MUST_USE;
/* A query member that names a node, NULL when absent; what is no name finds nothing. */
const char *centre_query_name(struct http_request *q, const char *member);

/* The body, which is a JSON object (json_doc_free() it); NULL: the reply has been filled. */
struct json_doc *centre_read_body(struct http_request *q, struct http_reply *r) MUST_USE;
/* An optional text of it, of at most `max` bytes; NULL where it is absent or null. */
bool centre_read_text(const struct json_doc *d, const char *key, size_t max, const char **ret,
	struct http_reply *r) MUST_USE;

/* --- telling --- */

/* Who asks, for the store's calls.  Borrowed from the request. */
struct author centre_author(const struct http_request *q);
/* The log's line of a change whose event the store has made. */
void centre_log(const char *kind, const struct author *by, const char *node, const char *text);
/*
 * What somebody (ev->by) did that the store has no part in, in the log and as an event of its own; one that cannot be
 * stored is only logged.
 */
void centre_tell(struct store *st, struct event *ev, const char *fmt, ...) PRINTF(3, 4);

/*
 * The same of what works while the store is away: one that is known to fail is not asked, and not waited for; then only
 * the log has it.
 */
void centre_tell_asked(struct centre *c, struct event *ev, const char *fmt, ...) PRINTF(3, 4);

/* --- writing replies --- */

/* Each appends a value. */
void centre_put_seconds(struct buf *out, double s);            /* three digits; negative = null */
void centre_put_known(struct buf *out, bool known, int64_t n); /* or null */
void centre_put_text(struct buf *out, const char *text);       /* quoted; "" = null */
/* {"kind":…,"level":…,"since":…,"text":…} */
void centre_put_ailment(struct buf *out, enum ailment a, int64_t since_us, struct span text);

/* Was a call of the store good?  Logs INTERNAL.  For answers that leave out what the store cannot say now. */
bool centre_knows(enum err e, const struct reason *why);
/* Can it be written?  What the last exchange saw counts as well: a full disk may still take a page. */
bool centre_store_works(struct centre *c, struct reason *why);
/* Looks at the centre itself (selfcheck.h), and at who failed to get in (access.h).  One thread. */
void centre_watch(struct centre *c);
/* The answer to a failed call of the store: logs INTERNAL, passes the others on. */
void centre_problem(struct http_reply *r, enum err e, const struct reason *why);

#endif
