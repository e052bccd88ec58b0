/* Notices and those who receive them. */
#include "central/store_sql_private.h"

#include <string.h>

#include "central/listing.h"
#include "shared/clock.h"

#define PRUNE_EVERY 64

/* --- notices --- */

/* Had the node trouble, as far as was told? */
static bool was_troubled(struct db *db, const char *node)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NOTICE_STATE_BEFORE);
	bool troubled = false;

	stmt_text(q, 1, span_of(node));
	if (stmt_step(q))
		troubled = notice_troubled(stmt_col_text(q, 0));
	stmt_done(q);
	return troubled;
}

static bool is_wanted(const struct store *st, struct db *db, const struct event *ev)
{
	switch (notice_want(st->notify_level, ev->level, ev->kind, span_of(ev->text.text))) {
	case NOTICE_NO:
		return false;
	case NOTICE_YES:
		return true;
	case NOTICE_IF_TROUBLED:
		return ev->node && was_troubled(db, ev->node);
	}
	return false;
}

/* Those who had not taken them are moved behind them, and will be told how many they were. */
static void prune(const struct store *st, struct db *db)
{
	static const int steps[] = {
		SQL_CENTRAL_RECEIVERS_DROPPED, SQL_CENTRAL_RECEIVERS_MOVED, SQL_CENTRAL_NOTICES_PRUNE};
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NOTICES_OLD);
	uint64_t old = 0;

	stmt_u64(q, 1, st->notices_kept);
	if (stmt_step(q))
		old = stmt_col_u64(q, 0);
	stmt_done(q);
	for (size_t i = 0; old > 0 && i < sizeof(steps) / sizeof(*steps); i++) {
		q = stmt_begin(db, steps[i]);
		stmt_u64(q, 1, old);
		stmt_run(q);
	}
}

void store_notice(struct store *st, struct db *db, uint64_t id, int64_t at_us, const struct event *ev)
{
	struct stmt q;

	if (!is_wanted(st, db, ev))
		return;
	q = stmt_begin(db, SQL_CENTRAL_NOTICE_ADD);
	stmt_u64(q, 1, id);
	stmt_i64(q, 2, at_us);
	stmt_i64(q, 3, ev->level);
	stmt_text(q, 4, span_of(ev->kind));
	if (ev->node)
		stmt_text(q, 5, span_of(ev->node));
	else
		stmt_null(q, 5);
	stmt_text(q, 6, span_of(ev->text.text));
	stmt_run(q);
	if (atomic_fetch_add(&st->noticed, 1) % PRUNE_EVERY == 0)
		prune(st, db);
}

enum err store_notify_test(struct store *st, const struct author *by, uint64_t *ret_event, struct reason *why)
{
	struct event ev = {.level = LOG_INFO,
		.kind = "notify.test",
		.by = by,
		.text = {"an operator asked for this notification, to see it arrive"}};
	struct db *db = store_write_begin(st);
	uint64_t id = store_tell(st, db, &ev);
	enum err e = store_write_end(st, db, OK, why);

	if (e == OK)
		*ret_event = id;
	return e;
}

/* --- receivers --- */

struct position_of {
	bool found;
	uint64_t position, dropped;
};

static struct position_of load_receiver(struct db *db, const char *key)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECEIVER_GET);
	struct position_of p = {0};

	stmt_text(q, 1, span_of(key));
	if (stmt_step(q))
		p = (struct position_of){true, stmt_col_u64(q, 0), stmt_col_u64(q, 1)};
	stmt_done(q);
	return p;
}

static void run_with_key(struct db *db, int statement, const char *key)
{
	struct stmt q = stmt_begin(db, statement);

	stmt_text(q, 1, span_of(key));
	stmt_run(q);
}

static bool is_among(struct span key, const struct receiver *rs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(key, rs[i].key))
			return true;
	return false;
}

static void forget_others(struct db *db, const struct receiver *rs, size_t n)
{
	struct arena a = {0};
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECEIVERS_ALL);
	struct gone {
		const char *key;
		struct gone *next;
	} *gone = NULL;

	while (stmt_step(q)) {
		struct span key = stmt_col_text(q, 0);

		if (is_among(key, rs, n))
			continue;
		struct gone *one = arena_alloc(&a, sizeof(*one));
		*one = (struct gone){arena_copy(&a, key.at, key.len), gone};
		gone = one;
	}
	stmt_done(q);
	for (; gone; gone = gone->next) {
		run_with_key(db, SQL_CENTRAL_DELIVERIES_ABANDON, gone->key);
		run_with_key(db, SQL_CENTRAL_RECEIVER_REMOVE, gone->key);
	}
	arena_done(&a);
}

