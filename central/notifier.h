/*
 * notifier - tells receivers, URLs and commands, what the store has noticed: in order, at least once.
 *
 * Each receiver has a thread of its own, so that one that is dead, slow or broken holds up nobody:
 *
 *   look ──a batch (store_delivery_begin)──► send ──taken──► note, move behind it ──► look
 *     ▲ nothing waits: a second                │
 *     └────────── backoff, to 60 s ◄───────────┴──not taken──► note
 *
 * A batch is the same one, with the same id, until it is taken, also after a crash between sending and noting: so a
 * receiver that remembers ids sees each once.  A receiver that begins to fail, or no longer does, is one event
 * (notify.failed, notify.healed), which is told to nobody.
 */
#ifndef CENTRAL_NOTIFIER_H
#define CENTRAL_NOTIFIER_H

#include "central/receiver.h"

struct notifier;

struct notifier_config {
	struct store *store;
	const struct receiver_options *receivers; /* checked; their texts outlive the notifier */
	struct span secret;                       /* signs what goes to URLs; empty: no signature */
};

/* Makes them known to the store. */
enum err notifier_open(struct notifier **ret, const struct notifier_config *c, struct reason *why) MUST_USE;
/* `url`: where this centre serves. */
enum err notifier_start(struct notifier *n, const char *url, struct reason *why) MUST_USE;
void notifier_close(
	struct notifier *n); /* NULL is allowed; within about a second, whatever a receiver does */

size_t notifier_receivers(const struct notifier *n);
/* Those that wait for another attempt make it now. */
void notifier_hurry(struct notifier *n);

/* Appends {"receivers":[{receiver, kind, ok, since, answer, position, waiting, attempts, next_attempt_at}…]} */
void notifier_put_receivers(struct notifier *n, struct buf *out);
void notifier_put_metrics(struct notifier *n, struct buf *out);

#endif
