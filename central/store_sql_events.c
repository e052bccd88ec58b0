#include "central/store_sql_private.h"

#include <stdint.h>
#include <stdlib.h>

#include "central/listing.h"
#include "central/postgres_binary.h"
#include "gen/sql_postgres.h"
#include "shared/clock.h"

#define PRUNE_EVERY_MOST 1000
#define AUDIT_SORTS 3 /* the query knows them */

/* Many at once; few more than wanted may lie about meanwhile. */
static uint64_t prune_every(uint64_t kept)
{
	uint64_t tenth = kept / 10 + 1;

	return tenth < PRUNE_EVERY_MOST ? tenth : PRUNE_EVERY_MOST;
}

/* The newest event that is one too many, as `q` finds it; 0 = none. */
static uint64_t find_old(struct stmt q)
{
	uint64_t old = 0;

	if (stmt_step(q))
		old = stmt_col_u64(q, 0);
	stmt_done(q);
	return old;
}

static void prune_audit(struct store *st, struct db *db)
{
	for (int sort = 0; sort < AUDIT_SORTS; sort++) {
		struct stmt q = stmt_begin(db, SQL_CENTRAL_AUDIT_OLD);
		uint64_t old;

		stmt_i64(q, 1, sort);
		stmt_u64(q, 2, st->audit_kept < INT64_MAX ? st->audit_kept : INT64_MAX);
		old = find_old(q);
		if (old == 0)
			continue;
		q = stmt_begin(db, SQL_CENTRAL_AUDIT_PRUNE);
		stmt_u64(q, 1, old);
		stmt_i64(q, 2, sort);
		stmt_run(q);
	}
}

static void prune_others(struct store *st, struct db *db)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_EVENTS_OLD);
	uint64_t old;

	stmt_u64(q, 1, st->events_kept);
	old = find_old(q);
	if (old == 0)
		return;
	q = stmt_begin(db, SQL_CENTRAL_EVENTS_PRUNE);
	stmt_u64(q, 1, old);
	stmt_run(q);
}

/* Each sort by its own number: what people did is not washed away by what happens by itself, nor that by what people do. */
static void prune(struct store *st, struct db *db, uint64_t id, bool of_audit)
{
	if (id > st->events_kept && id % prune_every(st->events_kept) == 0)
		prune_others(st, db);
	if (of_audit && atomic_fetch_add(&st->audited, 1) % prune_every(st->audit_kept) == 0)
		prune_audit(st, db);
}

static void bind_text(struct stmt q, int place, const char *text)
{
	if (text)
		stmt_text(q, place, span_of(text));
	else
		stmt_null(q, place);
}

/* One end of a change; a text, unlike what stmt_bytes() binds. */
static void bind_end(struct stmt q, int place, const struct buf *end)
{
	if (end && buf_failed(end))
		db_fail(q.db, RETRY, "out of memory");
	if (end && end->len > 0)
		stmt_text(q, place, buf_span(end));
	else
		stmt_null(q, place);
}

static uint64_t insert_event(struct db *db, const struct event *ev, int64_t at_us)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_EVENT_ADD);
	const struct audit *a = ev->by ? ev->audit : NULL;
	uint64_t id = 0;

	stmt_i64(q, 1, at_us);
	stmt_i64(q, 2, ev->level);
	stmt_text(q, 3, span_of(ev->kind));
	bind_text(q, 4, ev->node);
	stmt_text(q, 5, span_of(ev->text.text));
	bind_text(q, 6, ev->by ? ev->by->who : NULL);
	bind_text(q, 7, ev->by ? ev->by->address : NULL);
	bind_end(q, 8, a ? &a->before : NULL);
	bind_end(q, 9, a ? &a->after : NULL);
	while (stmt_step(q)) /* to its end: a RETURNING that is left early is not finished */
		id = stmt_col_u64(q, 0);
	stmt_done(q);
	return id;
}

uint64_t store_tell(struct store *st, struct db *db, const struct event *ev)
{
	int64_t at_us = clock_wall_us();
	uint64_t id = insert_event(db, ev, at_us);

	*store_tells(st, db) = true;
	prune(st, db, id, ev->by);
	if (st->notify && id > 0)
		store_notice(st, db, id, at_us, ev);
	return id;
}

/* NULL, or empty: null. */
static void put_text(struct buf *array, const char *text)
{
	if (text)
		binary_put_bytes(array, span_of(text));
	else
		binary_put_null(array);
}

