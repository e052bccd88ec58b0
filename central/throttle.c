#include "central/throttle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned most;
	int64_t within_us;
} LIMITS[THROTTLE_KINDS] = {
	[THROTTLE_SIGN_IN] = {"sign_in", 10, 60000000},
	[THROTTLE_BEARER] = {"bearer", 20, 10000000},
	[THROTTLE_COOKIE] = {"cookie", 20, 10000000},
};

const char *throttle_kind_name(enum throttle_kind k)
{
	return LIMITS[k].name;
}

static void name_peer(const char *peer, char ret[THROTTLE_PEER_BYTES])
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;

	snprintf(ret, THROTTLE_PEER_BYTES, "%s", peer[0] ? peer : "?");
	if (inet_pton(AF_INET6, peer, &a) != 1 || IN6_IS_ADDR_LOOPBACK(&a))
		return;
	memset(&a.s6_addr[8], 0, 8);
	if (inet_ntop(AF_INET6, &a, text, sizeof(text)))
		snprintf(ret, THROTTLE_PEER_BYTES, "%s/64", text);
}

static const struct throttle_address *find(const struct throttle *t, const char *name)
{
	for (size_t i = 0; i < THROTTLE_ADDRESSES; i++)
		if (strcmp(t->at[i].peer, name) == 0)
			return &t->at[i];
	return NULL;
}

static const struct throttle_times *times_of(const struct throttle_address *a, enum throttle_kind k)
{
	return k == THROTTLE_SIGN_IN ? &a->sign_ins : &a->others;
}

int64_t throttle_wait_us(const struct throttle *t, enum throttle_kind k, const char *peer, int64_t now_us)
{
	char name[THROTTLE_PEER_BYTES];

	name_peer(peer, name);
	const struct throttle_address *a = find(t, name);
	const struct throttle_times *times = a ? times_of(a, k) : NULL;
	if (!times || times->n < LIMITS[k].most)
		return 0;
	/* Of the last so many the first: when it is long enough ago, there were not too many since. */
	int64_t until_us = times->at[(times->n - LIMITS[k].most) % THROTTLE_TIMES] + LIMITS[k].within_us;
	return until_us > now_us ? until_us - now_us : 0;
}

/* It has made room. */
static void keep_untold(struct throttle *t, const struct throttle_address *a)
{
	if (a->untold == 0)
		return;
	t->others.failures += a->untold;
	memcpy(t->others.tried, a->tried, sizeof(t->others.tried));
}

/* Its place, or one for it. */
static struct throttle_address *place(struct throttle *t, const char *name)
{
	struct throttle_address *oldest = &t->at[0];

	for (size_t i = 0; i < THROTTLE_ADDRESSES; i++) {
		struct throttle_address *a = &t->at[i];
		if (strcmp(a->peer, name) == 0)
			return a;
		if (!a->peer[0])
			oldest = oldest->peer[0] ? a : oldest;
		else if (oldest->peer[0] && a->last_us < oldest->last_us)
			oldest = a;
	}
	keep_untold(t, oldest);
	*oldest = (struct throttle_address){.untold = 0};
	snprintf(oldest->peer, sizeof(oldest->peer), "%s", name);
	return oldest;
}

void throttle_failed(
	struct throttle *t, enum throttle_kind k, const char *peer, const char *tried, int64_t now_us)
{
	char name[THROTTLE_PEER_BYTES];

	name_peer(peer, name);
	struct throttle_address *a = place(t, name);
	struct throttle_times *times = k == THROTTLE_SIGN_IN ? &a->sign_ins : &a->others;
	times->at[times->n++ % THROTTLE_TIMES] = now_us;
	if (times->n == 2 * THROTTLE_TIMES) /* so that it never wraps */
		times->n = THROTTLE_TIMES;
	a->last_us = now_us;
	a->untold++;
	snprintf(a->tried, sizeof(a->tried), "%s", tried);
	t->totals[k]++;
}

static bool may_tell(struct throttle *t, int64_t now_us)
{
	if (t->tells == 0 || now_us >= t->tells_us + THROTTLE_TELL_US) {
		t->tells = 0;
		t->tells_us = now_us;
	}
	return t->tells < THROTTLE_TELLS;
}

static bool take_others(struct throttle *t, int64_t now_us, struct throttle_report *ret)
{
	if (t->others.failures == 0 || (t->others_told && now_us < t->others_us + THROTTLE_TELL_US))
		return false;
	*ret = t->others;
	snprintf(ret->peer, sizeof(ret->peer), "%s", THROTTLE_OTHERS);
	t->others.failures = 0;
	t->others_told = true;
	t->others_us = now_us;
	return true;
}

bool throttle_take(struct throttle *t, int64_t now_us, struct throttle_report *ret)
{
	if (take_others(t, now_us, ret))
		return true;
	if (!may_tell(t, now_us))
		return false;
	for (size_t i = 0; i < THROTTLE_ADDRESSES; i++) {
		struct throttle_address *a = &t->at[i];
		if (a->untold == 0 || (a->told && now_us < a->told_us + THROTTLE_TELL_US))
			continue;
		*ret = (struct throttle_report){.failures = a->untold};
		memcpy(ret->peer, a->peer, sizeof(ret->peer));
		memcpy(ret->tried, a->tried, sizeof(ret->tried));
		a->untold = 0;
		a->told = true;
		a->told_us = now_us;
		t->tells++;
		return true;
	}
	return false;
}
