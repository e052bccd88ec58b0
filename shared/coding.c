#include "shared/coding.h"

#include <string.h>
#include <strings.h>

#define WEIGHT_MOST 1000 /* thousandths */
#define UNNAMED (-1)

static const char *const NAMES[] = {[CODING_ZSTD] = "zstd", [CODING_GZIP] = "gzip"};

const char *coding_name(enum coding c)
{
	return NAMES[c];
}

/* Up to the mark, which is taken away with it. */
static struct span cut(struct span *rest, char mark)
{
	const char *end = memchr(rest->at, mark, rest->len);
	struct span part = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
	size_t gone = part.len + (end ? 1 : 0);
	rest->at += gone;
	rest->len -= gone;
	return span_trimmed(part);
}

static bool is_word(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

/* "x-gzip" is the same (RFC 9110, 8.4.1.3). */
static bool is_named(struct span s, enum coding c)
{
	if (c == CODING_NONE)
		return is_word(s, "identity");
	return is_word(s, NAMES[c]) || (c == CODING_GZIP && is_word(s, "x-gzip"));
}

bool coding_parse(struct span content_encoding, enum coding *ret)
{
	static const enum coding all[] = {CODING_NONE, CODING_ZSTD, CODING_GZIP};
	struct span name = span_trimmed(content_encoding);

	if (name.len == 0) {
		*ret = CODING_NONE;
		return true;
	}
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (is_named(name, all[i])) {
			*ret = all[i];
			return true;
		}
	}
	return false;
}

/* "0", "0.25", "1.000" in thousandths; what is none weighs nothing. */
static int weight_of(struct span text)
{
	int weight = 0, unit = WEIGHT_MOST;

	if (text.len == 0 || text.len > 5 || (text.len > 1 && text.at[1] != '.'))
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (i == 1)
			continue;
		if (text.at[i] < '0' || text.at[i] > '9')
			return 0;
		weight += (text.at[i] - '0') * unit;
		unit /= 10;
	}
	return weight <= WEIGHT_MOST ? weight : 0;
}

/* Of the parameters behind a name: 1, unless they say otherwise. */
static int weight_in(struct span parameters)
{
	while (parameters.len > 0) {
		struct span one = cut(&parameters, ';');
		if (one.len > 1 && (one.at[0] == 'q' || one.at[0] == 'Q') && one.at[1] == '=')
			return weight_of((struct span){one.at + 2, one.len - 2});
	}
	return WEIGHT_MOST;
}

static int weight_given(struct span accept_encoding, enum coding c)
{
	int given = UNNAMED;

	while (accept_encoding.len > 0 && given == UNNAMED) {
		struct span one = cut(&accept_encoding, ',');
		if (is_named(cut(&one, ';'), c))
			given = weight_in(one);
	}
	return given;
}

bool coding_is_accepted(struct span accept_encoding, enum coding c)
{
	return weight_given(accept_encoding, c) > 0;
}

enum coding coding_choose(struct span accept_encoding)
{
	enum coding best = CODING_NONE;
	int most = weight_given(accept_encoding, CODING_NONE);

	for (enum coding c = CODING_GZIP; c > CODING_NONE; c--) {
		int weight = weight_given(accept_encoding, c);
		if (weight > 0 && weight >= most) {
			best = c;
			most = weight;
		}
	}
	return best;
}
