/*
 * A page's records in PostgreSQL, many in one statement.
 *
 *   all new            → COPY straight into the table
 *   after a reset      → one UPDATE notes those that are the same as the store's, unseen
 *   else one look at all of them, each compared (merge.h), and by what comes of it:
 *     absent           → COPY straight into the table
 *     taken as it is   → one UPDATE from arrays, of the rows where they were seen; of very many one DELETE, and COPY
 *     only to be noted → one UPDATE from arrays
 *     the rest         → one by one (store_sql_meet.c): conflicts, archives
 */
#include <stdlib.h>
#include <string.h>

#include "central/postgres_binary.h"
#include "central/store_sql_heap.h"
#include "gen/sql_postgres.h"

struct sorting {
	struct meeting *m;
	const struct page *page;
	bool *present;
	struct heap absent, taken, noted, hard;
	struct row_place *places;   /* of the taken ones */
	struct standing *standings; /* of the hard ones */
};

static void keep_standing(struct sorting *s, const struct standing *st)
{
	struct standing *kept;

	if (s->hard.n % 64 == 0) {
		s->standings = realloc(s->standings, (s->hard.n + 64) * sizeof(*s->standings));
		if (!s->standings)
			err_out_of_memory();
	}
	kept = &s->standings[s->hard.n];
	*kept = *st;
}

static void sort_present(
	struct sorting *s, const struct record *l, const struct standing *st, struct row_place place)
{
	switch (store_fate(s->m, l, st)) {
	case FATE_STAYS:
		break;
	case FATE_NOTED:
		store_heap_add(&s->noted, l);
		break;
	case FATE_TAKEN:
		digest_drop(&s->m->sync->digest, st->record.hash);
		s->places[s->taken.n] = place;
		store_heap_add(&s->taken, l);
		break;
	case FATE_HARD:
		keep_standing(s, st);
		store_heap_add(&s->hard, l);
		break;
	}
}

/* In what is read again after a reset most records are the same still: noted without being looked at. */
static void note_same(struct sorting *s)
{
	struct heap all;

	store_heap_init(&all, s->page->n, &s->m->arena);
	for (size_t i = 0; i < s->page->n; i++)
		store_heap_add(&all, &s->page->records[i]);
	store_heap_note_same(s->m, &all, s->present);
}

static void look_at(struct sorting *s, const struct heap *asked)
{
	struct stmt q = stmt_begin(s->m->db, SQL_POSTGRES_BULK_LOOK);
	struct buf ids = {0};
	struct standing st;
	struct row_place stands;

	binary_array(&ids, BINARY_TEXT, asked->n);
	for (size_t i = 0; i < asked->n; i++)
		binary_put_bytes(&ids, asked->at[i]->id);
	stmt_bytes(q, 1, &ids);
	stmt_text(q, 2, s->page->records[0].owner);
	while (stmt_step(q)) {
		uint64_t place = stmt_col_u64(q, 0) - 1;
		const struct record *l;

		if (place >= asked->n)
			break;
		l = asked->at[place];
		s->present[l - s->page->records] = true;
		store_read_place(q, 1, &stands);
		store_read_standing(q, 2, l->owner, l->id, &st);
		sort_present(s, l, &st, stands);
	}
	stmt_done(q);
	buf_done(&ids);
}

static void look(struct sorting *s)
{
	struct heap asked;

	store_heap_init(&asked, s->page->n, &s->m->arena);
	for (size_t i = 0; i < s->page->n; i++)
		if (!s->present[i])
			store_heap_add(&asked, &s->page->records[i]);
	for (size_t from = 0; from < asked.n; from += HEAP_PART) {
		struct heap part = store_heap_part(&asked, from);

		look_at(s, &part);
	}
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

/* What was looked up once cannot be compared with twice.  Where all are new or taken the database itself finds a second one. */
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

static void enter(struct sorting *s)
{
	if (!store_heap_is_put_anew(&s->taken)) {
		store_heap_insert(s->m, &s->absent);
		store_heap_replace(s->m, &s->taken, s->places);
		return;
	}
	store_heap_remove(s->m, &s->taken, s->places);
	for (size_t i = 0; i < s->taken.n; i++)
		store_heap_add(&s->absent, s->taken.at[i]);
	store_heap_insert(s->m, &s->absent);
}

void store_bulk_insert(struct meeting *m, const struct page *p)
{
	struct heap all;

	store_heap_init(&all, p->n, &m->arena);
	for (size_t i = 0; i < p->n; i++)
		store_heap_add(&all, &p->records[i]);
	store_heap_insert(m, &all);
}

void store_bulk_meet(struct meeting *m, const struct page *p, bool *ret_any_present)
{
	struct sorting s = {.m = m, .page = p};

	s.present = arena_alloc(&m->arena, p->n + 1);
	memset(s.present, 0, p->n + 1);
	store_heap_init(&s.absent, p->n, &m->arena);
	store_heap_init(&s.taken, p->n, &m->arena);
	s.places = arena_alloc(&m->arena, (p->n + 1) * sizeof(*s.places));
	store_heap_init(&s.noted, p->n, &m->arena);
	store_heap_init(&s.hard, p->n, &m->arena);
	if (p->n > 0 && m->sync->reconciling)
		note_same(&s);
	look(&s);
	for (size_t i = 0; i < p->n; i++)
		if (!s.present[i])
			store_heap_add(&s.absent, &p->records[i]);
	*ret_any_present = s.absent.n < p->n;
	if (s.absent.n + s.taken.n < p->n)
		refuse_twice(&s);
	if (db_failed(m->db, NULL) == OK) {
		enter(&s);
		store_heap_note(m, &s.noted);
		meet_hard(&s);
	}
	free(s.standings);
}

void store_bulk_known(struct meeting *m, const struct record *const *rs, size_t n)
{
	struct heap h;

	store_heap_init(&h, n, &m->arena);
	for (size_t i = 0; i < n; i++)
		store_heap_add(&h, rs[i]);
	store_heap_note(m, &h);
}