static void put_end(struct db *db, struct buf *array, const struct buf *end)
{
	if (end && buf_failed(end))
		db_fail(db, RETRY, "out of memory");
	if (end && end->len > 0)
		binary_put_bytes(array, buf_span(end));
	else
		binary_put_null(array);
}

enum { LEVEL, KIND, NODE, TEXT, WHO, ADDRESS, BEFORE, AFTER, COLUMNS };

static void put_event(struct db *db, struct buf arrays[COLUMNS], const struct event *ev)
{
	const struct audit *a = ev->by ? ev->audit : NULL;

	binary_put_u64(&arrays[LEVEL], (uint64_t)ev->level);
	put_text(&arrays[KIND], ev->kind);
	put_text(&arrays[NODE], ev->node);
	put_text(&arrays[TEXT], ev->text.text);
	put_text(&arrays[WHO], ev->by ? ev->by->who : NULL);
	put_text(&arrays[ADDRESS], ev->by ? ev->by->address : NULL);
	put_end(db, &arrays[BEFORE], a ? &a->before : NULL);
	put_end(db, &arrays[AFTER], a ? &a->after : NULL);
}

/* The first one's number. */
static uint64_t insert_events(struct db *db, const struct event *evs, size_t n, int64_t at_us)
{
	static const enum binary_element types[COLUMNS] = {BINARY_BIGINT, BINARY_TEXT, BINARY_TEXT,
		BINARY_TEXT, BINARY_TEXT, BINARY_TEXT, BINARY_JSON, BINARY_JSON};
	struct buf arrays[COLUMNS] = {{0}};
	struct stmt q;
	uint64_t first = 0;

	for (int k = 0; k < COLUMNS; k++)
		binary_array(&arrays[k], types[k], n);
	for (size_t i = 0; i < n; i++)
		put_event(db, arrays, &evs[i]);
	q = stmt_begin(db, SQL_POSTGRES_MANY_EVENTS);
	stmt_u64(q, 1, n);
	stmt_i64(q, 2, at_us);
	for (int k = 0; k < COLUMNS; k++)
		stmt_bytes(q, k + 3, &arrays[k]);
	if (stmt_step(q))
		first = stmt_col_u64(q, 0);
	stmt_done(q);
	for (int k = 0; k < COLUMNS; k++)
		buf_done(&arrays[k]);
	return first;
}

void store_tell_all(struct store *st, struct db *db, const struct event *evs, size_t n)
{
	int64_t at_us = clock_wall_us();
	uint64_t first;

	if (!st->postgres || n < 2) {
		for (size_t i = 0; i < n; i++)
			(void)store_tell(st, db, &evs[i]);
		return;
	}
	first = insert_events(db, evs, n, at_us);
	if (first == 0)
		return;
	*store_tells(st, db) = true;
	for (size_t i = 0; i < n; i++) {
		prune(st, db, first + i, evs[i].by);
		if (st->notify)
			store_notice(st, db, first + i, at_us, &evs[i]);
	}
}

static void keep(struct told *t, const struct event *ev)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 16;
		t->at = realloc(t->at, t->room * sizeof(*t->at));
		if (!t->at)
			err_out_of_memory();
	}
	t->at[t->n++] = *ev;
}

void store_gather_moves(
	struct store *st, const char *node, const struct event *evs, unsigned n, struct told *ret)
{
	int64_t now_us = clock_mono_us();
	struct event ev;

	for (unsigned i = 0; i < n; i++) {
		ev = evs[i];
		if (spate_pass(st->spate, &ev, now_us))
			keep(ret, &ev);
	}
	while (spate_owed(st->spate, node, now_us, &ev))
		keep(ret, &ev);
}

void store_told_done(struct told *t)
{
	free(t->at);
	*t = (struct told){0};
}

void store_tell_moves(struct store *st, struct db *db, const char *node, struct event *evs, unsigned n)
{
	struct told t = {0};

	store_gather_moves(st, node, evs, n, &t);
	store_tell_all(st, db, t.at, t.n);
	store_told_done(&t);
}

enum err store_events_add(struct store *st, const struct event *evs, size_t n, struct reason *why)
{
	struct db *db = store_write_begin(st);

	store_tell_all(st, db, evs, n);
	return store_write_end(st, db, OK, why);
}

