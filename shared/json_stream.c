#include "shared/json_stream_private.h"

#include <string.h>

/* The first failure stays; from then on the document seems to end. */
int json_stream_stop(struct json_stream *v, const char *what)
{
	if (v->failed == OK) {
		v->line = v->in->line;
		v->failed = fail(INVALID, &v->why, "%s", what);
	}
	return JSON_STREAM_END;
}

/* The byte so many behind the place reached, or JSON_STREAM_END. */
static inline int byte_at(struct json_stream *v, size_t offset)
{
	struct span rest = input_rest(v->in);

	while (offset >= rest.len) {
		if (v->failed != OK || v->in->ended)
			return JSON_STREAM_END;
		v->failed = input_more(v->in, &v->why);
		v->line = v->in->line;
		rest = input_rest(v->in);
	}
	return v->failed == OK ? (unsigned char)rest.at[offset] : JSON_STREAM_END;
}

/* Behind the blanks. */
int json_stream_byte(struct json_stream *v)
{
	size_t blanks = 0;
	int c;

	while ((c = byte_at(v, blanks)) == ' ' || c == '\n' || c == '\r' || c == '\t')
		if (++blanks == 4096) {
			input_take(v->in, blanks);
			blanks = 0;
		}
	if (v->failed == OK)
		input_take(v->in, blanks);
	return c;
}

/* Where the text, number or word that begins at `offset` ends. */
static size_t scalar_end(struct json_stream *v, size_t offset)
{
	int c = byte_at(v, offset);

	if (c != '"') {
		while (c != JSON_STREAM_END && !strchr(",:]}[{\" \t\r\n", c))
			c = byte_at(v, ++offset);
		return offset;
	}
	do {
		c = byte_at(v, ++offset);
		if (c == '\\') {
			offset++;
			c = byte_at(v, offset);
			if (c == '"') /* an escaped one */
				c = '\\';
		}
	} while (c != JSON_STREAM_END && c != '"');
	return c == JSON_STREAM_END ? offset : offset + 1;
}

/* Where the value that begins here ends, by its brackets alone. */
static size_t value_end(struct json_stream *v)
{
	size_t offset = 0, depth = 0;
	int c = byte_at(v, 0);

	do {
		if (c == '{' || c == '[') {
			depth++;
			offset++;
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
			offset++;
		} else if (depth > 0 && (c == ',' || c == ':' || strchr(" \t\r\n", c))) {
			offset++;
		} else {
			size_t end = scalar_end(v, offset);

			offset = end > offset ? end : offset + 1;
		}
	} while (depth > 0 && (c = byte_at(v, offset)) != JSON_STREAM_END);
	return offset;
}

/* Checks the next `len` bytes as one value, which stays where it is. */
static bool check(struct json_stream *v, size_t len, struct json_value *ret)
{
	struct span rest = input_rest(v->in);
	struct reason why;

	if (v->failed != OK)
		return false;
	if (json_check((struct span){rest.at, len < rest.len ? len : rest.len}, ret, &why) == OK)
		return true;
	json_stream_stop(v, why.text);
	return false;
}

/* --- passing over, with any size --- */

bool json_stream_pass_key(struct json_stream *v, struct json_value *ret, size_t *ret_len)
{
	if (json_stream_byte(v) != '"') {
		json_stream_stop(v, "a key is missing");
		return false;
	}
	*ret_len = scalar_end(v, 0);
	return check(v, *ret_len, ret);
}

void json_stream_pass_colon(struct json_stream *v)
{
	if (json_stream_byte(v) == ':')
		input_take(v->in, 1);
	else
		json_stream_stop(v, "a colon is missing");
}

static void pass_key_and_colon(struct json_stream *v)
{
	struct json_value key;
	size_t len;

	if (!json_stream_pass_key(v, &key, &len))
		return;
	input_take(v->in, len);
	json_stream_pass_colon(v);
}

void json_stream_push(struct json_stream_nest *n, bool object)
{
	n->objects = n->objects << 1 | object;
	n->depth++;
}

static void pop(struct json_stream_nest *n)
{
	n->objects >>= 1;
	n->depth--;
}

/* A value begins here: a scalar is passed, a container opened.  Is a value due next? */
static bool pass_start(struct json_stream *v, struct json_stream_nest *n)
{
	int c = json_stream_byte(v);
	struct json_value value;

	if (c != '{' && c != '[') {
		size_t len = scalar_end(v, 0);

		if (check(v, len, &value))
			input_take(v->in, len);
		return false;
	}
	if (n->depth == 64) {
		json_stream_stop(v, "nested too deeply");
		return false;
	}
	json_stream_push(n, c == '{');
	input_take(v->in, 1);
	if (json_stream_byte(v) == (c == '{' ? '}' : ']')) {
		input_take(v->in, 1);
		pop(n);
		return false;
	}
	if (c == '{')
		pass_key_and_colon(v);
	return true;
}

