#include "shared/options_private.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX_BYTES (1024 * 1024) /* the system's bundle of authorities has a quarter of that */
#define SECRET_MAX_BYTES 4096

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

/* Reads up to the limit and one byte more, by which the caller knows that it is too large. */
static enum err read_small(int fd, const char *path, size_t most, struct buf *ret, struct reason *why)
{
	char block[4096];
	while (ret->len <= most) {
		size_t room = most + 1 - ret->len;
		ssize_t n = read(fd, block, room < sizeof block ? room : sizeof block);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(DENIED, why, "%s: %s", path, strerror(errno));
		if (n == 0)
			break;
		buf_add(ret, block, (size_t)n);
	}
	explicit_bzero(block, sizeof block);
	if (buf_failed(ret))
		return fail(RETRY, why, "out of memory");
	return ret->len <= most ? OK : fail(INVALID, why, "%s: larger than %zu bytes", path, most);
}

/* Takes a carriage return before each line end away. */
static void drop_returns(struct buf *text)
{
	size_t kept = 0;
	for (size_t i = 0; i < text->len; i++)
		if (text->at[i] != '\r' || (i + 1 < text->len && text->at[i + 1] != '\n'))
			text->at[kept++] = text->at[i];
	text->len = kept;
	text->at[kept] = '\0';
}

static enum err check_secrets(const char *path, struct buf *text, struct reason *why)
{
	if (text->len > 0)
		drop_returns(text);
	if (text->len > 0 && text->at[text->len - 1] == '\n')
		text->at[--text->len] = '\0';
	if (text->len == 0)
		return fail(INVALID, why, "%s: empty", path);
	/* Each travels in a header's one line. */
	size_t lines = 1, word = 0;
	bool good = true;
	for (size_t i = 0; i < text->len; i++) {
		bool ends = text->at[i] == '\n';
		good = good && (ends ? word > 0 : text->at[i] > ' ' && text->at[i] <= '~');
		lines += ends;
		word = ends ? 0 : word + 1;
	}
	if (!good || word == 0 || lines > SECRETS_MAX)
		return fail(INVALID, why,
			"%s: neither one word of visible ASCII characters nor two, one a line: the new one "
			"and the one before it",
			path);
	return OK;
}

static enum err check_text(const char *path, struct buf *text, struct reason *why)
{
	if (text->len == 0 || memchr(text->at, '\0', text->len))
		return fail(INVALID, why, "%s: %s", path, text->len == 0 ? "empty" : "no text");
	return OK;
}

/* The whole of a file that passes; else nothing. */
static enum err read_file(const char *path, bool secret, size_t most,
	enum err (*check)(const char *, struct buf *, struct reason *), struct buf *ret, struct reason *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(errno == ENOENT ? GONE : DENIED, why, "%s: %s", path, strerror(errno));
	enum err e = OK;
	struct buf text = {0};
	if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))
		e = fail(INVALID, why, "%s: not a file", path);
	else if (secret && (st.st_mode & S_IROTH))
		e = fail(INVALID, why, "%s: readable by everybody; run: chmod o-rwx %s", path, path);
	if (e == OK)
		e = read_small(fd, path, most, &text, why);
	if (e == OK)
		e = check(path, &text, why);
	if (e == OK) {
		buf_done(ret);
		*ret = text;
	} else {
		buf_done(&text);
	}
	close(fd);
	return e;
}

enum err option_read_secrets(const char *path, struct buf *ret, struct reason *why)
{
	return read_file(path, true, SECRET_MAX_BYTES, check_secrets, ret, why);
}

enum err option_read_secret(const char *path, struct buf *ret, struct reason *why)
{
	enum err e = option_read_secrets(path, ret, why);
	char *end = e == OK ? strchr(ret->at, '\n') : NULL;
	if (end) {
		explicit_bzero(end, ret->len - (size_t)(end - ret->at));
		ret->len = (size_t)(end - ret->at);
	}
	return e;
}

enum err option_read_pem(const char *path, bool secret, struct buf *ret, struct reason *why)
{
	return read_file(path, secret, PEM_MAX_BYTES, check_text, ret, why);
}
