/*
 * gate - where handlers wait until a test opens it, and where a test waits for handlers to have come.
 * A zeroed struct is no gate; gate_init().  Thread-safe.
 */
#ifndef TESTS_SUPPORT_GATE_H
#define TESTS_SUPPORT_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned came; /* since gate_init() */
	bool open;
};

void gate_init(struct gate *g);
void gate_done(struct gate *g);
void gate_pass(struct gate *g); /* counts, then waits until it is open */
void gate_note(struct gate *g); /* counts only */
void gate_open(struct gate *g);
bool gate_wait(struct gate *g, unsigned came); /* true: so many came; false after 10 s */

#endif
