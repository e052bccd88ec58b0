#include "local/replica_private.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"

#define LOOK_US 1000000

void known_init(struct known *k)
{
	pthread_condattr_t attr;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->news, &attr);
	pthread_condattr_destroy(&attr);
}

void known_done(struct known *k)
{
	pthread_cond_destroy(&k->news);
	pthread_mutex_destroy(&k->lock);
}

/* --- acknowledgements --- */

void known_load(struct known *k, struct lite *l)
{
	struct query q = query_begin(l, SQL_LOCAL_ACKNOWLEDGEMENT_ALL);
	while (k->n_heard < CENTRES_KEPT && query_step(q)) {
		struct heard *h = &k->heard[k->n_heard];
		if (!epoch_parse(query_col_text(q, 0), &h->centre))
			continue;
		h->witness = (struct position){.seq = query_col_u64(q, 1), .head = column_hash(q, 2)};
		h->at_us = -1;
		k->n_heard++;
	}
	query_done(q);
}

/* Where the centre's entry is; a new one takes the place after the last, or that of the longest unheard. */
static size_t place_of(struct known *k, const struct epoch *centre)
{
	for (size_t i = 0; i < k->n_heard; i++)
		if (epoch_equal(&k->heard[i].centre, centre))
			return i;
	if (k->n_heard < CENTRES_KEPT)
		k->n_heard++;
	size_t i = k->n_heard - 1;
	memset(&k->heard[i], 0, sizeof k->heard[i]);
	return i;
}

void replica_acknowledge(struct replica *r, const struct epoch *centre, struct position witness)
{
	struct known *k = &r->known;
	if (epoch_is_none(centre))
		return;
	pthread_mutex_lock(&k->lock);
	size_t i = place_of(k, centre);
	struct heard h = k->heard[i];
	if (!epoch_equal(&h.centre, centre) || !position_equal(h.witness, witness))
		k->changes++;
	memmove(&k->heard[1], &k->heard[0], i * sizeof k->heard[0]);
	k->heard[0] = (struct heard){.centre = *centre, .witness = witness, .at_us = clock_wall_us()};
	pthread_mutex_unlock(&k->lock);
}

bool known_oldest(struct known *k, struct heard *ret)
{
	pthread_mutex_lock(&k->lock);
	size_t oldest = 0;
	for (size_t i = 1; i < k->n_heard; i++)
		if (k->heard[i].witness.seq < k->heard[oldest].witness.seq)
			oldest = i;
	bool any = k->n_heard > 0;
	if (any)
		*ret = k->heard[oldest];
	pthread_mutex_unlock(&k->lock);
	return any;
}

uint64_t known_newest(struct known *k)
{
	uint64_t newest = 0;
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->n_heard; i++)
		if (k->heard[i].witness.seq > newest)
			newest = k->heard[i].witness.seq;
	pthread_mutex_unlock(&k->lock);
	return newest;
}

uint64_t known_write(struct known *k, struct lite *l)
{
	struct heard heard[CENTRES_KEPT];
	pthread_mutex_lock(&k->lock);
	uint64_t changes = k->changes;
	bool stored = changes == k->stored;
	size_t n = k->n_heard;
	memcpy(heard, k->heard, sizeof heard);
	pthread_mutex_unlock(&k->lock);
	if (stored)
		return changes;
	query_run(query_begin(l, SQL_LOCAL_ACKNOWLEDGEMENT_CLEAR));
	for (size_t i = 0; i < n; i++) {
		unsigned char head[16];
		hash_to_bytes(heard[i].witness.head, head);
		struct query q = query_begin(l, SQL_LOCAL_ACKNOWLEDGEMENT_ADD);
		query_text(q, 1, span_of(heard[i].centre.hex));
		query_u64(q, 2, heard[i].witness.seq);
		bind_hash(q, 3, head);
		query_i64(q, 4, heard[i].at_us);
		query_run(q);
	}
	return changes;
}

void known_stored(struct known *k, uint64_t changes)
{
	pthread_mutex_lock(&k->lock);
	k->stored = changes;
	pthread_mutex_unlock(&k->lock);
}

/* --- news --- */

void known_head(struct known *k, uint64_t seq)
{
	pthread_mutex_lock(&k->lock);
	if (k->head_seq != seq) {
		k->head_seq = seq;
		pthread_cond_broadcast(&k->news);
	}
	pthread_mutex_unlock(&k->lock);
}

/* --- what was served --- */

void known_serve(struct known *k, const struct epoch *epoch, struct position end)
{
	pthread_mutex_lock(&k->lock);
	k->served_epoch = *epoch;
	k->served = end;
	pthread_mutex_unlock(&k->lock);
}

void known_contradict(struct known *k, const struct epoch *epoch, struct position refused)
{
	pthread_mutex_lock(&k->lock);
	if (epoch_equal(&k->served_epoch, epoch) && position_equal(k->served, refused)) {
		k->contradictions++;
		k->served = (struct position){0}; /* asked again it is the same one */
	}
	pthread_mutex_unlock(&k->lock);
}

unsigned replica_contradictions(struct replica *r)
{
	pthread_mutex_lock(&r->known.lock);
	unsigned n = r->known.contradictions;
	pthread_mutex_unlock(&r->known.lock);
	return n;
}

void replica_wait_news(
	struct replica *r, uint64_t after, int64_t timeout_ms, replica_over_fn *over, const void *ctx)
{
	struct known *k = &r->known;
	int64_t now_us = clock_mono_us(), until_us = now_us + timeout_ms * 1000;
	pthread_mutex_lock(&k->lock);
	uint64_t wakes = k->wakes;
	while (k->head_seq <= after && k->wakes == wakes && !k->awake_for_good && now_us < until_us) {
		int64_t us = over && until_us - now_us > LOOK_US ? now_us + LOOK_US : until_us;
		struct timespec until = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
		bool late = pthread_cond_timedwait(&k->news, &k->lock, &until) != 0;
		now_us = clock_mono_us();
		if (!late || !over || now_us >= until_us)
			continue;
		pthread_mutex_unlock(&k->lock);
		bool ended = over(ctx);
		pthread_mutex_lock(&k->lock);
		if (ended)
			break;
	}
	pthread_mutex_unlock(&k->lock);
}

void replica_wake(struct replica *r, bool for_good)
{
	struct known *k = &r->known;
	pthread_mutex_lock(&k->lock);
	k->wakes++;
	k->awake_for_good |= for_good;
	pthread_cond_broadcast(&k->news);
	pthread_mutex_unlock(&k->lock);
}
