#include "central/apart.h"

#include <assert.h>
#include <string.h>

/* What a fetched record is taken for, in bytes, before it has come: to keep to a limit, and to weigh. */
#define RECORD_BYTES_MOST 1024
#define RECORD_BYTES_LEAST 256

/* The greatest depth whose answer is sure to keep to the limit. */
static unsigned bits_that_fit(const struct apart_limits *limits)
{
	unsigned bits = BUCKET_BITS_MAX;

	while (bits > 0 && ((size_t)BUCKET_LINE_MAX << bits) > limits->bytes)
		bits--;
	return bits;
}

unsigned apart_bits(uint64_t records, const struct apart_limits *limits)
{
	unsigned bits = 0, most = bits_that_fit(limits);

	while (bits < most && (records >> bits) > limits->bucket_records)
		bits++;
	return bits;
}

struct counts {
	uint64_t near, far; /* records */
};

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void note_bucket(struct apart *a, uint16_t number, uint64_t records)
{
	a->found++;
	a->records += records;
	if (a->n < APART_BUCKETS_MAX)
		a->buckets[a->n++] = number;
}

static struct counts walk(const struct digest *near, const struct buckets *far, struct apart *ret)
{
	static const struct digest nothing;
	struct counts c = {0};
	size_t at = 0;

	for (size_t i = 0; i < (size_t)1 << far->bits; i++) {
		bool told = at < far->n && far->at[at].number == i;
		struct digest there = told ? far->at[at++].digest : nothing;
		c.near += near[i].count;
		c.far += there.count;
		if (digest_equal(near[i], there))
			continue;
		note_bucket(ret, (uint16_t)i, larger(near[i].count, there.count));
	}
	assert(at == far->n);
	return c;
}

/*
 * Would smaller buckets hold less, by more than their digests cost?  Not where nearly all differ: more records do than
 * there are buckets.
 */
static bool finer_helps(const struct apart *a, unsigned most_bits)
{
	uint64_t all = (uint64_t)1 << a->bits;

	return a->bits + 2 <= most_bits && a->found <= all - all / 8 &&
	       a->records > ((uint64_t)BUCKET_LINE_MAX << most_bits) / RECORD_BYTES_LEAST;
}

static enum apart_verdict weigh(const struct apart *a, struct counts c, const struct apart_limits *limits)
{
	if (a->found == 0)
		return APART_NONE;
	if (c.far == 0 || a->found > APART_BUCKETS_MAX)
		return APART_MUCH;
	if (a->records <= limits->records)
		return APART_FEW;
	if (finer_helps(a, bits_that_fit(limits)))
		return APART_FINER;
	return a->records <= larger(c.near, c.far) / 8 && a->records <= APART_RECORDS_MAX ? APART_FEW
											  : APART_MUCH;
}

enum apart_verdict apart_judge(const struct digest *near, const struct buckets *far,
	const struct apart_limits *limits, struct apart *ret)
{
	struct apart a = {.bits_known = true, .bits = far->bits, .seq = far->end.to.seq};
	struct counts c = walk(near, far, &a);
	enum apart_verdict v = weigh(&a, c, limits);

	if (v != APART_FEW)
		a.n = 0;
	if (v == APART_FINER)
		a.bits = bits_that_fit(limits);
	*ret = a;
	return v;
}

unsigned apart_share(const struct apart *a, const struct apart_limits *limits)
{
	uint64_t records = limits->bytes / RECORD_BYTES_MOST, share;

	assert(a->n > 0);
	if (records > limits->records)
		records = limits->records;
	share = a->records > records ? a->n * records / a->records : a->n;
	if (a->most > 0 && share > a->most)
		share = a->most;
	return share > 0 ? (unsigned)share : 1;
}

void apart_drop(struct apart *a, unsigned n)
{
	assert(n <= a->n);
	if (a->n > 0)
		a->records -= a->records / a->n * n;
	a->n -= n;
	memmove(a->buckets, a->buckets + n, a->n * sizeof a->buckets[0]);
}
