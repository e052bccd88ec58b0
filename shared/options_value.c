#include "shared/options_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool option_parse_duration(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	size_t digits = strspn(text, "0123456789");
	uint64_t n;
	int64_t ms;
	if (!span_to_u64((struct span){text, digits}, INT64_MAX, &n))
		return false;
	if (n == 0 && text[digits] == '\0') {
		*ret_ms = 0;
		return true;
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(text + digits, units[i].name) == 0) {
			if (__builtin_mul_overflow((int64_t)n, units[i].ms, &ms))
				return false;
			*ret_ms = ms;
			return true;
		}
	return false;
}

void option_list_add(struct option_list *list, const char *value, size_t len, struct arena *a)
{
	/* Room doubles whenever it is used up, which is at each power of two. */
	if ((list->n & (list->n - 1)) == 0) {
		const char **at = arena_alloc(a, (list->n ? 2 * list->n : 1) * sizeof *at);
		if (list->n > 0)
			memcpy(at, list->at, list->n * sizeof *at);
		list->at = at;
	}
	list->at[list->n++] = arena_copy(a, value, len);
}

static enum err check_range(const struct option *opt, double n, struct reason *why)
{
	if ((opt->min == 0 && opt->max == 0) || (n >= opt->min && n <= opt->max))
		return OK;
	const char *unit = opt->type == OPTION_DURATION ? " ms" : "";
	if (n < opt->min)
		return fail(INVALID, why, "%s: at least %g%s", opt->name, opt->min, unit);
	return fail(INVALID, why, "%s: at most %g%s", opt->name, opt->max, unit);
}

static enum err set_flag(const struct option *opt, const char *text, struct reason *why)
{
	static const char yes[] = " true yes on 1 ", no[] = " false no off 0 ";
	char word[16] = "";
	size_t len = strlen(text);
	if (len > 0 && len < sizeof word - 2 && !strchr(text, ' ')) {
		word[0] = word[len + 1] = ' ';
		memcpy(word + 1, text, len);
	}
	bool is_yes = word[0] && strstr(yes, word);
	if (!is_yes && !(word[0] && strstr(no, word)))
		return fail(INVALID, why, "%s: \"%s\" is neither true nor false", opt->name, text);
	*(bool *)opt->to = is_yes;
	return OK;
}

static enum err set_integer(const struct option *opt, const char *text, struct reason *why)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (!strchr("-0123456789", *text) || end == text || *end || errno)
		return fail(INVALID, why, "%s: \"%s\" is not an integer", opt->name, text);
	enum err e = check_range(opt, (double)n, why);
	if (e == OK)
		*(int64_t *)opt->to = n;
	return e;
}

static enum err set_number(const struct option *opt, const char *text, struct reason *why)
{
	char *end;
	double n = strtod(text, &end);
	if (strspn(text, "-+.0123456789eE") != strlen(text) || end == text || *end || !isfinite(n))
		return fail(INVALID, why, "%s: \"%s\" is not a number", opt->name, text);
	enum err e = check_range(opt, n, why);
	if (e == OK)
		*(double *)opt->to = n;
	return e;
}

static enum err set_duration(const struct option *opt, const char *text, struct reason *why)
{
	int64_t ms;
	if (!option_parse_duration(text, &ms))
		return fail(INVALID, why, "%s: \"%s\" is not a duration such as 500ms, 1s, 5m or 2h",
			opt->name, text);
	enum err e = check_range(opt, (double)ms, why);
	if (e == OK)
		*(int64_t *)opt->to = ms;
	return e;
}

static enum err set_choice(const struct option *opt, const char *text, struct arena *a, struct reason *why)
{
	size_t len = strlen(text);
	for (const char *at = opt->choices; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");
		if (word == len && memcmp(at, text, len) == 0) {
			*(const char **)opt->to = arena_copy(a, text, len);
			return OK;
		}
		at += word;
	}
	return fail(INVALID, why, "%s: \"%s\" is none of: %s", opt->name, text, opt->choices);
}

static void set_list(struct option_list *list, const char *text, struct arena *a)
{
	static const char blanks[] = " \t";
	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t len = strcspn(text, blanks);
		option_list_add(list, text, len, a);
		text += len;
	}
}

void option_clear(const struct option *opt)
{
	union option_value none;
	memset(&none, 0, sizeof none);
	option_put_back(opt, none);
}

union option_value option_value(const struct option *opt)
{
	switch (opt->type) {
	case OPTION_TEXT:
	case OPTION_URL:
	case OPTION_CHOICE:
		return (union option_value){.text = *(const char **)opt->to};
	case OPTION_LIST:
	case OPTION_URLS:
		return (union option_value){.list = *(struct option_list *)opt->to};
	case OPTION_FLAG:
		return (union option_value){.flag = *(bool *)opt->to};
	case OPTION_INTEGER:
	case OPTION_DURATION:
		return (union option_value){.integer = *(int64_t *)opt->to};
	case OPTION_NUMBER:
		return (union option_value){.number = *(double *)opt->to};
	}
	return (union option_value){.text = NULL};
}

void option_put_back(const struct option *opt, union option_value v)
{
	switch (opt->type) {
	case OPTION_TEXT:
	case OPTION_URL:
	case OPTION_CHOICE:
		*(const char **)opt->to = v.text;
		break;
	case OPTION_LIST:
	case OPTION_URLS:
		*(struct option_list *)opt->to = v.list;
		break;
	case OPTION_FLAG:
		*(bool *)opt->to = v.flag;
		break;
	case OPTION_INTEGER:
	case OPTION_DURATION:
		*(int64_t *)opt->to = v.integer;
		break;
	case OPTION_NUMBER:
		*(double *)opt->to = v.number;
		break;
	}
}

static bool same_list(const struct option_list *a, const struct option_list *b)
{
	size_t i = 0;
	while (a->n == b->n && i < a->n && strcmp(a->at[i], b->at[i]) == 0)
		i++;
	return a->n == b->n && i == a->n;
}

bool option_same(enum option_type type, union option_value a, union option_value b)
{
	switch (type) {
	case OPTION_TEXT:
	case OPTION_URL:
	case OPTION_CHOICE:
		return a.text && b.text ? strcmp(a.text, b.text) == 0 : a.text == b.text;
	case OPTION_LIST:
	case OPTION_URLS:
		return same_list(&a.list, &b.list);
	case OPTION_FLAG:
		return a.flag == b.flag;
	case OPTION_INTEGER:
	case OPTION_DURATION:
		return a.integer == b.integer;
	case OPTION_NUMBER:
		return a.number >= b.number && a.number <= b.number;
	}
	return true;
}

enum err option_set(const struct option *opt, const char *text, struct arena *a, struct reason *why)
{
	switch (opt->type) {
	case OPTION_TEXT:
	case OPTION_URL:
		*(const char **)opt->to = arena_copy(a, text, strlen(text));
		return OK;
	case OPTION_LIST:
	case OPTION_URLS:
		set_list(opt->to, text, a);
		return OK;
	case OPTION_FLAG:
		return set_flag(opt, text, why);
	case OPTION_INTEGER:
		return set_integer(opt, text, why);
	case OPTION_NUMBER:
		return set_number(opt, text, why);
	case OPTION_DURATION:
		return set_duration(opt, text, why);
	case OPTION_CHOICE:
		return set_choice(opt, text, a, why);
	}
	return INTERNAL;
}
