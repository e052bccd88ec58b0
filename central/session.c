#include "central/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/hash.h"

#define EXPIRES_MOST INT64_C(99999999999)

static void seal(struct span secret, const char *name, const char *hash, int64_t expires_s, char ret[65])
{
	char key[65], message[RECORD_OWNER_MAX + KEY_HASH_BYTES + 32];

	/* Other labels than those of nodes' tokens, which begin with "node:" */
	hash_derive_token(secret, "session", key);
	snprintf(message, sizeof(message), "%" PRId64 " %s %s", expires_s, name, hash);
	hash_sign(span_of(key), span_of(message), ret);
	explicit_bzero(key, sizeof(key));
}

void session_cookie_name(unsigned port, char ret[SESSION_COOKIE_BYTES])
{
	snprintf(ret, SESSION_COOKIE_BYTES, "tidemark_session_%u", port);
}

void session_make(struct span secret, const char *name, const char hash[KEY_HASH_BYTES], int64_t expires_s,
	char ret[SESSION_TEXT_BYTES])
{
	char mac[65];

	seal(secret, name, hash, expires_s, mac);
	snprintf(ret, SESSION_TEXT_BYTES, "%" PRId64 ".%s.%s", expires_s, name, mac);
}

bool session_parse(struct span text, struct session *ret)
{
	const char *end = text.at + text.len, *dot = text.len ? memchr(text.at, '.', text.len) : NULL;
	struct session s;
	uint64_t expires;

	/* one time has one text: no zero before it */
	if (!dot || end - dot < 2 + 1 + 64 || end[-65] != '.' || text.at[0] == '0' ||
		!span_to_u64((struct span){text.at, (size_t)(dot - text.at)}, EXPIRES_MOST, &expires))
		return false;
	struct span name = {dot + 1, (size_t)(end - 65 - dot) - 1};
	if (!record_owner_ok(name))
		return false;
	memset(&s, 0, sizeof(s));
	memcpy(s.name, name.at, name.len);
	memcpy(s.seal, end - 64, 64);
	s.expires_s = (int64_t)expires;
	*ret = s;
	return true;
}

bool session_holds(const struct session *s, struct span secret, const char hash[KEY_HASH_BYTES])
{
	char mac[65];

	seal(secret, s->name, hash, s->expires_s, mac);
	return hash_same_secret(span_of(mac), span_of(s->seal));
}
