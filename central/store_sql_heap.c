/* Records of a page written to PostgreSQL, many in one statement. */
#include <string.h>

#include "central/db_postgres.h"
#include "central/postgres_binary.h"
#include "central/store_sql_heap.h"
#include "gen/sql_postgres.h"
#include "gen/sql_postgres_copy.h"

#define COPY_FIELDS 16

void store_heap_init(struct heap *h, size_t most, struct arena *a)
{
	*h = (struct heap){.at = arena_alloc(a, (most + 1) * sizeof(*h->at))};
}

void store_heap_add(struct heap *h, const struct record *r)
{
	h->at[h->n++] = r;
}

struct heap store_heap_part(const struct heap *h, size_t from)
{
	size_t rest = h->n - from;

	return (struct heap){.at = h->at + from, .n = rest < HEAP_PART ? rest : HEAP_PART};
}

/* --- rows into a table --- */

static void put_vector(struct buf *row, const struct vector *vv)
{
	unsigned char packed[16 * VECTOR_MAX];

	if (vv && vv->n > 0)
		binary_put_bytes(row, (struct span){(const char *)packed, vector_pack(vv, packed)});
	else
		binary_put_null(row);
}

static void put_clock_error(struct buf *row, int64_t us)
{
	if (us >= 0)
		binary_put_u64(row, (uint64_t)us);
	else
		binary_put_null(row);
}

static void copy_record(struct copy *c, const struct record *r, uint64_t generation)
{
	struct buf *row = &c->row;

	copy_row(c, COPY_FIELDS);
	binary_put_bytes(row, r->owner);
	binary_put_bytes(row, r->id);
	binary_put_bytes(row, r->type);
	binary_put_bytes(row, r->body);
	binary_put_bool(row, r->deleted);
	binary_put_u64(row, r->dot.actor);
	binary_put_u64(row, r->dot.n);
	put_vector(row, r->vv);
	binary_put_u64(row, r->hash.half[0]);
	binary_put_u64(row, r->hash.half[1]);
	binary_put_u64(row, (uint64_t)r->created_at_us);
	binary_put_u64(row, (uint64_t)r->updated_at_us);
	put_clock_error(row, r->clock_error_us);
	binary_put_u64(row, r->hash.half[0]); /* what its owner holds */
	binary_put_u64(row, r->hash.half[1]);
	binary_put_u64(row, generation);
	copy_row_end(c);
}

static void count_taken(struct meeting *m, const struct heap *h)
{
	for (size_t i = 0; i < h->n; i++)
		digest_add(&m->sync->digest, h->at[i]->hash);
	m->taken += h->n;
}

void store_heap_insert(struct meeting *m, const struct heap *h)
{
	struct copy c;

	if (h->n == 0)
		return;
	c = copy_begin(m->db, SQL_POSTGRES_COPY_RECORDS_COPY);

	for (size_t i = 0; i < h->n; i++)
		copy_record(&c, h->at[i], m->sync->generation);
	copy_end(&c);
	if (c.failed_row > 0 && c.failed_row <= h->n)
		m->culprit = h->at[c.failed_row - 1];
	count_taken(m, h);
}

/* --- arrays --- */

typedef void put_fn(struct buf *b, const struct record *r);

static void put_id(struct buf *b, const struct record *r)
{
	binary_put_bytes(b, r->id);
}

static void put_owner(struct buf *b, const struct record *r)
{
	binary_put_bytes(b, r->owner);
}

static void put_type(struct buf *b, const struct record *r)
{
	binary_put_bytes(b, r->type);
}

static void put_body(struct buf *b, const struct record *r)
{
	binary_put_bytes(b, r->body);
}

static void put_deleted(struct buf *b, const struct record *r)
{
	binary_put_bool(b, r->deleted);
}

static void put_actor(struct buf *b, const struct record *r)
{
	binary_put_u64(b, r->dot.actor);
}

static void put_n(struct buf *b, const struct record *r)
{
	binary_put_u64(b, r->dot.n);
}

static void put_vv(struct buf *b, const struct record *r)
{
	put_vector(b, r->vv);
}

static void put_h0(struct buf *b, const struct record *r)
{
	binary_put_u64(b, r->hash.half[0]);
}

static void put_h1(struct buf *b, const struct record *r)
{
	binary_put_u64(b, r->hash.half[1]);
}

