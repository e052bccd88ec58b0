#include "central/access_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/hash.h"
#include "shared/secrets.h"

struct access *access_new(void)
{
	struct access *a = calloc(1, sizeof(*a));

	if (!a)
		err_out_of_memory();
	a->keys = keyring_new();
	pthread_mutex_init(&a->lock, NULL);
	pthread_mutex_init(&a->changing, NULL);
	return a;
}

void access_free(struct access *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->changing);
	pthread_mutex_destroy(&a->lock);
	keyring_free(a->keys);
	free(a);
}

/* --- what is known --- */

/* The i-th secret that is valid, the newest first; empty behind the last. */
static struct span secret_at(const struct access *a, unsigned i)
{
	return secrets_at(a->secret, i);
}

void access_use_secret(struct access *a, const char *secret)
{
	a->secret = secret;
}

bool access_has_secret(const struct access *a)
{
	return a && secret_at(a, 0).len > 0;
}

/* The secret with which a cookie of this hash was sealed; the hash stands for the secret itself where `hash` is NULL. */
static bool is_sealed(const struct access *a, const struct session *s, const char *hash)
{
	char own[KEY_HASH_BYTES];
	struct span secret;

	for (unsigned i = 0; (secret = secret_at(a, i)).len > 0; i++) {
		if (!hash)
			key_hash(secret, own);
		if (session_holds(s, secret, hash ? hash : own))
			return true;
	}
	return false;
}

static struct key key_of_secret(const char *hash)
{
	struct key k = {.name = "secret", .role = ROLE_ADMIN, .expires_us = -1};

	memcpy(k.hash, hash, KEY_HASH_BYTES);
	return k;
}

/* Hashes are compared, so that not even lengths show. */
static bool find_secret(const struct access *a, const char *hash, struct key *ret)
{
	char own[KEY_HASH_BYTES];
	struct span secret;

	for (unsigned i = 0; (secret = secret_at(a, i)).len > 0; i++) {
		key_hash(secret, own);
		if (hash_same_secret(span_of(own), span_of(hash))) {
			*ret = key_of_secret(hash);
			return true;
		}
	}
	return false;
}

static bool find_token(struct access *a, struct span token, struct key *ret)
{
	char hash[KEY_HASH_BYTES];
	int64_t now_us = clock_wall_us();

	key_hash(token, hash);
	if (find_secret(a, hash, ret))
		return true;
	if (!keyring_by_hash(a->keys, hash, ret) || key_expired(ret, now_us))
		return false;
	keyring_use(a->keys, ret->name, now_us);
	return true;
}

static bool find_session(struct access *a, const struct session *s, struct key *ret)
{
	int64_t now_us = clock_wall_us();
	bool of_secret = strcmp(s->name, "secret") == 0;

	if (of_secret) {
		char hash[KEY_HASH_BYTES] = "";
		if (secret_at(a, 0).len > 0)
			key_hash(secret_at(a, 0), hash);
		*ret = key_of_secret(hash);
	} else if (!keyring_by_name(a->keys, span_of(s->name), ret) || key_expired(ret, now_us)) {
		return false;
	}
	if (!is_sealed(a, s, of_secret ? NULL : ret->hash))
		return false;
	if (!of_secret)
		keyring_use(a->keys, ret->name, now_us);
	return true;
}

/* --- who asks --- */

static void be(struct http_request *q, const struct key *k, enum http_proof by, int64_t expires_us)
{
	q->who = arena_copy(&q->arena, k->name, strlen(k->name));
	q->role = k->role;
	q->by = by;
	q->expires_us = expires_us;
	memcpy(q->credential, k->hash, sizeof(q->credential));
}

