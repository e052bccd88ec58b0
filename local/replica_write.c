#include "local/replica_private.h"

#include <string.h>

#include "shared/clock.h"
#include "shared/entropy.h"
#include "shared/json_check.h"

/* The version that stands in a new one's way; its body in r->old_body. */
struct present {
	bool found;
	struct record record; /* spans into this struct and r->old_body, and the id asked for */
	struct vector vv;
	struct hash head;
	char type[RECORD_TYPE_MAX];
};

/* A copy, since the statement's own bytes end with it. */
static void look_up(struct replica *r, struct span id, struct present *ret)
{
	memset(ret, 0, sizeof *ret);
	buf_clear(&r->old_body);
	struct query q = query_begin(r->lite, SQL_LOCAL_RECORD_GET);
	query_text(q, 1, id);
	if (query_step(q)) {
		struct record *v = &ret->record;
		row_read(q, r, v, &ret->vv);
		ret->head = row_head(q);
		ret->found = true;
		buf_put(&r->old_body, v->body);
		if (v->type.len > sizeof ret->type)
			lite_fail(r->lite, INTERNAL, "the database is damaged: a type of %zu bytes",
				v->type.len);
		else if (v->type.len)
			memcpy(ret->type, v->type.at, v->type.len);
		v->type.at = ret->type;
		v->body = buf_span(&r->old_body);
		v->id = id;
	}
	query_done(q);
	if (buf_failed(&r->old_body))
		lite_fail(r->lite, RETRY, "out of memory");
}

/* The log's end with `v`, which takes the next seq. */
static struct position next_position(const struct replica *r, struct record *v)
{
	const struct position *end = &r->tx.head;
	v->seq = end->seq + 1;
	return (struct position){.seq = v->seq, .head = record_chain(end->head, v->seq, v->id, v->hash)};
}

/* `v` is written: the log has grown.  Here alone. */
static void move_on(struct replica *r, const struct record *v, struct position to)
{
	digest_add(&r->tx.digest, v->hash);
	r->tx.head = to;
	r->changed = true;
}

/* Makes `v` the newest version of its record. */
static void append(struct replica *r, struct record *v, const struct present *old)
{
	struct position to = next_position(r, v);
	if (old->found) {
		unsigned char bytes[16];
		hash_to_bytes(old->head, bytes);
		struct query q = query_begin(r->lite, SQL_LOCAL_POSITION_ADD);
		query_u64(q, 1, old->record.seq);
		bind_hash(q, 2, bytes);
		query_run(q);
		digest_drop(&r->tx.digest, old->record.hash);
		r->overwritten++;
	}
	row_write(r->lite, v, to.head);
	move_on(r, v, to);
}

/* The same without a look at what is there; false: the record is, and nothing was done. */
static bool append_unseen(struct replica *r, struct record *v)
{
	struct position to = next_position(r, v);
	bool added = row_add(r->lite, v, to.head);
	if (added)
		move_on(r, v, to);
	return added;
}

/* Asked once a transaction: it is the kernel that answers, and a transaction is short. */
static int64_t error_us(struct replica *r)
{
	if (!r->error_known)
		r->error_us = clock_error_us();
	r->error_known = true;
	return r->error_us;
}

/* The new version's dot, vector, times and hash, over what it replaces. */
static void make_version(struct replica *r, struct record *v, struct vector *vv, const struct present *old)
{
	if (r->actor == 0)
		r->actor = actor_new(false);
	v->owner = span_of(r->node);
	v->dot = (struct dot){.actor = r->actor, .n = r->tx.head.seq + 1};
	vv->n = 0;
	if (old->found)
		vector_succeed(vv, v->dot, old->record.dot, old->record.vv, (struct dot){0, 0}, NULL);
	v->vv = vv->n ? vv : NULL;
	v->updated_at_us = clock_wall_us();
	v->created_at_us = old->found && !old->record.deleted ? old->record.created_at_us : v->updated_at_us;
	v->clock_error_us = error_us(r);
	v->hash = record_hash(v);
}

