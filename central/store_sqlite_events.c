#include "central/store_sqlite_private.h"

#include <stdint.h>

#include "central/listing.h"
#include "shared/clock.h"

#define PRUNE_EVERY 1000

void store_tell(struct lite *l, const struct event *ev)
{
	struct query q = query_begin(l, SQL_CENTRAL_EVENT_ADD);
	uint64_t id = 0;

	query_i64(q, 1, clock_wall_us());
	query_i64(q, 2, ev->level);
	query_text(q, 3, span_of(ev->kind));
	if (ev->node)
		query_text(q, 4, span_of(ev->node));
	else
		query_null(q, 4);
	query_text(q, 5, span_of(ev->text.text));
	while (query_step(q)) /* to its end: a RETURNING that is left early is not finished */
		id = query_col_u64(q, 0);
	query_done(q);
	if (id > STORE_EVENTS_KEPT && id % PRUNE_EVERY == 0) {
		q = query_begin(l, SQL_CENTRAL_EVENTS_PRUNE);
		query_u64(q, 1, id - STORE_EVENTS_KEPT);
		query_run(q);
	}
}

enum err store_events_add(struct store *st, const struct event *evs, size_t n, struct reason *why)
{
	struct lite *l = store_write_begin(st);

	for (size_t i = 0; i < n; i++)
		store_tell(l, &evs[i]);
	return store_write_end(st, OK, why);
}

static struct query begin_events(struct lite *l, const struct event_query *e, bool newest)
{
	struct query q;
	int place = 4;

	if (e->node)
		q = query_begin(l, newest ? SQL_CENTRAL_EVENTS_NEWEST_OF : SQL_CENTRAL_EVENTS_RISING_OF);
	else
		q = query_begin(l, newest ? SQL_CENTRAL_EVENTS_NEWEST : SQL_CENTRAL_EVENTS_RISING);
	query_u64(q, 1, e->after < INT64_MAX ? e->after : INT64_MAX);
	query_u64(q, 2, e->before > 0 && e->before < INT64_MAX ? e->before : INT64_MAX);
	query_i64(q, 3, e->least_level < 0 ? LOG_DEBUG : e->least_level);
	if (e->node)
		query_text(q, place++, span_of(e->node));
	query_i64(q, place, newest ? (int64_t)e->limit : (int64_t)e->limit + 1);
	return q;
}

/* Rising ids; what comes after the newest is nothing, so only a rising walk has a `next`. */
enum err store_events(struct store *st, const struct event_query *e, struct buf *out, struct reason *why)
{
	struct lite *l = store_read_begin(st);
	struct query q = begin_events(l, e, e->after == 0);
	struct listed_event row = {0};
	struct listing g;

	listing_begin(&g, "events", e->limit, out);
	while (query_step(q) && listing_room(&g)) {
		row = (struct listed_event){
			.id = query_col_u64(q, 0),
			.at_us = query_col_i64(q, 1),
			.level = (enum log_level)query_col_i64(q, 2),
			.kind = query_col_text(q, 3),
			.text = query_col_text(q, 5),
		};
		if (!query_col_null(q, 4))
			row.node = query_col_text(q, 4);
		listing_event(&g, &row);
	}
	listing_end_number(&g, row.id);
	query_done(q);
	return store_read_end(st, l, OK, why);
}
