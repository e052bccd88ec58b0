#include "central/store_sql_private.h"

#include <assert.h>
#include <string.h>

#include "central/listing.h"
#include "central/settle.h"
#include "shared/clock.h"
#include "shared/entropy.h"
#include "shared/json_check.h"

enum err store_record(struct store *st, struct span owner, struct span id, struct record *ret,
	struct arena *a, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct record r;
	bool found = store_load_record(db, owner, id, &r, a);
	enum err e = store_read_end(st, db, OK, why);

	if (e != OK)
		return e;
	if (!found)
		return fail(GONE, why, "no record %.*s/%.*s", (int)owner.len, owner.at, (int)id.len, id.at);
	*ret = r;
	return OK;
}

/* --- lists --- */

/* "owner/id"; empty = from the start. */
static bool split_key(struct span key, struct span *owner, struct span *id)
{
	const char *slash = key.len ? memchr(key.at, '/', key.len) : NULL;

	*owner = *id = span_of("");
	if (key.len == 0)
		return true;
	if (!slash)
		return false;
	*owner = (struct span){key.at, (size_t)(slash - key.at)};
	*id = (struct span){slash + 1, key.len - owner->len - 1};
	return true;
}

/* Where the last page ended, and so many rows on from there. */
static struct stmt begin_at(
	struct db *db, const struct record_query *rq, int of_all, int of_one, unsigned rows)
{
	struct stmt q = stmt_begin(db, rq->owner.len ? of_one : of_all);
	struct span owner, id;

	(void)split_key(rq->after, &owner, &id);
	stmt_text(q, 1, rq->owner.len ? rq->owner : owner);
	stmt_text(q, 2, id);
	stmt_i64(q, 3, rows);
	return q;
}

static unsigned looks_of(const struct record_query *rq)
{
	unsigned looks = rq->looks ? rq->looks : RECORD_LOOKS;

	return looks > rq->limit ? looks : rq->limit + 1;
}

static struct stmt begin_list(struct db *db, const struct record_query *rq)
{
	struct stmt q = begin_at(db, rq, SQL_CENTRAL_RECORDS_LIST, SQL_CENTRAL_RECORDS_LIST_OF, looks_of(rq));

	stmt_text(q, 4, rq->type);
	stmt_i64(q, 5, rq->deleted);
	stmt_i64(q, 6, (int64_t)rq->limit + 1);
	return q;
}

struct last {
	char owner[RECORD_OWNER_MAX + 1], id[RECORD_ID_MAX + 1];
};

static void keep_last(struct last *to, struct span owner, struct span id)
{
	assert(owner.len < sizeof(to->owner) && id.len < sizeof(to->id));
	memcpy(to->owner, owner.at, owner.len);
	memcpy(to->id, id.at, id.len);
	to->owner[owner.len] = to->id[id.len] = '\0';
}

/* The page was not filled: did it look at all there is?  False: *ret is how far it looked. */
static bool saw_the_end(struct db *db, const struct record_query *rq, struct last *ret)
{
	struct stmt q =
		begin_at(db, rq, SQL_CENTRAL_RECORDS_LOOKED, SQL_CENTRAL_RECORDS_LOOKED_OF, looks_of(rq) - 1);
	bool end = !stmt_step(q);

	if (!end)
		keep_last(ret, stmt_col_text(q, 0), stmt_col_text(q, 1));
	stmt_done(q);
	return end;
}

static void list(struct db *db, const struct record_query *rq, struct buf *out)
{
	struct last last = {"", ""};
	struct record r = {0};
	struct vector vv;
	struct listing g;
	struct stmt q = begin_list(db, rq);

	listing_begin(&g, "records", rq->limit, out);
	while (stmt_step(q) && listing_room(&g)) {
		store_read_record(q, &r, &vv);
		record_encode(&r, out);
		keep_last(&last, r.owner, r.id);
	}
	stmt_done(q);
	g.more = g.more || !saw_the_end(db, rq, &last);
	listing_end_key(&g, span_of(last.owner), span_of(last.id));
}

enum err store_records(struct store *st, const struct record_query *rq, struct buf *out, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct span owner, id;
	enum err e = OK;

	if (split_key(rq->after, &owner, &id))
		list(db, rq, out);
	else
		e = fail(INVALID, why, "`after` is not a key of this list");
	return store_read_end(st, db, e, why);
}

static struct stmt begin_conflicts(struct db *db, const struct conflict_query *cq)
{
	static const int of_all[] = {SQL_CENTRAL_CONFLICTS_LIST, SQL_CENTRAL_CONFLICTS_NEWEST},
			 of_one[] = {SQL_CENTRAL_CONFLICTS_LIST_OF, SQL_CENTRAL_CONFLICTS_NEWEST_OF};
	struct stmt q = stmt_begin(db, (cq->owner ? of_one : of_all)[cq->newest]);
	bool from_end = cq->newest && cq->after == 0;

	stmt_u64(q, 1, cq->after < INT64_MAX && !from_end ? cq->after : INT64_MAX);
	if (cq->owner)
		stmt_text(q, 2, span_of(cq->owner));
	stmt_i64(q, cq->owner ? 3 : 2, (int64_t)cq->limit + 1);
	return q;
}

enum err store_conflicts(
	struct store *st, const struct conflict_query *cq, struct buf *out, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = begin_conflicts(db, cq);
	struct listed_conflict c = {0};
	struct vector vv;
	struct listing g;

	listing_begin(&g, "conflicts", cq->limit, out);
	while (stmt_step(q) && listing_room(&g)) {
		store_read_record(q, &c.record, &vv);
		c.id = stmt_col_u64(q, 13);
		c.at_us = stmt_col_i64(q, 14);
		c.why = stmt_col_text(q, 15);
		listing_conflict(&g, &c);
	}
	listing_end_number(&g, c.id);
	stmt_done(q);
	return store_read_end(st, db, OK, why);
}

enum err store_count(struct store *st, int all, int of, const char *owner, uint64_t *ret, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, owner ? of : all);
	uint64_t n = 0;
	enum err e;

	if (owner)
		stmt_text(q, 1, span_of(owner));
	if (stmt_step(q))
		n = stmt_col_u64(q, 0);
	stmt_done(q);
	e = store_read_end(st, db, OK, why);
	if (e == OK)
		*ret = n;
	return e;
}

enum err store_conflict_count(struct store *st, const char *owner, uint64_t *ret, struct reason *why)
{
	return store_count(st, SQL_CENTRAL_CONFLICTS_COUNT, SQL_CENTRAL_CONFLICTS_COUNT_OF, owner, ret, why);
}
