/* Quarantine: what a page puts into it and takes out of it, and what proofs leave out. */
#include "central/store_sql_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

#define NOT_HELD 0 /* a generation that no node is in once it has been read */

struct entry {
	uint64_t number;
	char id[RECORD_ID_MAX + 1];
	struct hash hash;
	uint64_t seq, generation;
};

/* All of one owner, by id. */
struct entries {
	struct span owner;
	struct entry *at;
	size_t n;
};

static void load(struct meeting *m, struct span owner, struct entries *ret)
{
	struct stmt q = stmt_begin(m->db, SQL_CENTRAL_QUARANTINE_OF);

	ret->owner = owner;
	ret->n = 0;
	ret->at = arena_alloc(&m->arena, (m->sync->quarantined + 1) * sizeof(*ret->at));
	stmt_text(q, 1, owner);
	while (stmt_step(q) && ret->n < m->sync->quarantined) {
		struct entry *e = &ret->at[ret->n++];
		struct span id = stmt_col_text(q, 1);

		*e = (struct entry){.number = stmt_col_u64(q, 0),
			.hash = store_read_hash(q, 2),
			.generation = stmt_col_u64(q, 4),
			.seq = stmt_col_u64(q, 5)};
		(void)snprintf(e->id, sizeof(e->id), "%.*s", (int)id.len, id.at);
	}
	stmt_done(q);
}

static int by_id(const void *key, const void *at)
{
	const struct span *id = key;
	const struct entry *e = at;
	int order = strncmp(id->at, e->id, id->len);

	return order ? order : -(int)(unsigned char)e->id[id->len];
}

/* The first entry of an id; *ret_n: how many. */
static struct entry *find(const struct entries *es, struct span id, size_t *ret_n)
{
	struct entry *e = es->n > 0 ? bsearch(&id, es->at, es->n, sizeof(*e), by_id) : NULL;

	*ret_n = 0;
	if (!e)
		return NULL;
	while (e > es->at && span_is(id, e[-1].id))
		e--;
	while (e + *ret_n < es->at + es->n && span_is(id, e[*ret_n].id))
		++*ret_n;
	return e;
}

void store_quarantine_forget(struct db *db, struct node_sync *sync, uint64_t number)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_QUARANTINE_DROP);

	stmt_u64(q, 1, number);
	stmt_run(q);
	sync->quarantined -= (uint64_t)stmt_changes(q);
}

void store_quarantine_unheld(struct db *db, struct span owner, struct span id, uint64_t generation)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_QUARANTINE_UNHELD);

	stmt_u64(q, 1, NOT_HELD);
	stmt_text(q, 2, owner);
	stmt_text(q, 3, id);
	stmt_u64(q, 4, generation);
	stmt_run(q);
}

/* The record that is kept, in the arena's memory.  False: it is none, or gone. */
static bool read_kept(struct meeting *m, struct span owner, const struct entry *e, struct record *ret)
{
	const struct record_decode how = {.owner = owner};
	struct stmt q = stmt_begin(m->db, SQL_CENTRAL_QUARANTINE_GET);
	struct span line = {0};

	stmt_u64(q, 1, e->number);
	if (stmt_step(q)) {
		line = stmt_col_blob(q, 5);
		line.at = arena_copy(&m->arena, line.at, line.len);
	}
	stmt_done(q);
	return line.len > 0 && record_decode(ret, line, &how, &m->arena, NULL) == OK;
}

/*
 * The local's new version was written over what is kept.  One that besides knows a centre's version was merged with
 * it, and the loser went to an archive: which is not there, or the entry would not be either.  The centre was restored.
 */
static bool carries_on(const struct record *now, const struct record *kept)
{
	return version_covers(now->dot, now->vv, kept->dot) &&
	       !version_knows_more_of_centre(now->dot, now->vv, kept->dot, kept->vv);
}

static void hold(struct meeting *m, const struct entry *e, uint64_t generation, uint64_t seq)
{
	struct stmt q = stmt_begin(m->db, SQL_CENTRAL_QUARANTINE_HELD);

	stmt_u64(q, 1, generation);
	stmt_u64(q, 2, seq);
	stmt_u64(q, 3, e->number);
	stmt_run(q);
}

/*
 * The local has told which version of this record it holds; `now` NULL: one that cannot be read.  What it held before
 * has been replaced by whoever wrote there, and goes: unless the new version does not know it, as when a row had been
 * deleted behind the local's back.  Then it may be all that is left of a version, as an entry of an earlier generation
 * may, and stays like one.
 */
static void told(struct meeting *m, const struct entries *es, struct span owner, struct span id,
	struct hash hash, const struct record *now, bool accepted)
{
	size_t n;
	struct entry *e = find(es, id, &n);

