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

static enum err begin_list(struct db *db, const struct record_query *rq, struct stmt *ret, struct reason *why)
{
	struct span owner, id;
	struct stmt q;

	if (!split_key(rq->after, &owner, &id))
		return fail(INVALID, why, "`after` is not a key of this list");
	q = stmt_begin(db, rq->owner.len ? SQL_CENTRAL_RECORDS_LIST_OF : SQL_CENTRAL_RECORDS_LIST);
	stmt_text(q, 1, rq->owner.len ? rq->owner : owner);
	stmt_text(q, 2, id);
	stmt_text(q, 3, rq->type);
	stmt_i64(q, 4, rq->deleted);
	stmt_i64(q, 5, (int64_t)rq->limit + 1);
	*ret = q;
	return OK;
}

enum err store_records(struct store *st, const struct record_query *rq, struct buf *out, struct reason *why)
{
	struct db *db = store_read_begin(st);
	char last_owner[RECORD_OWNER_MAX + 1] = "", last_id[RECORD_ID_MAX + 1] = "";
	struct record r = {0};
	struct vector vv;
	struct listing g;
	struct stmt q;
	enum err e = begin_list(db, rq, &q, why);

	if (e != OK)
		return store_read_end(st, db, e, why);
	listing_begin(&g, "records", rq->limit, out);
	while (stmt_step(q) && listing_room(&g)) {
		store_read_record(q, &r, &vv);
		record_encode(&r, out);
		assert(r.owner.len < sizeof(last_owner) && r.id.len < sizeof(last_id));
		memcpy(last_owner, r.owner.at, r.owner.len);
		memcpy(last_id, r.id.at, r.id.len);
		last_owner[r.owner.len] = last_id[r.id.len] = '\0';
	}
	listing_end_key(&g, span_of(last_owner), span_of(last_id));
	stmt_done(q);
	return store_read_end(st, db, OK, why);
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
