/* Records as rows. */
#include "central/store_sqlite_private.h"

#include <string.h>

#include "shared/clock.h"

struct known store_known(const struct known *k, uint64_t generation)
{
	if (k->held && k->generation == generation)
		return *k;
	return (struct known){.held = false, .generation = generation};
}

/* --- rows to structs --- */

static struct hash read_hash(struct query q, int col)
{
	return (struct hash){{query_col_u64(q, col), query_col_u64(q, col + 1)}};
}

struct known store_read_known(struct query q, int col)
{
	return (struct known){
		.held = !query_col_null(q, col),
		.hash = read_hash(q, col),
		.generation = query_col_u64(q, col + 2),
	};
}

static const struct vector *read_vector(struct query q, int col, struct vector *vv)
{
	struct span packed;

	if (query_col_null(q, col))
		return NULL;
	packed = query_col_blob(q, col);
	if (!vector_unpack(vv, packed.at, packed.len)) {
		lite_fail(q.lite, INTERNAL, "a record's version vector is broken");
		return NULL;
	}
	return vv;
}

void store_read_record(struct query q, struct record *ret, struct vector *vv)
{
	*ret = (struct record){
		.owner = query_col_text(q, 0),
		.id = query_col_text(q, 1),
		.type = query_col_text(q, 2),
		.body = query_col_text(q, 3),
		.deleted = query_col_i64(q, 4),
		.dot = {query_col_u64(q, 5), query_col_u64(q, 6)},
		.vv = read_vector(q, 7, vv),
		.hash = read_hash(q, 8),
		.created_at_us = query_col_i64(q, 10),
		.updated_at_us = query_col_i64(q, 11),
		.clock_error_us = query_col_null(q, 12) ? -1 : query_col_i64(q, 12),
	};
}

static struct span keep(struct span s, struct arena *a)
{
	return (struct span){arena_copy(a, s.at, s.len), s.len};
}

void store_keep_record(struct record *r, struct arena *a)
{
	r->owner = keep(r->owner, a);
	r->id = keep(r->id, a);
	r->type = keep(r->type, a);
	r->body = keep(r->body, a);
	if (r->vv) {
		struct vector *vv = arena_alloc(a, sizeof(*vv));

		*vv = *r->vv;
		r->vv = vv;
	}
}

bool store_load_record(struct lite *l, struct span owner, struct span id, struct record *ret, struct arena *a)
{
	struct query q = query_begin(l, SQL_CENTRAL_RECORD_GET);
	struct vector vv;
	bool found;

	query_text(q, 1, owner);
	query_text(q, 2, id);
	found = query_step(q);
	if (found) {
		store_read_record(q, ret, &vv);
		store_keep_record(ret, a);
	}
	query_done(q);
	return found;
}

void store_look(struct lite *l, struct span owner, struct span id, struct standing *ret)
{
	struct query q = query_begin(l, SQL_CENTRAL_RECORD_STANDING);

	query_text(q, 1, owner);
	query_text(q, 2, id);
	ret->present = query_step(q);
	if (ret->present) {
		ret->record = (struct record){
			.owner = owner,
			.id = id,
			.deleted = query_col_i64(q, 0),
			.dot = {query_col_u64(q, 1), query_col_u64(q, 2)},
			.vv = read_vector(q, 3, &ret->vv),
			.hash = read_hash(q, 4),
		};
		ret->known = store_read_known(q, 6);
		ret->refused = !query_col_null(q, 9);
	}
	query_done(q);
}

bool store_any(struct lite *l, int statement, const char *owner)
{
	struct query q = query_begin(l, statement);
	bool any;

	query_text(q, 1, span_of(owner));
	any = query_step(q);
	query_done(q);
	return any;
}

void store_sum_rows(struct lite *l, const char *owner, struct digest *ret)
{
	struct query q = query_begin(l, SQL_CENTRAL_RECORDS_HASHES);

	*ret = (struct digest){0};
	query_text(q, 1, span_of(owner));
	while (query_step(q))
		digest_add(ret, read_hash(q, 0));
	query_done(q);
}

/* --- structs to rows --- */

/* type … clock_error at eleven places; `packed` must live until the query is done. */
static void bind_content(
	struct query q, int place, const struct record *r, unsigned char packed[16 * VECTOR_MAX])
{
	query_text(q, place, r->type);
	query_text(q, place + 1, r->body);
	query_i64(q, place + 2, r->deleted);
	query_u64(q, place + 3, r->dot.actor);
	query_u64(q, place + 4, r->dot.n);
	if (r->vv && r->vv->n > 0)
		query_blob(q, place + 5, (struct span){(const char *)packed, vector_pack(r->vv, packed)});
	else
		query_null(q, place + 5);
	query_u64(q, place + 6, r->hash.half[0]);
	query_u64(q, place + 7, r->hash.half[1]);
	query_i64(q, place + 8, r->created_at_us);
	query_i64(q, place + 9, r->updated_at_us);
	if (r->clock_error_us >= 0)
		query_i64(q, place + 10, r->clock_error_us);
	else
		query_null(q, place + 10);
}

static void bind_key(struct query q, int place, const struct record *r)
{
	query_text(q, place, r->owner);
	query_text(q, place + 1, r->id);
}

static void bind_known(struct query q, int place, const struct known *k)
{
	if (k->held) {
		query_u64(q, place, k->hash.half[0]);
		query_u64(q, place + 1, k->hash.half[1]);
	} else {
		query_null(q, place);
		query_null(q, place + 1);
	}
	query_u64(q, place + 2, k->generation);
}

bool store_insert_record(struct lite *l, const struct record *r, const struct known *k)
{
	struct query q = query_begin(l, SQL_CENTRAL_RECORD_ADD);
	unsigned char packed[16 * VECTOR_MAX];

	bind_key(q, 1, r);
	bind_content(q, 3, r, packed);
	bind_known(q, 14, k);
	query_run(q);
	return query_changes(q) > 0;
}

void store_replace_record(struct lite *l, const struct record *r, const struct known *k)
{
	struct query q = query_begin(l, SQL_CENTRAL_RECORD_REPLACE);
	unsigned char packed[16 * VECTOR_MAX];

	bind_content(q, 1, r, packed);
	bind_known(q, 12, k);
	bind_key(q, 15, r);
	query_run(q);
}

void store_note_known(struct lite *l, const struct record *r, const struct known *k, bool refused)
{
	struct query q = query_begin(l, SQL_CENTRAL_RECORD_KNOWN);

	bind_known(q, 1, k);
	if (refused)
		query_i64(q, 4, 1);
	else
		query_null(q, 4);
	bind_key(q, 5, r);
	query_run(q);
}

static bool is_archived(struct lite *l, const struct record *r)
{
	struct query q = query_begin(l, SQL_CENTRAL_CONFLICT_SEEN);
	bool seen;

	bind_key(q, 1, r);
	query_u64(q, 3, r->hash.half[0]);
	query_u64(q, 4, r->hash.half[1]);
	seen = query_step(q);
	query_done(q);
	return seen;
}

bool store_archive(struct lite *l, const struct record *r, const char *cause)
{
	unsigned char packed[16 * VECTOR_MAX];
	struct query q;

	if (is_archived(l, r))
		return false;
	q = query_begin(l, SQL_CENTRAL_CONFLICT_ADD);
	bind_key(q, 1, r);
	bind_content(q, 3, r, packed);
	query_i64(q, 14, clock_wall_us());
	query_text(q, 15, span_of(cause));
	query_run(q);
	return true;
}