/* Which statement: those of the audit have indexes of their own. */
static int statement_of(const struct event_query *e, bool newest)
{
	if (e->who)
		return newest ? SQL_CENTRAL_EVENTS_NEWEST_BY : SQL_CENTRAL_EVENTS_RISING_BY;
	if (e->audit)
		return newest ? SQL_CENTRAL_EVENTS_NEWEST_AUDIT : SQL_CENTRAL_EVENTS_RISING_AUDIT;
	if (e->node)
		return newest ? SQL_CENTRAL_EVENTS_NEWEST_OF : SQL_CENTRAL_EVENTS_RISING_OF;
	return newest ? SQL_CENTRAL_EVENTS_NEWEST : SQL_CENTRAL_EVENTS_RISING;
}

static struct stmt begin_events(struct db *db, const struct event_query *e, bool newest)
{
	struct stmt q = stmt_begin(db, statement_of(e, newest));
	bool audit = e->audit || e->who;
	int place = 5;

	stmt_u64(q, 1, e->after < INT64_MAX ? e->after : INT64_MAX);
	stmt_u64(q, 2, e->before > 0 && e->before < INT64_MAX ? e->before : INT64_MAX);
	stmt_i64(q, 3, e->least_level < 0 ? LOG_DEBUG : e->least_level);
	if (audit) /* where no exchange is */
		stmt_text(q, 4, span_of(e->node ? e->node : ""));
	else
		stmt_i64(q, 4, !e->no_moves);
	if (e->who)
		stmt_text(q, place++, span_of(e->who));
	else if (e->node && !audit)
		stmt_text(q, place++, span_of(e->node));
	stmt_i64(q, place, newest ? (int64_t)e->limit : (int64_t)e->limit + 1);
	return q;
}

static struct span read_text(struct stmt q, int col)
{
	struct span none = {0};
	return stmt_col_null(q, col) ? none : stmt_col_text(q, col);
}

static struct listed_event read_event(struct stmt q)
{
	return (struct listed_event){
		.id = stmt_col_u64(q, 0),
		.at_us = stmt_col_i64(q, 1),
		.level = (enum log_level)stmt_col_i64(q, 2),
		.kind = stmt_col_text(q, 3),
		.node = read_text(q, 4),
		.text = stmt_col_text(q, 5),
		.who = read_text(q, 6),
		.address = read_text(q, 7),
		.before = read_text(q, 8),
		.after = read_text(q, 9),
	};
}

static bool wants_newest(const struct event_query *e)
{
	return e->after == 0 && !e->oldest;
}

/* Rising ids; what comes after the newest is nothing, so only a rising walk has a `next`. */
enum err store_events(struct store *st, const struct event_query *e, struct buf *out, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = begin_events(db, e, wants_newest(e));
	struct listed_event row = {0};
	struct listing g;

	listing_begin(&g, "events", e->limit, out);
	while (stmt_step(q) && listing_room(&g)) {
		row = read_event(q);
		listing_event(&g, &row);
	}
	listing_end_number(&g, row.id);
	stmt_done(q);
	return store_read_end(st, db, OK, why);
}

enum err store_events_each(
	struct store *st, const struct event_query *e, store_event_fn *each, void *ctx, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = begin_events(db, e, wants_newest(e));

	for (unsigned n = 0; n < e->limit && stmt_step(q); n++) {
		struct listed_event row = read_event(q);

		each(ctx, &row);
	}
	stmt_done(q);
	return store_read_end(st, db, OK, why);
}

enum err store_events_between(struct store *st, uint64_t after, uint64_t last, uint64_t *ret_n,
	uint64_t *ret_next, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_EVENTS_BETWEEN);
	uint64_t n = 0, next = 0;

	stmt_u64(q, 1, after);
	stmt_u64(q, 2, last);
	if (stmt_step(q))
		n = stmt_col_u64(q, 0);
	stmt_done(q);
	q = stmt_begin(db, SQL_CENTRAL_EVENTS_FIRST_OF_MACHINES);
	stmt_u64(q, 1, after);
	if (stmt_step(q))
		next = stmt_col_u64(q, 0);
	stmt_done(q);
	enum err e = store_read_end(st, db, OK, why);
	if (e == OK) {
		*ret_n = n;
		*ret_next = next;
	}
	return e;
}

void store_on_events(struct store *st, void (*told)(void *ctx), void *ctx)
{
	st->told = told;
	st->told_ctx = ctx;
}
