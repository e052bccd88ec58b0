/* Tokens come and go, and what is told and stored of their use. */
#include "central/access_private.h"

#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"

static enum err load(struct access *a, struct store *st, struct reason *why)
{
	struct keys ks = {0};
	enum err e = store_keys(st, &ks, why);

	if (e == OK)
		keyring_set(a->keys, &ks);
	keys_done(&ks);
	return e;
}

enum err access_open(struct access *a, struct store *st, struct reason *why)
{
	enum err e = load(a, st, why);

	if (e == OK)
		a->loaded = true;
	return e;
}

void access_keys(struct access *a, struct keys *ret)
{
	keyring_copy(a->keys, ret);
}

enum err access_add(struct access *a, struct store *st, const struct author *by, struct key *k,
	char ret_token[KEY_TOKEN_BYTES], struct reason *why)
{
	if (!access_has_secret(a))
		return fail(CONFLICT, why,
			"the centre asks for no token: start it with --secret-file, then there can be "
			"tokens");
	key_make_token(ret_token);
	key_hash(span_of(ret_token), k->hash);
	snprintf(k->created_by, sizeof(k->created_by), "%s", by->who);
	k->created_us = clock_wall_us();
	k->used_us = -1;
	pthread_mutex_lock(&a->changing);
	enum err e = store_key_add(st, by, k, why);
	if (e == OK)
		keyring_put(a->keys, k);
	a->stale = a->stale || e == UNCERTAIN;
	pthread_mutex_unlock(&a->changing);
	if (e == OK)
		log_event(LOG_INFO, "token.added", "who", by->who, "token", k->name, "role",
			role_name(k->role), NULL);
	return e;
}

enum err access_remove(
	struct access *a, struct store *st, const struct author *by, const char *name, struct reason *why)
{
	if (!a)
		return fail(GONE, why, "no token %s", name);
	pthread_mutex_lock(&a->changing);
	enum err e = store_key_remove(st, by, name, why);
	if (e == OK ||
		e == UNCERTAIN) /* where it is not known: it was to go, so it does not count until it is */
		keyring_drop(a->keys, name);
	a->stale = a->stale || e == UNCERTAIN;
	pthread_mutex_unlock(&a->changing);
	if (e == OK)
		log_event(LOG_INFO, "token.removed", "who", by->who, "token", name, NULL);
	return e;
}

/* --- now and then --- */

static void tell(const struct throttle_report *report, struct store *st, bool store_works)
{
	struct event ev = {.level = LOG_WARN, .kind = "auth.failed"};
	struct reason why;

	log_event(LOG_WARN, "auth.failed", "address", report->peer, "failures",
		LOG_I64((int64_t)report->failures), "tried", report->tried, NULL);
	if (!store_works)
		return;
	(void)fail(OK, &ev.text, "%s failed to authenticate %llu time%s, the last one for %s", report->peer,
		(unsigned long long)report->failures, report->failures > 1 ? "s" : "", report->tried);
	enum err e = store_events_add(st, &ev, 1, &why);
	if (e != OK)
		log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why.text, NULL);
}

static bool take_report(struct access *a, struct throttle_report *ret)
{
	pthread_mutex_lock(&a->lock);
	bool found = throttle_take(&a->throttle, clock_mono_us(), ret);
	pthread_mutex_unlock(&a->lock);
	return found;
}

static void store_uses(struct access *a, struct store *st)
{
	struct reason why;
	struct key k;

	/* What cannot be stored now is stored with the next use, in an hour: it is only to be seen. */
	while (keyring_take_use(a->keys, &k) && store_key_used(st, &k, &why) == OK)
		;
}

void access_tend(struct access *a, struct store *st, bool store_works)
{
	struct throttle_report report;
	struct reason why;

	while (take_report(a, &report))
		tell(&report, st, store_works);
	if (!store_works)
		return;
	store_uses(a, st);
	if (!a->stale)
		return;
	pthread_mutex_lock(&a->changing);
	if (load(a, st, &why) == OK)
		a->stale = false;
	pthread_mutex_unlock(&a->changing);
}

void access_failures(struct access *a, uint64_t ret[THROTTLE_KINDS])
{
	pthread_mutex_lock(&a->lock);
	memcpy(ret, a->throttle.totals, sizeof(a->throttle.totals));
	pthread_mutex_unlock(&a->lock);
}