static enum err check_precondition(
	const struct precondition *p, const struct present *old, struct reason *why)
{
	if (!p)
		return OK;
	if (p->must_be_absent && old->found && !old->record.deleted)
		return fail(CONFLICT, why, "the record exists already");
	if (p->must_match && !old->found)
		return fail(CONFLICT, why, "the record does not exist");
	if (p->must_match && !hash_equal(p->hash, old->record.hash))
		return fail(CONFLICT, why, "the record has another version by now");
	return OK;
}

static void tell(struct written *ret, const struct record *v, bool created, bool changed)
{
	memset(ret, 0, sizeof *ret);
	memcpy(ret->id, v->id.at, v->id.len);
	ret->seq = v->seq;
	ret->hash = v->hash;
	ret->created = created;
	ret->changed = changed;
}

/* A body that is on one line, as it mostly comes, is not copied. */
static struct span on_one_line(struct replica *r, struct span body)
{
	if (!memchr(body.at, '\n', body.len) && !memchr(body.at, '\r', body.len))
		return body;
	buf_clear(&r->body);
	json_put_on_one_line(body, &r->body);
	if (buf_failed(&r->body))
		lite_fail(r->lite, RETRY, "out of memory");
	return buf_span(&r->body);
}

/* True: there was no such record, and now there is. */
static bool put_unseen(struct replica *r, struct record *v, struct vector *vv)
{
	static const struct present none;
	make_version(r, v, vv, &none);
	return append_unseen(r, v);
}

enum err replica_put(struct replica *r, const struct draft *d, const struct precondition *p,
	struct written *ret, struct reason *why)
{
	char made[37];
	struct record v = {.id = d->id, .type = d->type, .body = on_one_line(r, d->body)};
	struct vector vv;
	bool must_match = p && p->must_match;
	if (v.id.len == 0) {
		entropy_uuid7(&r->made, made);
		v.id = span_of(made);
	}
	/* Most that is put is new, and an insert finds out by itself. */
	if (!must_match && !r->look_first && put_unseen(r, &v, &vv)) {
		tell(ret, &v, true, true);
		return OK;
	}
	struct present old;
	look_up(r, v.id, &old);
	r->look_first = old.found;
	enum err e = lite_failed(r->lite, why);
	if (e == OK)
		e = check_precondition(p, &old, why);
	if (e != OK)
		return e;
	bool lives = old.found && !old.record.deleted;
	if (lives && span_equal(old.record.type, v.type) && span_equal(old.record.body, v.body)) {
		tell(ret, &old.record, false, false);
		return OK;
	}
	make_version(r, &v, &vv, &old);
	append(r, &v, &old);
	e = lite_failed(r->lite, why);
	if (e == OK)
		tell(ret, &v, !lives, true);
	return e;
}

enum err replica_delete(struct replica *r, struct span id, const struct precondition *p, struct written *ret,
	struct reason *why)
{
	struct present old;
	look_up(r, id, &old);
	enum err e = lite_failed(r->lite, why);
	if (e == OK && !old.found)
		return fail(GONE, why, "there is no such record");
	if (e == OK)
		e = check_precondition(p, &old, why);
	if (e != OK)
		return e;
	if (old.record.deleted) {
		tell(ret, &old.record, false, false);
		return OK;
	}
	struct record v = {.id = id, .type = old.record.type, .body = span_of("null"), .deleted = true};
	struct vector vv;
	make_version(r, &v, &vv, &old);
	append(r, &v, &old);
	e = lite_failed(r->lite, why);
	if (e == OK)
		tell(ret, &v, false, true);
	return e;
}

/* Before `v` takes its place; what reads the same is no loss.  False: it must not. */
static bool keep_replaced(struct replica *r, const struct record *v, const struct present *old)
{
	const struct record *o = &old->record;
	if (!old->found ||
		(o->deleted == v->deleted && span_equal(o->type, v->type) && span_equal(o->body, v->body)))
		return true;
	return replaced_keep(r, o->seq, o->body.len);
}

