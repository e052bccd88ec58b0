#include "tests/support/gate.h"

#include <time.h>

#define PATIENCE_S 10

void gate_init(struct gate *g)
{
	*g = (struct gate){0};
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void gate_done(struct gate *g)
{
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
}

void gate_note(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->came++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

void gate_pass(struct gate *g)
{
	gate_note(g);
	pthread_mutex_lock(&g->lock);
	while (!g->open)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

bool gate_wait(struct gate *g, unsigned came)
{
	struct timespec until;
	int error = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&g->lock);
	while (g->came < came && error == 0)
		error = pthread_cond_timedwait(&g->changed, &g->lock, &until);
	bool enough = g->came >= came;
	pthread_mutex_unlock(&g->lock);
	return enough;
}