	for (size_t i = 0; i < n; i++) {
		bool same = hash_equal(e[i].hash, hash);
		struct record kept = {0};

		if (same ? !accepted : e[i].generation != m->sync->generation)
			continue;
		if (!same && read_kept(m, owner, &e[i], &kept) && !(now && carries_on(now, &kept))) {
			hold(m, &e[i], NOT_HELD, e[i].seq);
			continue;
		}
		store_quarantine_forget(m->db, m->sync, e[i].number);
		m->quarantine.out++;
	}
}

void store_quarantine_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void add(struct meeting *m, struct span owner, const struct page_refused *r)
{
	struct stmt q = stmt_begin(m->db, SQL_CENTRAL_QUARANTINE_ADD);
	struct reason why = r->why;

	store_quarantine_plain(why.text);
	stmt_i64(q, 1, clock_wall_us());
	stmt_text(q, 2, owner);
	stmt_text(q, 3, r->claim.id);
	stmt_u64(q, 4, r->claim.hash.half[0]);
	stmt_u64(q, 5, r->claim.hash.half[1]);
	stmt_u64(q, 6, r->claim.seq);
	stmt_u64(q, 7, m->sync->generation);
	stmt_blob(q, 8, r->line);
	stmt_text(q, 9, span_of(why.text));
	stmt_run(q);
	if (stmt_changes(q) == 0)
		return;
	m->sync->quarantined++;
	if (m->quarantine.in++ > 0)
		return;
	m->quarantine.why = why;
	(void)snprintf(m->quarantine.first, sizeof(m->quarantine.first), "%.*s", (int)r->claim.id.len,
		r->claim.id.at);
}

/* One that is there already is held again. */
static void refuse(
	struct meeting *m, const struct entries *es, struct span owner, const struct page_refused *r)
{
	const struct record_decode how = {.owner = owner};
	struct record now;
	size_t n;
	struct entry *e = find(es, r->claim.id, &n);

	if (n > 0)
		told(m, es, owner, r->claim.id, r->claim.hash,
			record_decode(&now, r->line, &how, &m->arena, NULL) == OK ? &now : NULL, false);
	for (size_t i = 0; i < n; i++) {
		if (!hash_equal(e[i].hash, r->claim.hash))
			continue;
		if (e[i].generation == m->sync->generation)
			return;
		hold(m, &e[i], m->sync->generation, r->claim.seq);
		return;
	}
	add(m, owner, r);
}

static uint64_t bytes_of(struct db *db, struct span owner)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_QUARANTINE_BYTES_OF);
	uint64_t bytes = 0;

	stmt_text(q, 1, owner);
	while (stmt_step(q))
		bytes = stmt_col_u64(q, 0);
	stmt_done(q);
	return bytes;
}

/* A local must not fill the disk with what nobody can use. */
static void check_most(struct meeting *m, struct span owner)
{
	if (m->quarantine.in == 0)
		return;
	if (m->sync->quarantined > QUARANTINE_MOST)
		db_fail(m->db, INVALID,
			"more than %d of its records would be in quarantine; the latest, %s: %.130s",
			QUARANTINE_MOST, m->quarantine.first, m->quarantine.why.text);
	else if (bytes_of(m->db, owner) > QUARANTINE_BYTES_MOST)
		db_fail(m->db, INVALID,
			"more than %d MiB of its records would be in quarantine; the latest, %s: %.130s",
			QUARANTINE_BYTES_MOST >> 20, m->quarantine.first, m->quarantine.why.text);
}

void store_quarantine_settle(struct meeting *m, const struct page *page, const bool *refused,
	const struct page_refused *by_store, size_t n)
{
	struct span owner = span_of(page->begin.node);
	struct entries es = {0};

	if (m->sync->quarantined > 0 && page->n + page->n_refused > 0)
		load(m, owner, &es);
	for (size_t i = 0; es.n > 0 && i < page->n; i++)
		if (!refused || !refused[i])
			told(m, &es, owner, page->records[i].id, page->records[i].hash, &page->records[i],
				true);
	for (size_t i = 0; i < page->n_refused && db_failed(m->db, NULL) == OK; i++)
		refuse(m, &es, owner, &page->refused[i]);
	for (size_t i = 0; i < n && db_failed(m->db, NULL) == OK; i++)
		refuse(m, &es, owner, &by_store[i]);
	check_most(m, owner);
}

void store_quarantine_explained(struct db *db, const char *owner, struct explained *ret)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_QUARANTINE_EXPLAINS);

	*ret = (struct explained){0};
	stmt_text(q, 1, span_of(owner));
	while (stmt_step(q)) {
		digest_add(&ret->local, store_read_hash(q, 0));
		if (!stmt_col_null(q, 2))
			digest_add(&ret->centre, store_read_hash(q, 2));
	}
	stmt_done(q);
}