static void put_created(struct buf *b, const struct record *r)
{
	binary_put_u64(b, (uint64_t)r->created_at_us);
}

static void put_updated(struct buf *b, const struct record *r)
{
	binary_put_u64(b, (uint64_t)r->updated_at_us);
}

static void put_error(struct buf *b, const struct record *r)
{
	put_clock_error(b, r->clock_error_us);
}

struct column {
	enum binary_element type;
	put_fn *put;
};
static const struct column replaced_columns[] = {
	{BINARY_TEXT, put_id},
	{BINARY_TEXT, put_type},
	{BINARY_JSON, put_body},
	{BINARY_BOOL, put_deleted},
	{BINARY_BIGINT, put_actor},
	{BINARY_BIGINT, put_n},
	{BINARY_BYTEA, put_vv},
	{BINARY_BIGINT, put_h0},
	{BINARY_BIGINT, put_h1},
	{BINARY_BIGINT, put_created},
	{BINARY_BIGINT, put_updated},
	{BINARY_BIGINT, put_error},
};
static const struct column known_columns[] = {
	{BINARY_TEXT, put_id},
	{BINARY_BIGINT, put_h0},
	{BINARY_BIGINT, put_h1},
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ARRAYS_MAX (COUNT(replaced_columns) + 1)

struct update {
	int statement;
	const struct column *columns;
	size_t n;
};
static const struct update update_known = {SQL_POSTGRES_BULK_KNOWN, known_columns, COUNT(known_columns)};
static const struct update update_same = {SQL_POSTGRES_BULK_KNOWN_SAME, known_columns, COUNT(known_columns)};
static const struct update update_replaced = {
	SQL_POSTGRES_BULK_REPLACE, replaced_columns, COUNT(replaced_columns)};
static const struct update update_mixed_known = {
	SQL_POSTGRES_MANY_KNOWN, known_columns, COUNT(known_columns)};
static const struct update update_mixed_replaced = {
	SQL_POSTGRES_MANY_REPLACE, replaced_columns, COUNT(replaced_columns)};

static void put_columns(const struct update *u, const struct heap *h, struct buf arrays[ARRAYS_MAX])
{
	for (size_t k = 0; k < u->n; k++) {
		binary_array(&arrays[k], u->columns[k].type, h->n);
		for (size_t i = 0; i < h->n; i++)
			u->columns[k].put(&arrays[k], h->at[i]);
	}
}

static void put_places(struct buf *array, const struct row_place *places, size_t n)
{
	binary_array(array, BINARY_TID, n);
	for (size_t i = 0; i < n; i++)
		binary_put_bytes(array, (struct span){places[i].bytes, sizeof(places[i].bytes)});
}

/* Generation, the columns as arrays, the places if there are any, owner.  The arrays are borrowed by the statement. */
static struct stmt begin_with_arrays(struct meeting *m, const struct update *u, const struct heap *h,
	const struct row_place *places, struct buf arrays[ARRAYS_MAX])
{
	struct stmt q = stmt_begin(m->db, u->statement);
	size_t n = u->n;

	stmt_u64(q, 1, m->sync->generation);
	put_columns(u, h, arrays);
	if (places)
		put_places(&arrays[n++], places, h->n);
	for (size_t k = 0; k < n; k++)
		stmt_bytes(q, (int)k + 2, &arrays[k]);
	stmt_text(q, (int)n + 2, h->at[0]->owner);
	return q;
}

static void arrays_done(struct buf arrays[ARRAYS_MAX])
{
	for (size_t k = 0; k < ARRAYS_MAX; k++)
		buf_done(&arrays[k]);
}

/* Each record must have hit its row, once. */
static void must_be_each(struct meeting *m, struct stmt q, const struct heap *h)
{
	struct span owner = h->at[0]->owner;

	if (stmt_changes(q) != (int64_t)h->n)
		db_fail(m->db, CONFLICT, "records of %.*s are not each in one row", (int)owner.len, owner.at);
}

static void update_part(
	struct meeting *m, const struct update *u, const struct heap *h, const struct row_place *places)
{
	struct buf arrays[ARRAYS_MAX] = {{0}};
	struct stmt q = begin_with_arrays(m, u, h, places, arrays);

	stmt_run(q);
	must_be_each(m, q, h);
	arrays_done(arrays);
}

/* Neither end, nor libpq, which keeps its buffers for ever, need hold a page once more. */
static void update_each(
	struct meeting *m, const struct update *u, const struct heap *h, const struct row_place *places)
{
	for (size_t from = 0; from < h->n && db_failed(m->db, NULL) == OK; from += HEAP_PART) {
		struct heap part = store_heap_part(h, from);

		update_part(m, u, &part, places ? places + from : NULL);
	}
}

void store_heap_replace(struct meeting *m, const struct heap *h, const struct row_place *places)
{
	update_each(m, &update_replaced, h, places);
	count_taken(m, h);
}

#define PUT_ANEW 1000

bool store_heap_is_put_anew(const struct heap *h)
{
	return h->n >= PUT_ANEW;
}

void store_heap_remove(struct meeting *m, const struct heap *h, const struct row_place *places)
{
	struct stmt q;
	struct buf array = {0};

	if (h->n == 0)
		return;
	put_places(&array, places, h->n);
	q = stmt_begin(m->db, SQL_POSTGRES_BULK_REMOVE);
	stmt_bytes(q, 1, &array);
	stmt_text(q, 2, h->at[0]->owner);
	stmt_run(q);
	must_be_each(m, q, h);
	buf_done(&array);
}

void store_heap_note(struct meeting *m, const struct heap *h)
{
	update_each(m, &update_known, h, NULL);
}

/* Sets noted[i] of those that the store holds in this version and did not know to be held. */
void store_heap_note_same(struct meeting *m, const struct heap *h, bool *noted)
{
	struct buf arrays[ARRAYS_MAX] = {{0}};
	struct stmt q = begin_with_arrays(m, &update_same, h, NULL, arrays);
	uint64_t place;

	if (stmt_step(q) && !stmt_col_null(q, 0))
		for (size_t at = 0; binary_next_u64(stmt_col_blob(q, 0), &at, &place);)
			if (place >= 1 && place <= h->n)
				noted[place - 1] = true;
	stmt_done(q);
	arrays_done(arrays);
}

/* --- records of several owners --- */

void store_mixed_init(struct mixed_heap *h, size_t most, struct arena *a)
{
	store_heap_init(&h->heap, most, a);
	h->of = arena_alloc(a, (most + 1) * sizeof(*h->of));
}

void store_mixed_add(struct mixed_heap *h, struct meeting *m, const struct record *r)
{
	h->of[h->heap.n] = m;
	store_heap_add(&h->heap, r);
}

void store_mixed_insert(struct db *db, const struct mixed_heap *h)
{
	struct copy c;

	if (h->heap.n == 0)
		return;
	c = copy_begin(db, SQL_POSTGRES_COPY_RECORDS_COPY);
	for (size_t i = 0; i < h->heap.n; i++)
		copy_record(&c, h->heap.at[i], h->of[i]->sync->generation);
	copy_end(&c);
}

/* Generations, the columns, owners: each an array. */
static void update_mixed(struct db *db, const struct update *u, const struct mixed_heap *h)
{
	struct buf arrays[ARRAYS_MAX] = {{0}}, generations = {0}, owners = {0};
	struct stmt q;

	if (h->heap.n == 0)
		return;
	q = stmt_begin(db, u->statement);
	binary_array(&generations, BINARY_BIGINT, h->heap.n);
	binary_array(&owners, BINARY_TEXT, h->heap.n);
	for (size_t i = 0; i < h->heap.n; i++) {
		binary_put_u64(&generations, h->of[i]->sync->generation);
		put_owner(&owners, h->heap.at[i]);
	}
	stmt_bytes(q, 1, &generations);
	put_columns(u, &h->heap, arrays);
	for (size_t k = 0; k < u->n; k++)
		stmt_bytes(q, (int)k + 2, &arrays[k]);
	stmt_bytes(q, (int)u->n + 2, &owners);
	stmt_run(q);
	if (stmt_changes(q) != (int64_t)h->heap.n)
		db_fail(db, CONFLICT, "records of several nodes are not each in one row");
	buf_done(&generations);
	buf_done(&owners);
	arrays_done(arrays);
}

void store_mixed_replace(struct db *db, const struct mixed_heap *h)
{
	update_mixed(db, &update_mixed_replaced, h);
}

void store_mixed_note(struct db *db, const struct mixed_heap *h)
{
	update_mixed(db, &update_mixed_known, h);
}
