#include "shared/members.h"

#include <string.h>

/* Members mostly come in the order of the names: the next one is tried first. */
static size_t find(const struct members *m, struct span key, size_t next)
{
	for (size_t k = 0; k < m->n; k++) {
		size_t i = next + k < m->n ? next + k : next + k - m->n;

		if (span_equal(m->names[i], key))
			return i;
	}
	if (key.len > 0 && memchr(key.at, '\\', key.len))
		for (size_t i = 0; i < m->n; i++)
			if (json_key_is(key, m->names[i]))
				return i;
	return m->n;
}

/*
 * Gives the next member, and which it is: n = none of those that are wanted.  Most come in the order of the names, some of which may be left
 * out.
 */
static bool read_next(const struct members *m, struct json_iter *it, size_t next, size_t *ret,
	struct span *key, struct json_value *value)
{
	for (size_t i = next; i < m->n && i < next + 2; i++)
		if (json_next_is(it, m->names[i], value)) {
			*ret = i;
			return true;
		}
	if (!json_next(it, key, value))
		return false;
	*ret = find(m, *key, next);
	return true;
}

enum err members_read(struct members *m, struct span object, struct reason *why)
{
	struct json_iter it;
	struct json_value value;
	struct span key = {NULL, 0};
	size_t i, next = 0;

	m->failed_at = object.at;
	if (!json_open(&it, object) || it.kind != JSON_OBJECT)
		return fail(INVALID, why, "not a JSON object");
	it.frame = m->frame;
	while (read_next(m, &it, next, &i, &key, &value)) {
		m->failed_at = value.raw.at;
		if (i == m->n)
			continue;
		if (m->values[i].raw.at)
			return members_refuse(m, i, why, "comes twice");
		m->values[i] = value;
		next = i + 1 < m->n ? i + 1 : 0;
	}
	m->failed_at = it.at;
	if (it.failed)
		return fail(INVALID, why, "%s", it.why.text);
	if (!json_ended(&it))
		return fail(INVALID, why, "something follows the JSON object");
	m->failed_at = object.at;
	return OK;
}

bool members_has(const struct members *m, size_t i)
{
	return m->values[i].raw.at != NULL;
}

bool members_null(const struct members *m, size_t i)
{
	return !m->values[i].raw.at || m->values[i].kind == JSON_NULL;
}

enum err members_refuse(const struct members *m, size_t i, struct reason *why, const char *what)
{
	return fail(INVALID, why, "%.*s: %s", (int)m->names[i].len, m->names[i].at,
		members_has(m, i) ? what : "missing");
}

enum err members_text(
	const struct members *m, size_t i, struct arena *a, struct span *ret, struct reason *why)
{
	if (!members_has(m, i) || m->values[i].kind != JSON_TEXT)
		return members_refuse(m, i, why, "not a text");
	*ret = json_text(&m->values[i], a);
	return OK;
}

enum err members_u64(const struct members *m, size_t i, uint64_t *ret, struct reason *why)
{
	if (!members_has(m, i) || m->values[i].kind != JSON_NUMBER || !json_u64(&m->values[i], ret))
		return members_refuse(m, i, why, "not a whole number from 0 to 9223372036854775807");
	return OK;
}

enum err members_i64(const struct members *m, size_t i, int64_t *ret, struct reason *why)
{
	if (!members_has(m, i) || m->values[i].kind != JSON_NUMBER || !json_i64(&m->values[i], ret))
		return members_refuse(m, i, why, "not a whole number");
	return OK;
}

enum err members_bool(const struct members *m, size_t i, bool *ret, struct reason *why)
{
	if (!members_has(m, i) || (m->values[i].kind != JSON_TRUE && m->values[i].kind != JSON_FALSE))
		return members_refuse(m, i, why, "not true or false");
	*ret = m->values[i].kind == JSON_TRUE;
	return OK;
}
