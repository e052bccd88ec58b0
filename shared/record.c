#include "shared/record.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "shared/clock.h"

enum { OWNER_FIRST = 1, OWNER = 2, ID = 4, TYPE = 8 };

/* What each character may stand in. */
static const unsigned char char_class[256] = {
	['a' ... 'z'] = OWNER_FIRST | OWNER | ID | TYPE,
	['0' ... '9'] = OWNER_FIRST | OWNER | ID | TYPE,
	['A' ... 'Z'] = ID,
	['-'] = OWNER | ID | TYPE,
	['_'] = OWNER | ID | TYPE,
	['.'] = OWNER | ID,
	[':'] = ID,
};

static bool is_word(struct span s, size_t max, unsigned allowed)
{
	if (s.len == 0 || s.len > max)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!(char_class[(unsigned char)s.at[i]] & allowed))
			return false;
	return true;
}

bool record_owner_ok(struct span owner)
{
	return is_word(owner, RECORD_OWNER_MAX, OWNER) &&
	       (char_class[(unsigned char)owner.at[0]] & OWNER_FIRST);
}

bool record_id_ok(struct span id)
{
	return is_word(id, RECORD_ID_MAX, ID);
}

bool record_type_ok(struct span type)
{
	return is_word(type, RECORD_TYPE_MAX, TYPE);
}

/* --- hash: everything before the body is gathered first, since libsodium is slow at small pieces --- */

#define PREFIX_MAX \
	(4 + RECORD_OWNER_MAX + 4 + RECORD_ID_MAX + 4 + RECORD_TYPE_MAX + 1 + 16 + 4 + 16 * VECTOR_MAX + 4)

static unsigned char *put_u32(unsigned char *at, uint32_t n)
{
	uint32_t le = htole32(n);

	memcpy(at, &le, sizeof(le));
	return at + sizeof(le);
}

static unsigned char *put_dot(unsigned char *at, struct dot d)
{
	uint64_t le[2] = {htole64(d.actor), htole64(d.n)};

	memcpy(at, le, sizeof(le));
	return at + sizeof(le);
}

static unsigned char *put_field(unsigned char *at, struct span s, size_t max)
{
	size_t len = s.len < max ? s.len : max;

	at = put_u32(at, (uint32_t)s.len);
	if (len > 0)
		memcpy(at, s.at, len);
	return at + len;
}

static unsigned char *put_vector(unsigned char *at, struct dot dot, const struct vector *vv)
{
	if (!vv || vv->n == 0)
		return put_dot(put_u32(at, 1), dot);
	at = put_u32(at, vv->n);
	return at + vector_pack(vv, at);
}

/* All before the body's bytes; returns its end. */
static unsigned char *put_prefix(unsigned char *at, const struct record *r)
{
	at = put_field(at, r->owner, RECORD_OWNER_MAX);
	at = put_field(at, r->id, RECORD_ID_MAX);
	at = put_field(at, r->type, RECORD_TYPE_MAX);
	*at++ = r->deleted ? 1 : 0;
	at = put_dot(at, r->dot);
	at = put_vector(at, r->dot, r->vv);
	return put_u32(at, (uint32_t)r->body.len);
}

struct hash record_hash(const struct record *r)
{
	unsigned char prefix[PREFIX_MAX];
	struct hash_state s;

	hash_begin(&s);
	hash_bytes(&s, prefix, (size_t)(put_prefix(prefix, r) - prefix));
	hash_bytes(&s, r->body.at, r->body.len);
	return hash_end(&s);
}

/* Longer ones wait for themselves long enough alone. */
#define SHORT_BODY 640
#define SHORT_MAX (PREFIX_MAX - 16 * VECTOR_MAX + SHORT_BODY)

static bool is_short(const struct record *r)
{
	return r->body.len <= SHORT_BODY && !r->vv;
}

void record_prove(const struct record *const *r, size_t n, bool *ret)
{
	unsigned char bytes[HASH_LANES][SHORT_MAX];
	struct span whole[HASH_LANES] = {{NULL, 0}};
	struct hash hash[HASH_LANES];
	bool all_short = true;

	assert(n <= HASH_LANES);
	for (size_t i = 0; i < n; i++)
		all_short = all_short && is_short(r[i]);
	for (size_t i = 0; i < n && all_short; i++) {
		unsigned char *body = put_prefix(bytes[i], r[i]);

		memcpy(body, r[i]->body.at, r[i]->body.len);
		whole[i] = (struct span){(const char *)bytes[i], (size_t)(body - bytes[i]) + r[i]->body.len};
	}
	if (all_short)
		hash_of_each(whole, n, hash);
	for (size_t i = 0; i < n; i++)
		ret[i] = hash_equal(r[i]->hash, all_short ? hash[i] : record_hash(r[i]));
}

struct hash record_chain(struct hash head, uint64_t seq, struct span id, struct hash hash)
{
	unsigned char bytes[16 + 8 + 4 + RECORD_ID_MAX + 16];
	unsigned char *at = bytes + 16;
	uint64_t le = htole64(seq);

