#include <stdio.h>
#include <string.h>

#include "shared/chrony_private.h"
#include "shared/clock.h"
#include "shared/members.h"

static const char *const leaps[] = {"normal", "insert", "delete"};

static void put_number(struct buf *out, const char *name, bool known, int64_t n)
{
	buf_printf(out, ",\"%s\":", name);
	if (known)
		buf_i64(out, n);
	else
		buf_text(out, "null");
}

static void put_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
	if (text)
		buf_json_text(out, span_of(text));
	else
		buf_text(out, "null");
}

void chrony_put(const struct chrony *c, struct buf *out)
{
	bool known = c->state == CHRONY_SYNCHRONISED;
	char id[9];

	if (c->state == CHRONY_UNKNOWN) {
		buf_text(out, "null");
		return;
	}
	(void)snprintf(id, sizeof id, "%08X", (unsigned)c->reference_id);
	buf_printf(out, "{\"state\":\"%s\"", chrony_state_name(c->state));
	put_text(out, "source", known && c->source[0] ? c->source : NULL);
	put_text(out, "reference_id", known ? id : NULL);
	put_number(out, "stratum", known || c->state == CHRONY_ALONE, c->stratum);
	put_number(out, "offset_us", known, c->offset_us);
	put_number(out, "error_us", known, c->error_us);
	put_number(out, "root_delay_us", known, c->root_delay_us);
	put_number(out, "root_dispersion_us", known, c->root_dispersion_us);
	put_number(out, "frequency_ppb", known, c->frequency_ppb);
	put_number(out, "skew_ppb", known, c->skew_ppb);
	put_text(out, "leap", known ? leaps[c->leap] : NULL);
	buf_text(out, ",\"updated_at\":");
	if (known) {
		buf_char(out, '"');
		buf_time(out, c->updated_at_us);
		buf_char(out, '"');
	} else {
		buf_text(out, "null");
	}
	put_number(out, "age_s", known && c->age_s >= 0, c->age_s);
	buf_char(out, '}');
}

/* --- and back --- */

enum name {
	OF_STATE,
	OF_SOURCE,
	OF_ID,
	OF_STRATUM,
	OF_OFFSET,
	OF_ERROR,
	OF_DELAY,
	OF_DISPERSION,
	OF_FREQUENCY,
	OF_SKEW,
	OF_LEAP,
	OF_UPDATED,
	OF_AGE,
	NAMES,
};

static const struct span member_names[NAMES] = {
	[OF_STATE] = MEMBER("state"),
	[OF_SOURCE] = MEMBER("source"),
	[OF_ID] = MEMBER("reference_id"),
	[OF_STRATUM] = MEMBER("stratum"),
	[OF_OFFSET] = MEMBER("offset_us"),
	[OF_ERROR] = MEMBER("error_us"),
	[OF_DELAY] = MEMBER("root_delay_us"),
	[OF_DISPERSION] = MEMBER("root_dispersion_us"),
	[OF_FREQUENCY] = MEMBER("frequency_ppb"),
	[OF_SKEW] = MEMBER("skew_ppb"),
	[OF_LEAP] = MEMBER("leap"),
	[OF_UPDATED] = MEMBER("updated_at"),
	[OF_AGE] = MEMBER("age_s"),
};

/* The bytes between a text's quotes, escapes and all: what has one fits nothing that is looked for. */
static bool raw_text(const struct members *m, size_t i, struct span *ret)
{
	if (!members_has(m, i) || m->values[i].kind != JSON_TEXT)
		return false;
	*ret = (struct span){m->values[i].raw.at + 1, m->values[i].raw.len - 2};
	return true;
}

static bool take_word(const struct members *m, size_t i, const char *const *words, size_t n, unsigned *ret)
{
	struct span word;
	if (!raw_text(m, i, &word))
		return false;
	for (size_t k = 0; k < n; k++)
		if (span_is(word, words[k])) {
			*ret = (unsigned)k;
			return true;
		}
	return false;
}

