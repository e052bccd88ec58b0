/*
 * local - what the handlers of a local share.
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include <stdatomic.h>

#include "local/generator.h"
#include "shared/http.h"

struct local {
	struct replica *replica;
	struct writer *writer;
	struct generator *generator; /* NULL: none */
	int64_t started_us;          /* monotonic */
	bool never_wait;             /* the simulation: long polls answer at once */
	atomic_bool broken;          /* the database is gone under us: the program is to end */
	atomic_bool failing;         /* the last write found no room, or the like */
};

/*
 * writer_run(); logs when writing begins to fail, and when it works again.  When the database turns out broken:
 * logs it once, marks the local and asks the program to stop, so that a supervisor starts it on whatever is there
 * now.
 */
enum err local_write(struct local *l, writer_job_fn *job, void *ctx, struct reason *why) MUST_USE;

/* Answers a refused or failed write: 412 for CONFLICT, 404, 503, … */
void local_problem(struct http_reply *r, enum err e, const struct reason *why);

#endif
