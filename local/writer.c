#include "local/writer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define GROUP_MAX 256 /* jobs of one transaction: bounds how long the first of them waits */

/* One caller, on its own stack; in the queue from its arrival until it is done. */
struct job {
	struct job *next;
	writer_job_fn *run;
	void *ctx;
	struct reason *why;
	enum err outcome;
	enum { WAITING, LEADING, DONE } part;
	pthread_cond_t turn;
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

/* Runs the group at the queue's front, which begins with the leader's own job, and hands the lead on. */
static void lead(struct writer *w)
{
	struct job *group = take_group(w);
	pthread_mutex_unlock(&w->lock);
	run_group(w->replica, group);
	pthread_mutex_lock(&w->lock);
	w->turns++;
	for (struct job *j = group, *next; j; j = next) {
		next = j->next; /* once told, its owner may be gone */
		j->part = DONE;
		pthread_cond_signal(&j->turn);
	}
	w->led = w->first != NULL;
	if (w->first) {
		w->first->part = LEADING;
		pthread_cond_signal(&w->first->turn);
	}
}

enum err writer_run(struct writer *w, writer_job_fn *job, void *ctx, struct reason *why)
{
	struct job j = {.run = job, .ctx = ctx, .why = why, .part = WAITING};
	pthread_cond_init(&j.turn, NULL);
	pthread_mutex_lock(&w->lock);
	*w->end = &j;
	w->end = &j.next;
	if (!w->led) {
		w->led = true;
		j.part = LEADING;
	}
	while (j.part == WAITING)
		pthread_cond_wait(&j.turn, &w->lock);
	if (j.part == LEADING)
		lead(w);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_destroy(&j.turn);
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
