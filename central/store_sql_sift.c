/*
 * Which records of a page does the database refuse?  Parts of the page are parts of the transaction, undone where they
 * fail and then split: where the failure says which record it was, there, else in halves.  So one such record costs
 * about as much as the page, and no more than twice that.  Where many are refused the parts are as short as what lies
 * between them.
 */
#include <string.h>

#include "central/store_sql_private.h"

struct sieve {
	struct meeting *m;
	const struct page *page;
	bool *refused;
	struct page_refused *found;
	size_t n;
};

static void meet(struct meeting *m, const struct page *part)
{
	bool any;

	if (m->st->postgres && part->n > 1) {
		store_bulk_meet(m, part, &any);
		return;
	}
	for (size_t i = 0; i < part->n && db_failed(m->db, NULL) == OK; i++) {
		m->culprit = &part->records[i];
		store_meet(m, m->culprit);
	}
}

/* The way it came is gone with the page's text; this is the same record. */
static void refuse(struct sieve *s, size_t i, const struct reason *why)
{
	const struct record *r = &s->page->records[i];
	struct buf line = {0};

	record_encode(r, &line);
	s->refused[i] = true;
	s->found[s->n++] = (struct page_refused){
		.claim = {.id = r->id, .hash = r->hash, .seq = r->seq},
		.line = {arena_copy(&s->m->arena, line.at, line.len), line.len},
		.why = *why,
	};
	buf_done(&line);
}

/* The failure that undid these records, and perhaps whose it was; OK: they are in. */
static enum err try(struct sieve *s, size_t from, size_t to, size_t *ret_culprit, struct reason *why)
{
	struct page part = *s->page;
	struct meeting before = *s->m;
	struct node_sync sync = *s->m->sync;
	enum err e;

	part.records += from;
	part.n = to - from;
	s->m->culprit = NULL;
	s->m->arena = (struct arena){0}; /* hundreds of parts may follow */
	db_savepoint(s->m->db);
	meet(s->m, &part);
	arena_done(&s->m->arena);
	if (db_failed(s->m->db, NULL) == OK) {
		s->m->arena = before.arena;
		db_release(s->m->db);
		return db_failed(s->m->db, why);
	}
	e = db_rollback_to(s->m->db, why);
	*ret_culprit = s->m->culprit ? (size_t)(s->m->culprit - s->page->records) : to;
	*s->m = before;
	*s->m->sync = sync;
	return e;
}

/* CONFLICT: two versions of one record, which only one by one can be compared. */
static bool may_split(enum err e, size_t n)
{
	return n > 1 && (e == INVALID || e == CONFLICT);
}

/*
 * What comes before the culprit is in order, as far as is known: so this goes deep only where it has to halve.  A wrong
 * one costs two more parts.
 */
static void sift(struct sieve *s, size_t from, size_t to)
{
	size_t most = to - from; /* at once: twice what went in or was passed last */

	while (from < to && s->n <= QUARANTINE_MOST && db_failed(s->m->db, NULL) == OK) {
		struct reason why = {""};
		size_t end = to - from > most ? from + most : to, culprit = end, next = end;
		enum err e = try(s, from, end, &culprit, &why);

		if (e == INVALID && end - from == 1) {
			refuse(s, from, &why);
		} else if (e != OK && !may_split(e, end - from)) {
			db_fail(s->m->db, e, "%s", why.text);
		} else if (e != OK && culprit < end) {
			sift(s, from, culprit);
			sift(s, culprit, culprit + 1);
			next = culprit + 1;
		} else if (e != OK) {
			next = from + (end - from) / 2;
			sift(s, from, next);
		}
		most = 2 * (next - from);
		from = next;
	}
}

/*
 * Would the store take anything at all of this owner?  Asked by a record like one it has, or the plainest there is;
 * no trace of it stays.
 */
static bool takes_any(struct meeting *m, struct span owner, struct reason *why)
{
	struct stmt q = stmt_begin(m->db, SQL_CENTRAL_RECORDS_LIST_OF);
	struct record r = {.type = span_of("canary"), .body = span_of("null"), .clock_error_us = -1};
	struct known none = {.generation = m->sync->generation};

	stmt_text(q, 1, owner);
	stmt_text(q, 2, span_of(""));
	stmt_i64(q, 3, INT64_MAX);
	stmt_text(q, 4, span_of(""));
	stmt_i64(q, 5, 0);
	stmt_i64(q, 6, 1);
	(void)store_take_record(q, &r, &m->arena);
	r.owner = owner;
	r.id = span_of("tidemark:canary");
	r.dot = (struct dot){1, 1};
	r.vv = NULL;
	r.hash = record_hash(&r);
	db_savepoint(m->db);
	(void)store_insert_record(m->db, &r, &none);
	return db_rollback_to(m->db, why) == OK;
}

void store_sift(
	struct meeting *m, const struct page *page, bool *refused, struct page_refused **ret, size_t *ret_n)
{
	struct sieve s = {.m = m, .page = page, .refused = refused};
	struct reason why = {""};

	memset(refused, 0, page->n);
	s.found = arena_alloc(&m->arena, (page->n + 1) * sizeof(*s.found));
	/* The whole has failed already. */
	if (page->n == 1) {
		sift(&s, 0, 1);
	} else {
		sift(&s, 0, page->n / 2);
		sift(&s, page->n / 2, page->n);
	}
	*ret = s.found;
	*ret_n = s.n;
	if (s.n < page->n || page->n == 0 || db_failed(m->db, NULL) != OK)
		return;
	if (page->n < QUARANTINE_WHOLE_PAGE && takes_any(m, page->records[0].owner, &why))
		return;
	db_fail(m->db, INVALID,
		"the store takes no record of this node, so none is put in quarantine: %.150s",
		s.found[0].why.text);
}
