/* The API tokens: their names, roles and hashes. */
#include "central/store_sql_private.h"

#include <stdio.h>
#include <stdlib.h>

/* --- reading --- */

static void copy(char *to, size_t size, struct span s)
{
	snprintf(to, size, "%.*s", (int)(s.len < size ? s.len : size - 1), s.at ? s.at : "");
}

static int64_t col_time(struct stmt q, int col)
{
	return stmt_col_null(q, col) ? -1 : stmt_col_i64(q, col);
}

static struct key read_key(struct stmt q)
{
	struct key k = {
		.created_us = stmt_col_i64(q, 3), .expires_us = col_time(q, 5), .used_us = col_time(q, 6)};

	copy(k.name, sizeof(k.name), stmt_col_text(q, 0));
	if (!role_parse(
		    stmt_col_text(q, 1), &k.role)) /* of a later version, or nonsense: it may do nothing */
		k.role = ROLE_NONE;
	copy(k.hash, sizeof(k.hash), stmt_col_text(q, 2));
	copy(k.created_by, sizeof(k.created_by), stmt_col_text(q, 4));
	return k;
}

enum err store_keys(struct store *st, struct keys *ret, struct reason *why)
{
	struct keys ks = {.at = calloc(KEYS_MOST, sizeof(*ks.at))};

	if (!ks.at)
		err_out_of_memory();
	struct db *db = store_read_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_TOKENS_ALL);
	while (stmt_step(q) && ks.n < KEYS_MOST)
		ks.at[ks.n++] = read_key(q);
	stmt_done(q);
	enum err e = store_read_end(st, db, OK, why);
	if (e == OK)
		*ret = ks;
	else
		keys_done(&ks);
	return e;
}

/* --- changes --- */

static void put_key(struct buf *end, const struct key *k)
{
	audit_text(end, "name", span_of(k->name));
	audit_text(end, "role", span_of(role_name(k->role)));
	audit_time(end, "expires_at", k->expires_us);
	audit_end(end);
}

static void tell(struct store *st, struct db *db, const struct author *by, const char *kind,
	const struct audit *change, const struct reason *text)
{
	struct event ev = {.level = LOG_INFO, .kind = kind, .text = *text, .by = by, .audit = change};

	(void)store_tell(st, db, &ev);
}

static uint64_t count(struct db *db)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_TOKENS_COUNT);
	uint64_t n = 0;

	if (stmt_step(q))
		n = stmt_col_u64(q, 0);
	stmt_done(q);
	return n;
}

static void bind_time(struct stmt q, int place, int64_t us)
{
	if (us < 0)
		stmt_null(q, place);
	else
		stmt_i64(q, place, us);
}

static enum err add(struct db *db, const struct key *k, struct reason *why)
{
	if (count(db) >= KEYS_MOST)
		return fail(CONFLICT, why, "there are %d tokens, and no more can be: remove some", KEYS_MOST);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_TOKEN_ADD);
	stmt_text(q, 1, span_of(k->name));
	stmt_text(q, 2, span_of(role_name(k->role)));
	stmt_text(q, 3, span_of(k->hash));
	stmt_i64(q, 4, k->created_us);
	stmt_text(q, 5, span_of(k->created_by));
	bind_time(q, 6, k->expires_us);
	stmt_run(q);
	if (db_failed(db, why) == OK && stmt_changes(q) == 0)
		return fail(CONFLICT, why, "token %s exists: remove it first, or take another name", k->name);
	return OK;
}

enum err store_key_add(struct store *st, const struct author *by, const struct key *k, struct reason *why)
{
	struct db *db = store_write_begin(st);
	enum err e = add(db, k, why);
	struct audit change = {0};
	struct reason text;

	(void)fail(
		OK, &text, "the token %s was added: %s, by %s", k->name, role_name(k->role), k->created_by);
	put_key(&change.after, k);
	if (e == OK)
		tell(st, db, by, "token.added", &change, &text);
	audit_done(&change);
	return store_write_end(st, db, e, why);
}

static bool load(struct db *db, const char *name, struct key *ret)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_TOKEN_GET);
	bool found;

	stmt_text(q, 1, span_of(name));
	found = stmt_step(q);
	if (found)
		*ret = read_key(q);
	stmt_done(q);
	return found;
}

static enum err drop(struct db *db, const char *name, struct key *ret_was, struct reason *why)
{
	bool found = load(db, name, ret_was);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_TOKEN_REMOVE);

	stmt_text(q, 1, span_of(name));
	stmt_run(q);
	if (db_failed(db, why) == OK && (!found || stmt_changes(q) == 0))
		return fail(GONE, why, "no token %s", name);
	return OK;
}

enum err store_key_remove(struct store *st, const struct author *by, const char *name, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct key was = {.role = ROLE_NONE};
	enum err e = drop(db, name, &was, why);
	struct audit change = {0};
	struct reason text;

	(void)fail(OK, &text, "the token %s was removed by %s", name, by ? by->who : "nobody");
	put_key(&change.before, &was);
	if (e == OK)
		tell(st, db, by, "token.removed", &change, &text);
	audit_done(&change);
	return store_write_end(st, db, e, why);
}

enum err store_key_used(struct store *st, const struct key *k, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct stmt q = stmt_begin(db, SQL_CENTRAL_TOKEN_USED);

	stmt_i64(q, 1, k->used_us);
	stmt_text(q, 2, span_of(k->name));
	stmt_text(q, 3, span_of(k->hash));
	stmt_run(q);
	return store_write_end(st, db, OK, why);
}