static void describe(const struct http_request *q, char ret[THROTTLE_TRIED_BYTES])
{
	snprintf(ret, THROTTLE_TRIED_BYTES, "%s %.*s", http_method_name(q->method), (int)q->path.len,
		q->path.at);
	for (char *c = ret; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
}

static void refuse_many(struct http_reply *r, int64_t wait_us)
{
	unsigned wait_s = (unsigned)((wait_us + 999999) / 1000000);

	http_problem(r, "too_many_requests", "too many failed attempts from this address: try again in %u s",
		wait_s);
	r->retry_after_s = wait_s;
}

/* True: there were too many, and `r` says so. */
static bool note_failure(
	struct access *a, const struct http_request *q, enum throttle_kind kind, struct http_reply *r)
{
	char tried[THROTTLE_TRIED_BYTES];
	int64_t now_us = clock_mono_us();

	describe(q, tried);
	pthread_mutex_lock(&a->lock);
	int64_t wait_us = throttle_wait_us(&a->throttle, kind, q->peer, now_us);
	throttle_failed(&a->throttle, kind, q->peer, tried, now_us);
	pthread_mutex_unlock(&a->lock);
	if (wait_us > 0)
		refuse_many(r, wait_us);
	return wait_us > 0;
}

static bool is_ours(struct span token)
{
	return token.len + 1 == KEY_TOKEN_BYTES && memcmp(token.at, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) == 0;
}

static bool refuse_unloaded(struct http_reply *r)
{
	http_problem(r, "unavailable", "the tokens are not known yet: the store is being opened");
	return false;
}

static bool by_bearer(struct access *a, struct http_request *q, struct http_reply *r)
{
	struct span token = http_bearer(q);
	struct key k;

	if (token.at && find_token(a, token, &k)) {
		be(q, &k, HTTP_BY_BEARER, k.expires_us);
		return true;
	}
	if (token.at && is_ours(token) && !a->loaded)
		return refuse_unloaded(r);
	(void)note_failure(a, q, THROTTLE_BEARER, r);
	return false;
}

static struct span cookie_of(const struct access *a, const struct http_request *q)
{
	char name[SESSION_COOKIE_BYTES];

	access_cookie_name(a, name);
	return http_cookie(q, name);
}

static bool by_cookie(struct access *a, struct http_request *q, struct span cookie, struct http_reply *r)
{
	struct session s;
	struct key k;
	bool read = session_parse(cookie, &s);

	if (read && clock_wall_us() >= s.expires_s * 1000000)
		return false; /* it was good once */
	if (read && find_session(a, &s, &k)) {
		be(q, &k, HTTP_BY_COOKIE, s.expires_s * 1000000);
		return true;
	}
	if (read && strcmp(s.name, "secret") != 0 && !a->loaded)
		return refuse_unloaded(r);
	(void)note_failure(a, q, THROTTLE_COOKIE, r);
	return false;
}

bool access_identify(void *ctx, struct http_request *q, struct http_reply *r)
{
	static const struct key anyone = {.name = "anyone", .role = ROLE_ADMIN, .expires_us = -1};
	struct access *a = ctx;
	struct span cookie = cookie_of(a, q);

	if (!access_has_secret(a)) {
		be(q, &anyone, HTTP_BY_NONE, -1);
		return true;
	}
	if (q->authorization.at)
		return by_bearer(a, q, r);
	return cookie.at && by_cookie(a, q, cookie, r);
}

void access_pass_of(const struct http_request *q, struct access_pass *ret)
{
	*ret = (struct access_pass){.expires_us = q->expires_us};
	snprintf(ret->name, sizeof(ret->name), "%s", q->who);
	memcpy(ret->credential, q->credential, sizeof(ret->credential));
}

bool access_holds(const struct access *a, const struct access_pass *p)
{
	struct key k;

	if (!a)
		return true;
	if (!p->credential[0])
		return !access_has_secret(a);
	if (p->expires_us >= 0 && clock_wall_us() >= p->expires_us)
		return false;
	return find_secret(a, p->credential, &k) ||
	       (keyring_by_name(a->keys, span_of(p->name), &k) && strcmp(k.hash, p->credential) == 0);
}

/* --- signing in --- */

void access_use_port(struct access *a, unsigned port)
{
	a->port = port;
}

void access_cookie_name(const struct access *a, char ret[SESSION_COOKIE_BYTES])
{
	session_cookie_name(a ? a->port : 0, ret);
}

bool access_signed_in(struct access *a, const struct http_request *q, struct signed_in *ret)
{
	struct span cookie = a ? cookie_of(a, q) : (struct span){NULL, 0};
	struct session s;
	struct key k;

	if (!access_has_secret(a) || !cookie.at || !session_parse(cookie, &s) ||
		clock_wall_us() >= s.expires_s * 1000000 || !find_session(a, &s, &k))
		return false;
	*ret = (struct signed_in){.role = k.role, .expires_us = s.expires_s * 1000000};
	snprintf(ret->name, sizeof(ret->name), "%s", k.name);
	return true;
}

static bool may_sign_in(struct access *a, const struct http_request *q, struct http_reply *r)
{
	pthread_mutex_lock(&a->lock);
	int64_t wait_us = throttle_wait_us(&a->throttle, THROTTLE_SIGN_IN, q->peer, clock_mono_us());
	pthread_mutex_unlock(&a->lock);
	if (wait_us > 0)
		refuse_many(r, wait_us);
	return wait_us == 0;
}

static void make_session(const struct access *a, const struct key *k, struct signed_in *ret)
{
	int64_t expires_s = clock_wall_us() / 1000000 + SESSION_S;

	if (k->expires_us >= 0 && k->expires_us / 1000000 < expires_s)
		expires_s = k->expires_us / 1000000;
	memcpy(ret->name, k->name, sizeof(ret->name));
	ret->role = k->role;
	ret->expires_us = expires_s * 1000000;
	session_make(secret_at(a, 0), k->name, k->hash, expires_s, ret->cookie);
}

bool access_sign_in(struct access *a, const struct http_request *q, struct span token, struct signed_in *ret,
	struct http_reply *r)
{
	struct key k;

	if (!access_has_secret(a)) {
		http_problem(r, "conflict", "this centre has no secret: nobody needs to sign in");
		return false;
	}
	if (!may_sign_in(a, q, r))
		return false;
	if (find_token(a, token, &k)) {
		make_session(a, &k, ret);
		return true;
	}
	if (is_ours(token) && !a->loaded)
		return refuse_unloaded(r);
	if (!note_failure(a, q, THROTTLE_SIGN_IN, r))
		http_problem(r, "unauthorised", "this is neither the centre's secret nor a token of it");
	return false;
}
