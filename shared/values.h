/*
 * values - the JSON values of a file, one after the other: one a line, or the members of an array that stands
 * somewhere in one document.
 *
 * What lies beside that array is checked as strictly as what is taken from it and may be of any size; a value
 * that is taken is at most INPUT_WINDOW_MAX long.  One thread.
 */
#ifndef SHARED_VALUES_H
#define SHARED_VALUES_H

#include "shared/input.h"
#include "shared/json_check.h"

/* The containers around the place that is read: one bit each, set for an object, the innermost lowest. */
struct values_nest {
	uint64_t objects;
	unsigned depth;
};

struct values {
	struct input *in;
	enum { VALUES_LINES, VALUES_ONE, VALUES_ARRAY } how;
	struct values_nest open; /* of an array: it and what is around it */
	bool first, done;
	bool unchecked; /* set: a value is only cut out, and its reader checks it; its `kind` is a guess */
	enum err failed;
	struct reason why;
	uint64_t line; /* of the value given last, or of the failure */
};

/* One a line; empty lines are passed over. */
void values_of_lines(struct values *v, struct input *in);
/*
 * Of one document.  `path` leads to an array: keys, and places in arrays from 0, joined by dots, or each after a
 * slash ("/a.b/c") where a key has a dot.  NULL: the document is an array whose members are wanted, or the one
 * value itself.  INVALID: there is no such array; the reason says what is there instead.
 */
enum err values_of_document(
	struct values *v, struct input *in, const char *path, struct reason *why) MUST_USE;

/* GONE: there are no more, and the document was right to its end.  `ret` lives until the next call. */
enum err values_next(struct values *v, struct json_value *ret, struct reason *why) MUST_USE;

#endif
