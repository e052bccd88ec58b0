/* Apart from clock.c, so that a program with a clock of its own still links this. */
#include "shared/clock.h"

#include <stdbool.h>

struct cursor {
	const char *at, *end;
	bool failed;
};

static int64_t take_digits(struct cursor *c, int digits)
{
	int64_t n = 0;
	for (; digits > 0; digits--) {
		if (c->at == c->end || *c->at < '0' || *c->at > '9') {
			c->failed = true;
			return 0;
		}
		n = n * 10 + (*c->at++ - '0');
	}
	return n;
}

static int64_t take_between(struct cursor *c, int digits, int64_t min, int64_t max)
{
	int64_t n = take_digits(c, digits);
	if (n < min || n > max)
		c->failed = true;
	return n;
}

static char take_char(struct cursor *c, const char *allowed)
{
	if (c->at < c->end)
		for (; *allowed; allowed++)
			if (*c->at == *allowed)
				return *c->at++;
	c->failed = true;
	return '\0';
}

/* A fraction in µs; digits below that are cut. */
static int64_t take_fraction(struct cursor *c)
{
	if (c->at == c->end || *c->at != '.')
		return 0;
	c->at++;
	int64_t us = 0, unit = 100000;
	int digits = 0;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, digits++, unit /= 10)
		us += unit * (*c->at - '0');
	if (digits == 0 || digits > 9)
		c->failed = true;
	return us;
}

/* In seconds, to be taken off. */
static int64_t take_zone(struct cursor *c)
{
	char sign = take_char(c, "Zz+-");
	if (sign != '+' && sign != '-')
		return 0;
	int64_t hours = take_between(c, 2, 0, 23);
	take_char(c, ":");
	int64_t seconds = hours * 3600 + take_between(c, 2, 0, 59) * 60;
	return sign == '+' ? seconds : -seconds;
}

static int64_t month_days(int64_t year, int64_t month)
{
	static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month < 1 || month > 12 ? 0 : days[month - 1] + (month == 2 && leap);
}

/* Days since 1970 of a Gregorian date, in years that begin in March. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t march_month = month <= 2 ? month + 9 : month - 3;
	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * march_month + 2) / 5 + day - 1 - 719468;
}

static inline int64_t digits_at(const char *text, int n, unsigned *wrong)
{
	int64_t value = 0;
	for (int i = 0; i < n; i++) {
		unsigned digit = (unsigned char)text[i] - (unsigned)'0';
		*wrong |= digit > 9;
		value = value * 10 + digit;
	}
	return value;
}

/* The one form we write ourselves, which all replicated records have; -1 = not it, or not a time. */
static int64_t parse_own_form(const char *t)
{
	unsigned wrong = (t[4] != '-') | (t[7] != '-') | (t[10] != 'T') | (t[13] != ':') | (t[16] != ':') |
			 (t[19] != '.') | (t[26] != 'Z');
	int64_t year = digits_at(t, 4, &wrong), month = digits_at(t + 5, 2, &wrong);
	int64_t day = digits_at(t + 8, 2, &wrong), hour = digits_at(t + 11, 2, &wrong);
	int64_t minute = digits_at(t + 14, 2, &wrong), second = digits_at(t + 17, 2, &wrong);
	int64_t us = digits_at(t + 20, 6, &wrong);
	if (wrong || year < 1970 || day < 1 || day > month_days(year, month) || hour > 23 || minute > 59 ||
		second > 59)
		return -1;
	second += days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60;
	return second * 1000000 + us;
}

int64_t clock_parse(const char *text, unsigned long len)
{
	if (len == 27) {
		int64_t own = parse_own_form(text);
		if (own >= 0)
			return own;
	}
	struct cursor c = {text, text + len, false};
	int64_t year = take_between(&c, 4, 1, 9999);
	take_char(&c, "-");
	int64_t month = take_between(&c, 2, 1, 12);
	take_char(&c, "-");
	int64_t day = take_between(&c, 2, 1, month_days(year, month));
	take_char(&c, "Tt");
	int64_t second = take_between(&c, 2, 0, 23) * 3600;
	take_char(&c, ":");
	second += take_between(&c, 2, 0, 59) * 60;
	take_char(&c, ":");
	second += take_between(&c, 2, 0, 60); /* 60: a leap second, which is the next minute's first */
	int64_t us = take_fraction(&c);
	second -= take_zone(&c);
	if (c.failed || c.at != c.end)
		return -1;
	us += (days_since_1970(year, month, day) * 86400 + second) * 1000000;
	return us < 0 ? -1 : us;
}
