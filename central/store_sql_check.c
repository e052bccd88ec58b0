/* Do the bytes of the records still give their hashes?  A flipped bit passes every check of the database itself. */
#include "central/store_sql_private.h"

#include <string.h>

#define CHECK_ROWS 10000
#define CHECK_BYTES (16 * 1024 * 1024)

enum { ID = 1, BODY = 3, VV = 7 }; /* of a whole record's columns */

/* Anything may stand in the row, also what store_read_record() would call a broken store. */
static bool is_whole(struct stmt q)
{
	struct span packed = stmt_col_blob(q, VV);
	struct record r;
	struct vector vv;

	if (!record_id_ok(stmt_col_text(q, ID)) ||
		(!stmt_col_null(q, VV) && !vector_unpack(&vv, packed.at, packed.len)))
		return false;
	store_read_record(q, &r, &vv);
	return hash_equal(record_hash(&r), r.hash);
}

struct checking {
	char last[RECORD_ID_MAX + 1]; /* the last id that can be asked for */
	uint64_t rows;
	size_t bytes;
	bool some; /* damaged ones were found */
};

static bool has_room(const struct checking *c)
{
	return c->rows < CHECK_ROWS && c->bytes < CHECK_BYTES;
}

static void check_row(struct checking *c, struct stmt q, struct buf *out)
{
	struct span id = stmt_col_text(q, ID);
	bool named = record_id_ok(id);

	c->rows++;
	c->bytes += stmt_col_text(q, BODY).len;
	if (!is_whole(q)) {
		buf_text(out, c->some ? "," : "");
		buf_json_text(out, named ? id : span_of("?"));
		c->some = true;
	}
	if (!named)
		return;
	memcpy(c->last, id.at, id.len);
	c->last[id.len] = '\0';
}

enum err store_check(
	struct store *st, struct span owner, struct span after, struct buf *out, struct reason *why)
{
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_RECORDS_LIST_OF);
	struct checking c = {0};

	stmt_text(q, 1, owner);
	stmt_text(q, 2, after);
	stmt_i64(q, 3, CHECK_ROWS);
	stmt_text(q, 4, span_of("")); /* any type, */
	stmt_i64(q, 5, true);         /* deleted ones too: all that are looked at */
	stmt_i64(q, 6, CHECK_ROWS);
	buf_text(out, "{\"damaged\":[");
	while (has_room(&c) && stmt_step(q))
		check_row(&c, q, out);
	stmt_done(q);
	buf_printf(out, "],\"checked\":%llu,\"next\":", (unsigned long long)c.rows);
	if (has_room(&c) || !c.last[0])
		buf_text(out, "null}\n");
	else
		buf_printf(out, "\"%s\"}\n", c.last);
	return store_read_end(st, db, OK, why);
}