static uint64_t last_event(struct db *db)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_EVENTS_LAST);
	uint64_t last = 0;

	if (stmt_step(q))
		last = stmt_col_u64(q, 0);
	stmt_done(q);
	return last;
}

enum err store_receivers(struct store *st, const struct receiver *rs, size_t n, struct reason *why)
{
	struct db *db = store_write_begin(st);
	uint64_t last = last_event(db);

	forget_others(db, rs, n);
	for (size_t i = 0; i < n; i++) {
		if (load_receiver(db, rs[i].key).found)
			continue;
		struct stmt q = stmt_begin(db, SQL_CENTRAL_RECEIVER_ADD);
		stmt_text(q, 1, span_of(rs[i].key));
		stmt_u64(q, 2, last);
		stmt_run(q);
	}
	return store_write_end(st, db, OK, why);
}

enum err store_receiver(
	struct store *st, const char *key, uint64_t *ret_position, uint64_t *ret_waiting, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct position_of p = load_receiver(db, key);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NOTICES_WAITING);
	uint64_t waiting = 0;

	stmt_u64(q, 1, p.position);
	if (stmt_step(q))
		waiting = stmt_col_u64(q, 0);
	stmt_done(q);
	enum err e = store_read_end(st, db, p.found ? OK : GONE, why);
	if (e == OK) {
		*ret_position = p.position;
		*ret_waiting = waiting;
	}
	return e;
}

/* --- deliveries --- */

static void load_notices(struct db *db, uint64_t after, uint64_t last, struct notices *ret)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NOTICES_FROM);
	struct arena *a = &ret->arena;

	ret->at = arena_alloc(a, NOTICE_BATCH_MAX * sizeof(*ret->at));
	stmt_u64(q, 1, after);
	stmt_u64(q, 2, last);
	stmt_u64(q, 3, NOTICE_BATCH_MAX);
	while (stmt_step(q) && ret->n < NOTICE_BATCH_MAX) {
		struct notice *n = &ret->at[ret->n++];
		struct span kind = stmt_col_text(q, 3), text = stmt_col_text(q, 5);

		n->id = stmt_col_u64(q, 0);
		n->at_us = stmt_col_i64(q, 1);
		n->level = (enum log_level)stmt_col_i64(q, 2);
		n->kind = arena_copy(a, kind.at, kind.len);
		n->text = arena_copy(a, text.at, text.len);
		if (!stmt_col_null(q, 4)) {
			struct span node = stmt_col_text(q, 4);
			n->node = arena_copy(a, node.at, node.len);
		}
	}
	stmt_done(q);
}

/* What is under way (ret->id > 0), or what would be sent next. */
static bool load_delivery(struct db *db, const char *key, struct delivery *ret)
{
	struct position_of p = load_receiver(db, key);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_DELIVERY_OPEN);
	uint64_t until = INT64_MAX;

	*ret = (struct delivery){.dropped = p.dropped};
	stmt_text(q, 1, span_of(key));
	if (stmt_step(q)) {
		ret->id = stmt_col_u64(q, 0);
		ret->last = until = stmt_col_u64(q, 2);
		ret->attempts = stmt_col_u64(q, 5);
	}
	stmt_done(q);
	load_notices(db, p.position, until, &ret->notices);
	if (ret->id == 0)
		ret->last = ret->notices.n > 0 ? ret->notices.at[ret->notices.n - 1].id : p.position;
	return p.found;
}

static bool is_empty(const struct delivery *d)
{
	return d->notices.n == 0 && d->dropped == 0;
}

