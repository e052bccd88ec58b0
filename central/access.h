/*
 * access - who asks the centre, and what they may do: the secret, which may do everything; API tokens, each with a role
 * (keyring.h); sessions of browsers, by cookie (session.h); and how often somebody may be wrong (throttle.h).
 *
 * Without a secret nothing is asked for, and anyone may do everything.  Thread-safe, but for access_tend().
 */
#ifndef CENTRAL_ACCESS_H
#define CENTRAL_ACCESS_H

#include "central/keyring.h"
#include "central/session.h"
#include "central/store.h"
#include "central/throttle.h"
#include "shared/http.h"

struct access;

struct access *access_new(void); /* nobody is known yet, and there is no secret */
void access_free(struct access *a);
/* NULL or "": none.  The text must stay; may be replaced at any time, which ends the sessions of the one before. */
void access_use_secret(struct access *a, const char *secret);
bool access_has_secret(const struct access *a); /* NULL: no */
/* Where the centre listens.  Until it is known there are no sessions. */
void access_use_port(struct access *a, unsigned port);
/* Learns the tokens.  Until then they are answered 503; the secret is known. */
enum err access_open(struct access *a, struct store *st, struct reason *why) MUST_USE;

/* The router's question (router_identify_fn); `ctx` is a struct access. */
bool access_identify(void *ctx, struct http_request *q, struct http_reply *r);

/* A cookie for who shows `token`; false: `r` says why not, 401 or 429. */
struct signed_in {
	char name[RECORD_OWNER_MAX + 1];
	enum role role;
	int64_t expires_us;
	char cookie[SESSION_TEXT_BYTES]; /* its value */
};
bool access_sign_in(struct access *a, const struct http_request *q, struct span token, struct signed_in *ret,
	struct http_reply *r) MUST_USE;
/* Whose cookie this is, without its value; false: nobody's.  No failure is counted. */
bool access_signed_in(struct access *a, const struct http_request *q, struct signed_in *ret) MUST_USE;
/* Of the sessions' cookie.  `a` NULL: of none. */
void access_cookie_name(const struct access *a, char ret[SESSION_COOKIE_BYTES]);

/* What a long answer remembers of who asked for it. */
struct access_pass {
	char name[RECORD_OWNER_MAX + 1], credential[65];
	int64_t expires_us;
};
void access_pass_of(const struct http_request *q, struct access_pass *ret);
/* Do they still may?  `a` NULL: always. */
bool access_holds(const struct access *a, const struct access_pass *p);

/* --- tokens; `a` NULL: there are none --- */

void access_keys(struct access *a, struct keys *ret); /* keys_done() */
/* k: name, role, expires_us.  *k is whole afterwards; the token is told this once.  CONFLICT: the name is taken,
 * there is no secret, or there are KEYS_MOST. */
enum err access_add(struct access *a, struct store *st, const struct author *by, struct key *k,
	char ret_token[KEY_TOKEN_BYTES], struct reason *why) MUST_USE;
/* Its sessions end with it.  GONE. */
enum err access_remove(struct access *a, struct store *st, const struct author *by, const char *name,
	struct reason *why) MUST_USE;

/* --- now and then --- */

/* Tells of failures (auth.failed), and stores when tokens were used.  One thread, every second or so. */
void access_tend(struct access *a, struct store *st, bool store_works);
void access_failures(struct access *a, uint64_t ret[THROTTLE_KINDS]);

#endif
