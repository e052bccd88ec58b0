#include "shared/values_private.h"

#include <string.h>

/* The first failure stays; from then on the document seems to end. */
int values_stop(struct values *v, const char *what)
{
	if (v->failed == OK) {
		v->line = v->in->line;
		v->failed = fail(INVALID, &v->why, "%s", what);
	}
	return VALUES_END;
}

/* The byte so many behind the place reached, or VALUES_END. */
static inline int byte_at(struct values *v, size_t offset)
{
	struct span rest = input_rest(v->in);

	while (offset >= rest.len) {
		if (v->failed != OK || v->in->ended)
			return VALUES_END;
		v->failed = input_more(v->in, &v->why);
		v->line = v->in->line;
		rest = input_rest(v->in);
	}
	return v->failed == OK ? (unsigned char)rest.at[offset] : VALUES_END;
}

/* Behind the blanks. */
int values_byte(struct values *v)
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
static size_t scalar_end(struct values *v, size_t offset)
{
	int c = byte_at(v, offset);

	if (c != '"') {
		while (c != VALUES_END && !strchr(",:]}[{\" \t\r\n", c))
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
	} while (c != VALUES_END && c != '"');
	return c == VALUES_END ? offset : offset + 1;
}

/* Where the value that begins here ends, by its brackets alone. */
static size_t value_end(struct values *v)
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
	} while (depth > 0 && (c = byte_at(v, offset)) != VALUES_END);
	return offset;
}

/* Checks the next `len` bytes as one value, which stays where it is. */
static bool check(struct values *v, size_t len, struct json_value *ret)
{
	struct span rest = input_rest(v->in);
	struct reason why;

	if (v->failed != OK)
		return false;
	if (json_check((struct span){rest.at, len < rest.len ? len : rest.len}, ret, &why) == OK)
		return true;
	values_stop(v, why.text);
	return false;
}

/* --- passing over, with any size --- */

bool values_pass_key(struct values *v, struct json_value *ret, size_t *ret_len)
{
	if (values_byte(v) != '"') {
		values_stop(v, "a key is missing");
		return false;
	}
	*ret_len = scalar_end(v, 0);
	return check(v, *ret_len, ret);
}

void values_pass_colon(struct values *v)
{
	if (values_byte(v) == ':')
		input_take(v->in, 1);
	else
		values_stop(v, "a colon is missing");
}

static void pass_key_and_colon(struct values *v)
{
	struct json_value key;
	size_t len;

	if (!values_pass_key(v, &key, &len))
		return;
	input_take(v->in, len);
	values_pass_colon(v);
}

void values_push(struct values_nest *n, bool object)
{
	n->objects = n->objects << 1 | object;
	n->depth++;
}

static void pop(struct values_nest *n)
{
	n->objects >>= 1;
	n->depth--;
}

/* A value begins here: a scalar is passed, a container opened.  Is a value due next? */
static bool pass_start(struct values *v, struct values_nest *n)
{
	int c = values_byte(v);
	struct json_value value;

	if (c != '{' && c != '[') {
		size_t len = scalar_end(v, 0);

		if (check(v, len, &value))
			input_take(v->in, len);
		return false;
	}
	if (n->depth == 64) {
		values_stop(v, "nested too deeply");
		return false;
	}
	values_push(n, c == '{');
	input_take(v->in, 1);
	if (values_byte(v) == (c == '{' ? '}' : ']')) {
		input_take(v->in, 1);
		pop(n);
		return false;
	}
	if (c == '{')
		pass_key_and_colon(v);
	return true;
}

/* Behind a value, within something: is another due? */
static bool pass_separator(struct values *v, struct values_nest *n)
{
	bool object = n->objects & 1;
	int c = values_byte(v);

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
		values_stop(v, object ? "neither comma nor }" : "neither comma nor ]");
	}
	return false;
}

/* Until everything of `n` is closed. */
void values_pass(struct values *v, struct values_nest n, bool due)
{
	while (v->failed == OK && (due || n.depth > 0))
		due = due ? pass_start(v, &n) : pass_separator(v, &n);
}

static void pass_to_end(struct values *v, struct values_nest around)
{
	values_pass(v, around, false);
	if (values_byte(v) != VALUES_END)
		values_stop(
			v, "something follows the document's value (one value a line is --format ndjson)");
	v->done = v->failed == OK;
}

void values_of_lines(struct values *v, struct input *in)
{
	*v = (struct values){.in = in, .how = VALUES_LINES};
}

enum err values_of_document(struct values *v, struct input *in, const char *path, struct reason *why)
{
	*v = (struct values){.in = in, .how = VALUES_ONE, .first = true};
	if (values_enter(v, path ? path : "")) {
		int c = values_byte(v);

		if (c == '[') {
			v->how = VALUES_ARRAY;
			values_push(&v->open, false);
			input_take(in, 1);
		} else if (path) {
			values_stop(v, c == VALUES_END ? "empty, where a document was expected"
						       : "--each: that is no array");
		}
	}
	return v->failed == OK ? OK : fail(v->failed, why, "%s", v->why.text);
}

/* --- one after the other --- */

/* The value of so many bytes that begins here, checked unless its reader does. */
static bool give(struct values *v, size_t len, struct json_value *ret)
{
	struct span rest = input_rest(v->in);

	if (!v->unchecked || rest.len == 0 || *rest.at != '{')
		return check(v, len, ret);
	*ret = (struct json_value){JSON_OBJECT, {rest.at, len < rest.len ? len : rest.len}};
	return v->failed == OK;
}

static bool next_line(struct values *v, struct json_value *ret)
{
	for (;;) {
		struct span rest = input_rest(v->in);
		const char *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
		size_t len = end ? (size_t)(end - rest.at) : rest.len;

		if (!end && !v->in->ended) {
			if (byte_at(v, rest.len) == VALUES_END && v->failed != OK)
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

static bool take_value(struct values *v, struct json_value *ret)
{
	v->line = v->in->line;
	size_t len = value_end(v);

	return give(v, len, ret) && (input_take(v->in, len), true);
}

static bool next_member(struct values *v, struct json_value *ret)
{
	int c = values_byte(v);

	if (c == ']') {
		struct values_nest around = v->open;

		input_take(v->in, 1);
		pop(&around);
		pass_to_end(v, around);
		return false;
	}
	if (!v->first && c != ',') {
		values_stop(
			v, c == VALUES_END ? "the document ends within the array" : "neither comma nor ]");
		return false;
	}
	if (!v->first) {
		input_take(v->in, 1);
		(void)values_byte(v);
	}
	v->first = false;
	return take_value(v, ret);
}

enum err values_next(struct values *v, struct json_value *ret, struct reason *why)
{
	bool got = false;

	if (v->failed == OK && !v->done)
		switch (v->how) {
		case VALUES_LINES:
			got = next_line(v, ret);
			break;
		case VALUES_ARRAY:
			got = next_member(v, ret);
			break;
		case VALUES_ONE:
			if (v->first && (values_byte(v), take_value(v, ret)))
				got = true;
			else if (!v->first)
				pass_to_end(v, (struct values_nest){0});
			v->first = false;
			break;
		}
	if (got)
		return OK;
	return v->failed != OK ? fail(v->failed, why, "%s", v->why.text) : GONE;
}
