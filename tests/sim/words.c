#include "tests/sim/words.h"

#include <stdio.h>
#include <string.h>

/* The text behind the last "key":" of the line; its length, 0 when there is none. */
static size_t member(struct span line, const char *key, const char **ret)
{
	char name[24];
	size_t len = (size_t)snprintf(name, sizeof name, "\"%s\":\"", key);
	const char *found = NULL, *at = line.at, *end;

	if (line.len == 0)
		return 0;
	end = line.at + line.len;
	while ((at = memmem(at, (size_t)(end - at), name, len)) != NULL) {
		at += len;
		found = at;
	}
	if (found == NULL)
		return 0;
	*ret = found;
	at = memchr(found, '"', (size_t)(end - found));
	return at == NULL ? 0 : (size_t)(at - found);
}

static bool says(struct span line, const char *text)
{
	return line.len > 0 && memmem(line.at, line.len, text, strlen(text)) != NULL;
}

static bool next_line(struct span *rest, struct span *line)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->at, '\n', rest->len);
	*line = (struct span){rest->at, end == NULL ? rest->len : (size_t)(end - rest->at)};
	end = end == NULL ? rest->at + rest->len : end + 1;
	rest->len -= (size_t)(end - rest->at);
	rest->at = end;
	return true;
}

/* "a w12", "a w12 deleted", "a applied", … for each line that names a record */
static void add_lines(struct buf *out, struct span body)
{
	struct span line;
	const char *at = NULL;
	size_t len;

	while (next_line(&body, &line)) {
		if ((len = member(line, "id", &at)) == 0)
			continue;
		buf_printf(out, " [%.*s", (int)len, at);
		if ((len = member(line, "result", &at)) > 0)
			buf_printf(out, " %.*s", (int)len, at);
		if ((len = member(line, "type", &at)) > 0)
			buf_printf(out, " %.*s%s", (int)len, at,
				says(line, "\"deleted\":true") ? " deleted" : "");
		if ((len = member(line, "expected", &at)) > 0)
			buf_printf(out, " for %.4s", at);
		buf_char(out, ']');
	}
}

struct span words_query(struct span target, const char *name)
{
	char key[24];
	size_t len = (size_t)snprintf(key, sizeof key, "%s=", name);
	const char *at = memmem(target.at, target.len, key, len);
	size_t n = 0;

	if (at == NULL)
		return (struct span){0};
	at += len;
	while (at + n < target.at + target.len && at[n] != '&')
		n++;
	return (struct span){at, n};
}

static void add_query(struct buf *out, struct span target, const char *name, size_t most)
{
	struct span value = words_query(target, name);

	if (value.at != NULL)
		buf_printf(out, " %s %.*s", name, (int)(value.len < most ? value.len : most), value.at);
}

const char *words_request(struct buf target, struct buf body)
{
	static struct buf out;
	struct span t = buf_span(&target);
	const char *query = memchr(t.at, '?', t.len);
	const char *at = NULL;
	size_t len;

	buf_clear(&out);
	buf_put(&out, (struct span){t.at, query == NULL ? t.len : (size_t)(query - t.at)});
	add_query(&out, t, "epoch", 4);
	add_query(&out, t, "after", 20);
	add_query(&out, t, "witness", 8);
	add_query(&out, t, "limit", 8);
	add_query(&out, t, "recount", 1);
	if ((len = member(buf_span(&body), "from", &at)) > 0)
		buf_printf(&out, " from %.4s", at);
	if ((len = member(buf_span(&body), "to", &at)) > 0)
		buf_printf(&out, " to %.4s", at);
	add_lines(&out, buf_span(&body));
	return out.at;
}

const char *words_answer(struct buf body)
{
	static struct buf out;
	struct span all = buf_span(&body);
	const char *at = NULL;
	size_t len;

	buf_clear(&out);
	if ((len = member(all, "code", &at)) > 0)
		buf_printf(&out, "%.*s", (int)len, at);
	if ((len = member(all, "result", &at)) > 0 && !says(all, "\"id\":\""))
		buf_printf(&out, "%.*s", (int)len, at);
	if ((len = member(all, "epoch", &at)) > 0)
		buf_printf(&out, " epoch %.4s", at);
	add_lines(&out, all);
	if ((len = member(all, "to_head", &at)) > 0)
		buf_printf(&out, " end %.4s%s", at, says(all, "\"more\":true") ? " more" : "");
	return out.at == NULL ? "" : out.at;
}

void words_told(struct span body, struct told *ret)
{
	struct span line;

	while (next_line(&body, &line)) {
		const char *id = NULL, *hash = NULL;

		if (member(line, "id", &id) == 0 || member(line, "hash", &hash) != 32 ||
			says(line, "\"applied\"") || says(line, "\"already\""))
			continue;
		if (id[0] < 'a' || id[0] >= 'a' + IDS_MAX)
			continue;
		ret->any[id[0] - 'a'] = hash_parse((struct span){hash, 32}, &ret->hash[id[0] - 'a']);
	}
}

uint64_t words_end(struct span body)
{
	static const char key[] = "\"to_seq\":";
	const char *at = body.len == 0 ? NULL : memmem(body.at, body.len, key, sizeof key - 1);
	uint64_t seq = 0;

	if (at == NULL)
		return 0;
	for (at += sizeof key - 1; at < body.at + body.len && *at >= '0' && *at <= '9'; at++)
		seq = 10 * seq + (uint64_t)(*at - '0');
	return seq;
}
