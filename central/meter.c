#include "central/meter.h"

#include <assert.h>

/* What came within less says little of the pace. */
#define PACE_LEAST_US 250000

const double histogram_bounds[HISTOGRAM_BUCKETS] = {
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};

/* Empties the seconds that have passed since the last call. */
static void rate_move(struct rate *r, int64_t now_us)
{
	int64_t now = now_us / 1000000;
	int64_t from = r->second + 1;
	if (now - from > RATE_WINDOW_S)
		from = now - RATE_WINDOW_S;
	for (int64_t s = from; s <= now; s++)
		r->counts[s % (RATE_WINDOW_S + 1)] = 0;
	if (now > r->second)
		r->second = now;
}

void rate_add(struct rate *r, uint64_t n, int64_t now_us)
{
	rate_move(r, now_us);
	r->counts[r->second % (RATE_WINDOW_S + 1)] += n;
	if (r->begun == 0 && n > 0)
		r->begun = r->second;
}

double rate_per_s(struct rate *r, int64_t now_us)
{
	uint64_t sum = 0;
	rate_move(r, now_us);
	for (int64_t i = 0; i <= RATE_WINDOW_S; i++)
		if (i != r->second % (RATE_WINDOW_S + 1)) /* the present second is not over */
			sum += r->counts[i];
	int64_t lived = r->begun > 0 ? r->second - r->begun : 0;
	if (lived == 0)
		return 0;
	return (double)sum / (double)(lived < RATE_WINDOW_S ? lived : RATE_WINDOW_S);
}

double rate_pace(struct rate *r, int64_t now_us)
{
	uint64_t sum = 0;
	int64_t first = -1;
	rate_move(r, now_us);
	for (int64_t s = r->second - RATE_WINDOW_S; s <= r->second; s++) {
		uint64_t n = s < 0 ? 0 : r->counts[s % (RATE_WINDOW_S + 1)];
		first = first < 0 && n > 0 ? s : first;
		sum += n;
	}
	int64_t took_us = now_us - first * 1000000;
	if (first < 0)
		return 0;
	return (double)sum * 1e6 / (double)(took_us < PACE_LEAST_US ? PACE_LEAST_US : took_us);
}

void histogram_add(struct histogram *h, double seconds)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (seconds <= histogram_bounds[i])
			h->buckets[i]++;
	h->count++;
	h->sum += seconds;
}

static uint64_t at_most(uint64_t n, uint64_t most)
{
	return n < most ? n : most;
}

void history_add(struct history *h, struct poll_seen p)
{
	unsigned i = h->n++ % HISTORY_MAX;
	h->at[i].at_us = p.at_us;
	h->at[i].ms = (uint32_t)at_most(p.ms < 0 ? 0 : (uint64_t)p.ms, (1U << 28) - 1) & ((1U << 28) - 1);
	h->at[i].result = p.result & 15U;
	h->at[i].pulled = (uint16_t)at_most(p.pulled, UINT16_MAX);
	h->at[i].pushed = (uint16_t)at_most(p.pushed, UINT16_MAX);
}

unsigned history_count(const struct history *h)
{
	return h->n < HISTORY_MAX ? (unsigned)h->n : HISTORY_MAX;
}

struct poll_seen history_get(const struct history *h, unsigned i)
{
	assert(i < history_count(h));
	unsigned k = (h->n - history_count(h) + i) % HISTORY_MAX;
	return (struct poll_seen){.at_us = h->at[k].at_us,
		.ms = h->at[k].ms,
		.result = (enum poll_result)h->at[k].result,
		.pulled = h->at[k].pulled,
		.pushed = h->at[k].pushed};
}
