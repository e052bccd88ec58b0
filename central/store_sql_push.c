#include "central/store_sql_private.h"

#include <stdio.h>
#include <string.h>

#include "central/settle.h"

/* Room for one line besides what is of any length: dot, hash, times, the members' names, braces; and for what is expected. */
#define LINE_BYTES 294
#define EXPECTED_BYTES 34
#define DOT_BYTES 40
#define ROWS_LEAST 16

void push_page_done(struct push_page *p)
{
	arena_done(&p->arena);
	arena_done(&p->bodies);
	*p = (struct push_page){0};
}

struct filling {
	const char *node;
	struct node_sync sync; /* whose generation and sweep */
	struct push_page *page;
	unsigned limit;
	size_t bytes_left;
};

static size_t line_bytes(const struct record *r, bool expected)
{
	return LINE_BYTES + (expected ? EXPECTED_BYTES : 0) + r->owner.len + r->id.len + r->type.len +
	       r->body.len + (r->vv ? r->vv->n * DOT_BYTES : 0);
}

static void keep_item(struct push_page *p, struct record *r)
{
	struct span body = r->body;

	r->body = (struct span){0};
	store_keep_record(r, &p->arena);
	r->body = (struct span){arena_copy(&p->bodies, body.at, body.len), body.len};
}

/* False: the page is full without this row. */
static bool add_item(struct filling *f, struct stmt q)
{
	struct push_page *p = f->page;
	struct push_item *item = &p->items[p->n];
	struct vector vv;
	struct known known, now;
	size_t bytes;

	if (p->n == f->limit)
		return false;
	store_read_record(q, &item->record, &vv);
	known = store_read_known(q, 13);
	now = store_known(&known, &item->record, &f->sync);
	item->expected = now.held ? now.hash : (struct hash){{0}};
	bytes = line_bytes(&item->record, now.held);
	if (p->n > 0 && bytes > f->bytes_left)
		return false;
	f->bytes_left -= bytes < f->bytes_left ? bytes : f->bytes_left;
	p->bytes += bytes;
	keep_item(p, &item->record);
	p->n++;
	return true;
}

/* Adds the rows of a running query; true: to its end. */
static bool add_items(struct filling *f, struct stmt q)
{
	bool fits = true;

	while (fits && stmt_step(q))
		fits = add_item(f, q);
	stmt_done(q);
	return fits;
}

static struct stmt begin_rows(
	struct db *db, const struct filling *f, bool sweeps, const char *after, unsigned most)
{
	struct stmt q = stmt_begin(db, sweeps ? SQL_CENTRAL_PUSH_SWEEP : SQL_CENTRAL_PUSH_DIFFERING);
	int place = 3;

	stmt_text(q, 1, span_of(f->node));
	stmt_text(q, 2, span_of(after));
	if (sweeps)
		stmt_u64(q, place++, f->sync.generation);
	stmt_u64(q, place, most);
	return q;
}

/*
 * Adds what differs, or what a reset left behind; true: to the end.  A few at first and then ever more: a server
 * sends all that it was asked for, also what no longer fits.
 */
static bool add_rows(struct db *db, struct filling *f, bool sweeps)
{
	struct push_page *p = f->page;
	char after[RECORD_ID_MAX + 1] = "";
	size_t before;

	if (sweeps)
		memcpy(after, f->sync.sweep_after, sizeof(after));
	for (unsigned step = ROWS_LEAST;; step *= 2) {
		unsigned left = f->limit + 1 - (unsigned)p->n, most = step < left ? step : left;
		struct span last;

		before = p->n;
		if (!add_items(f, begin_rows(db, f, sweeps, after, most)))
			return false;
		if (p->n - before < most)
			return true;
		last = p->items[p->n - 1].record.id;
		memcpy(after, last.at, last.len);
		after[last.len] = '\0';
	}
}

static void fill_by_sweep(struct db *db, struct filling *f)
{
	struct push_page *p = f->page;
	size_t before = p->n;

	p->sweep_ends = add_rows(db, f, true);
	if (!p->sweep_ends && p->n > before) {
		struct span last = p->items[p->n - 1].record.id;

		memcpy(p->sweep_to, last.at, last.len);
	}
}

static void fill(struct db *db, struct filling *f)
{
	bool all = add_rows(db, f, false);

	f->page->differing = f->page->n;
	if (all && !f->sync.swept)
		fill_by_sweep(db, f);
}

/* Nothing was found up to the end.  What has been edited since the look differs, so the sweep need not see
 * it. */
