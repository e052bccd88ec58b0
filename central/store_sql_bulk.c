/*
 * A page's records in PostgreSQL, many in one statement.
 *
 *   all new            → COPY straight into the table
 *   else one look at all of them, each compared (merge.h), and by what comes of it:
 *     absent           → COPY straight into the table
 *     taken as it is   → COPY to a staging table and one UPDATE from it; few: the same from arrays
 *     only to be noted → one UPDATE from arrays
 *     the rest         → one by one (store_sql_meet.c): conflicts, archives
 */
#include <stdlib.h>
#include <string.h>

#include "central/db_postgres.h"
#include "central/postgres_binary.h"
#include "central/store_sql_private.h"
#include "gen/sql_postgres.h"
#include "gen/sql_postgres_copy.h"

/* Below that, arrays are quicker than the staging table. */
#define FEW 500
#define COPY_FIELDS 16

/* Records of a page, in its order. */
struct heap {
	const struct record **at;
	size_t n;
};

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

static void copy_all(struct meeting *m, int statement, const struct heap *h)
{
	struct copy c = copy_begin(m->db, statement);

	for (size_t i = 0; i < h->n; i++)
		copy_record(&c, h->at[i], m->sync->generation);
	copy_end(&c);
}

static void insert_all(struct meeting *m, const struct heap *h)
{
	if (h->n == 0)
		return;
	copy_all(m, SQL_POSTGRES_COPY_RECORDS_COPY, h);
	for (size_t i = 0; i < h->n; i++)
		digest_add(&m->sync->digest, h->at[i]->hash);
	m->taken += h->n;
}

/* --- arrays --- */

typedef void put_fn(struct buf *b, const struct record *r);

static void put_id(struct buf *b, const struct record *r)
{
	binary_put_bytes(b, r->id);
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
	{BINARY_TEXT, put_body},
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
#define COLUMNS_MAX (sizeof(replaced_columns) / sizeof(replaced_columns[0]))

/* Generation, the columns as arrays, owner.  Each record must hit its row, once. */
static void update_from_arrays(struct meeting *m, int statement, const struct column *columns,
	size_t n_columns, const struct heap *h)
{
	struct stmt q = stmt_begin(m->db, statement);
	struct buf arrays[COLUMNS_MAX] = {{0}};

	stmt_u64(q, 1, m->sync->generation);
	for (size_t k = 0; k < n_columns; k++) {
		binary_array(&arrays[k], columns[k].type, h->n);
		for (size_t i = 0; i < h->n; i++)
			columns[k].put(&arrays[k], h->at[i]);
		stmt_blob(q, (int)k + 2, buf_span(&arrays[k]));
	}
	stmt_text(q, (int)n_columns + 2, h->at[0]->owner);
	stmt_run(q);
	if (stmt_changes(q) != (int64_t)h->n)
		db_fail(m->db, CONFLICT, "records of %.*s are not each in one row", (int)h->at[0]->owner.len,
			h->at[0]->owner.at);
	for (size_t k = 0; k < n_columns; k++)
		buf_done(&arrays[k]);
}

static void note_all(struct meeting *m, const struct heap *h)
{
	if (h->n > 0)
		update_from_arrays(m, SQL_POSTGRES_BULK_KNOWN, known_columns,
			sizeof(known_columns) / sizeof(known_columns[0]), h);
}

static void replace_staged(struct meeting *m, const struct heap *h)
{
	struct stmt q;

	copy_all(m, SQL_POSTGRES_COPY_STAGED_COPY, h);
	q = stmt_begin(m->db, SQL_POSTGRES_BULK_REPLACE);
	stmt_text(q, 1, h->at[0]->owner);
	stmt_run(q);
	if (stmt_changes(q) != (int64_t)h->n)
		db_fail(m->db, CONFLICT, "records of %.*s are not each in one row", (int)h->at[0]->owner.len,
			h->at[0]->owner.at);
}

static void replace_all(struct meeting *m, const struct heap *h)
{
	if (h->n == 0)
		return;
	if (h->n < FEW)
		update_from_arrays(m, SQL_POSTGRES_BULK_REPLACE_FEW, replaced_columns, COLUMNS_MAX, h);
	else
		replace_staged(m, h);
}

/* --- a page --- */

struct sorting {
	struct meeting *m;
	const struct page *page;
	bool *present;
	struct heap absent, taken, noted, hard;
	struct standing *standings; /* of the hard ones */
};

static void heap_init(struct heap *h, size_t most, struct arena *a)
{
	*h = (struct heap){.at = arena_alloc(a, (most + 1) * sizeof(*h->at))};
}

static void heap_add(struct heap *h, const struct record *r)
{
	h->at[h->n++] = r;
}

static void keep_standing(struct sorting *s, const struct standing *st)
{
	struct standing *kept;

	if (s->hard.n % 64 == 0) {
		s->standings = realloc(s->standings, (s->hard.n + 64) * sizeof(*s->standings));
		if (!s->standings)
			abort();
	}
	kept = &s->standings[s->hard.n];
	*kept = *st;
}

static void sort_present(struct sorting *s, const struct record *l, const struct standing *st)
{
	struct meeting *m = s->m;
	bool was_known;
	struct merge how = store_compare(m, l, st, &was_known);

	if (how.verdict == MERGE_NOTHING) {
		if (!was_known || st->refused)
			heap_add(&s->noted, l);
	} else if (how.verdict == MERGE_TAKE && !how.archive_centre && !how.centre_was_restored) {
		digest_drop(&m->sync->digest, st->record.hash);
		digest_add(&m->sync->digest, l->hash);
		heap_add(&s->taken, l);
		m->taken++;
	} else {
		keep_standing(s, st);
		heap_add(&s->hard, l);
	}
}

static void look(struct sorting *s)
{
	struct stmt q = stmt_begin(s->m->db, SQL_POSTGRES_BULK_LOOK);
	struct buf ids = {0};
	struct standing st;

	binary_array(&ids, BINARY_TEXT, s->page->n);
	for (size_t i = 0; i < s->page->n; i++)
		binary_put_bytes(&ids, s->page->records[i].id);
	stmt_blob(q, 1, buf_span(&ids));
	stmt_text(q, 2, s->page->records[0].owner);
	while (stmt_step(q)) {
		uint64_t place = stmt_col_u64(q, 0) - 1;
		const struct record *l;

		if (place >= s->page->n)
			break;
		l = &s->page->records[place];
		s->present[place] = true;
		store_read_standing(q, 1, l->owner, l->id, &st);
		sort_present(s, l, &st);
	}
	stmt_done(q);
	buf_done(&ids);
}

/* The vector of a standing that was moved in memory is its own again. */
static void meet_hard(struct sorting *s)
{
	for (size_t i = 0; i < s->hard.n && db_failed(s->m->db, NULL) == OK; i++) {
		struct standing *st = &s->standings[i];

		if (st->record.vv)
			st->record.vv = &st->vv;
		store_meet_present(s->m, s->hard.at[i], st);
	}
}

static uint64_t fnv(struct span s)
{
	uint64_t h = 14695981039346656037U;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.at[i]) * 1099511628211U;
	return h;
}

