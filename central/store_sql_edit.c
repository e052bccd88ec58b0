/* New versions made by the centre: put, delete, promote. */
#include "central/store_sql_private.h"

#include <assert.h>
#include <string.h>

#include "central/settle.h"
#include "shared/clock.h"
#include "shared/entropy.h"
#include "shared/json_check.h"

/*
 * One transaction of edits; the digest of the owner at hand is kept here and written when the
 * owner changes.
 */
struct editing {
	struct store *st;
	struct db *db;
	const struct author *by; /* NULL: no person, and no event */
	struct node owner;
	bool owner_known, digest_moved;
	int64_t now_us;
	struct uuid7 made; /* the id that a record got last */
	struct arena arena;
};

static void editing_flush(struct editing *ed)
{
	if (ed->digest_moved)
		store_save_sync(ed->db, ed->owner.name, &ed->owner.sync);
	ed->digest_moved = false;
}

static enum err editing_owner(struct editing *ed, struct span owner, struct reason *why)
{
	if (ed->owner_known && span_is(owner, ed->owner.name))
		return OK;
	editing_flush(ed);
	ed->owner_known = store_load_node(ed->st, ed->db, owner, &ed->owner) && ed->owner.there;
	if (!ed->owner_known)
		return fail(GONE, why, "no node %.*s", (int)owner.len, owner.at);
	return OK;
}

static enum err check_precondition(
	const struct precondition *p, const struct record *present, struct reason *why)
{
	bool absent = !present || present->deleted;

	if (p && p->must_be_absent && !absent)
		return fail(CONFLICT, why, "the record exists");
	if (p && p->must_match && (!present || !hash_equal(present->hash, p->hash)))
		return fail(CONFLICT, why, "the record is not at that version");
	return OK;
}

/* Writes `content` (its key, type, body, deleted, created_at) as a new version that follows `a` and `b` (may
 * be NULL). */
static void write_version(struct editing *ed, struct record *content, const struct record *present,
	const struct record *other, struct written *ret)
{
	static const struct dot none;
	struct standing s;
	struct vector vv;
	struct known known;

	content->dot = store_next_dot(ed->st);
	vector_succeed(&vv, content->dot, present ? present->dot : none, present ? present->vv : NULL,
		other ? other->dot : none, other ? other->vv : NULL);
	content->vv = vv.n > 0 ? &vv : NULL;
	content->updated_at_us = ed->now_us;
	content->clock_error_us = clock_error_us();
	content->hash = record_hash(content);
	store_look(ed->db, content->owner, content->id, &s);
	if (s.present) {
		known = store_known(&s.known, &s.record, &ed->owner.sync);
		digest_drop(&ed->owner.sync.digest, s.record.hash);
		store_replace_record(ed->db, content, &known);
	} else if (!store_insert_record(ed->db, content, &(struct known){.held = false})) {
		store_record_left_out(ed->db, content);
	}
	digest_add(&ed->owner.sync.digest, content->hash);
	ed->digest_moved = true;
	content->vv = NULL;
	ret->hash = content->hash;
	ret->changed = true;
	ret->created = !present || present->deleted;
}

static void start_written(struct written *ret, struct span id, const struct record *present)
{
	*ret = (struct written){.hash = present ? present->hash : (struct hash){{0}}};
	assert(id.len <= RECORD_ID_MAX);
	memcpy(ret->id, id.at, id.len);
}

static bool same_content(const struct record *a, const struct record *b)
{
	return a->deleted == b->deleted && span_equal(a->type, b->type) && span_equal(a->body, b->body);
}

static enum err one_line(struct span body, struct arena *a, struct span *ret, struct reason *why)
{
	struct buf line = {0};
	enum err e = OK;

	json_put_on_one_line(body, &line);
	if (buf_failed(&line))
		e = fail(RETRY, why, "out of memory");
	else
		*ret = (struct span){arena_copy(a, line.at, line.len), line.len};
	buf_done(&line);
	return e;
}

