/* Records as rows. */
#include "central/store_sql_private.h"

#include <assert.h>
#include <string.h>

#include "shared/clock.h"

static bool sweep_passed(const struct node_sync *sync, struct span id)
{
	struct span after = span_of(sync->sweep_after);
	size_t least = id.len < after.len ? id.len : after.len;
	int order = memcmp(id.at, after.at, least);

	return sync->swept || (order == 0 ? id.len <= after.len : order < 0);
}

struct known store_known(const struct known *k, const struct record *row, const struct node_sync *sync)
{
	bool now = k->generation == sync->generation;

	if (k->held && (now || (hash_equal(k->hash, row->hash) && sweep_passed(sync, row->id))))
		return (struct known){true, k->hash, sync->generation};
	return (struct known){.held = false, .generation = sync->generation};
}

/* --- rows to structs --- */

struct hash store_read_hash(struct stmt q, int col)
{
	return (struct hash){{stmt_col_u64(q, col), stmt_col_u64(q, col + 1)}};
}

struct known store_read_known(struct stmt q, int col)
{
	return (struct known){
		.held = !stmt_col_null(q, col),
		.hash = store_read_hash(q, col),
		.generation = stmt_col_u64(q, col + 2),
	};
}

void store_read_place(struct stmt q, int col, struct row_place *ret)
{
	struct span at = stmt_col_blob(q, col);

	assert(at.len == sizeof(ret->bytes));
	memcpy(ret->bytes, at.at, sizeof(ret->bytes));
}

static const struct vector *read_vector(struct stmt q, int col, struct vector *vv)
{
	struct span packed;

	if (stmt_col_null(q, col))
		return NULL;
	packed = stmt_col_blob(q, col);
	if (!vector_unpack(vv, packed.at, packed.len)) {
		db_fail(q.db, INTERNAL, "a record's version vector is broken");
		return NULL;
	}
	return vv;
}

void store_read_record(struct stmt q, struct record *ret, struct vector *vv)
{
	*ret = (struct record){
		.owner = stmt_col_text(q, 0),
		.id = stmt_col_text(q, 1),
		.type = stmt_col_text(q, 2),
		.body = stmt_col_text(q, 3),
		.deleted = stmt_col_i64(q, 4),
		.dot = {stmt_col_u64(q, 5), stmt_col_u64(q, 6)},
		.vv = read_vector(q, 7, vv),
		.hash = store_read_hash(q, 8),
		.created_at_us = stmt_col_i64(q, 10),
		.updated_at_us = stmt_col_i64(q, 11),
		.clock_error_us = stmt_col_null(q, 12) ? -1 : stmt_col_i64(q, 12),
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

bool store_take_record(struct stmt q, struct record *ret, struct arena *a)
{
	struct vector vv;
	bool found = stmt_step(q);

	if (found) {
		store_read_record(q, ret, &vv);
		store_keep_record(ret, a);
	}
	stmt_done(q);
	return found;
}

bool store_load_record(struct db *db, struct span owner, struct span id, struct record *ret, struct arena *a)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORD_GET);

	stmt_text(q, 1, owner);
	stmt_text(q, 2, id);
	return store_take_record(q, ret, a);
}

void store_read_standing(struct stmt q, int col, struct span owner, struct span id, struct standing *ret)
{
	ret->present = true;
	ret->record = (struct record){
		.owner = owner,
		.id = id,
		.deleted = stmt_col_i64(q, col),
		.dot = {stmt_col_u64(q, col + 1), stmt_col_u64(q, col + 2)},
		.vv = read_vector(q, col + 3, &ret->vv),
		.hash = store_read_hash(q, col + 4),
	};
	ret->known = store_read_known(q, col + 6);
	ret->refused = !stmt_col_null(q, col + 9);
}

void store_look(struct db *db, struct span owner, struct span id, struct standing *ret)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORD_STANDING);

	stmt_text(q, 1, owner);
	stmt_text(q, 2, id);
	ret->present = stmt_step(q);
	if (ret->present)
		store_read_standing(q, 0, owner, id, ret);
	stmt_done(q);
}

bool store_any(struct db *db, int statement, const char *owner)
{
	struct stmt q = stmt_begin(db, statement);
	bool any;

	stmt_text(q, 1, span_of(owner));
	any = stmt_step(q);
	stmt_done(q);
	return any;
}

