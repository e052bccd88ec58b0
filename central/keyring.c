#include "central/keyring.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/entropy.h"
#include "shared/hash.h"

#define HOUR_US INT64_C(3600000000)

struct held {
	struct key key;
	bool untold; /* its last use */
};

struct keyring {
	pthread_mutex_t lock; /* of what follows */
	struct held at[KEYS_MOST];
	size_t n;
};

void keys_done(struct keys *ks)
{
	free(ks->at);
	*ks = (struct keys){0};
}

void key_make_token(char ret[KEY_TOKEN_BYTES])
{
	int len = snprintf(ret, KEY_TOKEN_BYTES, KEY_PREFIX);

	for (int i = 0; i < 4; i++)
		snprintf(ret + len + 16 * i, 17, "%016llx", (unsigned long long)entropy_u64());
}

void key_hash(struct span token, char ret[KEY_HASH_BYTES])
{
	hash_derive_token(token, "api token", ret);
}

bool key_expired(const struct key *k, int64_t now_us)
{
	return k->expires_us >= 0 && now_us >= k->expires_us;
}

bool key_name_ok(const char *name)
{
	static const char *const taken[] = {"secret", "anyone", "settings"};

	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		if (strcmp(name, taken[i]) == 0)
			return false;
	return record_owner_ok(span_of(name));
}

struct keyring *keyring_new(void)
{
	struct keyring *r = calloc(1, sizeof(*r));

	if (!r)
		err_out_of_memory();
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void keyring_free(struct keyring *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* --- under the lock --- */

static struct held *find_name(struct keyring *r, struct span name)
{
	for (size_t i = 0; i < r->n; i++)
		if (span_is(name, r->at[i].key.name))
			return &r->at[i];
	return NULL;
}

static void put(struct keyring *r, const struct key *k)
{
	struct held *h = find_name(r, span_of(k->name));
	struct held next = {.key = *k};

	if (!h && r->n == KEYS_MOST)
		return;
	if (!h)
		h = &r->at[r->n++];
	else if (strcmp(h->key.hash, k->hash) == 0 && h->key.used_us > k->used_us) {
		next.key.used_us = h->key.used_us;
		next.untold = h->untold;
	}
	*h = next;
}

static void drop(struct keyring *r, struct held *h)
{
	*h = r->at[--r->n];
	explicit_bzero(&r->at[r->n], sizeof(r->at[r->n]));
}

static bool is_among(const struct keys *ks, const char *name)
{
	for (size_t i = 0; i < ks->n; i++)
		if (strcmp(ks->at[i].name, name) == 0)
			return true;
	return false;
}

/* --- */

void keyring_set(struct keyring *r, const struct keys *ks)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = r->n; i-- > 0;)
		if (!is_among(ks, r->at[i].key.name))
			drop(r, &r->at[i]);
	for (size_t i = 0; i < ks->n; i++)
		put(r, &ks->at[i]);
	pthread_mutex_unlock(&r->lock);
}

void keyring_put(struct keyring *r, const struct key *k)
{
	pthread_mutex_lock(&r->lock);
	put(r, k);
	pthread_mutex_unlock(&r->lock);
}

void keyring_drop(struct keyring *r, const char *name)
{
	pthread_mutex_lock(&r->lock);
	struct held *h = find_name(r, span_of(name));

	if (h)
		drop(r, h);
	pthread_mutex_unlock(&r->lock);
}

bool keyring_by_hash(struct keyring *r, const char hash[KEY_HASH_BYTES], struct key *ret)
{
	const struct held *found = NULL;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n; i++) /* all of them, whichever it is */
		if (hash_same_secret(span_of(hash), span_of(r->at[i].key.hash)))
			found = &r->at[i];
	if (found)
		*ret = found->key;
	pthread_mutex_unlock(&r->lock);
	return found;
}

bool keyring_by_name(struct keyring *r, struct span name, struct key *ret)
{
	pthread_mutex_lock(&r->lock);
	const struct held *found = find_name(r, name);

	if (found)
		*ret = found->key;
	pthread_mutex_unlock(&r->lock);
	return found;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct key *)a)->name, ((const struct key *)b)->name);
}

void keyring_copy(struct keyring *r, struct keys *ret)
{
	pthread_mutex_lock(&r->lock);
	ret->n = r->n;
	ret->at = calloc(r->n ? r->n : 1, sizeof(*ret->at));
	if (!ret->at)
		err_out_of_memory();
	for (size_t i = 0; i < r->n; i++)
		ret->at[i] = r->at[i].key;
	pthread_mutex_unlock(&r->lock);
	qsort(ret->at, ret->n, sizeof(*ret->at), by_name);
}

void keyring_use(struct keyring *r, const char *name, int64_t now_us)
{
	int64_t hour_us = now_us - now_us % HOUR_US;

	pthread_mutex_lock(&r->lock);
	struct held *h = find_name(r, span_of(name));

	if (h && h->key.used_us < hour_us) {
		h->key.used_us = hour_us;
		h->untold = true;
	}
	pthread_mutex_unlock(&r->lock);
}

bool keyring_take_use(struct keyring *r, struct key *ret)
{
	bool found = false;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n && !found; i++)
		if (r->at[i].untold) {
			r->at[i].untold = false;
			*ret = r->at[i].key;
			found = true;
		}
	pthread_mutex_unlock(&r->lock);
	return found;
}
