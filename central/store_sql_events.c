#include "central/store_sql_private.h"

#include <stdint.h>

#include "central/listing.h"
#include "shared/clock.h"

#define PRUNE_EVERY_MOST 1000

/* Many at once; few more than wanted may lie about meanwhile. */
static uint64_t prune_every(uint64_t kept)
{
	uint64_t tenth = kept / 10 + 1;

	return tenth < PRUNE_EVERY_MOST ? tenth : PRUNE_EVERY_MOST;
}

uint64_t store_tell(struct store *st, struct db *db, const struct event *ev)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_EVENT_ADD);
	int64_t at_us = clock_wall_us();
	uint64_t id = 0, kept = st->events_kept;

	*store_tells(st, db) = true;
	stmt_i64(q, 1, at_us);
	stmt_i64(q, 2, ev->level);
	stmt_text(q, 3, span_of(ev->kind));
	if (ev->node)
		stmt_text(q, 4, span_of(ev->node));
	else
		stmt_null(q, 4);
	stmt_text(q, 5, span_of(ev->text.text));
	while (stmt_step(q)) /* to its end: a RETURNING that is left early is not finished */
		id = stmt_col_u64(q, 0);
	stmt_done(q);
	if (id > kept && id % prune_every(kept) == 0) {
		q = stmt_begin(db, SQL_CENTRAL_EVENTS_PRUNE);
		stmt_u64(q, 1, id - kept);
		stmt_run(q);
	}
	if (st->notify && id > 0)
		store_notice(st, db, id, at_us, ev);
	return id;
}

enum err store_events_add(struct store *st, const struct event *evs, size_t n, struct reason *why)
{
	struct db *db = store_write_begin(st);

	for (size_t i = 0; i < n; i++)
		(void)store_tell(st, db, &evs[i]);
	return store_write_end(st, db, OK, why);
}

static struct stmt begin_events(struct db *db, const struct event_query *e, bool newest)
{
	struct stmt q;
	int place = 5;

	if (e->node)
		q = stmt_begin(db, newest ? SQL_CENTRAL_EVENTS_NEWEST_OF : SQL_CENTRAL_EVENTS_RISING_OF);
	else
		q = stmt_begin(db, newest ? SQL_CENTRAL_EVENTS_NEWEST : SQL_CENTRAL_EVENTS_RISING);
	stmt_u64(q, 1, e->after < INT64_MAX ? e->after : INT64_MAX);
	stmt_u64(q, 2, e->before > 0 && e->before < INT64_MAX ? e->before : INT64_MAX);
	stmt_i64(q, 3, e->least_level < 0 ? LOG_DEBUG : e->least_level);
	stmt_i64(q, 4, !e->no_moves);
	if (e->node)
		stmt_text(q, place++, span_of(e->node));
	stmt_i64(q, place, newest ? (int64_t)e->limit : (int64_t)e->limit + 1);
	return q;
}

static struct listed_event read_event(struct stmt q)
{
	struct listed_event e = {
		.id = stmt_col_u64(q, 0),
		.at_us = stmt_col_i64(q, 1),
		.level = (enum log_level)stmt_col_i64(q, 2),
		.kind = stmt_col_text(q, 3),
		.text = stmt_col_text(q, 5),
	};
	if (!stmt_col_null(q, 4))
		e.node = stmt_col_text(q, 4);
	return e;
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

void store_on_events(struct store *st, void (*told)(void *ctx), void *ctx)
{
	st->told = told;
	st->told_ctx = ctx;
}
