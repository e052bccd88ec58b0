/*
 * json_stream - the JSON values of a file, one after the other: one a line, or the members of an array that stands
 * somewhere in one document.
 *
 * What lies beside that array is checked as strictly as what is taken from it and may be of any size; a value
 * that is taken is at most INPUT_WINDOW_MAX long.  One thread.
 */
#ifndef SHARED_JSON_STREAM_H
#define SHARED_JSON_STREAM_H

#include "shared/input.h"
#include "shared/json_check.h"

/* The containers around the place that is read: one bit each, set for an object, the innermost lowest. */
struct json_stream_nest {
	uint64_t objects;
	unsigned depth;
};

struct json_stream {
	struct input *in;
	enum { JSON_STREAM_LINES, JSON_STREAM_ONE, JSON_STREAM_ARRAY } how;
	struct json_stream_nest open; /* of an array: it and what is around it */
	bool first, done;
	bool unchecked; /* set: a value is only cut out, and its reader checks it; its `kind` is a guess */
	enum err failed;
	struct reason why;
	uint64_t line; /* of the value given last, or of the failure */
};

/* One a line; empty lines are passed over. */
void json_stream_of_lines(struct json_stream *v, struct input *in);
/*
 * Of one document.  `path` leads to an array: keys, and places in arrays from 0, joined by dots, or each after a
 * slash ("/a.b/c") where a key has a dot.  NULL: the document is an array whose members are wanted, or the one
 * value itself.  INVALID: there is no such array; the reason says what is there instead.
 */
enum err json_stream_of_document(
	struct json_stream *v, struct input *in, const char *path, struct reason *why) MUST_USE;

/* GONE: there are no more, and the document was right to its end.  `ret` lives until the next call. */
enum err json_stream_next(struct json_stream *v, struct json_value *ret, struct reason *why) MUST_USE;

#endif
