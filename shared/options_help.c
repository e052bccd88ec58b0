#include "shared/options_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/build.h"

#define HELP_COLUMN 32
#define HELP_WIDTH 100

static const struct option own[] = {
	{.name = "config",
		.type = OPTION_TEXT,
		.value = "FILE",
		.help = "read \"key = value\" lines from FILE"},
	{.name = "check-config", .type = OPTION_FLAG, .help = "check the settings and exit"},
	{.name = "print-config",
		.type = OPTION_FLAG,
		.help = "print the settings and where they come from, and exit"},
	{.name = "version", .type = OPTION_FLAG, .help = "print the version and exit"},
	{.name = "help", .type = OPTION_FLAG, .help = "print this and exit"},
};

static const char *type_name(enum option_type type)
{
	switch (type) {
	case OPTION_TEXT:
	case OPTION_URL:
		return "TEXT";
	case OPTION_LIST:
	case OPTION_URLS:
		return "VALUE";
	case OPTION_FLAG:
		return NULL;
	case OPTION_INTEGER:
	case OPTION_NUMBER:
		return "N";
	case OPTION_DURATION:
		return "DURATION";
	case OPTION_CHOICE:
		return NULL;
	}
	return NULL;
}

static void put_name(const struct option *opt, struct buf *out)
{
	buf_text(out, "  --");
	buf_text(out, opt->name);
	const char *value = opt->value ? opt->value : type_name(opt->type);
	if (opt->type == OPTION_FLAG)
		return;
	buf_char(out, ' ');
	for (const char *at = value ? value : opt->choices; at && *at; at++)
		buf_char(out, value || *at != ' ' ? *at : '|');
}

/* Word by word, from `column` on; a word that would end behind HELP_WIDTH begins a line. */
static void put_words(const char *text, size_t column, struct buf *out)
{
	while (*text) {
		struct span word = {text, strcspn(text, " ")};
		size_t width = span_width(word);

		if (column > HELP_COLUMN && column + 1 + width > HELP_WIDTH) {
			buf_printf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			buf_char(out, ' ');
			column++;
		}
		buf_put(out, word);
		column += width;
		text += word.len + strspn(text + word.len, " ");
	}
}

static void put_option(const struct option *opt, struct buf *out)
{
	struct buf help = {0};
	size_t from = out->len;
	put_name(opt, out);
	size_t width = span_width((struct span){out->at + from, out->len - from});
	if (width + 2 > HELP_COLUMN) {
		buf_char(out, '\n');
		width = 0;
	}
	for (; width < HELP_COLUMN; width++)
		buf_char(out, ' ');
	buf_text(&help, opt->help ? opt->help : "");
	if (option_is_list(opt))
		buf_text(&help, " (may be repeated)");
	if (opt->preset && *opt->preset && opt->type != OPTION_FLAG)
		buf_printf(&help, " (default %s)", opt->preset);
	put_words(help.at ? help.at : "", HELP_COLUMN, out);
	buf_char(out, '\n');
	buf_done(&help);
}

/* Each line moved in by two, unless it is already. */
static void put_lines(const char *text, struct buf *out)
{
	while (*text) {
		struct span line = {text, strcspn(text, "\n")};
		if (line.len > 0 && *text != ' ')
			buf_text(out, "  ");
		buf_put(out, line);
		buf_char(out, '\n');
		text += line.len + (text[line.len] == '\n');
	}
}

const struct option *options_shown(const struct options *o, size_t i)
{
	if (i < o->n)
		return &o->at[i];
	return i - o->n < sizeof own / sizeof *own ? &own[i - o->n] : NULL;
}

void options_help(const struct options *o, struct buf *out)
{
	buf_text(out, "Usage:\n");
	put_lines(o->usage, out);
	if (o->prologue)
		buf_printf(out, "\n%s", o->prologue);
	buf_text(out, "\nOptions:\n");
	for (size_t i = 0; options_shown(o, i); i++)
		put_option(options_shown(o, i), out);
	buf_printf(out,
		"\nEach option can also stand in the file of --config, and in the environment as %s_NAME.\n",
		o->environment);
	if (o->epilogue)
		buf_printf(out, "\n%s%s", o->epilogue, strchr(o->epilogue, '\n') ? "" : "\n");
}

/* As the file of --config reads it back. */
static void put_text(struct buf *out, const char *text)
{
	if (text[0] != '"' && text[0] != '#' && !strstr(text, " #") && !strstr(text, "\t#") &&
		text[strspn(text, " \t")] == text[0] &&
		(text[0] == '\0' || !strchr(" \t", text[strlen(text) - 1]))) {
		buf_text(out, text);
		return;
	}
	buf_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_char(out, '\\');
		buf_char(out, *text);
	}
	buf_char(out, '"');
}

