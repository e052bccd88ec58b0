#include "local/decoder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FEW 256  /* lines that are not worth a thread */
#define STEP 128 /* lines from one word to the waiting thread to the next */

struct decoder {
	struct push push; /* the decoding thread's until `ended` */
	bool has_thread;
	pthread_t thread;
	atomic_bool unwanted;
	size_t seen; /* items that the waiting thread knows to be there */
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* under the lock: */
	size_t ready;
	bool ended;
};

static void *run(void *decoder)
{
	struct decoder *d = decoder;
	bool more = true;

	while (more) {
		more = push_more(&d->push, STEP) && !atomic_load(&d->unwanted);
		pthread_mutex_lock(&d->lock);
		d->ready = d->push.n;
		d->ended = !more;
		pthread_cond_signal(&d->more);
		pthread_mutex_unlock(&d->lock);
	}
	return NULL;
}

enum err decoder_start(struct decoder **ret, struct span body, struct span owner, struct reason *why)
{
	struct decoder *d = calloc(1, sizeof *d);

	if (!d)
		err_out_of_memory();
	enum err e = push_begin(&d->push, body, owner, why);
	if (e != OK) {
		free(d);
		return e;
	}
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->more, NULL);
	d->has_thread = d->push.lines > FEW && pthread_create(&d->thread, NULL, run, d) == 0;
	if (!d->has_thread)
		run(d);
	*ret = d;
	return OK;
}

/* Until more than `n` items are there, or all. */
static void wait_for(struct decoder *d, size_t n)
{
	pthread_mutex_lock(&d->lock);
	while (d->ready <= n && !d->ended)
		pthread_cond_wait(&d->more, &d->lock);
	d->seen = d->ready;
	pthread_mutex_unlock(&d->lock);
}

const struct push_item *decoder_items(struct decoder *d, size_t i, size_t *ret_n)
{
	if (i >= d->seen)
		wait_for(d, i);
	*ret_n = i < d->seen ? d->seen - i : 0;
	return i < d->seen ? &d->push.items[i] : NULL;
}

const struct push *decoder_push(struct decoder *d)
{
	wait_for(d, d->push.lines);
	return &d->push;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	atomic_store(&d->unwanted, true);
	if (d->has_thread)
		pthread_join(d->thread, NULL);
	pthread_cond_destroy(&d->more);
	pthread_mutex_destroy(&d->lock);
	push_done(&d->push);
	free(d);
}