	hash_to_bytes(head, bytes);
	memcpy(at, &le, sizeof(le));
	at = put_field(at + sizeof(le), id, RECORD_ID_MAX);
	hash_to_bytes(hash, at);
	return hash_of((struct span){(const char *)bytes, (size_t)(at + 16 - bytes)});
}

/* --- encode --- */

void record_encode_open(const struct record *r, struct buf *out)
{
	char hex[33];

	hash_hex(r->hash, hex);
	buf_text(out, "{\"owner\":\"");
	buf_put(out, r->owner);
	buf_text(out, "\",\"id\":\"");
	buf_put(out, r->id);
	buf_text(out, "\",\"type\":\"");
	buf_put(out, r->type);
	buf_text(out, r->deleted ? "\",\"deleted\":true,\"body\":" : "\",\"deleted\":false,\"body\":");
	buf_put(out, r->body);
	buf_text(out, ",\"hash\":\"");
	buf_add(out, hex, 32);
	buf_text(out, "\",\"dot\":\"");
	dot_encode(r->dot, out);
	if (r->vv && r->vv->n > 0) {
		buf_text(out, "\",\"vv\":");
		vector_encode(r->vv, out);
		buf_text(out, ",\"created_at\":\"");
	} else {
		buf_text(out, "\",\"created_at\":\"");
	}
	buf_time(out, r->created_at_us);
	buf_text(out, "\",\"updated_at\":\"");
	buf_time(out, r->updated_at_us);
	buf_text(out, "\",\"clock_error_us\":");
	if (r->clock_error_us < 0)
		buf_text(out, "null");
	else
		buf_i64(out, r->clock_error_us);
	if (r->seq > 0) {
		buf_text(out, ",\"seq\":");
		buf_u64(out, r->seq);
	}
}

void record_encode(const struct record *r, struct buf *out)
{
	record_encode_open(r, out);
	buf_char(out, '}');
}

/* --- decode --- */

enum name {
	OF_OWNER,
	OF_ID,
	OF_TYPE,
	OF_DELETED,
	OF_BODY,
	OF_HASH,
	OF_DOT,
	OF_VV,
	OF_CREATED,
	OF_UPDATED,
	OF_CLOCK_ERROR,
	OF_SEQ,
	OF_EXPECTED, /* wanted of a push alone */
	NAMES,
};

static const struct span names[NAMES] = {
	[OF_OWNER] = MEMBER("owner"),
	[OF_ID] = MEMBER("id"),
	[OF_TYPE] = MEMBER("type"),
	[OF_DELETED] = MEMBER("deleted"),
	[OF_BODY] = MEMBER("body"),
	[OF_HASH] = MEMBER("hash"),
	[OF_DOT] = MEMBER("dot"),
	[OF_VV] = MEMBER("vv"),
	[OF_CREATED] = MEMBER("created_at"),
	[OF_UPDATED] = MEMBER("updated_at"),
	[OF_CLOCK_ERROR] = MEMBER("clock_error_us"),
	[OF_SEQ] = MEMBER("seq"),
	[OF_EXPECTED] = MEMBER("expected"),
};

static enum err take_owner(
	const struct members *m, struct span wanted, struct arena *a, struct span *ret, struct reason *why)
{
	enum err e;

	if (!members_has(m, OF_OWNER)) {
		if (wanted.len == 0)
			return members_refuse(m, OF_OWNER, why, "");
		*ret = wanted;
		return OK;
	}
	if ((e = members_text(m, OF_OWNER, a, ret, why)))
		return e;
	if (!record_owner_ok(*ret))
		return members_refuse(m, OF_OWNER, why, RECORD_OWNER_RULE);
	if (wanted.len > 0 && !span_equal(*ret, wanted))
		return fail(INVALID, why, "owner: %.*s, where only records of %.*s belong", (int)ret->len,
			ret->at, (int)wanted.len, wanted.at);
	return OK;
}

static enum err take_key(const struct members *m, struct arena *a, struct record *r, struct reason *why)
{
	enum err e;

	if ((e = members_text(m, OF_ID, a, &r->id, why)))
		return e;
	if (!record_id_ok(r->id))
		return members_refuse(m, OF_ID, why, RECORD_ID_RULE);
	if ((e = members_text(m, OF_TYPE, a, &r->type, why)))
		return e;
	if (!record_type_ok(r->type))
		return members_refuse(m, OF_TYPE, why, RECORD_TYPE_RULE);
	return OK;
}

static enum err take_body(const struct members *m, struct record *r, struct reason *why)
{
	enum err e;

	if ((e = members_bool(m, OF_DELETED, &r->deleted, why)))
		return e;
	if (!members_has(m, OF_BODY))
		return members_refuse(m, OF_BODY, why, "");
	r->body = m->values[OF_BODY].raw;
	if (r->body.len > RECORD_BODY_MAX)
		return members_refuse(m, OF_BODY, why, RECORD_BODY_RULE);
	if (memchr(r->body.at, '\n', r->body.len) || memchr(r->body.at, '\r', r->body.len))
		return members_refuse(m, OF_BODY, why, "not on one line");
	if (r->deleted && m->values[OF_BODY].kind != JSON_NULL)
		return members_refuse(m, OF_BODY, why, "not null in a deleted record");
	return OK;
}