static enum err end_sweep(
	struct store *st, const char *name, const struct node_sync *basis, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct node n;
	enum err e;

	store_lock_owner(st, db, span_of(name));
	e = store_check_basis(st, db, name, basis, &n, why);
	if (e == OK && !n.sync.swept) {
		settle_push(&n.sync, &(struct push_page){.sweep_ends = true},
			&(struct page_end){.to = n.sync.witness});
		store_save_sync(db, name, &n.sync);
	}
	return store_write_end(st, db, e, why);
}

static enum err read_page(struct store *st, struct filling *f, bool ahead, struct reason *why)
{
	struct push_page *p = f->page;
	struct db *db = store_read_begin(st);
	struct node n;
	enum err e = store_check_basis(st, db, f->node, &f->sync, &n, why);

	if (e == OK) {
		p->items = arena_alloc(&p->arena, ((size_t)f->limit + 1) * sizeof(*p->items));
		if (ahead) {
			fill_by_sweep(db, f);
		} else {
			f->sync = n.sync;
			fill(db, f);
		}
	}
	return store_read_end(st, db, e, why);
}

enum err store_push_page(struct store *st, const char *node, const struct node_sync *basis, unsigned limit,
	size_t max_bytes, struct push_page *ret, struct reason *why)
{
	struct push_page p = {0};
	struct filling f = {node, *basis, &p, limit, max_bytes};
	enum err e = read_page(st, &f, false, why);

	if (e == OK && p.n == 0 && p.sweep_ends)
		e = end_sweep(st, node, basis, why);
	if (e == OK)
		*ret = p;
	else
		push_page_done(&p);
	return e;
}

enum err store_push_ahead(struct store *st, const char *node, const struct node_sync *basis, unsigned limit,
	size_t max_bytes, struct push_page *ret, struct reason *why)
{
	struct push_page p = {0};
	struct filling f = {node, *basis, &p, limit, max_bytes};
	enum err e = read_page(st, &f, true, why);

	if (e == OK)
		*ret = p;
	else
		push_page_done(&p);
	return e;
}

/* --- answers --- */

struct answering {
	struct push_apply *p;
	struct meeting meeting;
	const struct push_answer *rejection; /* the first */
	const struct record **held;          /* what the local says to hold now */
	size_t n_held;
	struct page told; /* what the local holds where it took nothing, as a page would bring it */
};

/* Not offered again in this generation, unless it has been edited since it was sent. */
static void note_rejected(struct answering *a, const struct record *r, const struct push_answer *answer)
{
	struct standing s;
	struct known now;

	a->p->rejected++;
	if (!a->rejection)
		a->rejection = answer;
	store_look(a->meeting.db, r->owner, r->id, &s);
	if (!s.present || !hash_equal(s.record.hash, r->hash))
		return;
	now = store_known(&s.known, &s.record, a->meeting.sync);
	store_note_known(a->meeting.db, r, &now, true);
}

static void note_answer(struct answering *a, const struct push_item *item, const struct push_answer *answer)
{
	struct db *db = a->meeting.db;
	uint64_t generation = a->meeting.sync->generation;

	switch (answer ? answer->result : PUSH_REJECTED) {
	case PUSH_APPLIED:
		a->p->applied++;
		a->held[a->n_held++] = &item->record;
		break;
	case PUSH_ALREADY:
		a->p->already++;
		a->held[a->n_held++] = &item->record;
		break;
	case PUSH_CONFLICT:
		a->p->refused++;
		if (answer->has_record)
			a->told.records[a->told.n++] = answer->record;
		else if (answer->broken)
			a->told.refused[a->told.n_refused++] = *answer->broken;
		else
			store_note_known(db, &item->record, &(struct known){.generation = generation}, false);
		break;
	case PUSH_REJECTED:
		note_rejected(a, &item->record, answer);
		break;
	}
}

/* Has a row of the sweep been edited since it was read, or is one refused?  Then they are noted one by one. */
static bool sweep_is_disturbed(struct db *db, const struct push_page *sent)
{
	struct span first, last;
	struct stmt q;
	bool any;

	if (sent->differing == sent->n)
		return false;
	first = sent->items[sent->differing].record.id;
	last = sent->items[sent->n - 1].record.id;
	q = stmt_begin(db, SQL_CENTRAL_PUSH_DISTURBED);
	stmt_text(q, 1, sent->items[0].record.owner);
	stmt_text(q, 2, first);
	stmt_text(q, 3, last);
	any = stmt_step(q);
	stmt_done(q);
	return any;
}

