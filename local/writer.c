#include "local/writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#define GROUP_MAX 256 /* jobs of one transaction: bounds how long the first of them waits */

enum part { WAITING, LEADING, DONE };

/* One caller, on its own stack; in the queue from its arrival until it is done. */
struct job {
	struct job *next;
	writer_job_fn *run;
	void *ctx;
	struct reason *why;
	enum err outcome;
	enum part part; /* told with the turn */
	sem_t turn; /* of its own, so that who is woken waits for no lock: the others are being woken just then */
};

struct writer {
	struct replica *replica;
	pthread_mutex_t lock;
	struct job *first, **end;
	bool led;                   /* somebody leads */
	uint64_t turns, turns_seen; /* groups done; of writer_turns() */
};

struct writer *writer_new(struct replica *r)
{
	struct writer *w = calloc(1, sizeof *w);
	if (!w)
		err_out_of_memory(); /* at start, before anything is promised */
	w->replica = r;
	w->end = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	assert(!w->first && !w->led);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* Cuts a group from the queue's front. */
static struct job *take_group(struct writer *w)
{
	struct job *group = w->first, *last = group;
	for (size_t n = 1; n < GROUP_MAX && last->next; n++)
		last = last->next;
	w->first = last->next;
	last->next = NULL;
	if (!w->first)
		w->end = &w->first;
	return group;
}

/* A job alone needs no savepoint: its failure is the transaction's. */
static void run_alone(struct replica *r, struct job *j)
{
	j->outcome = j->run(j->ctx, r, j->why);
	if (j->outcome == OK)
		j->outcome = replica_write_commit(r, j->why);
	else
		replica_write_rollback(r);
}

static void tell_all(struct job *group, enum err e, const struct reason *why)
{
	for (struct job *j = group; j; j = j->next)
		j->outcome = fail(e, j->why, "%s", why->text);
}

/*
 * What a job was told before the commit may rest on what another job of the group wrote, so
 * a failed commit is the outcome of the refused ones too.
 */
static void run_together(struct replica *r, struct job *group)
{
	for (struct job *j = group; j; j = j->next) {
		replica_job_begin(r);
		j->outcome = j->run(j->ctx, r, j->why);
		replica_job_end(r, j->outcome == OK);
	}
	struct reason why;
	enum err e = replica_write_commit(r, &why);
	if (e != OK)
		tell_all(group, e, &why);
}

static void run_group(struct replica *r, struct job *group)
{
	struct reason why;
	enum err e = replica_write_begin(r, &why);
	if (e != OK)
		tell_all(group, e, &why);
	else if (!group->next)
		run_alone(r, group);
	else
		run_together(r, group);
}

static void tell(struct job *j, enum part part)
{
	j->part = part;
	sem_post(&j->turn);
}

/* Hands the lead on first: the next group runs while this one's owners wake. */
static void hand_on(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->turns++;
	w->led = w->first != NULL;
	if (w->first)
		tell(w->first, LEADING);
	pthread_mutex_unlock(&w->lock);
}

/* Runs the group at the queue's front, which begins with the leader's own job. */
static void lead(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct job *group = take_group(w);
	pthread_mutex_unlock(&w->lock);
	run_group(w->replica, group);
	hand_on(w);
	for (struct job *j = group->next, *next; j; j = next) {
		next = j->next; /* once told, its owner may be gone */
		tell(j, DONE);
	}
}

/* True: it leads. */
static bool enter(struct writer *w, struct job *j)
{
	pthread_mutex_lock(&w->lock);
	*w->end = j;
	w->end = &j->next;
	bool leads = !w->led;
	w->led = true;
	pthread_mutex_unlock(&w->lock);
	return leads;
}

static void wait_turn(struct job *j)
{
	while (sem_wait(&j->turn) != 0)
		assert(errno == EINTR);
}

enum err writer_run(struct writer *w, writer_job_fn *job, void *ctx, struct reason *why)
{
	struct job j = {.run = job, .ctx = ctx, .why = why, .part = WAITING};
	sem_init(&j.turn, 0, 0);
	bool leads = enter(w, &j);
	if (!leads) {
		wait_turn(&j);
		leads = j.part == LEADING;
	}
	if (leads)
		lead(w);
	sem_destroy(&j.turn);
	return j.outcome;
}

bool writer_turns(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	bool turns = !w->led || w->turns != w->turns_seen;
	w->turns_seen = w->turns;
	pthread_mutex_unlock(&w->lock);
	return turns;
}
