/* What a broken line still says of itself. */
#include "shared/record.h"

#include <string.h>

enum name { OF_ID, OF_HASH, OF_SEQ, NAMES };

static const struct span names[NAMES] = {
	[OF_ID] = MEMBER("id"),
	[OF_HASH] = MEMBER("hash"),
	[OF_SEQ] = MEMBER("seq"),
};

static bool claim_of_members(const struct members *m, struct record_claim *ret, struct arena *a)
{
	const struct json_value *hash = &m->values[OF_HASH];
	struct reason why;

	return members_text(m, OF_ID, a, &ret->id, &why) == OK && record_id_ok(ret->id) &&
	       members_has(m, OF_HASH) && hash->kind == JSON_TEXT &&
	       hash_parse((struct span){hash->raw.at + 1, hash->raw.len - 2}, &ret->hash) &&
	       members_u64(m, OF_SEQ, &ret->seq, &why) == OK && ret->seq > 0;
}

/* Past `word`, where it stands first in the line or, `last`, last. */
static struct span after_word(struct span line, const char *word, bool last)
{
	size_t len = strlen(word);
	struct span found = {0};

	for (size_t i = 0; i + len <= line.len; i++) {
		if (memcmp(line.at + i, word, len) != 0)
			continue;
		found = (struct span){line.at + i + len, line.len - i - len};
		if (!last)
			break;
	}
	return found;
}

static struct span until_quote(struct span s)
{
	const char *quote = s.len > 0 ? memchr(s.at, '"', s.len) : NULL;

	return (struct span){s.at, quote ? (size_t)(quote - s.at) : 0};
}

static bool read_number(struct span s, uint64_t *ret)
{
	size_t digits = 0;

	*ret = 0;
	while (digits < s.len && s.at[digits] >= '0' && s.at[digits] <= '9' && digits < 19)
		*ret = *ret * 10 + (uint64_t)(s.at[digits++] - '0');
	return digits > 0 && digits < s.len && (s.at[digits] == '}' || s.at[digits] == ',') && *ret > 0;
}

/* No JSON: the id before the body, hash and seq after it. */
static bool claim_of_text(struct span line, struct record_claim *ret)
{
	ret->id = until_quote(after_word(line, "\"id\":\"", false));
	return record_id_ok(ret->id) &&
	       hash_parse(until_quote(after_word(line, ",\"hash\":\"", true)), &ret->hash) &&
	       read_number(after_word(line, ",\"seq\":", true), &ret->seq);
}

bool record_claim(struct span line, struct record_claim *ret, struct arena *a)
{
	struct json_value values[NAMES] = {0};
	struct members m = {.names = names, .values = values, .n = NAMES};
	struct reason why;

	if (members_read(&m, line, &why) == OK)
		return claim_of_members(&m, ret, a);
	return claim_of_text(line, ret);
}
