#include "central/resolver.h"

#include "shared/clock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUCKETS 1024

struct name {
	char name[RESOLVER_NAME_MAX + 1];
	struct name *next;   /* in its bucket */
	struct name *queued; /* the next one to be looked up */
	bool pending;        /* queued, or being looked up */
	bool failing;        /* the last lookup came to nothing */
	bool found;          /* `at` holds what was found last */
	struct addresses at;
	struct reason why; /* of the last lookup, when failing */
	int64_t asked_us, looked_us;
	bool doubted;
};

struct queue {
	struct name *first, **end;
};

struct resolver {
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* under the lock: */
	resolver_news_fn *news;
	void *ctx;
	bool closed, started;
	unsigned threads; /* that run; the last one to leave a closed resolver frees it */
	struct name *buckets[BUCKETS];
	size_t n;
	struct queue good, failing;
};

/* --- names; under the lock --- */

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void queue_add(struct queue *q, struct name *n)
{
	n->queued = NULL;
	*q->end = n;
	q->end = &n->queued;
}

static struct name *queue_take(struct queue *q)
{
	struct name *n = q->first;
	if (!n)
		return NULL;
	q->first = n->queued;
	if (!q->first)
		q->end = &q->first;
	return n;
}

static struct name **bucket_of(struct resolver *r, const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return &r->buckets[h % BUCKETS];
}

static struct name *find(struct resolver *r, const char *name)
{
	struct name *n = *bucket_of(r, name);
	while (n && strcmp(n->name, name) != 0)
		n = n->next;
	return n;
}

/* The one that nobody has asked for longest. */
static struct name **oldest(struct resolver *r)
{
	struct name **found = NULL;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct name **at = &r->buckets[i]; *at; at = &(*at)->next)
			if (!(*at)->pending && (!found || (*at)->asked_us < (*found)->asked_us))
				found = at;
	return found;
}

static struct name *insert(struct resolver *r, const char *name)
{
	struct name **old = r->n < RESOLVER_NAMES_MAX ? NULL : oldest(r), **at;
	if (old) {
		struct name *gone = *old;
		*old = gone->next;
		free(gone);
		r->n--;
	}
	struct name *n = calloc(1, sizeof *n);
	if (!n)
		err_out_of_memory();
	(void)snprintf(n->name, sizeof n->name, "%s", name);
	at = bucket_of(r, name);
	n->next = *at;
	*at = n;
	r->n++;
	return n;
}

static void destroy(struct resolver *r)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct name *n = r->buckets[i], *next; n; n = next) {
			next = n->next;
			free(n);
		}
	pthread_cond_destroy(&r->more);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* --- looking up, on a thread of its own --- */

static bool add_address(struct addresses *a, size_t *len, const struct addrinfo *i)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	const void *bytes = &v4.sin_addr;
	bool is_v6 = i->ai_family == AF_INET6;
	if (is_v6) {
		memcpy(&v6, i->ai_addr, sizeof v6);
		bytes = &v6.sin6_addr;
	} else {
		memcpy(&v4, i->ai_addr, sizeof v4);
	}
	if (!inet_ntop(i->ai_family, bytes, text, sizeof text))
		return false;
	*len += (size_t)snprintf(a->text + *len, sizeof a->text - *len, "%s%s%s%s", *len ? "," : "",
		is_v6 ? "[" : "", text, is_v6 ? "]" : "");
	return true;
}

static int look_up(const char *name, struct addresses *ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list = NULL;
	size_t len = 0;
	unsigned n = 0;
	int r = getaddrinfo(name, NULL, &hints, &list);
	*ret = (struct addresses){""};
	for (const struct addrinfo *i = r == 0 ? list : NULL; i && n < RESOLVER_ADDRESSES_MAX; i = i->ai_next)
		if ((i->ai_family == AF_INET || i->ai_family == AF_INET6) && add_address(ret, &len, i))
			n++;
	if (list)
		freeaddrinfo(list);
	return r == 0 && n == 0 ? EAI_NODATA : r;
}

/* A name server that is away is no reason to forget what was found before; one that says no is. */
static bool is_final(int r)
{
	return r == EAI_NONAME || r == EAI_NODATA || r == EAI_ADDRFAMILY;
}

