/*
 * writer - group commit: threads that want to write share one transaction.
 *
 * The first to come leads: it runs every waiting job in one transaction and commits once;
 * the others sleep until their job is durable.  No thread of its own, so one caller alone (the
 * simulation) simply writes.
 */
#ifndef LOCAL_WRITER_H
#define LOCAL_WRITER_H

#include "local/replica.h"

struct writer;

/* Runs within the transaction; not OK: what it wrote is undone, the other jobs go on. */
typedef enum err writer_job_fn(void *ctx, struct replica *r, struct reason *why);

struct writer *writer_new(struct replica *r);
void writer_free(struct writer *w);

/*
 * Returns when the job is durable (OK), was refused (its own outcome), or could not be
 * committed. Any thread.
 */
enum err writer_run(struct writer *w, writer_job_fn *job, void *ctx, struct reason *why) MUST_USE;

/* Has it been free, or finished a group, since it was last found to have?  Never waits for it.  One thread. */
bool writer_turns(struct writer *w);

#endif