/* What was looked up once cannot be compared with twice. */
static void refuse_twice(struct sorting *s)
{
	size_t room = 16;
	struct span *ids;

	while (room < 2 * s->page->n)
		room *= 2;
	ids = arena_alloc(&s->m->arena, room * sizeof(*ids));
	memset(ids, 0, room * sizeof(*ids));
	for (size_t i = 0; i < s->page->n; i++) {
		struct span id = s->page->records[i].id;
		size_t at = fnv(id) & (room - 1);

		if (!s->present[i])
			continue;
		while (ids[at].at && !span_equal(ids[at], id))
			at = (at + 1) & (room - 1);
		if (ids[at].at)
			db_fail(s->m->db, CONFLICT, "record %.*s stands twice in the page", (int)id.len,
				id.at);
		ids[at] = id;
	}
}

void store_bulk_insert(struct meeting *m, const struct page *p)
{
	struct heap all;

	heap_init(&all, p->n, &m->arena);
	for (size_t i = 0; i < p->n; i++)
		heap_add(&all, &p->records[i]);
	insert_all(m, &all);
}

void store_bulk_meet(struct meeting *m, const struct page *p, bool *ret_any_present)
{
	struct sorting s = {.m = m, .page = p};

	s.present = arena_alloc(&m->arena, p->n + 1);
	memset(s.present, 0, p->n + 1);
	heap_init(&s.absent, p->n, &m->arena);
	heap_init(&s.taken, p->n, &m->arena);
	heap_init(&s.noted, p->n, &m->arena);
	heap_init(&s.hard, p->n, &m->arena);
	if (p->n > 0)
		look(&s);
	refuse_twice(&s);
	for (size_t i = 0; i < p->n; i++)
		if (!s.present[i])
			heap_add(&s.absent, &p->records[i]);
	*ret_any_present = s.absent.n < p->n;
	if (db_failed(m->db, NULL) == OK) {
		insert_all(m, &s.absent);
		replace_all(m, &s.taken);
		note_all(m, &s.noted);
		meet_hard(&s);
	}
	free(s.standings);
}

void store_bulk_known(struct meeting *m, const struct record *const *rs, size_t n)
{
	struct heap h;

	heap_init(&h, n, &m->arena);
	for (size_t i = 0; i < n; i++)
		heap_add(&h, rs[i]);
	note_all(m, &h);
}