/* --- what is told of it, where a person did it --- */

static const struct wording {
	const char *kind, *front, *back; /* the record's id stands between */
} written = {.kind = "record.written", .front = "record", .back = "was written"},
  deleted = {.kind = "record.deleted", .front = "record", .back = "was deleted"},
  promoted = {.kind = "conflict.promoted",
	  .front = "an operator made a kept version of",
	  .back = "the present one"};

static void tell_record(
	struct editing *ed, const struct wording *w, const struct record *before, const struct record *after)
{
	struct event ev = {.level = LOG_INFO, .kind = w->kind, .node = ed->owner.name, .by = ed->by};
	struct audit change = {0};

	if (!ed->by)
		return;
	audit_record(&change, before, after);
	ev.audit = &change;
	(void)fail(OK, &ev.text, "%s %.*s %s", w->front, (int)after->id.len, after->id.at, w->back);
	store_tell(ed->st, ed->db, &ev);
	audit_done(&change);
}

/* Many: how many, and of whom if all are one's. */
struct batch {
	size_t created, changed;
	struct span owner;
	bool of_several;
};

static struct batch sum_batch(const struct draft *drafts, const struct written *w, size_t n)
{
	struct batch b = {0};

	for (size_t i = 0; i < n; i++) {
		if (!w[i].changed)
			continue;
		b.created += w[i].created;
		b.changed += !w[i].created;
		b.of_several = b.of_several || (b.owner.at && !span_equal(b.owner, drafts[i].owner));
		b.owner = drafts[i].owner;
	}
	return b;
}

static void tell_batch(struct editing *ed, const struct draft *drafts, const struct written *w, size_t n)
{
	struct batch b = sum_batch(drafts, w, n);
	struct event ev = {.level = LOG_INFO, .kind = "records.written", .by = ed->by};
	struct audit change = {0};

	if (b.created + b.changed == 0)
		return;
	if (!b.of_several)
		ev.node = arena_copy(&ed->arena, b.owner.at, b.owner.len);
	audit_number(&change.after, "created", b.created);
	audit_number(&change.after, "changed", b.changed);
	audit_end(&change.after);
	ev.audit = &change;
	(void)fail(OK, &ev.text, "%zu records were written at once: %zu new, %zu changed",
		b.created + b.changed, b.created, b.changed);
	store_tell(ed->st, ed->db, &ev);
	audit_done(&change);
}

/* --- put --- */

/* `alone`: it is told by itself. */
static enum err put_one(struct editing *ed, const struct draft *d, const struct precondition *p, bool alone,
	struct written *ret, struct reason *why)
{
	char made[37];
	struct record present, r = {.owner = d->owner, .id = d->id, .type = d->type};
	bool there;
	enum err e = editing_owner(ed, d->owner, why);

	if (e != OK)
		return e;
	if (r.id.len == 0) {
		entropy_uuid7(&ed->made, made);
		r.id = span_of(made);
	}
	there = store_load_record(ed->db, r.owner, r.id, &present, &ed->arena);
	e = check_precondition(p, there ? &present : NULL, why);
	if (e == OK)
		e = one_line(d->body, &ed->arena, &r.body, why);
	if (e != OK)
		return e;
	r.created_at_us = there && !present.deleted ? present.created_at_us : ed->now_us;
	start_written(ret, r.id, there ? &present : NULL);
	if (!there || !same_content(&r, &present))
		write_version(ed, &r, there ? &present : NULL, NULL, ret);
	if (ret->changed && alone)
		tell_record(ed, &written, there ? &present : NULL, &r);
	return db_failed(ed->db, why);
}

static enum err editing_end(struct editing *ed, enum err e, struct reason *why)
{
	if (e == OK)
		editing_flush(ed);
	arena_done(&ed->arena);
	return store_write_end(ed->st, ed->db, e, why);
}