static void add_delivery(struct db *db, const struct receiver *r, struct delivery *d)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_DELIVERY_ADD);

	stmt_text(q, 1, span_of(r->key));
	stmt_text(q, 2, span_of(r->shown));
	stmt_u64(q, 3, d->notices.n > 0 ? d->notices.at[0].id : d->last);
	stmt_u64(q, 4, d->last);
	stmt_u64(q, 5, d->notices.n);
	stmt_u64(q, 6, d->dropped);
	stmt_i64(q, 7, clock_wall_us());
	while (stmt_step(q))
		d->id = stmt_col_u64(q, 0);
	stmt_done(q);
	if (d->id > STORE_DELIVERIES_KEPT && d->id % PRUNE_EVERY == 0) {
		q = stmt_begin(db, SQL_CENTRAL_DELIVERIES_PRUNE);
		stmt_u64(q, 1, d->id - STORE_DELIVERIES_KEPT);
		stmt_run(q);
	}
}

static enum err finish_delivery(enum err e, struct delivery *d, struct delivery *ret)
{
	if (e == OK)
		*ret = *d;
	else
		notices_done(&d->notices);
	return e;
}

enum err store_delivery_begin(
	struct store *st, const struct receiver *r, struct delivery *ret, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct delivery d;
	bool found = load_delivery(db, r->key, &d);
	enum err e = store_read_end(st, db, found ? OK : fail(GONE, why, "%s is no receiver", r->shown), why);

	if (e != OK || d.id > 0 || is_empty(&d))
		return finish_delivery(e, &d, ret);
	notices_done(&d.notices);
	db = store_write_begin(st);
	(void)load_delivery(db, r->key, &d); /* again: old ones may have gone meanwhile */
	if (!is_empty(&d))
		add_delivery(db, r, &d);
	return finish_delivery(store_write_end(st, db, OK, why), &d, ret);
}

static void move_receiver(struct db *db, const struct receiver *r, const struct delivery *d)
{
	struct position_of p = load_receiver(db, r->key);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECEIVER_TOOK);

	stmt_u64(q, 1, d->last > p.position ? d->last : p.position);
	stmt_u64(q, 2, d->dropped);
	stmt_text(q, 3, span_of(r->key));
	stmt_run(q);
}

enum err store_delivery_note(struct store *st, const struct receiver *r, const struct delivery *d, bool taken,
	int64_t took_us, const struct reason *answer, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_DELIVERY_NOTE);

	stmt_i64(q, 1, clock_wall_us());
	stmt_u64(q, 2, d->attempts + 1);
	stmt_i64(q, 3, taken ? DELIVERY_TAKEN : DELIVERY_UNDER_WAY);
	stmt_i64(q, 4, took_us);
	stmt_text(q, 5, span_of(answer->text));
	stmt_u64(q, 6, d->dropped);
	stmt_u64(q, 7, d->id);
	stmt_run(q);
	if (taken &&
		stmt_changes(q) == 1) /* else it was noted before, by a commit whose outcome was not told */
		move_receiver(db, r, d);
	return store_write_end(st, db, OK, why);
}

enum err store_deliveries(
	struct store *st, uint64_t after, unsigned limit, struct buf *out, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, after ? SQL_CENTRAL_DELIVERIES_RISING : SQL_CENTRAL_DELIVERIES_NEWEST);
	struct listed_delivery row = {0};
	struct listing g;
	int place = 1;

	if (after)
		stmt_u64(q, place++, after < INT64_MAX ? after : INT64_MAX);
	stmt_i64(q, place, after ? (int64_t)limit + 1 : (int64_t)limit);
	listing_begin(&g, "notifications", limit, out);
	while (stmt_step(q) && listing_room(&g)) {
		row = (struct listed_delivery){
			.id = stmt_col_u64(q, 0),
			.receiver = stmt_col_text(q, 1),
			.first = stmt_col_u64(q, 2),
			.last = stmt_col_u64(q, 3),
			.notices = stmt_col_u64(q, 4),
			.dropped = stmt_col_u64(q, 5),
			.begun_us = stmt_col_i64(q, 6),
			.tried_us = stmt_col_null(q, 7) ? -1 : stmt_col_i64(q, 7),
			.attempts = stmt_col_u64(q, 8),
			.outcome = (unsigned)stmt_col_u64(q, 9),
			.took_us = stmt_col_null(q, 10) ? 0 : stmt_col_i64(q, 10),
			.answer = stmt_col_text(q, 11),
		};
		listing_delivery(&g, &row);
	}
	listing_end_number(&g, row.id);
	stmt_done(q);
	return store_read_end(st, db, OK, why);
}