/* Behind a value, within something: is another due? */
static bool pass_separator(struct json_stream *v, struct json_stream_nest *n)
{
	bool object = n->objects & 1;
	int c = json_stream_byte(v);

	if (c == ',') {
		input_take(v->in, 1);
		if (object)
			pass_key_and_colon(v);
		return true;
	}
	if (c == (object ? '}' : ']')) {
		input_take(v->in, 1);
		pop(n);
	} else {
		json_stream_stop(v, object ? "neither comma nor }" : "neither comma nor ]");
	}
	return false;
}

/* Until everything of `n` is closed. */
void json_stream_pass(struct json_stream *v, struct json_stream_nest n, bool due)
{
	while (v->failed == OK && (due || n.depth > 0))
		due = due ? pass_start(v, &n) : pass_separator(v, &n);
}

static void pass_to_end(struct json_stream *v, struct json_stream_nest around)
{
	while (v->failed == OK && around.depth > 0)
		if (pass_separator(v, &around))
			json_stream_pass(v, (struct json_stream_nest){0}, true);
	if (json_stream_byte(v) != JSON_STREAM_END)
		json_stream_stop(
			v, "something follows the document's value (one value a line is --format ndjson)");
	v->done = v->failed == OK;
}

void json_stream_of_lines(struct json_stream *v, struct input *in)
{
	*v = (struct json_stream){.in = in, .how = JSON_STREAM_LINES};
}

enum err json_stream_of_document(
	struct json_stream *v, struct input *in, const char *path, struct reason *why)
{
	*v = (struct json_stream){.in = in, .how = JSON_STREAM_ONE, .first = true};
	if (json_stream_enter(v, path ? path : "")) {
		int c = json_stream_byte(v);

		if (c == '[') {
			v->how = JSON_STREAM_ARRAY;
			json_stream_push(&v->open, false);
			input_take(in, 1);
		} else if (path) {
			json_stream_stop(v, c == JSON_STREAM_END ? "empty, where a document was expected"
								 : "--each: that is no array");
		}
	}
	return v->failed == OK ? OK : fail(v->failed, why, "%s", v->why.text);
}

/* --- one after the other --- */

/* The value of so many bytes that begins here, checked unless its reader does. */
static bool give(struct json_stream *v, size_t len, struct json_value *ret)
{
	struct span rest = input_rest(v->in);

	if (!v->unchecked || rest.len == 0 || *rest.at != '{')
		return check(v, len, ret);
	*ret = (struct json_value){JSON_OBJECT, {rest.at, len < rest.len ? len : rest.len}};
	return v->failed == OK;
}

static bool next_line(struct json_stream *v, struct json_value *ret)
{
	for (;;) {
		struct span rest = input_rest(v->in);
		const char *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
		size_t len = end ? (size_t)(end - rest.at) : rest.len;

		if (!end && !v->in->ended) {
			if (byte_at(v, rest.len) == JSON_STREAM_END && v->failed != OK)
				return false;
			continue;
		}
		v->line = v->in->line;
		if (strspn(rest.at ? rest.at : "", " \t\r") < len)
			return give(v, len, ret) && (input_take(v->in, len + (end != NULL)), true);
		if (!end) {
			v->done = true;
			return false;
		}
		input_take(v->in, len + 1);
	}
}

static bool take_value(struct json_stream *v, struct json_value *ret)
{
	v->line = v->in->line;
	size_t len = value_end(v);

	return give(v, len, ret) && (input_take(v->in, len), true);
}

static bool next_member(struct json_stream *v, struct json_value *ret)
{
	int c = json_stream_byte(v);

	if (c == ']') {
		struct json_stream_nest around = v->open;

		input_take(v->in, 1);
		pop(&around);
		pass_to_end(v, around);
		return false;
	}
	if (!v->first && c != ',') {
		json_stream_stop(v,
			c == JSON_STREAM_END ? "the document ends within the array" : "neither comma nor ]");
		return false;
	}
	if (!v->first) {
		input_take(v->in, 1);
		(void)json_stream_byte(v);
	}
	v->first = false;
	return take_value(v, ret);
}

enum err json_stream_next(struct json_stream *v, struct json_value *ret, struct reason *why)
{
	bool got = false;

	if (v->failed == OK && !v->done)
		switch (v->how) {
		case JSON_STREAM_LINES:
			got = next_line(v, ret);
			break;
		case JSON_STREAM_ARRAY:
			got = next_member(v, ret);
			break;
		case JSON_STREAM_ONE:
			if (v->first && (json_stream_byte(v), take_value(v, ret)))
				got = true;
			else if (!v->first)
				pass_to_end(v, (struct json_stream_nest){0});
			v->first = false;
			break;
		}
	if (got)
		return OK;
	return v->failed != OK ? fail(v->failed, why, "%s", v->why.text) : GONE;
}