static void put_duration(struct buf *out, int64_t ms)
{
	if (ms != 0 && ms % 3600000 == 0)
		buf_printf(out, "%lldh", (long long)ms / 3600000);
	else if (ms != 0 && ms % 60000 == 0)
		buf_printf(out, "%lldm", (long long)ms / 60000);
	else if (ms % 1000 == 0)
		buf_printf(out, "%llds", (long long)ms / 1000);
	else
		buf_printf(out, "%lldms", (long long)ms);
}

/* How much of the text is a password: NAME:PASSWORD@, or a member of the query whose name ends in it. */
static size_t password_at(const char *url, const char *at)
{
	static const char member[] = "password=";
	/* of a URL: what is hidden may hold such a sign, too */
	const char *scheme_end = url + strcspn(url, "/?=@&"), *until;
	const char *host = scheme_end > url && strncmp(scheme_end - 1, "://", 3) == 0 ? scheme_end - 1 : NULL;

	if (at >= url + strlen(member) && strncmp(at - strlen(member), member, strlen(member)) == 0)
		return strcspn(at, "&");
	if (!host || at <= host + 3 || at[-1] != ':')
		return 0;
	until = at + strcspn(at, "/?@");
	return *until == '@' && strcspn(host + 3, ":@") == (size_t)(at - 1 - (host + 3))
		       ? (size_t)(until - at)
		       : 0;
}

bool option_url_has_password(const char *url)
{
	bool ret = false;

	for (const char *at = url; *at && !ret; at++)
		ret = password_at(url, at) > 0;
	return ret;
}

static void put_url(struct buf *out, const char *url)
{
	struct buf shown = {0};

	for (const char *at = url ? url : ""; *at;) {
		size_t hidden = password_at(url, at);

		if (hidden > 0)
			buf_text(&shown, "***");
		else
			buf_add(&shown, at, 1);
		at += hidden > 0 ? hidden : 1;
	}
	buf_char(&shown, '\0');
	put_text(out, shown.at);
	buf_done(&shown);
}

/* Up to the path. */
static void put_origin(struct buf *out, const char *url)
{
	const char *host = strstr(url, "://");
	size_t n = host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#@") : 0;

	buf_printf(out, "%.*s%s", (int)n, url, url[n] ? "/***" : "");
}

static void put_list(struct buf *out, const struct option *opt, struct option_list list)
{
	for (size_t i = 0; i < list.n; i++) {
		buf_text(out, i ? " " : "");
		if (opt->type == OPTION_URLS)
			put_origin(out, list.at[i]);
		else
			buf_text(out, list.at[i]);
	}
}

void option_show(const struct option *opt, union option_value v, struct buf *out)
{
	switch (opt->type) {
	case OPTION_URL:
		put_url(out, v.text);
		break;
	case OPTION_TEXT:
	case OPTION_CHOICE:
		put_text(out, v.text ? v.text : "");
		break;
	case OPTION_LIST:
	case OPTION_URLS:
		put_list(out, opt, v.list);
		break;
	case OPTION_FLAG:
		buf_text(out, v.flag ? "true" : "false");
		break;
	case OPTION_INTEGER:
		buf_i64(out, v.integer);
		break;
	case OPTION_NUMBER:
		buf_printf(out, "%.15g", v.number);
		break;
	case OPTION_DURATION:
		put_duration(out, v.integer);
		break;
	}
}

static const char *source_name(enum option_source source)
{
	switch (source) {
	case SOURCE_NONE:
		return "not set";
	case SOURCE_DEFAULT:
		return "default";
	case SOURCE_CREDENTIAL:
		return "credential";
	case SOURCE_FILE:
		return "file";
	case SOURCE_ENVIRONMENT:
		return "environment";
	case SOURCE_FLAG:
		return "flag";
	}
	return "";
}

void options_print(const struct options *o, struct buf *out)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct option *opt = &o->at[i];
		enum option_source source = options_source(i);
		if (source == SOURCE_NONE && opt->type != OPTION_FLAG) {
			buf_printf(out, "# %s =  # not set\n", opt->name);
			continue;
		}
		buf_printf(out, "%s = ", opt->name);
		option_show(opt, option_value(opt), out);
		buf_printf(out, "  # %s\n", source_name(source));
	}
}

bool options_answer(const struct options *o, enum options_do todo, struct buf *out)
{
	switch (todo) {
	case OPTIONS_HELP:
		options_help(o, out);
		return true;
	case OPTIONS_VERSION:
		buf_printf(out, "%s " TIDEMARK_VERSION "\n", o->program);
		return true;
	case OPTIONS_PRINT:
		options_print(o, out);
		return true;
	case OPTIONS_CHECK:
	case OPTIONS_RUN:
		break;
	}
	return false;
}

enum err options_write(struct buf *out, struct reason *why)
{
	bool good = fputs(out->at ? out->at : "", stdout) >= 0 && fflush(stdout) == 0;

	buf_done(out);
	return good ? OK : fail(RETRY, why, "standard output: %s", strerror(errno));
}
