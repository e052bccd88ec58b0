#include "central/token.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void derive(struct span secret, const char *name, uint64_t rotation, char ret[65])
{
	char label[RECORD_OWNER_MAX + 32];
	int len = snprintf(label, sizeof label, "node:%s:%" PRIu64, name, rotation);
	assert(len > 0 && (size_t)len < sizeof label);
	hash_derive_token(secret, label, ret);
}

void tokens_of_node(const char *secrets, const struct node *n, struct tokens *ret)
{
	struct tokens t = {.n = 0};
	for (uint64_t back = 0; back <= 1 && back <= n->rotation; back++)
		for (unsigned i = 0; i < SECRETS_MAX; i++) {
			struct span secret = secrets_at(secrets, i);
			if (secret.len > 0)
				derive(secret, n->name, n->rotation - back, t.at[t.n++]);
		}
	*ret = t;
}

void token_of_node(const char *secrets, const struct node *n, char ret[65])
{
	struct span secret = secrets_at(secrets, 0);
	ret[0] = 0;
	if (secret.len > 0)
		derive(secret, n->name, n->rotation, ret);
}

static bool is_marked(const char *token, const struct token_mark *m)
{
	return strncmp(token, m->hex, sizeof m->hex - 1) == 0;
}

static void mark(const char *token, struct token_mark *ret)
{
	memcpy(ret->hex, token, sizeof ret->hex - 1);
}

static bool mark_equal(const struct token_mark *a, const struct token_mark *b)
{
	return strcmp(a->hex, b->hex) == 0;
}

/* The place of the one that is known to be taken; 0 also for: none is, as nothing older is to be preferred then. */
static unsigned known_place(const struct tokens *t, const struct token_memory *m)
{
	for (unsigned i = 1; i < t->n; i++)
		if (is_marked(t->at[i], &m->taken))
			return i;
	return 0;
}

/* After the first of an attempt was refused. */
static unsigned other_place(const struct tokens *t, struct token_memory *m, unsigned known)
{
	if (!is_marked(t->at[0], &m->shown))
		return 0;
	return known > 0 ? known : 1 + m->tried++ % (t->n - 1);
}

int64_t token_again_us(int64_t interval_ms)
{
	int64_t us = interval_ms > 6000 ? 60000000 : interval_ms * 10000;
	return us < 1000000 ? 1000000 : us;
}

void token_choose(
	const struct tokens *t, int64_t now_us, int64_t again_us, struct token_memory *m, char ret[65])
{
	unsigned known = known_place(t, m), place = 0;
	bool is_new = t->n == 0 || !is_marked(t->at[0], &m->newest);
	m->second = m->again && !is_new && t->n > 1;
	m->again = m->other = false;
	ret[0] = 0;
	if (t->n == 0) {
		m->shown.hex[0] = 0;
		return;
	}
	if (m->second)
		place = other_place(t, m, known);
	else if (!is_new && now_us - m->newest_us < again_us)
		place = known;
	/* Who took the newest needs no other. */
	m->other = !m->second && t->n > 1 && !is_marked(t->at[0], &m->taken);
	memcpy(ret, t->at[place], sizeof t->at[place]);
	mark(ret, &m->shown);
	if (place > 0)
		return;
	mark(ret, &m->newest);
	m->newest_us = now_us;
}

bool token_refused(struct token_memory *m)
{
	/* Taken until now, and the newest was not a moment ago: so the node is being given that one just now. */
	bool moved = m->second && mark_equal(&m->shown, &m->taken) && !mark_equal(&m->shown, &m->newest);
	m->again = m->other || moved;
	if (m->second) /* what was known is no longer so */
		m->taken.hex[0] = 0;
	return m->again;
}

enum node_token token_taken(struct token_memory *m)
{
	m->taken = m->shown;
	m->tried = 0;
	if (!m->taken.hex[0])
		return NODE_TOKEN_UNKNOWN;
	return mark_equal(&m->shown, &m->newest) ? NODE_TOKEN_NEWEST : NODE_TOKEN_BEFORE;
}
