/* A name that is none: which one was probably meant. */
#include "shared/options_private.h"

#include <string.h>

#define NAME_MAX_BYTES 40

size_t options_distance(struct span a, struct span b)
{
	size_t row[NAME_MAX_BYTES + 1];
	if (a.len > NAME_MAX_BYTES || b.len > NAME_MAX_BYTES)
		return NAME_MAX_BYTES;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t best = diagonal + (a.at[i - 1] != b.at[j - 1]);
			best = row[j] + 1 < best ? row[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b.len];
}

/* The i-th name that may stand where this one does; NULL after the last. */
static const char *candidate(const struct options *o, bool with_own, size_t i)
{
	const struct option *opt = with_own || i < o->n ? options_shown(o, i) : NULL;
	return opt ? opt->name : NULL;
}

/* What was probably meant: the only one that begins so, or else the one that the fewest letters make of it. */
static const char *nearest(const struct options *o, struct span name, bool with_own)
{
	const char *ret = NULL, *begins = NULL, *at;
	size_t best = name.len < 6 ? name.len / 3 + 2 : 4, beginning = 0; /* what shares little is no slip */
	for (size_t i = 0; (at = candidate(o, with_own, i)); i++) {
		size_t d = options_distance(name, span_of(at));
		if (d < best) {
			best = d;
			ret = at;
		}
		if (name.len > 1 && !strncmp(at, name.at, name.len)) {
			beginning++;
			begins = at;
		}
	}
	return beginning == 1 ? begins : ret;
}

enum err options_unknown(
	const struct options *o, const char *where, const char *dashes, struct span name, struct reason *why)
{
	const char *near = nearest(o, name, *dashes);
	int shown = name.len > 60 ? 60 : (int)name.len;
	if (near)
		return fail(INVALID, why, "%sunknown option \"%s%.*s\"; did you mean \"%s%s\"?", where,
			dashes, shown, name.at, dashes, near);
	return fail(INVALID, why, "%sunknown option \"%s%.*s\"", where, dashes, shown, name.at);
}
