/* notifier_private - what the notifier's files share. */
#ifndef CENTRAL_NOTIFIER_PRIVATE_H
#define CENTRAL_NOTIFIER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "central/notifier.h"
#include "shared/client.h"

/* How it goes with a receiver, in this run. */
struct reception {
	bool tried, failing;
	uint64_t taken, failed; /* attempts */
	uint64_t attempts;      /* of the present batch, that failed */
	int64_t since_us;       /* wall: when it began to fail, or to work */
	int64_t next_us;        /* wall: the next attempt; -1 = it does not wait */
	struct reason answer;   /* the last one */
};

/* One receiver and its thread, which alone touches what no lock is named for. */
struct target {
	struct notifier *of;
	struct receiver receiver; /* const, as the next two lines, once it is open */
	const char *url, *path;   /* or NULL: */
	const char *command;
	struct client *client;
	pthread_t thread;
	bool running;
	uint64_t hurried;     /* what it has seen of n->hurries */
	struct reception now; /* under the notifier's lock */
};

struct notifier {
	struct store *store;
	struct span secret;
	int64_t timeout_ms;
	char centre[33];
	char *url; /* of this centre */
	size_t n;
	struct target targets[RECEIVERS_MAX];
	pthread_mutex_t lock;
	pthread_cond_t news;  /* of the next two */
	atomic_bool stopping; /* set under the lock */
	uint64_t hurries;
	int stop_fd; /* readable once stopping */
};

/* --- notifier_send.c --- */

enum err notifier_open_client(struct target *t, struct reason *why) MUST_USE;
/* One attempt; true: taken.  `answer` is one line either way. */
bool notifier_send(struct target *t, const struct notice_message *m, struct reason *answer) MUST_USE;

#endif
