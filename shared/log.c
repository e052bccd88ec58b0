#include "shared/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/utf8.h"

/* Longer lines would not be one write to a pipe or a journal. */
#define VALUE_MAX_BYTES 2048

static struct {
	_Atomic enum log_level least;
	atomic_bool json;
	bool journal; /* standard error is the journal's: it reads a priority at the line's begin */
} setting = {LOG_INFO, false, false};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* systemd says which stream it gave to the journal; a standard error that was redirected since is another. */
static bool is_journal(const char *stream)
{
	struct stat st;
	char ours[64];
	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(ours, stream) == 0;
}

void log_init(enum log_level least, int json)
{
	setting.journal = is_journal(getenv("JOURNAL_STREAM"));
	log_set(least, json);
}

void log_set(enum log_level least, int json)
{
	setting.least = least;
	setting.json = json != 0;
}

enum log_level log_level_parse(const char *name)
{
	for (unsigned i = 0; i < sizeof level_names / sizeof *level_names; i++)
		if (strcmp(name, level_names[i]) == 0)
			return (enum log_level)i;
	return LOG_INFO;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

struct log_text log_i64(int64_t n)
{
	struct log_text ret;
	snprintf(ret.text, sizeof ret.text, "%lld", (long long)n);
	return ret;
}

/* What may stand in a line as it is: no control character (also of U+0080…9F), no broken UTF-8. */
static size_t printable_length(const char *at, size_t left)
{
	size_t len = utf8_length(at, left);
	unsigned char c = (unsigned char)*at;
	if (len == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)at[1] < 0xa0))
		return 0;
	return len;
}

/* What cannot stand in a line, in the escapes that JSON and logfmt share; gives how many bytes it was. */
static size_t put_escape(struct buf *line, const char *at, size_t left)
{
	unsigned char c = (unsigned char)*at;
	if (utf8_length(at, left) == 0) {
		buf_text(line, "\\ufffd");
		return 1;
	}
	if (c == 0xc2) {
		buf_printf(line, "\\u%04x", (unsigned)(unsigned char)at[1]);
		return 2;
	}
	if (c == '\n' || c == '\r' || c == '\t')
		buf_text(line, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
	else
		buf_printf(line, "\\u%04x", (unsigned)c);
	return 1;
}

static void put_quoted(struct buf *line, struct span value)
{
	buf_char(line, '"');
	for (size_t i = 0, len; i < value.len; i += len) {
		const char *at = value.at + i;
		len = printable_length(at, value.len - i);
		if (len == 0) {
			len = put_escape(line, at, value.len - i);
			continue;
		}
		if (*at == '"' || *at == '\\')
			buf_char(line, '\\');
		buf_add(line, at, len);
	}
	buf_char(line, '"');
}

static bool needs_quotes(struct span value)
{
	if (value.len == 0)
		return true;
	for (size_t i = 0, len; i < value.len; i += len) {
		len = printable_length(value.at + i, value.len - i);
		if (len == 0 || strchr(" \"=\\", value.at[i]))
			return true;
	}
	return false;
}

static void put_member(struct buf *line, const char *key, struct span value)
{
	if (setting.json) {
		buf_char(line, ',');
		put_quoted(line, span_of(key));
		buf_char(line, ':');
		put_quoted(line, value);
		return;
	}
	buf_char(line, ' ');
	buf_text(line, key);
	buf_char(line, '=');
	if (needs_quotes(value))
		put_quoted(line, value);
	else
		buf_put(line, value);
}

static void put_head(struct buf *line, enum log_level level, const char *event)
{
	static const char priorities[] = {'3', '4', '6', '7'}; /* syslog's err, warning, info, debug */
	if (setting.journal)
		buf_printf(line, "<%c>", priorities[level]);
	buf_text(line, setting.json ? "{\"ts\":\"" : "ts=");
	buf_time(line, clock_wall_us());
	if (setting.json)
		buf_printf(line, "\",\"level\":\"%s\",\"event\":\"%s\"", level_names[level], event);
	else
		buf_printf(line, " %s %s", level_names[level], event);
}

void log_event(enum log_level level, const char *event, ...)
{
	if (level > setting.least)
		return;
	struct buf line = {0};
	put_head(&line, level, event);
	va_list args;
	va_start(args, event);
	for (const char *key; (key = va_arg(args, const char *));) {
		struct span value = span_of(va_arg(args, const char *));
		value.len = value.len < VALUE_MAX_BYTES ? value.len : VALUE_MAX_BYTES;
		put_member(&line, key, value);
	}
	va_end(args);
	buf_text(&line, setting.json ? "}\n" : "\n");
	if (!buf_failed(&line)) {
		/* One call, so that lines of several threads and processes do not mix; a log that cannot be
		 * written has nowhere to complain. */
		ssize_t written = write(STDERR_FILENO, line.at, line.len);
		(void)written;
	}
	buf_done(&line);
}
