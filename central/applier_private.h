/*
 * applier_private - what both halves of the applier share; only for applier*.c.
 */
#ifndef CENTRAL_APPLIER_PRIVATE_H
#define CENTRAL_APPLIER_PRIVATE_H

#include "central/applier.h"

/* The run's memory of one exchange, and the store's health by it.  Under the lock; `e` is the store's word. */
void applier_note(struct applier *a, struct slot *s, const struct answer *answer, const struct outcome *out,
	enum err e);
/* The outcome of an answer that our own store did not take. */
struct outcome applier_store_outcome(const struct reason *why);
/* The store owes nothing for this node any more: not its answer, not its event.  Under the lock. */
void applier_taken(struct applier *a, struct slot *s);
void applier_told(struct applier *a, struct slot *s);
/* Logs when the store began to fail, or works again. */
void applier_tell_health(struct applier *a);
/* Logs and stores the changes of state of several nodes at once: when a network fails, all of them change. */
void applier_tell_states(struct applier *a, struct slot *const *slots, size_t n);

/* Logs what came of an answer. */
void applier_log_outcome(struct slot *s, const struct outcome *out);

#endif
