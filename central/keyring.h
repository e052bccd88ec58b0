/*
 * keyring - the API tokens that the centre knows, in memory, so that they hold while the store is away: their names, roles and
 * hashes, never the tokens themselves.
 *
 * A lookup compares with every one in constant time, so how long it takes tells nothing of them.  Thread-safe.
 */
#ifndef CENTRAL_KEYRING_H
#define CENTRAL_KEYRING_H

#include "shared/record.h"
#include "shared/role.h"

#define KEYS_MOST 1000
#define KEY_PREFIX "tidemark_" /* of every token, so that one that leaked can be searched for */
#define KEY_TOKEN_BYTES (sizeof(KEY_PREFIX) + 64)
#define KEY_HASH_BYTES 65

struct key {
	char name[RECORD_OWNER_MAX + 1];
	enum role role;
	char hash[KEY_HASH_BYTES];
	char created_by[RECORD_OWNER_MAX + 1];
	int64_t created_us;
	int64_t expires_us; /* -1 = never */
	int64_t used_us;    /* the beginning of the hour in which it was used last; -1 = not yet */
};

struct keys {
	struct key *at; /* by name */
	size_t n;
};
void keys_done(struct keys *ks);

/* A new token, of 256 random bits. */
void key_make_token(char ret[KEY_TOKEN_BYTES]);
void key_hash(struct span token, char ret[KEY_HASH_BYTES]);
bool key_expired(const struct key *k, int64_t now_us);
/* Those of nodes; "secret", "anyone" and "settings" are taken: by them the audit names others. */
bool key_name_ok(const char *name);

struct keyring;

struct keyring *keyring_new(void); /* empty */
void keyring_free(struct keyring *r);
/* These and no others, at most KEYS_MOST; what was known of their use stays. */
void keyring_set(struct keyring *r, const struct keys *ks);
void keyring_put(struct keyring *r, const struct key *k); /* in place of one of that name */
void keyring_drop(struct keyring *r, const char *name);
/* Also one that has expired. */
bool keyring_by_hash(struct keyring *r, const char hash[KEY_HASH_BYTES], struct key *ret);
bool keyring_by_name(struct keyring *r, struct span name, struct key *ret);
/* A copy of all (keys_done()). */
void keyring_copy(struct keyring *r, struct keys *ret);

/* It is used now.  Remembered by the hour. */
void keyring_use(struct keyring *r, const char *name, int64_t now_us);
/* One whose last use has not been stored; each use is told once.  False: there is none. */
bool keyring_take_use(struct keyring *r, struct key *ret);

#endif
