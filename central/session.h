/*
 * session - a signed-in browser's cookie.  Nothing of it is stored: it says whose it is and until when, and is sealed by a key
 * that follows from the centre's secret, over the hash of the token it was given for.  So it outlives a restart, and ends
 * with the token, or with the secret.  Pure.
 */
#ifndef CENTRAL_SESSION_H
#define CENTRAL_SESSION_H

#include "central/keyring.h"

#define SESSION_COOKIE_BYTES 32
#define SESSION_S INT64_C(43200)
#define SESSION_TEXT_BYTES (RECORD_OWNER_MAX + 96)

struct session {
	char name[RECORD_OWNER_MAX + 1]; /* of a token, or "secret" */
	int64_t expires_s;               /* wall clock */
	char seal[65];
};

/* Of the centre that listens there: browsers keep cookies by host, whatever the port, so those of two would be one. */
void session_cookie_name(unsigned port, char ret[SESSION_COOKIE_BYTES]);
/* `hash` is the token's; the cookie's value goes to `ret`. */
void session_make(struct span secret, const char *name, const char hash[KEY_HASH_BYTES], int64_t expires_s,
	char ret[SESSION_TEXT_BYTES]);
/* False: not of this form.  What it says is not to be believed before session_holds(). */
bool session_parse(struct span text, struct session *ret) MUST_USE;
/* Made with this secret, for a token of this hash?  In constant time. */
bool session_holds(const struct session *s, struct span secret, const char hash[KEY_HASH_BYTES]);

#endif