void store_sum_rows(struct db *db, const char *owner, struct digest *ret)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORDS_DIGEST);

	*ret = (struct digest){0};
	stmt_text(q, 1, span_of(owner));
	while (stmt_step(q)) {
		ret->count += stmt_col_u64(q, 0);
		ret->lane[0] += stmt_col_u64(q, 1);
		ret->lane[1] += stmt_col_u64(q, 2);
	}
	stmt_done(q);
}

/* --- structs to rows --- */

/* type … clock_error at eleven places; `packed` must live until the query is done. */
static void bind_content(
	struct stmt q, int place, const struct record *r, unsigned char packed[16 * VECTOR_MAX])
{
	stmt_text(q, place, r->type);
	stmt_text(q, place + 1, r->body);
	stmt_i64(q, place + 2, r->deleted);
	stmt_u64(q, place + 3, r->dot.actor);
	stmt_u64(q, place + 4, r->dot.n);
	if (r->vv && r->vv->n > 0)
		stmt_blob(q, place + 5, (struct span){(const char *)packed, vector_pack(r->vv, packed)});
	else
		stmt_null(q, place + 5);
	stmt_u64(q, place + 6, r->hash.half[0]);
	stmt_u64(q, place + 7, r->hash.half[1]);
	stmt_i64(q, place + 8, r->created_at_us);
	stmt_i64(q, place + 9, r->updated_at_us);
	if (r->clock_error_us >= 0)
		stmt_i64(q, place + 10, r->clock_error_us);
	else
		stmt_null(q, place + 10);
}

static void bind_key(struct stmt q, int place, const struct record *r)
{
	stmt_text(q, place, r->owner);
	stmt_text(q, place + 1, r->id);
}

static void bind_known(struct stmt q, int place, const struct known *k)
{
	if (k->held) {
		stmt_u64(q, place, k->hash.half[0]);
		stmt_u64(q, place + 1, k->hash.half[1]);
	} else {
		stmt_null(q, place);
		stmt_null(q, place + 1);
	}
	stmt_u64(q, place + 2, k->generation);
}

bool store_insert_record(struct db *db, const struct record *r, const struct known *k)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORD_ADD);
	unsigned char packed[16 * VECTOR_MAX];

	bind_key(q, 1, r);
	bind_content(q, 3, r, packed);
	bind_known(q, 14, k);
	stmt_run(q);
	return stmt_changes(q) > 0;
}

void store_record_left_out(struct db *db, const struct record *r)
{
	db_fail(db, INVALID, "the database leaves record %.*s out and says nothing: has a table a trigger?",
		(int)r->id.len, r->id.at);
}

void store_replace_record(struct db *db, const struct record *r, const struct known *k)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORD_REPLACE);
	unsigned char packed[16 * VECTOR_MAX];

	bind_content(q, 1, r, packed);
	bind_known(q, 12, k);
	bind_key(q, 15, r);
	stmt_run(q);
	if (stmt_changes(q) == 0)
		store_record_left_out(db, r);
}

void store_note_known(struct db *db, const struct record *r, const struct known *k, bool refused)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORD_KNOWN);

	bind_known(q, 1, k);
	if (refused)
		stmt_i64(q, 4, 1);
	else
		stmt_null(q, 4);
	bind_key(q, 5, r);
	stmt_run(q);
}

static bool is_archived(struct db *db, const struct record *r)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_CONFLICT_SEEN);
	bool seen;

	bind_key(q, 1, r);
	stmt_u64(q, 3, r->hash.half[0]);
	stmt_u64(q, 4, r->hash.half[1]);
	seen = stmt_step(q);
	stmt_done(q);
	return seen;
}

bool store_archive(struct db *db, const struct record *r, const char *cause)
{
	unsigned char packed[16 * VECTOR_MAX];
	struct stmt q;

	if (is_archived(db, r))
		return false;
	q = stmt_begin(db, SQL_CENTRAL_CONFLICT_ADD);
	bind_key(q, 1, r);
	bind_content(q, 3, r, packed);
	stmt_i64(q, 14, clock_wall_us());
	stmt_text(q, 15, span_of(cause));
	stmt_run(q);
	return true;
}
