/*
 * Small pages of several nodes in PostgreSQL: thousands of nodes with a record a second, whose records go in together.
 *
 *   those that are new → COPY straight into the table
 *   those of pages that are looked at first → one query for all, each compared (merge.h); then as of a large page
 *   (store_sql_bulk.c), but one statement for all owners
 */
#include <string.h>

#include "central/postgres_binary.h"
#include "central/store_sql_heap.h"
#include "gen/sql_postgres.h"

/* Of a page: that no record stands in it twice is found out by comparing each with each. */
#define SMALL 64

struct entry {
	struct small_page *of;
	const struct record *record;
	struct standing *standing; /* of those that are hard */
	bool present;
};

struct entries {
	struct db *db;
	struct arena arena;
	struct entry *at;
	size_t n;
	struct mixed_heap absent, taken, noted;
};

bool store_is_small(const struct page *p)
{
	if (p->n > SMALL)
		return false;
	for (size_t i = 1; i < p->n; i++)
		for (size_t k = 0; k < i; k++)
			if (span_equal(p->records[i].id, p->records[k].id))
				return false;
	return true;
}

static void list_all(struct entries *es, struct small_page *pages, size_t n)
{
	size_t most = 0;

	for (size_t i = 0; i < n; i++)
		most += pages[i].page->n;
	es->at = arena_alloc(&es->arena, (most + 1) * sizeof(*es->at));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < pages[i].page->n; k++)
			es->at[es->n++] =
				(struct entry){.of = &pages[i], .record = &pages[i].page->records[k]};
	store_mixed_init(&es->absent, most, &es->arena);
	store_mixed_init(&es->taken, most, &es->arena);
	store_mixed_init(&es->noted, most, &es->arena);
}

static void sort(struct entries *es, struct entry *e, const struct standing *st)
{
	struct meeting *m = e->of->m;

	switch (store_fate(m, e->record, st)) {
	case FATE_STAYS:
		break;
	case FATE_NOTED:
		store_mixed_add(&es->noted, m, e->record);
		break;
	case FATE_TAKEN:
		store_count_replaced(m, e->record, st);
		store_mixed_add(&es->taken, m, e->record);
		break;
	case FATE_HARD:
		e->standing = arena_alloc(&es->arena, sizeof(*e->standing));
		*e->standing = *st;
		if (st->record.vv)
			e->standing->record.vv = &e->standing->vv;
		break;
	}
}

/* `asked`: which entries stand in the arrays, by place. */
static void read_looked(struct entries *es, struct stmt q, struct entry *const *asked, size_t n)
{
	struct standing st;

	while (stmt_step(q)) {
		uint64_t place = stmt_col_u64(q, 0) - 1;
		struct entry *e;

		if (place >= n)
			break;
		e = asked[place];
		e->present = e->of->any_present = true;
		store_read_standing(q, 1, e->record->owner, e->record->id, &st);
		sort(es, e, &st);
	}
}

static void look(struct entries *es)
{
	struct entry **asked = arena_alloc(&es->arena, (es->n + 1) * sizeof(struct entry *));
	struct buf owners = {0}, ids = {0};
	struct stmt q;
	size_t n = 0;

	for (size_t i = 0; i < es->n; i++)
		if (es->at[i].of->look)
			asked[n++] = &es->at[i];
	if (n == 0)
		return;
	binary_array(&owners, BINARY_TEXT, n);
	binary_array(&ids, BINARY_TEXT, n);
	for (size_t i = 0; i < n; i++) {
		binary_put_bytes(&owners, asked[i]->record->owner);
		binary_put_bytes(&ids, asked[i]->record->id);
	}
	q = stmt_begin(es->db, SQL_POSTGRES_MANY_LOOK);
	stmt_bytes(q, 1, &owners);
	stmt_bytes(q, 2, &ids);
	read_looked(es, q, asked, n);
	stmt_done(q);
	buf_done(&owners);
	buf_done(&ids);
}

static void insert_absent(struct entries *es)
{
	for (size_t i = 0; i < es->n; i++) {
		struct entry *e = &es->at[i];

		if (e->present)
			continue;
		digest_add(&e->of->m->sync->digest, e->record->hash);
		e->of->m->taken++;
		store_mixed_add(&es->absent, e->of->m, e->record);
	}
	store_mixed_insert(es->db, &es->absent);
}

void store_small_meet(struct db *db, struct small_page *pages, size_t n)
{
	struct entries es = {.db = db};

	list_all(&es, pages, n);
	look(&es);
	if (db_failed(db, NULL) == OK) {
		insert_absent(&es);
		store_mixed_replace(db, &es.taken);
		store_mixed_note(db, &es.noted);
	}
	for (size_t i = 0; i < es.n && db_failed(db, NULL) == OK; i++)
		if (es.at[i].standing)
			store_meet_present(es.at[i].of->m, es.at[i].record, es.at[i].standing);
	arena_done(&es.arena);
}