static void lock_owners(struct editing *ed, const struct draft *drafts, size_t n)
{
	struct span *owners = arena_alloc(&ed->arena, (n + 1) * sizeof(*owners));
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (i == 0 || !span_equal(drafts[i].owner, owners[m - 1]))
			owners[m++] = drafts[i].owner;
	store_lock_owners(ed->st, ed->db, owners, m);
}

static struct editing editing_begin(struct store *st, const struct author *by)
{
	return (struct editing){.st = st, .db = store_write_begin(st), .by = by, .now_us = clock_wall_us()};
}

enum err store_put(struct store *st, const struct author *by, const struct draft *drafts, size_t n,
	const struct precondition *p, struct written *ret, struct reason *why)
{
	struct editing ed = editing_begin(st, by);
	enum err e = OK;

	memset(ret, 0, n * sizeof(*ret));
	lock_owners(&ed, drafts, n);
	for (size_t i = 0; e == OK && i < n; i++)
		e = put_one(&ed, &drafts[i], p, n == 1, &ret[i], why);
	if (e == OK && n > 1 && by)
		tell_batch(&ed, drafts, ret, n);
	return editing_end(&ed, e, why);
}

static enum err delete_one(struct editing *ed, struct span owner, struct span id,
	const struct precondition *p, struct written *ret, struct reason *why)
{
	struct record present, r;
	enum err e;

	store_lock_owner(ed->st, ed->db, owner);
	e = editing_owner(ed, owner, why);
	if (e != OK)
		return e;
	if (!store_load_record(ed->db, owner, id, &present, &ed->arena))
		return fail(GONE, why, "no record %.*s/%.*s", (int)owner.len, owner.at, (int)id.len, id.at);
	e = check_precondition(p, &present, why);
	if (e != OK)
		return e;
	start_written(ret, id, &present);
	if (present.deleted)
		return OK;
	r = present;
	r.deleted = true;
	r.body = span_of("null");
	write_version(ed, &r, &present, NULL, ret);
	tell_record(ed, &deleted, &present, &r);
	return OK;
}

enum err store_delete(struct store *st, const struct author *by, struct span owner, struct span id,
	const struct precondition *p, struct written *ret, struct reason *why)
{
	struct editing ed = editing_begin(st, by);

	return editing_end(&ed, delete_one(&ed, owner, id, p, ret, why), why);
}

static bool load_archived(struct db *db, uint64_t id, struct record *ret, struct arena *a)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_CONFLICT_GET);

	stmt_u64(q, 1, id);
	return store_take_record(q, ret, a);
}

static enum err promote(struct editing *ed, uint64_t id, struct written *ret, struct reason *why)
{
	struct record archived, present, r;
	bool there;
	enum err e;

	if (!load_archived(ed->db, id, &archived, &ed->arena))
		return fail(GONE, why, "no conflict %llu", (unsigned long long)id);
	store_lock_owner(ed->st, ed->db, archived.owner);
	e = editing_owner(ed, archived.owner, why);
	if (e != OK)
		return e;
	there = store_load_record(ed->db, archived.owner, archived.id, &present, &ed->arena);
	start_written(ret, archived.id, there ? &present : NULL);
	if (there && same_content(&archived, &present))
		return OK;
	r = archived;
	write_version(ed, &r, there ? &present : NULL, &archived, ret);
	tell_record(ed, &promoted, there ? &present : NULL, &r);
	return OK;
}

enum err store_conflict_promote(struct store *st, const struct author *by, uint64_t id,
	char ret_owner[RECORD_OWNER_MAX + 1], struct written *ret, struct reason *why)
{
	struct editing ed = editing_begin(st, by);
	enum err e = editing_end(&ed, promote(&ed, id, ret, why), why);

	if (e == OK)
		memcpy(ret_owner, ed.owner.name, RECORD_OWNER_MAX + 1);
	return e;
}