static bool take_state(const struct members *m, enum chrony_state *ret)
{
	const char *words[CHRONY_STATES];
	unsigned k;
	for (int i = 0; i < CHRONY_STATES; i++)
		words[i] = chrony_state_name((enum chrony_state)i);
	if (!take_word(m, OF_STATE, words, CHRONY_STATES, &k) || k == CHRONY_UNKNOWN)
		return false;
	*ret = (enum chrony_state)k;
	return true;
}

static bool take_count(const struct members *m, size_t i, uint64_t max, uint64_t *ret)
{
	return members_u64(m, i, ret, NULL) == OK && *ret <= max;
}

static bool take_source(const struct members *m, struct chrony *c)
{
	struct span id, source = {0};
	unsigned long n = 0;
	if (!members_null(m, OF_SOURCE) && (!raw_text(m, OF_SOURCE, &source) || !chrony_source_ok(source)))
		return false;
	if (!raw_text(m, OF_ID, &id) || id.len != 8)
		return false;
	for (size_t i = 0; i < 8; i++) {
		static const char hex[] = "0123456789ABCDEF";
		const char *at = memchr(hex, id.at[i], 16);
		if (!at)
			return false;
		n = n << 4 | (unsigned long)(at - hex);
	}
	c->reference_id = (uint32_t)n;
	if (source.len > 0)
		memcpy(c->source, source.at, source.len);
	return true;
}

/* A local from before there was one says none. */
static bool take_age(const struct members *m, int64_t *ret)
{
	uint64_t age;

	if (members_null(m, OF_AGE)) {
		*ret = -1;
		return true;
	}
	if (!take_count(m, OF_AGE, UINT32_MAX, &age))
		return false;
	*ret = (int64_t)age;
	return true;
}

static bool take_numbers(const struct members *m, struct chrony *c)
{
	static const uint64_t max_us = INT64_MAX;
	uint64_t error, delay, dispersion, skew;
	struct span updated;
	unsigned leap;
	if (members_i64(m, OF_OFFSET, &c->offset_us, NULL) != OK ||
		members_i64(m, OF_FREQUENCY, &c->frequency_ppb, NULL) != OK ||
		!take_count(m, OF_ERROR, max_us, &error) || !take_count(m, OF_DELAY, max_us, &delay) ||
		!take_count(m, OF_DISPERSION, max_us, &dispersion) ||
		!take_count(m, OF_SKEW, max_us, &skew) || !take_word(m, OF_LEAP, leaps, 3, &leap) ||
		!raw_text(m, OF_UPDATED, &updated) || !take_age(m, &c->age_s))
		return false;
	c->error_us = (int64_t)error;
	c->root_delay_us = (int64_t)delay;
	c->root_dispersion_us = (int64_t)dispersion;
	c->skew_ppb = (int64_t)skew;
	c->leap = (enum chrony_leap)leap;
	c->updated_at_us = clock_parse(updated.at, updated.len);
	return c->updated_at_us >= 0;
}

bool chrony_take(struct span object, struct chrony *ret)
{
	struct json_value values[NAMES] = {0};
	struct members m = {.names = member_names, .values = values, .n = NAMES};
	struct chrony c = {0};
	uint64_t stratum = 0;

	if (members_read(&m, object, NULL) != OK || !take_state(&m, &c.state))
		return false;
	if (c.state == CHRONY_SYNCHRONISED || c.state == CHRONY_ALONE)
		if (!take_count(&m, OF_STRATUM, CHRONY_STRATUM_MAX, &stratum) || stratum == 0)
			return false;
	c.stratum = (unsigned)stratum;
	if (c.state == CHRONY_SYNCHRONISED && (!take_source(&m, &c) || !take_numbers(&m, &c)))
		return false;
	*ret = c;
	return true;
}
