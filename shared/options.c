#include "shared/options_private.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Values outlive the reading: they are handed down as plain pointers until the process ends. */
static struct {
	struct arena texts;
	enum option_source *source;  /* one per option */
	union option_value *running; /* likewise: what options_adopt() saw, or the first reading gave */
} state;

enum option_source options_source(size_t i)
{
	return state.source ? state.source[i] : SOURCE_NONE;
}

void options_free(void)
{
	arena_done(&state.texts);
	state.source = NULL;
	state.running = NULL;
}

/* One option as given on the command line: applied after the layers below it. */
struct given {
	size_t option;
	const char *value;
};

struct reading {
	const struct options *o;
	enum options_do todo;
	const char *config;
	bool config_open; /* while it is read: everybody may read it */
	struct given *given;
	size_t n_given;
	struct option_list args;
};

/* A row's place in the table; o->n when there is none. */
static size_t find(const struct options *o, struct span name)
{
	size_t i = 0;
	while (i < o->n && !span_is(name, o->at[i].name))
		i++;
	return i;
}

/* A value of a higher layer replaces what lower ones gave, a list as a whole. */
static enum err set(
	struct reading *r, size_t i, const char *text, enum option_source source, struct reason *why)
{
	const struct option *opt = &r->o->at[i];
	assert(source >= state.source[i]);
	/* A file could not hold it, and no value needs one. */
	for (const char *at = text; *at; at++)
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
			return fail(INVALID, why, "%s: holds a control character", opt->name);
	if (opt->type == OPTION_URL && (source == SOURCE_FLAG || r->config_open) &&
		option_url_has_password(text))
		return fail(INVALID, why,
			"%s: everybody could read the password, %s; leave it out and give it in the file "
			"that "
			"PGPASSFILE names (~/.pgpass), or the whole URL in a --config file of mode 0600",
			opt->name, source == SOURCE_FLAG ? "in the list of processes" : "as this file");
	if (option_is_list(opt) && source > state.source[i])
		*(struct option_list *)opt->to = (struct option_list){0};
	state.source[i] = source;
	if (option_is_list(opt) && source == SOURCE_FLAG) {
		option_list_add(opt->to, text, strlen(text), &state.texts);
		return OK;
	}
	return option_set(opt, text, &state.texts, why);
}

static enum err set_defaults(struct reading *r, struct reason *why)
{
	enum err e = OK;
	for (size_t i = 0; i < r->o->n && e == OK; i++) {
		option_clear(&r->o->at[i]);
		if (r->o->at[i].preset)
			e = set(r, i, r->o->at[i].preset, SOURCE_DEFAULT, why);
	}
	return e;
}

/* A line end alone is none: a unit gives that where the administrator gave nothing, and cannot give less. */
static enum err set_from_credentials(struct reading *r, struct reason *why)
{
	static const char suffix[] = "-file";
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	enum err e = OK;
	for (size_t i = 0; r->o->credentials && directory && i < r->o->n && e == OK; i++) {
		const char *name = r->o->at[i].name;
		size_t len = strlen(name), cut = sizeof suffix - 1;
		char path[PATH_MAX];
		struct stat st;
		bool is_file = len > cut && strcmp(name + len - cut, suffix) == 0;
		if (!is_file && strncmp(name, "tls-", 4) != 0)
			continue;
		int n = snprintf(
			path, sizeof path, "%s/%.*s", directory, (int)(is_file ? len - cut : len), name);
		if (n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0 && st.st_size > 1)
			e = set(r, i, path, SOURCE_CREDENTIAL, why);
	}
	return e;
}

static const char *from_environment(const struct options *o, const char *name)
{
	char key[128];
	snprintf(key, sizeof key, "%s_%s", o->environment, name);
	for (char *at = key; *at; at++)
		*at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
	const char *value = getenv(key);
	return value && *value ? value : NULL;
}

static enum err set_from_environment(struct reading *r, struct reason *why)
{
	enum err e = OK;
	for (size_t i = 0; i < r->o->n && e == OK; i++) {
		const char *value = from_environment(r->o, r->o->at[i].name);
		struct reason cause;
		if (value && (e = set(r, i, value, SOURCE_ENVIRONMENT, &cause)) != OK)
			e = fail(e, why, "in the environment: %s", cause.text);
	}
	return e;
}

