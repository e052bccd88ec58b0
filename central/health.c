#include "central/health.h"

#include "shared/backoff.h"

#include <assert.h>

bool health_concerns(enum err e)
{
	return e == RETRY || e == UNCERTAIN || e == DENIED;
}

static int64_t pause_us(unsigned lost)
{
	int64_t ms = backoff_ms(lost, HEALTH_RETRY_LEAST_MS);
	return (ms < HEALTH_RETRY_MOST_MS ? ms : HEALTH_RETRY_MOST_MS) * 1000;
}

bool health_may_ask(struct health *h, int64_t now_us, int64_t *ret_retry_us)
{
	if (h->lost > 0 && now_us < h->retry_us) {
		*ret_retry_us = h->retry_us;
		return false;
	}
	if (h->lost > 0)
		h->retry_us = now_us + pause_us(h->lost);
	return true;
}

void health_read(struct health *h, bool worked, const struct reason *why, int64_t now_us)
{
	if (worked) {
		h->lost = 0;
		return;
	}
	h->lost++;
	h->why = *why;
	h->retry_us = now_us + pause_us(h->lost);
}

void health_refused(struct health *h, const struct reason *why)
{
	h->refusing++;
	h->why = *why;
}

void health_taken(struct health *h)
{
	assert(h->refusing > 0);
	h->refusing--;
}

void health_untold(struct health *h, const struct reason *why)
{
	h->untold++;
	h->why = *why;
}

void health_told(struct health *h)
{
	assert(h->untold > 0);
	h->untold--;
}

bool health_may_tell(struct health *h, int64_t now_us)
{
	if (h->telling > 0 && (h->trying || now_us < h->tell_us))
		return false;
	h->trying = h->telling > 0;
	return true;
}

void health_tried_to_tell(struct health *h, bool worked, int64_t now_us)
{
	h->telling = worked ? 0 : h->telling + 1;
	h->tell_us = now_us + (worked ? 0 : pause_us(h->telling));
	h->trying = false;
}

bool health_changed(struct health *h)
{
	bool failed = h->lost > 0 || h->refusing > 0 || h->untold > 0;
	if (failed == h->failed)
		return false;
	h->failed = failed;
	return true;
}
