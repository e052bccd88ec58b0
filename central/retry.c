#include "central/retry.h"

static bool try_next(struct retry *r, struct store *st, retry_taken_fn *taken, void *ctx)
{
	char owner[RECORD_OWNER_MAX + 1];
	struct reason why;
	enum err e = store_quarantine_next(st, &r->at, &why);

	if (e == GONE)
		r->at = 0;
	if (e != OK)
		return false;
	e = store_quarantine_retry(st, NULL, r->at, owner, &why);
	if (e == OK) {
		log_event(LOG_INFO, "released", "node", owner, NULL);
		taken(ctx, owner);
	}
	return e == OK || e == INVALID || e == GONE;
}

void retry_round(struct retry *r, struct store *st, retry_taken_fn *taken, void *ctx)
{
	for (unsigned i = 0; i < RETRY_ROUND && try_next(r, st, taken, ctx); i++) {
	}
}
