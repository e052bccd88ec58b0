#include "shared/http.h"

#include <string.h>
#include <strings.h>

/* What stands before `end`, or all; *rest: what stands behind it. */
static struct span cut(struct span *rest, char end)
{
	const char *at = rest->len > 0 ? memchr(rest->at, end, rest->len) : NULL;
	size_t len = at ? (size_t)(at - rest->at) : rest->len;
	struct span one = {rest->at, len};

	rest->at += len + (at != NULL);
	rest->len -= len + (at != NULL);
	return span_trimmed(one);
}

static bool is_word(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

static struct span unquoted(struct span s)
{
	bool quoted = s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"';

	return quoted ? (struct span){s.at + 1, s.len - 2} : s;
}

/* Of a preference that comes twice the first counts. */
bool http_prefers_minimal(const struct http_request *q)
{
	struct span rest = q->prefer;

	while (rest.len > 0) {
		struct span one = cut(&rest, ','), preference = cut(&one, ';');

		if (is_word(cut(&preference, '='), "return"))
			return is_word(unquoted(span_trimmed(preference)), "minimal");
	}
	return false;
}
