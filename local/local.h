/*
 * local - what the handlers of a local share: their `ctx` is a struct local.
 *
 * Handlers run on a thread for each connection; what may change meanwhile is atomic or main's alone (local_watch()).
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include <stdatomic.h>

#include "local/generator.h"
#include "shared/http.h"

struct local {
	struct replica *replica;
	struct writer *writer;
	struct generator *generator;         /* NULL: none */
	int64_t started_us;                  /* monotonic */
	bool never_wait;                     /* the simulation: long polls answer at once */
	atomic_bool broken;                  /* the database is gone under us: the program is to end */
	atomic_bool failing;                 /* the last write found no room, or the like */
	atomic_bool damaged;                 /* a read found the database damaged */
	_Atomic int64_t certificate_ends_us; /* wall clock; 0 = there is none */
	bool low;                            /* of local_watch(), as told */
	bool ends;                           /* likewise: the certificate, soon */
	unsigned contradictions;             /* likewise */
};

/* How often main() calls local_watch(). */
#define LOCAL_WATCH_MS 1000
/*
 * Looks whether the database's files are still there, also when nobody writes, and whether there is room; logs what
 * has changed, and asks the program to stop as local_write() does.  One thread.
 */
void local_watch(struct local *l);

/*
 * writer_run(); logs when writing begins to fail, and when it works again.  When the database turns out broken:
 * logs it once, marks the local and asks the program to stop, so that a supervisor starts it on whatever is there
 * now.
 */
enum err local_write(struct local *l, writer_job_fn *job, void *ctx, struct reason *why) MUST_USE;

/* Logs it, once in a run; from then on the local is not ready. */
void local_tell_damage(struct local *l, const char *fmt, ...) PRINTF(2, 3);
/* Answers a refused or failed call: 412 for CONFLICT, 404, 503, …; logs once that the database is damaged. */
void local_problem(struct local *l, struct http_reply *r, enum err e, const struct reason *why);

#endif