static bool quoted_dot(const struct json_value *v, struct dot *ret)
{
	return v->kind == JSON_TEXT && dot_parse((struct span){v->raw.at + 1, v->raw.len - 2}, ret);
}

static enum err take_entries(struct span raw, struct vector *vv, struct reason *why)
{
	struct json_iter it;
	struct json_value value;

	if (!json_open(&it, raw))
		return fail(INVALID, why, "vv: not an array");
	while (json_next(&it, NULL, &value)) {
		if (vv->n == VECTOR_MAX)
			return fail(INVALID, why, "vv: more than %d entries", VECTOR_MAX);
		if (!quoted_dot(&value, &vv->at[vv->n]))
			return fail(INVALID, why, "vv: an entry is not \"<16 hex digits>.<number>\"");
		if (vv->n > 0 && vv->at[vv->n].actor == vv->at[vv->n - 1].actor)
			return fail(INVALID, why, "vv: an actor comes twice");
		if (vv->n > 0 && vv->at[vv->n].actor < vv->at[vv->n - 1].actor)
			return fail(INVALID, why, "vv: not sorted by actor");
		vv->n++;
	}
	return OK;
}

static enum err take_version(const struct members *m, struct arena *a, struct record *r, struct reason *why)
{
	struct vector *vv;
	enum err e;
	bool has_dot = false;

	if (!members_has(m, OF_DOT) || !quoted_dot(&m->values[OF_DOT], &r->dot))
		return members_refuse(m, OF_DOT, why, "not \"<16 hex digits>.<number>\"");
	if (!members_has(m, OF_VV))
		return OK;
	if (m->values[OF_VV].kind != JSON_ARRAY)
		return members_refuse(m, OF_VV, why, "not an array");
	vv = arena_alloc(a, sizeof(*vv));
	if ((e = take_entries(m->values[OF_VV].raw, vv, why)))
		return e;
	for (unsigned i = 0; i < vv->n; i++)
		has_dot |= vv->at[i].actor == r->dot.actor && vv->at[i].n == r->dot.n;
	if (!has_dot)
		return members_refuse(m, OF_VV, why, "does not hold the dot");
	if (vv->n == 1)
		return members_refuse(m, OF_VV, why, "holds only the dot, and is then left out");
	r->vv = vv;
	return OK;
}

static enum err take_time(const struct members *m, size_t i, int64_t *ret, struct reason *why)
{
	int64_t us = -1;

	if (members_has(m, i) && m->values[i].kind == JSON_TEXT)
		us = clock_parse(m->values[i].raw.at + 1, m->values[i].raw.len - 2);
	if (us < 0)
		return members_refuse(m, i, why, "not a time like \"2026-11-21T01:02:03.000004Z\"");
	*ret = us;
	return OK;
}

static enum err take_quality(const struct members *m, struct record *r, struct reason *why)
{
	enum err e;
	uint64_t n;

	if ((e = take_time(m, OF_CREATED, &r->created_at_us, why)) ||
		(e = take_time(m, OF_UPDATED, &r->updated_at_us, why)))
		return e;
	r->clock_error_us = -1;
	if (!members_null(m, OF_CLOCK_ERROR)) {
		if ((e = members_u64(m, OF_CLOCK_ERROR, &n, why)))
			return e;
		r->clock_error_us = (int64_t)n;
	}
	if (!members_has(m, OF_SEQ))
		return OK;
	if ((e = members_u64(m, OF_SEQ, &r->seq, why)))
		return e;
	return r->seq > 0 ? OK : members_refuse(m, OF_SEQ, why, "0, but a log counts from 1");
}

static enum err take_hash(const struct members *m, bool unproven, struct record *r, struct reason *why)
{
	const struct json_value *v = &m->values[OF_HASH];

	if (!members_has(m, OF_HASH) || v->kind != JSON_TEXT ||
		!hash_parse((struct span){v->raw.at + 1, v->raw.len - 2}, &r->hash))
		return members_refuse(m, OF_HASH, why, "not 32 hex digits");
	if (!unproven && !hash_equal(r->hash, record_hash(r)))
		return members_refuse(m, OF_HASH, why, RECORD_HASH_RULE);
	return OK;
}

enum err record_decode(struct record *ret, struct span line, const struct record_decode *how, struct arena *a,
	struct reason *why)
{
	struct json_value values[NAMES] = {0};
	struct members m = {.names = names, .values = values, .n = how->expected ? NAMES : OF_EXPECTED};
	struct record r = {0};
	enum err e;

	if ((e = members_read(&m, line, why)) || (e = take_owner(&m, how->owner, a, &r.owner, why)) ||
		(e = take_key(&m, a, &r, why)) || (e = take_body(&m, &r, why)) ||
		(e = take_version(&m, a, &r, why)) || (e = take_quality(&m, &r, why)) ||
		(e = take_hash(&m, how->unproven, &r, why)))
		return e;
	if (how->expected)
		*how->expected = values[OF_EXPECTED];
	*ret = r;
	return OK;
}