static char *trim(char *text)
{
	text += strspn(text, " \t\r\n");
	size_t len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* "…" with \" and \\ inside, then at most a comment; or up to a blank and '#'.  In place; NULL: a quote is
 * not closed. */
static char *unquote(char *text)
{
	if (*text != '"') {
		for (char *at = text; *at; at++)
			if (*at == '#' && (at == text || at[-1] == ' ' || at[-1] == '\t'))
				*at = '\0';
		return trim(text);
	}
	char *from = text + 1, *to = text;
	while (*from && *from != '"') {
		if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		*to++ = *from++;
	}
	if (*from != '"')
		return NULL;
	from = trim(from + 1);
	if (*from && *from != '#')
		return NULL;
	*to = '\0';
	return text;
}

static enum err set_line(struct reading *r, char *line, const char *where, struct reason *why)
{
	line = trim(line);
	if (*line == '\0' || *line == '#')
		return OK;
	char *equals = strchr(line, '=');
	if (!equals)
		return fail(INVALID, why, "%snot \"key = value\"", where);
	*equals = '\0';
	const char *key = trim(line);
	size_t i = find(r->o, span_of(key));
	if (i == r->o->n)
		return options_unknown(r->o, where, "", span_of(key), why);
	char *value = unquote(trim(equals + 1));
	struct reason cause;
	if (!value)
		return fail(INVALID, why, "%s%s: the quotes do not fit", where, key);
	enum err e = set(r, i, value, SOURCE_FILE, &cause);
	return e == OK ? OK : fail(e, why, "%s%s", where, cause.text);
}

static enum err set_from_file(struct reading *r, struct reason *why)
{
	if (!r->config)
		return OK;
	FILE *f = fopen(r->config, "re");
	if (!f)
		return fail(INVALID, why, "%s: %s", r->config, strerror(errno));
	struct stat st;
	r->config_open = fstat(fileno(f), &st) == 0 && (st.st_mode & S_IROTH);
	char *line = NULL;
	size_t size = 0, number = 0;
	enum err e = OK;
	while (e == OK && getline(&line, &size, f) >= 0) {
		char where[160];
		snprintf(where, sizeof where, "%.120s:%zu: ", r->config, ++number);
		e = set_line(r, line, where, why);
	}
	if (e == OK && ferror(f))
		e = fail(INVALID, why, "%s: cannot be read", r->config);
	free(line);
	fclose(f);
	r->config_open = false;
	return e;
}

static enum err set_from_flags(struct reading *r, struct reason *why)
{
	enum err e = OK;
	for (size_t i = 0; i < r->n_given && e == OK; i++) {
		struct reason cause;
		e = set(r, r->given[i].option, r->given[i].value, SOURCE_FLAG, &cause);
		if (e != OK)
			e = fail(e, why, "--%s", cause.text);
	}
	return e;
}

/* The options that every program has; on the command line only. */
static const struct {
	const char *name;
	enum options_do todo;
} own[] = {{"help", OPTIONS_HELP}, {"version", OPTIONS_VERSION}, {"check-config", OPTIONS_CHECK},
	{"print-config", OPTIONS_PRINT}};

/* False: none of those that every program has. */
static bool take_own(struct reading *r, struct span name)
{
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (span_is(name, own[i].name)) {
			r->todo = own[i].todo;
			return true;
		}
	return false;
}

static bool asks_only(const struct reading *r)
{
	return r->todo == OPTIONS_HELP || r->todo == OPTIONS_VERSION;
}

/* One option at *argv; `*used` = how many arguments it took. */
static enum err take_option(struct reading *r, char **argv, int *used, struct reason *why)
{
	const char *at = *argv + 2, *equals = strchr(at, '=');
	struct span name = {at, equals ? (size_t)(equals - at) : strlen(at)};
	const char *value = equals ? equals + 1 : NULL;
	*used = 1;
	if (!value && take_own(r, name))
		return OK;
	bool config = span_is(name, "config"), negated = false;
	size_t i = find(r->o, name);
	if (i == r->o->n && !value && name.len > 3 && memcmp(at, "no-", 3) == 0) {
		size_t positive = find(r->o, (struct span){at + 3, name.len - 3});
		negated = positive < r->o->n && r->o->at[positive].type == OPTION_FLAG;
		i = negated ? positive : i;
	}
	if (!config && i == r->o->n)
		return options_unknown(r->o, "", "--", name, why);
	if (!value && !config && r->o->at[i].type == OPTION_FLAG)
		value = negated ? "false" : "true";
	if (!value && !argv[1])
		return fail(INVALID, why, "--%.*s: a value is missing", (int)name.len, name.at);
	if (!value) {
		value = argv[1];
		*used = 2;
	}
	if (config)
		r->config = value;
	else
		r->given[r->n_given++] = (struct given){i, value};
	return OK;
}

static enum err take_arguments(struct reading *r, int argc, char **argv, struct reason *why)
{
	bool ended = false;
	enum err e = OK;
	for (int i = 1, used; i < argc && e == OK && !asks_only(r); i += used) {
		const char *at = argv[i];
		used = 1;
		if (!ended && strcmp(at, "--") == 0)
			ended = true;
		else if (!ended && strcmp(at, "-h") == 0)
			r->todo = OPTIONS_HELP;
		else if (!ended && at[0] == '-' && at[1] == '-')
			e = take_option(r, argv + i, &used, why);
		else if (!ended && at[0] == '-' && at[1] != '\0')
			e = fail(INVALID, why, "unknown option \"%.60s\"", at);
		else if (!r->o->positional)
			e = fail(INVALID, why, "\"%.60s\" is no option", at);
		else
			r->args.at[r->args.n++] = at;
	}
	return e;
}

static enum err read_all(
	const struct options *o, int argc, char **argv, struct reading *r, struct reason *why)
{
	size_t n = argc > 0 ? (size_t)argc : 1;
	*r = (struct reading){.o = o, .todo = OPTIONS_RUN, .config = from_environment(o, "config")};
	state.source = arena_alloc(&state.texts, (o->n + 1) * sizeof *state.source);
	r->given = calloc(n, sizeof *r->given);
	if (!r->given)
		err_out_of_memory();
	r->args.at = arena_alloc(&state.texts, n * sizeof *r->args.at);

	enum err e = take_arguments(r, argc, argv, why);
	if (e == OK && !asks_only(r)) {
		e = set_defaults(r, why);
		if (e == OK)
			e = set_from_credentials(r, why);
		if (e == OK)
			e = set_from_file(r, why);
		if (e == OK)
			e = set_from_environment(r, why);
		if (e == OK)
			e = set_from_flags(r, why);
	}
	free(r->given); /* of thousands of nodes it is not little */
	r->given = NULL;
	return e;
}

enum err options_read(const struct options *o, int argc, char **argv, enum options_do *ret_do,
	struct option_list *ret_args, struct reason *why)
{
	struct reading r;
	options_free();
	enum err e = read_all(o, argc, argv, &r, why);
	if (e != OK)
		return e;
	if (!asks_only(&r))
		options_adopt(o);
	*ret_do = r.todo;
	if (ret_args)
		*ret_args = r.args;
	return OK;
}

void options_adopt(const struct options *o)
{
	if (!state.running)
		state.running = arena_alloc(&state.texts, (o->n + 1) * sizeof *state.running);
	for (size_t i = 0; i < o->n; i++)
		state.running[i] = option_value(&o->at[i]);
}

/* --- again --- */

static bool is_listed(const char *names, const char *name)
{
	size_t len = strlen(name);
	for (const char *at = names; at && *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == len && memcmp(at, name, len) == 0)
			return true;
	return false;
}

enum err options_reread(
	const struct options *o, int argc, char **argv, struct option_changes *ret, struct reason *why)
{
	struct reading r;
	assert(state.running);
	enum err e = read_all(o, argc, argv, &r, why);
	if (e != OK)
		return e;
	*ret = (struct option_changes){0};
	for (size_t i = 0; i < o->n; i++) {
		const struct option *opt = &o->at[i];
		if (option_same(opt->type, state.running[i], option_value(opt)))
			continue;
		bool reloads = is_listed(o->reloads, opt->name);
		if (!is_listed(o->ignored, opt->name))
			options_note_change(opt, reloads, state.running[i], ret);
		if (!reloads)
			option_put_back(opt, state.running[i]);
	}
	return OK;
}
