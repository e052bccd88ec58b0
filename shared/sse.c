#include "shared/sse.h"

#include <string.h>

/* The value of a field, if it is this one. */
static bool is_field(struct span line, const char *name, struct span *ret)
{
	size_t n = strlen(name);

	if (line.len < n || memcmp(line.at, name, n) != 0 || (line.len > n && line.at[n] != ':'))
		return false;
	n += n < line.len;                      /* the colon, */
	n += n < line.len && line.at[n] == ' '; /* and one blank behind it */
	*ret = (struct span){line.at + n, line.len - n};
	return true;
}

static enum err end_message(struct sse *s, struct reason *why)
{
	enum err e = OK;

	if (s->data.len > 0) {
		const struct sse_message m = {.name = s->kind.len ? buf_span(&s->kind) : span_of("message"),
			.data = {s->data.at, s->data.len - 1}};

		e = s->each(s->ctx, &m, why);
	}
	buf_clear(&s->kind);
	buf_clear(&s->data);
	return e;
}

static enum err end_line(struct sse *s, struct reason *why)
{
	struct span line = buf_span(&s->line), value;
	enum err e = OK;

	if (line.len == 0) {
		e = end_message(s, why);
	} else if (is_field(line, "data", &value)) {
		buf_put(&s->data, value);
		buf_char(&s->data, '\n');
	} else if (is_field(line, "event", &value)) {
		buf_clear(&s->kind);
		buf_put(&s->kind, value);
	}
	buf_clear(&s->line);
	if (e == OK && (buf_failed(&s->data) || buf_failed(&s->kind)))
		e = fail(RETRY, why, "out of memory");
	return e;
}

enum err sse_read(struct sse *s, struct span bytes, struct reason *why)
{
	enum err e = OK;

	for (size_t i = 0; i < bytes.len && e == OK; i++) {
		char c = bytes.at[i];
		bool second = s->cr && c == '\n';

		s->cr = c == '\r';
		if (second)
			continue;
		if (c == '\r' || c == '\n')
			e = end_line(s, why);
		else
			buf_char(&s->line, c);
		if (s->line.len + s->data.len > SSE_MESSAGE_MAX_BYTES)
			e = fail(INVALID, why, "a message of more than %zu bytes", SSE_MESSAGE_MAX_BYTES);
	}
	return e != OK || !buf_failed(&s->line) ? e : fail(RETRY, why, "out of memory");
}

void sse_done(struct sse *s)
{
	buf_done(&s->line);
	buf_done(&s->kind);
	buf_done(&s->data);
	s->cr = false;
}
