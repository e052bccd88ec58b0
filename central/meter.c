#include "central/meter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

/* --- the last polls --- */

/* Two of them are at most three times this apart, whatever the clock does, and so told by the lower halves of their times. */
#define HISTORY_SPAN_US (INT64_C(8) * 86400 * 1000000)

static struct history_moved *moved_new(void)
{
	struct history_moved *m = calloc(HISTORY_MAX, sizeof *m);
	if (!m)
		err_out_of_memory();
	return m;
}

static bool moved_nothing(const struct history_moved *m)
{
	for (unsigned i = 0; i < HISTORY_MAX; i++)
		if (m[i].pulled > 0 || m[i].pushed > 0)
			return false;
	return true;
}

static void add_moved(struct history *h, unsigned i, const struct poll_seen *p)
{
	if (!h->moved && p->pulled == 0 && p->pushed == 0)
		return;
	if (!h->moved)
		h->moved = moved_new();
	h->moved[i].pulled = (uint16_t)at_most(p->pulled, UINT16_MAX);
	h->moved[i].pushed = (uint16_t)at_most(p->pushed, UINT16_MAX);
	if (!moved_nothing(h->moved))
		return;
	free(h->moved);
	h->moved = NULL;
}

void history_copy(const struct history *h, struct history *ret)
{
	*ret = *h;
	if (!h->moved)
		return;
	ret->moved = moved_new();
	memcpy(ret->moved, h->moved, HISTORY_MAX * sizeof *h->moved);
}

void history_done(struct history *h)
{
	free(h->moved);
	*h = (struct history){.n = 0};
}

unsigned history_count(const struct history *h)
{
	return h->n < HISTORY_MAX ? (unsigned)h->n : HISTORY_MAX;
}

struct poll_seen history_get(const struct history *h, unsigned i)
{
	assert(i < history_count(h));
	unsigned k = (h->n - history_count(h) + i) % HISTORY_MAX;
	struct history_moved none = {0, 0}, moved = h->moved ? h->moved[k] : none;
	int64_t newest_ms = h->newest_us / 1000;
	int32_t before_ms = (int32_t)((uint32_t)newest_ms - h->at[k].at_ms);
	return (struct poll_seen){.at_us = (newest_ms - before_ms) * 1000,
		.ms = h->at[k].ms,
		.result = (enum poll_result)h->at[k].result,
		.pulled = moved.pulled,
		.pushed = moved.pushed};
}

void history_add(struct history *h, struct poll_seen p)
{
	if (h->n > 0 && llabs(p.at_us - history_get(h, 0).at_us) > HISTORY_SPAN_US)
		history_done(h);
	unsigned i = h->n++ % HISTORY_MAX;
	h->newest_us = p.at_us;
	h->at[i].at_ms = (uint32_t)(p.at_us / 1000);
	h->at[i].ms = (uint32_t)at_most(p.ms < 0 ? 0 : (uint64_t)p.ms, (1U << 28) - 1) & ((1U << 28) - 1);
	h->at[i].result = p.result & 15U;
	add_moved(h, i, &p);
}