/* What the sweep found as it was known before need not be written: the sweep's place says that it is held (store_known()). */
static void note_held(struct answering *a, size_t of_differing)
{
	struct meeting *m = &a->meeting;
	size_t n = sweep_is_disturbed(m->db, a->p->sent) ? a->n_held : of_differing;

	if (m->st->postgres) {
		store_bulk_known(m, a->held, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		store_note_known(m->db, a->held[i],
			&(struct known){true, a->held[i]->hash, m->sync->generation}, false);
}

/* `sifting`: the database refuses something of it. */
static void meet_told(struct answering *a, bool sifting)
{
	struct meeting *m = &a->meeting;
	bool *refused = arena_alloc(&m->arena, a->told.n + 1);
	struct page_refused *found = NULL;
	size_t n = 0;

	if (sifting && a->told.n > 0)
		store_sift(m, &a->told, refused, &found, &n);
	for (size_t i = 0; !sifting && i < a->told.n && db_failed(m->db, NULL) == OK; i++)
		store_meet(m, &a->told.records[i]);
	store_quarantine_settle(m, &a->told, found ? refused : NULL, found, n);
	a->p->quarantine = m->quarantine;
}

/* Room for what there is: that for a whole page of conflicts would be megabytes for each page of a refill. */
static void prepare(struct answering *a, const struct push_answer *const *by_item)
{
	size_t n = a->p->sent->n, records = 0, broken = 0;
	struct arena *arena = &a->meeting.arena;

	for (size_t i = 0; i < n; i++) {
		records += by_item[i] && by_item[i]->has_record;
		broken += by_item[i] && by_item[i]->broken != NULL;
	}
	a->held = arena_alloc(arena, (n + 1) * sizeof(*a->held));
	a->told.records = arena_alloc(arena, (records + 1) * sizeof(*a->told.records));
	a->told.refused = arena_alloc(arena, (broken + 1) * sizeof(*a->told.refused));
	(void)snprintf(a->told.begin.node, sizeof(a->told.begin.node), "%s", a->p->node);
}

static void apply_answers(struct answering *a, const struct push_answer *const *by_item, bool sifting)
{
	struct push_apply *p = a->p;
	struct meeting *m = &a->meeting;
	struct event events[SETTLE_EVENTS];
	struct node_sync before = p->sync;
	size_t of_differing = 0;
	unsigned n;

	prepare(a, by_item);
	for (size_t i = 0; i < p->sent->n && db_failed(m->db, NULL) == OK; i++) {
		note_answer(a, &p->sent->items[i], by_item[i]);
		if (i < p->sent->differing)
			of_differing = a->n_held;
	}
	note_held(a, of_differing);
	meet_told(a, sifting);
	p->conflicts = m->conflicts;
	p->archived = m->archived;
	p->centre_restored = m->centre_restored;
	settle_own(&p->sync, p->sent, by_item, &p->answers->end);
	settle_push(&p->sync, p->sent, &p->answers->end);
	p->to_push = !p->sync.swept || store_any(m->db, SQL_CENTRAL_PUSH_DIFFERS, p->node);
	if (!settle_same_sync(&before, &p->sync))
		store_save_sync(m->db, p->node, &p->sync);
	n = settle_push_events(p, a->rejection, events);
	if (db_failed(m->db, NULL) == OK)
		store_tell_moves(m->st, m->db, p->node, events, n);
}

static enum err apply_push(struct store *st, struct push_apply *p, const struct push_answer *const *by_item,
	bool sifting, struct reason *why)
{
	struct push_apply tried = {
		.node = p->node, .basis = p->basis, .sent = p->sent, .answers = p->answers};
	struct answering a = {.p = &tried};
	struct db *db = store_write_begin(st);
	struct node n;
	enum err e;

	store_lock_owner(st, db, span_of(p->node));
	e = store_check_basis(st, db, p->node, p->basis, &n, why);
	if (e == OK) {
		tried.sync = n.sync;
		a.meeting.st = st;
		a.meeting.db = db;
		a.meeting.sync = &tried.sync;
		apply_answers(&a, by_item, sifting);
	}
	e = store_write_end(st, db, e, why);
	arena_done(&a.meeting.arena);
	*p = tried;
	return e;
}

enum err store_apply_push(struct store *st, struct push_apply *p, struct reason *why)
{
	struct arena arena = {0};
	const struct push_answer **by_item =
		arena_alloc(&arena, (p->sent->n + 1) * sizeof(struct push_answer *));
	enum err e = settle_match(p->sent, p->answers, by_item, why);

	if (e == OK) {
		e = apply_push(st, p, by_item, false, why);
		if (e == INVALID)
			e = apply_push(st, p, by_item, true, why);
	}
	arena_done(&arena);
	return e;
}