static void settle(struct name *n, int r, const struct addresses *found)
{
	n->pending = n->doubted = false;
	n->failing = r != 0;
	n->looked_us = clock_mono_us();
	if (r == 0) {
		n->found = true;
		n->at = *found;
		return;
	}
	if (is_final(r))
		n->found = false;
	(void)fail(OK, &n->why,
		is_final(r) ? "no name server knows its host name %.100s (%s)"
			    : "the name servers gave no answer about its host name %.100s (%s)",
		n->name, gai_strerror(r));
}

static void leave(struct resolver *r)
{
	bool last = --r->threads == 0 && r->closed;
	pthread_mutex_unlock(&r->lock);
	if (last)
		destroy(r);
}

/* One of them keeps away from names that came to nothing. */
static void look_up_all(struct resolver *r, bool only_good)
{
	pthread_mutex_lock(&r->lock);
	while (!r->closed) {
		struct addresses found;
		struct name *n = queue_take(&r->good);
		if (!n && !only_good)
			n = queue_take(&r->failing);
		if (!n) {
			pthread_cond_wait(&r->more, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock); /* a pending name stays, and its text never changes */
		int result = look_up(n->name, &found);
		pthread_mutex_lock(&r->lock);
		settle(n, result, &found);
		if (!r->closed)
			r->news(r->ctx);
	}
	leave(r);
}

static void *run_any(void *ctx)
{
	look_up_all(ctx, false);
	return NULL;
}

static void *run_good(void *ctx)
{
	look_up_all(ctx, true);
	return NULL;
}

/* Detached: a thread inside getaddrinfo() cannot be called back, and nobody should wait for it. */
static void start(struct resolver *r)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r->started = true;
	for (unsigned i = 0; i < RESOLVER_THREADS; i++) {
		pthread_t t;
		if (pthread_create(&t, &attr, i == 0 ? run_any : i == 1 ? run_good : run_any, r) == 0)
			r->threads++;
	}
	pthread_attr_destroy(&attr);
}

/* --- its callers --- */

struct resolver *resolver_new(resolver_news_fn *news, void *ctx)
{
	struct resolver *r = calloc(1, sizeof *r);
	if (!r)
		err_out_of_memory();
	r->news = news;
	r->ctx = ctx;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->more, NULL);
	queue_init(&r->good);
	queue_init(&r->failing);
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->closed = true;
	pthread_cond_broadcast(&r->more);
	r->threads++;
	leave(r);
}

static void enqueue(struct resolver *r, struct name *n)
{
	if (n->pending)
		return;
	n->pending = true;
	queue_add(n->failing ? &r->failing : &r->good, n);
	if (!r->started || r->threads == 0)
		start(r);
	pthread_cond_broadcast(&r->more); /* not every thread takes every name */
}

static bool is_old(const struct name *n, int64_t now)
{
	int64_t age = now - n->looked_us;
	return n->failing || n->doubted || !n->found ? age > RESOLVER_WRONG_US : age > RESOLVER_FRESH_US;
}

enum resolver_result resolver_ask(
	struct resolver *r, const char *name, struct addresses *ret, struct reason *why)
{
	enum resolver_result result = RESOLVER_WAIT;
	pthread_mutex_lock(&r->lock);
	int64_t now = clock_mono_us();
	struct name *n = find(r, name);
	bool is_new = !n;
	if (!n)
		n = insert(r, name);
	n->asked_us = now;
	if (is_new || is_old(n, now))
		enqueue(r, n);
	if (n->found) {
		*ret = n->at;
		result = RESOLVER_KNOWN;
	} else if (!n->pending || r->threads == 0) {
		*why = n->why.text[0] ? n->why
				      : (struct reason){"no thread is left to look up its host name"};
		result = RESOLVER_UNKNOWN;
	}
	pthread_mutex_unlock(&r->lock);
	return result;
}

void resolver_doubt(struct resolver *r, const char *name)
{
	pthread_mutex_lock(&r->lock);
	struct name *n = find(r, name);
	if (n)
		n->doubted = true;
	pthread_mutex_unlock(&r->lock);
}
