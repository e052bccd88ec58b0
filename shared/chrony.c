#include "shared/chrony_private.h"

#include <stdio.h>
#include <string.h>

/* The reference id of `local`: chronyd follows itself. */
#define ID_ALONE 0x7F7F0101
/* As for the kernel: beyond it a clock counts as not synchronised. */
#define ERROR_LIMIT_US 16000000

static const struct {
	const char *name, *words;
} states[CHRONY_STATES] = {
	[CHRONY_UNKNOWN] = {"unknown", "chronyd has not been asked"},
	[CHRONY_SYNCHRONISED] = {"synchronised", "chronyd follows a source"},
	[CHRONY_ALONE] = {"alone", "chronyd follows its own clock alone: no source of it answers"},
	[CHRONY_UNSYNCHRONISED] = {"unsynchronised", "chronyd runs but follows no source"},
	[CHRONY_SILENT] = {"silent", "chronyd does not answer: is it running?"},
	[CHRONY_MISSING] = {"missing", "chronyc is not installed"},
	[CHRONY_UNREADABLE] = {"unreadable", "chronyc answers something else than expected"},
};

const char *chrony_state_name(enum chrony_state s)
{
	return states[s].name;
}

const char *chrony_state_words(enum chrony_state s)
{
	return states[s].words;
}

const char *chrony_source_of(const struct chrony *c, int64_t error_us)
{
	if (error_us < 0)
		return NULL;
	return c->state == CHRONY_SYNCHRONISED ? "chrony" : "kernel";
}

void chrony_describe(const struct chrony *c, int64_t error_us, struct reason *ret)
{
	const char *source = c->source[0] ? c->source : "a source";
	char age[48] = "";

	if (c->state != CHRONY_SYNCHRONISED) {
		(void)snprintf(ret->text, sizeof ret->text, "%s%s", chrony_state_words(c->state),
			error_us >= 0 ? "; the kernel still vouches for the clock" : "");
		return;
	}
	if (c->age_s >= 0)
		(void)snprintf(age, sizeof age, ", which told it %lld s ago", (long long)c->age_s);
	(void)snprintf(
		ret->text, sizeof ret->text, "chronyd follows %s, stratum %u%s", source, c->stratum, age);
}

/* The fields, in chronyc's order. */
enum field {
	ID,
	SOURCE,
	STRATUM,
	UPDATED,
	CORRECTION, /* what is still to be added to the clock, s */
	LAST_OFFSET,
	RMS_OFFSET,
	FREQUENCY, /* ppm, + fast */
	RESIDUAL,
	SKEW, /* ppm */
	ROOT_DELAY,
	ROOT_DISPERSION,
	INTERVAL,
	LEAP,
	FIELDS,
};

static const char *const names[FIELDS] = {"reference id", "source", "stratum", "reference time",
	"system time", "last offset", "RMS offset", "frequency", "residual frequency", "skew", "root delay",
	"root dispersion", "update interval", "leap status"};

/* Exactly one line of exactly so many fields. */
static bool split(struct span line, struct span ret[FIELDS])
{
	size_t n = 0, from = 0;
	if (line.len == 0 || line.at[line.len - 1] != '\n')
		return false;
	for (size_t i = 0; i < line.len; i++) {
		char c = line.at[i];
		bool ends = c == ',' || i + 1 == line.len;
		if (!ends && (c < ' ' || c > '~'))
			return false;
		if (!ends)
			continue;
		if (n == FIELDS)
			return false;
		ret[n++] = (struct span){line.at + from, i - from};
		from = i + 1;
	}
	return n == FIELDS;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "-12.5" times 10^digits; what is cut off rounds away from zero. */
static bool read_scaled(struct span s, unsigned digits, int64_t *ret)
{
	bool minus = s.len > 0 && s.at[0] == '-', more = false;
	size_t i = minus || (s.len > 0 && s.at[0] == '+') ? 1 : 0, begin = i, point;
	int64_t n = 0;
	unsigned after = 0;
	if (s.len > 24) /* so no number below can overflow before it is refused */
		return false;
	for (; i < s.len && i < begin + 18 && is_digit(s.at[i]); i++)
		n = n * 10 + (s.at[i] - '0');
	point = i;
	if (point == begin || point - begin + digits > 18)
		return false;
	if (i < s.len && s.at[i++] != '.')
		return false;
	for (; i < s.len && is_digit(s.at[i]); i++) {
		if (after < digits) {
			n = n * 10 + (s.at[i] - '0');
			after++;
		} else {
			more = more || s.at[i] != '0';
		}
	}
	if (i != s.len || s.at[s.len - 1] == '.')
		return false;
	for (; after < digits; after++)
		n *= 10;
	*ret = minus ? -(n + more) : n + more;
	return true;
}

static bool read_id(struct span s, uint32_t *ret)
{
	uint32_t id = 0;
	if (s.len != 8)
		return false;
	for (size_t i = 0; i < 8; i++) {
		const char *hex = "0123456789ABCDEF", *at = memchr(hex, s.at[i], 16);
		if (!at)
			return false;
		id = id << 4 | (uint32_t)(at - hex);
	}
	*ret = id;
	return true;
}

bool chrony_source_ok(struct span s)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:%-_";
	for (size_t i = 0; i < s.len; i++)
		if (!memchr(chars, s.at[i], sizeof chars - 1))
			return false;
	return s.len <= CHRONY_SOURCE_MAX;
}

