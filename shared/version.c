#include "shared/version.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "shared/entropy.h"

#define ACTOR_MAX ((UINT64_C(1) << 63) - 1)
#define N_MAX ((uint64_t)INT64_MAX)

uint64_t actor_new(bool centre)
{
	uint64_t below = ACTOR_CENTRE_BIT - 1;
	uint64_t actor;

	do
		actor = entropy_u64() & below;
	while (actor == 0);
	return centre ? actor | ACTOR_CENTRE_BIT : actor;
}

bool actor_is_centre(uint64_t actor)
{
	return (actor & ACTOR_CENTRE_BIT) != 0;
}

uint64_t version_known(struct dot dot, const struct vector *vv, uint64_t actor)
{
	if (actor == dot.actor)
		return dot.n;
	if (!vv)
		return 0;
	for (unsigned i = 0; i < vv->n; i++)
		if (vv->at[i].actor == actor)
			return vv->at[i].n;
	return 0;
}

bool version_covers(struct dot dot, const struct vector *vv, struct dot d)
{
	return version_known(dot, vv, d.actor) >= d.n;
}

bool version_knows_more_of_centre(
	struct dot dot_a, const struct vector *a, struct dot dot_b, const struct vector *b)
{
	if (actor_is_centre(dot_a.actor) && !version_covers(dot_b, b, dot_a))
		return true;
	for (unsigned i = 0; a && i < a->n; i++)
		if (actor_is_centre(a->at[i].actor) && !version_covers(dot_b, b, a->at[i]))
			return true;
	return false;
}

/* Room for two full vectors and three dots. */
struct wide {
	unsigned n;
	struct dot at[2 * VECTOR_MAX + 3];
};

static void wide_raise(struct wide *w, struct dot d)
{
	unsigned i = 0;

	while (i < w->n && w->at[i].actor < d.actor)
		i++;
	if (i < w->n && w->at[i].actor == d.actor) {
		if (w->at[i].n < d.n)
			w->at[i].n = d.n;
		return;
	}
	assert(w->n < sizeof(w->at) / sizeof(w->at[0]));
	memmove(&w->at[i + 1], &w->at[i], (w->n - i) * sizeof(w->at[0]));
	w->at[i] = d;
	w->n++;
}

static void wide_raise_all(struct wide *w, struct dot dot, const struct vector *vv)
{
	if (dot.actor != 0)
		wide_raise(w, dot);
	for (unsigned i = 0; vv && i < vv->n; i++)
		wide_raise(w, vv->at[i]);
}

static void wide_drop_smallest(struct wide *w, uint64_t keep)
{
	unsigned least = w->n;

	for (unsigned i = 0; i < w->n; i++)
		if (w->at[i].actor != keep && (least == w->n || w->at[i].n < w->at[least].n))
			least = i;
	assert(least < w->n);
	w->n--;
	memmove(&w->at[least], &w->at[least + 1], (w->n - least) * sizeof(w->at[0]));
}

void vector_succeed(struct vector *ret, struct dot own, struct dot dot_a, const struct vector *a,
	struct dot dot_b, const struct vector *b)
{
	struct wide w = {0};

	wide_raise_all(&w, dot_a, a);
	wide_raise_all(&w, dot_b, b);
	wide_raise(&w, own);
	while (w.n > VECTOR_MAX)
		wide_drop_smallest(&w, own.actor);
	ret->n = w.n > 1 ? w.n : 0;
	memcpy(ret->at, w.at, ret->n * sizeof(ret->at[0]));
	for (unsigned i = 0; i < ret->n; i++)
		if (ret->at[i].actor == own.actor)
			ret->at[i].n = own.n;
}

size_t vector_pack(const struct vector *v, unsigned char ret[16 * VECTOR_MAX])
{
	for (unsigned i = 0; i < v->n; i++) {
		uint64_t pair[2] = {htole64(v->at[i].actor), htole64(v->at[i].n)};

		memcpy(ret + 16 * i, pair, sizeof(pair));
	}
	return 16 * (size_t)v->n;
}

bool vector_unpack(struct vector *ret, const void *at, size_t len)
{
	struct vector v;
	const unsigned char *bytes = at;

	if (len % 16 != 0 || len / 16 > VECTOR_MAX)
		return false;
	v.n = (unsigned)(len / 16);
	for (unsigned i = 0; i < v.n; i++) {
		uint64_t pair[2];

		memcpy(pair, bytes + 16 * i, sizeof(pair));
		v.at[i] = (struct dot){le64toh(pair[0]), le64toh(pair[1])};
		if (v.at[i].actor == 0 || v.at[i].actor > ACTOR_MAX || v.at[i].n == 0 || v.at[i].n > N_MAX)
			return false;
		if (i > 0 && v.at[i].actor <= v.at[i - 1].actor)
			return false;
	}
	ret->n = v.n;
	memcpy(ret->at, v.at, v.n * sizeof(v.at[0]));
	return true;
}

void dot_encode(struct dot d, struct buf *out)
{
	buf_hex64(out, d.actor);
	buf_char(out, '.');
	buf_u64(out, d.n);
}

static bool actor_parse(const char *at, uint64_t *ret)
{
	uint64_t actor = 0;

	for (int i = 0; i < 16; i++) {
		char c = at[i];

		if (c >= '0' && c <= '9')
			actor = actor << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			actor = actor << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = actor;
	return actor != 0 && actor <= ACTOR_MAX;
}

bool dot_parse(struct span text, struct dot *ret)
{
	struct dot d;

	if (text.len < 18 || text.at[16] != '.' || text.at[17] == '0' || !actor_parse(text.at, &d.actor))
		return false;
	if (!span_to_u64((struct span){text.at + 17, text.len - 17}, N_MAX, &d.n))
		return false;
	*ret = d;
	return true;
}

void vector_encode(const struct vector *v, struct buf *out)
{
	buf_char(out, '[');
	for (unsigned i = 0; i < v->n; i++) {
		buf_text(out, i > 0 ? ",\"" : "\"");
		dot_encode(v->at[i], out);
		buf_char(out, '"');
	}
	buf_char(out, ']');
}
