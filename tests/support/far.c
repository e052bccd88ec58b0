#include "tests/support/far.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"

void far_open(struct far *f, const char *name, struct arena *arena)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->arena = arena;
	f->actor = actor_new(false);
	f->epoch = epoch_new();
}

void far_wipe(struct far *f)
{
	char name[sizeof(f->name)];

	memcpy(name, f->name, sizeof(name));
	far_open(f, name, f->arena);
}

void far_restart(struct far *f)
{
	f->actor = actor_new(false);
}

static struct far_row *find(const struct far *f, struct span id)
{
	for (size_t i = 0; i < f->n; i++)
		if (span_equal(f->rows[i].record.id, id))
			return (struct far_row *)(uintptr_t)&f->rows[i];
	return NULL;
}

const struct record *far_get(const struct far *f, const char *id)
{
	struct far_row *row = find(f, span_of(id));

	return row ? &row->record : NULL;
}

static struct span keep(struct far *f, struct span s)
{
	return (struct span){arena_copy(f->arena, s.at, s.len), s.len};
}

void far_hold(struct far *f, const struct record *r)
{
	struct far_row *row = find(f, r->id);
	struct record kept = *r;

	kept.owner = keep(f, r->owner);
	kept.id = keep(f, r->id);
	kept.type = keep(f, r->type);
	kept.body = keep(f, r->body);
	if (r->vv) {
		struct vector *vv = arena_alloc(f->arena, sizeof(*vv));

		*vv = *r->vv;
		kept.vv = vv;
	}
	f->head.seq++;
	f->head.head = record_chain(f->head.head, f->head.seq, kept.id, kept.hash);
	kept.seq = f->head.seq;
	if (!row) {
		assert(f->n < FAR_ROWS);
		row = &f->rows[f->n++];
	}
	*row = (struct far_row){kept, f->head.head};
}

static void write_version(struct far *f, const char *id, const char *body, bool deleted)
{
	static const struct dot none;
	struct far_row *row = find(f, span_of(id));
	struct vector vv;
	struct record r = {
		.owner = span_of(f->name),
		.id = span_of(id),
		.type = span_of("reading"),
		.body = span_of(body),
		.deleted = deleted,
		.dot = {f->actor, f->head.seq + 1},
		.created_at_us = row ? row->record.created_at_us : clock_wall_us(),
		.updated_at_us = clock_wall_us(),
		.clock_error_us = -1,
	};

	vector_succeed(&vv, r.dot, row ? row->record.dot : none, row ? row->record.vv : NULL, none, NULL);
	r.vv = vv.n ? &vv : NULL;
	r.hash = record_hash(&r);
	far_hold(f, &r);
}

void far_put(struct far *f, const char *id, const char *body)
{
	write_version(f, id, body, false);
}

void far_delete(struct far *f, const char *id)
{
	write_version(f, id, "null", true);
}

struct digest far_digest(const struct far *f)
{
	struct digest d = {0};

	for (size_t i = 0; i < f->n; i++)
		digest_add(&d, f->rows[i].record.hash);
	d.lane[0] += f->lie;
	return d;
}

static const struct far_row *next_row(const struct far *f, uint64_t after)
{
	const struct far_row *next = NULL;

	for (size_t i = 0; i < f->n; i++)
		if (f->rows[i].record.seq > after && (!next || f->rows[i].record.seq < next->record.seq))
			next = &f->rows[i];
	return next;
}

static struct page_end end_of(const struct far *f)
{
	return (struct page_end){
		.to = f->head,
		.head_seq = f->head.seq,
		.digest = far_digest(f),
		.oldest_after_us = -1,
		.clock_error_us = -1,
	};
}

static struct page_begin begin_of(const struct far *f)
{
	struct page_begin b = {.epoch = f->epoch, .version = "test", .protocol = 1};

	memcpy(b.node, f->name, sizeof(b.node));
	return b;
}

void far_page(const struct far *f, uint64_t after, unsigned limit, struct page *ret)
{
	const struct far_row *row = NULL;

	*ret = (struct page){.begin = begin_of(f), .end = end_of(f)};
	ret->records = arena_alloc(f->arena, (limit + 1) * sizeof(*ret->records));
	while (ret->n < limit && (row = next_row(f, after)) != NULL) {
		ret->records[ret->n++] = row->record;
		after = row->record.seq;
		ret->end.to = (struct position){row->record.seq, row->head};
	}
	if (next_row(f, after))
		ret->end.more = true;
	else
		ret->end.to = f->head;
}

void far_digests(const struct far *f, unsigned bits, struct buckets *ret)
{
	size_t all = (size_t)1 << bits;
	struct digest *sums = arena_alloc(f->arena, all * sizeof(*sums));

	*ret = (struct buckets){.bits = bits, .begin = begin_of(f), .end = end_of(f)};
	ret->at = arena_alloc(f->arena, all * sizeof(*ret->at));
	memset(sums, 0, all * sizeof(*sums));
	for (size_t i = 0; i < f->n; i++)
		digest_add(&sums[hash_bucket(f->rows[i].record.id, bits)], f->rows[i].record.hash);
	for (size_t i = 0; i < all; i++)
		if (sums[i].count > 0)
			ret->at[ret->n++] = (struct bucket){(uint16_t)i, sums[i]};
}

void far_fetch(const struct far *f, const struct bucket_set *wanted, struct page *ret)
{
	const struct far_row *row = NULL;

	*ret = (struct page){.begin = begin_of(f), .end = end_of(f)};
	ret->records = arena_alloc(f->arena, (f->n + 1) * sizeof(*ret->records));
	while ((row = next_row(f, row ? row->record.seq : 0)) != NULL)
		if (bucket_set_has(wanted, row->record.id))
			ret->records[ret->n++] = row->record;
}

void far_lose(struct far *f, const char *id)
{
	struct far_row *row = find(f, span_of(id));

	assert(row);
	*row = f->rows[--f->n];
}

static void answer_one(struct far *f, const struct push_item *item, struct push_answer *a)
{
	struct far_row *row = find(f, item->record.id);
	struct hash own = row ? row->record.hash : (struct hash){{0}};

	*a = (struct push_answer){.id = item->record.id, .hash = item->record.hash};
	if (f->reject && span_is(item->record.id, f->reject)) {
		a->result = PUSH_REJECTED;
		a->reason = span_of("too much for it");
	} else if (hash_equal(own, item->record.hash)) {
		a->result = PUSH_ALREADY;
	} else if (hash_equal(own, item->expected)) {
		a->result = PUSH_APPLIED;
		far_hold(f, &item->record);
	} else {
		a->result = PUSH_CONFLICT;
		a->has_record = row != NULL;
		if (row)
			a->record = row->record;
	}
}

void far_answer(struct far *f, const struct push_item *items, size_t n, struct push_answers *ret)
{
	*ret = (struct push_answers){.begin = begin_of(f), .n = n};
	ret->answers = arena_alloc(f->arena, (n + 1) * sizeof(*ret->answers));
	for (size_t i = 0; i < n; i++)
		answer_one(f, &items[i], &ret->answers[i]);
	ret->end = end_of(f);
}
