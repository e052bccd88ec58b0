/* The way to the array inside a document. */
#include "shared/json_stream_private.h"

#include <string.h>

/* What there is instead of what was looked for. */
static void not_found(struct json_stream *v, struct span part, const struct buf *seen)
{
	struct reason why;

	(void)!fail(INVALID, &why, "--each: no \"%.*s\" there%s%.*s", (int)(part.len < 60 ? part.len : 60),
		part.at, seen->len ? ", only " : "", (int)(seen->len < 100 ? seen->len : 100),
		seen->len ? seen->at : "");
	json_stream_stop(v, why.text);
}

static bool enter_object(struct json_stream *v, struct span part)
{
	struct buf seen = {0};
	bool found = false;

	for (int c = json_stream_byte(v); c != '}' && v->failed == OK;) {
		struct arena a = {0};
		struct json_value key = {0};
		size_t len = 0;

		if (json_stream_pass_key(v, &key, &len)) {
			found = span_equal(json_text(&key, &a), part);
			buf_printf(&seen, "%s%.*s", seen.len ? ", " : "",
				(int)(key.raw.len < 40 ? key.raw.len : 40), key.raw.at);
			input_take(v->in, len);
		}
		arena_done(&a);
		json_stream_pass_colon(v);
		if (found || v->failed != OK)
			break;
		json_stream_pass(v, (struct json_stream_nest){0}, true);
		if ((c = json_stream_byte(v)) == ',')
			input_take(v->in, 1);
		else if (c != '}')
			json_stream_stop(v, "neither comma nor }");
	}
	if (!found)
		not_found(v, part, &seen);
	buf_done(&seen);
	return found && v->failed == OK;
}

static bool enter_array(struct json_stream *v, struct span part)
{
	struct buf none = {0};
	uint64_t place;

	if (!span_to_u64(part, INT64_MAX, &place) || json_stream_byte(v) == ']') {
		not_found(v, part, &none);
		return false;
	}
	for (; place > 0 && v->failed == OK; place--) {
		json_stream_pass(v, (struct json_stream_nest){0}, true);
		if (json_stream_byte(v) != ',') {
			not_found(v, part, &none);
			return false;
		}
		input_take(v->in, 1);
	}
	return v->failed == OK;
}

static bool enter(struct json_stream *v, struct span part)
{
	int c = json_stream_byte(v);

	if (c != '{' && c != '[') {
		not_found(v, part, &(struct buf){0});
		return false;
	}
	if (v->open.depth == 60) {
		json_stream_stop(v, "--each: too long a path");
		return false;
	}
	json_stream_push(&v->open, c == '{');
	input_take(v->in, 1);
	return c == '{' ? enter_object(v, part) : enter_array(v, part);
}

bool json_stream_enter(struct json_stream *v, const char *path)
{
	char separator = *path == '/' ? '/' : '.';

	path += *path == '/';
	while (*path) {
		const char *end = strchr(path, separator);
		struct span part = {path, end ? (size_t)(end - path) : strlen(path)};

		if (!enter(v, part))
			return false;
		path += part.len + (end != NULL);
	}
	return true;
}