/*
 * Does it know more writes of this process than there are?  The next ones would then be taken for old at the centre, and undone.
 * Nobody honest does: what this process has not written nobody has seen.
 */
static bool knows_unwritten(const struct replica *r, const struct record *v)
{
	return r->actor != 0 && version_known(v->dot, v->vv, r->actor) > r->tx.head.seq;
}

enum err replica_apply(struct replica *r, const struct push_item *item, struct push_answer *ret,
	struct arena *a, struct reason *why)
{
	struct record v = item->record;
	struct push_answer answer = {.id = v.id, .result = PUSH_APPLIED, .hash = v.hash};
	struct present old;
	if (knows_unwritten(r, &v)) {
		answer.result = PUSH_REJECTED;
		answer.reason = span_of("vv: it knows writes of this database that were never made");
		*ret = answer;
		return OK;
	}
	if (hash_is_none(item->expected) && !r->look_first && append_unseen(r, &v)) {
		*ret = answer;
		return OK;
	}
	look_up(r, v.id, &old);
	r->look_first = old.found;
	enum err e = lite_failed(r->lite, why);
	if (e != OK)
		return e;
	if (old.found && hash_equal(old.record.hash, v.hash)) {
		answer.result = PUSH_ALREADY;
	} else if ((old.found ? hash_equal(old.record.hash, item->expected) : hash_is_none(item->expected)) &&
		   keep_replaced(r, &v, &old)) {
		append(r, &v, &old);
	} else {
		answer.result = PUSH_CONFLICT;
		answer.hash = (struct hash){{0, 0}};
		answer.has_record = old.found;
		if (old.found)
			row_copy(&old.record, &answer.record, a);
	}
	e = lite_failed(r->lite, why);
	if (e == OK)
		*ret = answer;
	return e;
}

/* None is there, as far as the centre knows; and is it to be written as it is? */
static bool is_new(const struct replica *r, const struct push_item *item)
{
	return hash_is_none(item->expected) && !knows_unwritten(r, &item->record);
}

size_t replica_apply_new(struct replica *r, const struct push_item *items, size_t n)
{
	struct record v[ROWS_AT_ONCE];
	struct hash head[ROWS_AT_ONCE];
	struct position end = r->tx.head;
	if (n < ROWS_AT_ONCE || r->look_first)
		return 0;
	for (size_t i = 0; i < ROWS_AT_ONCE; i++) {
		if (!is_new(r, &items[i]))
			return 0;
		v[i] = items[i].record;
		v[i].seq = ++end.seq;
		head[i] = end.head = record_chain(end.head, end.seq, v[i].id, v[i].hash);
	}
	size_t added = row_add_many(r->lite, v, head);
	for (size_t i = 0; i < added; i++)
		move_on(r, &v[i], (struct position){.seq = v[i].seq, .head = head[i]});
	return added;
}

enum err replica_rename_epoch(struct replica *r, const struct rename_request *q, enum rename_result *ret,
	struct epoch *ret_now, struct reason *why)
{
	struct log_state *s = &r->tx;
	*ret_now = s->epoch;
	if (epoch_equal(&s->epoch, &q->to)) {
		*ret = RENAME_DONE;
		return OK;
	}
	enum feed_verdict verdict = position_verdict(r->lite, s, &q->from, q->witness);
	enum err e = lite_failed(r->lite, why);
	if (e != OK)
		return e;
	switch (verdict) {
	case FEED_EPOCH_CHANGED:
		return fail(CONFLICT, why, "the epoch is neither the one to rename nor its new name");
	case FEED_SERVED:
		*ret = RENAME_NOT_REWOUND;
		break;
	case FEED_REWOUND:
		s->epoch = q->to;
		r->changed = true;
		*ret_now = q->to;
		*ret = RENAME_DONE;
		break;
	}
	return OK;
}