/* The numbers of a line, scaled: seconds to ns, but the reference time to µs; ppm to ppb. */
static enum err read_numbers(const struct span f[FIELDS], int64_t ret[FIELDS], struct reason *why)
{
	for (int i = UPDATED; i <= INTERVAL; i++) {
		unsigned digits = i == UPDATED ? 6 : i >= FREQUENCY && i <= SKEW ? 3 : 9;
		if (!read_scaled(f[i], digits, &ret[i]))
			return fail(INVALID, why, "%s: not a number: %.*s", names[i], (int)f[i].len, f[i].at);
	}
	if (ret[ROOT_DELAY] < 0 || ret[ROOT_DISPERSION] < 0 || ret[SKEW] < 0 || ret[UPDATED] < 0)
		return fail(INVALID, why, "a negative delay, dispersion, skew or time");
	return OK;
}

static int64_t ceil_div(int64_t n, int64_t by)
{
	return (n + by - 1) / by;
}

static void take_numbers(const int64_t n[FIELDS], struct chrony *c)
{
	int64_t away_ns = n[CORRECTION] < 0 ? -n[CORRECTION] : n[CORRECTION];
	c->offset_us = -(n[CORRECTION] + (n[CORRECTION] < 0 ? -500 : 500)) / 1000;
	c->root_delay_us = ceil_div(n[ROOT_DELAY], 1000);
	c->root_dispersion_us = ceil_div(n[ROOT_DISPERSION], 1000);
	c->error_us = ceil_div(away_ns + ceil_div(n[ROOT_DELAY], 2) + n[ROOT_DISPERSION], 1000);
	c->frequency_ppb = n[FREQUENCY];
	c->skew_ppb = n[SKEW];
	c->updated_at_us = n[UPDATED];
	c->age_s = -1; /* one line knows no now */
}

enum err chrony_parse(struct span line, struct chrony *ret, struct reason *why)
{
	static const char *const leaps[] = {"Normal", "Insert second", "Delete second", "Not synchronised"};
	struct span f[FIELDS];
	struct chrony c = {.state = CHRONY_UNSYNCHRONISED};
	int64_t n[FIELDS];
	uint64_t stratum;
	size_t leap = 0;

	if (!split(line, f))
		return fail(INVALID, why, "not one line of %d fields", FIELDS);
	if (!read_id(f[ID], &c.reference_id))
		return fail(INVALID, why, "reference id: not 8 hex digits");
	if (!chrony_source_ok(f[SOURCE]))
		return fail(INVALID, why, "source: neither an address nor a name");
	if (!span_to_u64(f[STRATUM], 255, &stratum))
		return fail(INVALID, why, "stratum: not a number from 0 to 255");
	if (read_numbers(f, n, why) != OK)
		return INVALID;
	while (leap < 4 && !span_is(f[LEAP], leaps[leap]))
		leap++;
	if (leap == 4)
		return fail(INVALID, why, "leap status: not one of chronyd's");
	c.leap = (enum chrony_leap)leap;
	c.stratum = (unsigned)stratum;
	memcpy(c.source, f[SOURCE].at, f[SOURCE].len);
	take_numbers(n, &c);
	bool follows = leap < 3 && stratum >= 1 && stratum <= CHRONY_STRATUM_MAX && c.reference_id != 0;
	if (follows && c.reference_id == ID_ALONE)
		c = (struct chrony){.state = CHRONY_ALONE, .stratum = c.stratum};
	else if (follows && c.error_us < ERROR_LIMIT_US)
		c.state = CHRONY_SYNCHRONISED;
	else
		c = (struct chrony){.state = CHRONY_UNSYNCHRONISED};
	*ret = c;
	return OK;
}
