#include "local/replica_private.h"

enum {
	SEQ,
	ID,
	TYPE,
	BODY,
	DELETED,
	ACTOR,
	N,
	VV,
	H0,
	H1,
	HEAD,
	CREATED_AT,
	UPDATED_AT,
	CLOCK_ERROR,
	COLUMNS
};

/* False: the vector is damaged, and left out. */
static bool read_row(struct query q, const struct replica *r, struct record *ret, struct vector *vv)
{
	*ret = (struct record){
		.owner = span_of(r->node),
		.id = query_col_text(q, ID),
		.type = query_col_text(q, TYPE),
		.body = query_col_text(q, BODY),
		.deleted = query_col_i64(q, DELETED) != 0,
		.dot = {.actor = query_col_u64(q, ACTOR), .n = query_col_u64(q, N)},
		.hash = {{query_col_u64(q, H0), query_col_u64(q, H1)}},
		.created_at_us = query_col_i64(q, CREATED_AT),
		.updated_at_us = query_col_i64(q, UPDATED_AT),
		.clock_error_us = query_col_null(q, CLOCK_ERROR) ? -1 : query_col_i64(q, CLOCK_ERROR),
		.seq = query_col_u64(q, SEQ),
	};
	if (query_col_null(q, VV))
		return true;
	struct span packed = query_col_blob(q, VV);
	if (!vector_unpack(vv, packed.at, packed.len))
		return false;
	ret->vv = vv->n ? vv : NULL;
	return true;
}

void row_read(struct query q, const struct replica *r, struct record *ret, struct vector *vv)
{
	if (!read_row(q, r, ret, vv))
		lite_fail(q.lite, INTERNAL, "record at %llu: its version vector is damaged",
			(unsigned long long)ret->seq);
}

bool row_is_whole(struct query q, const struct replica *r, struct record *ret, struct vector *vv)
{
	return read_row(q, r, ret, vv) && hash_equal(record_hash(ret), ret->hash);
}

struct hash row_head(struct query q)
{
	return column_hash(q, HEAD);
}

static struct span copy_span(struct span s, struct arena *a)
{
	return (struct span){.at = arena_copy(a, s.at, s.len), .len = s.len};
}

void row_copy(const struct record *from, struct record *ret, struct arena *a)
{
	*ret = *from;
	ret->owner = copy_span(from->owner, a);
	ret->id = copy_span(from->id, a);
	ret->type = copy_span(from->type, a);
	ret->body = copy_span(from->body, a);
	if (from->vv) {
		struct vector *vv = arena_alloc(a, sizeof *vv);
		*vv = *from->vv;
		ret->vv = vv;
	}
}

/* What is bound as bytes, until the statement has run. */
struct row_bytes {
	unsigned char head[16], vv[16 * VECTOR_MAX];
};

/* `place`: of the row's first value. */
static void bind_row(
	struct query q, int place, const struct record *v, struct hash head, struct row_bytes *bytes)
{
	hash_to_bytes(head, bytes->head);
	query_u64(q, place + SEQ, v->seq);
	query_text(q, place + ID, v->id);
	query_text(q, place + TYPE, v->type);
	query_text(q, place + BODY, v->body);
	query_i64(q, place + DELETED, v->deleted);
	query_u64(q, place + ACTOR, v->dot.actor);
	query_u64(q, place + N, v->dot.n);
	if (v->vv && v->vv->n)
		query_blob(q, place + VV,
			(struct span){.at = (char *)bytes->vv, .len = vector_pack(v->vv, bytes->vv)});
	query_u64(q, place + H0, v->hash.half[0]);
	query_u64(q, place + H1, v->hash.half[1]);
	bind_hash(q, place + HEAD, bytes->head);
	query_i64(q, place + CREATED_AT, v->created_at_us);
	query_i64(q, place + UPDATED_AT, v->updated_at_us);
	if (v->clock_error_us >= 0)
		query_i64(q, place + CLOCK_ERROR, v->clock_error_us);
}

/* Returns how many rows it wrote. */
static int64_t run_with_row(struct lite *l, int statement, const struct record *v, struct hash head)
{
	struct row_bytes bytes;
	struct query q = query_begin(l, statement);
	bind_row(q, 1, v, head, &bytes);
	query_run(q);
	return query_changes(q);
}

void row_write(struct lite *l, const struct record *v, struct hash head)
{
	(void)run_with_row(l, SQL_LOCAL_RECORD_PUT, v, head);
}

bool row_add(struct lite *l, const struct record *v, struct hash head)
{
	return run_with_row(l, SQL_LOCAL_RECORD_ADD, v, head) > 0;
}

size_t row_add_many(struct lite *l, const struct record v[ROWS_AT_ONCE], const struct hash head[ROWS_AT_ONCE])
{
	struct row_bytes bytes[ROWS_AT_ONCE];
	struct query q = query_begin(l, SQL_LOCAL_RECORD_ADD_MANY);
	for (int i = 0; i < ROWS_AT_ONCE; i++)
		bind_row(q, 1 + i * COLUMNS, &v[i], head[i], &bytes[i]);
	return (size_t)query_insert(q);
}

struct hash column_hash(struct query q, int col)
{
	struct span bytes = query_col_blob(q, col);
	if (bytes.len != 16) {
		lite_fail(q.lite, INTERNAL, "the database is damaged: a hash of %zu bytes", bytes.len);
		return (struct hash){{0, 0}};
	}
	return hash_from_bytes((const unsigned char *)bytes.at);
}

void bind_hash(struct query q, int place, const unsigned char bytes[16])
{
	query_blob(q, place, (struct span){.at = (const char *)bytes, .len = 16});
}

bool state_read(struct lite *l, const char *node, struct log_state *ret)
{
	struct query q = query_begin(l, SQL_LOCAL_STATE_GET);
	bool found = query_step(q);
	if (found) {
		struct span owner = query_col_text(q, 0);
		if (!span_is(owner, node))
			lite_fail(l, DENIED,
				"the database is that of node %.*s, not of %s: give it another --db",
				(int)owner.len, owner.at, node);
		if (!epoch_parse(query_col_text(q, 1), &ret->epoch) || epoch_is_none(&ret->epoch))
			lite_fail(l, INTERNAL, "the database is damaged: it has no epoch");
		ret->head = (struct position){.seq = query_col_u64(q, 2), .head = column_hash(q, 3)};
		ret->digest = (struct digest){
			.count = query_col_u64(q, 4), .lane = {query_col_u64(q, 5), query_col_u64(q, 6)}};
	}
	query_done(q);
	return found && lite_failed(l, NULL) == OK;
}

void state_write(struct lite *l, const struct log_state *s)
{
	unsigned char head[16];
	hash_to_bytes(s->head.head, head);
	struct query q = query_begin(l, SQL_LOCAL_STATE_SET);
	query_text(q, 1, span_of(s->epoch.hex));
	query_u64(q, 2, s->head.seq);
	bind_hash(q, 3, head);
	query_u64(q, 4, s->digest.count);
	query_u64(q, 5, s->digest.lane[0]);
	query_u64(q, 6, s->digest.lane[1]);
	query_run(q);
}

bool position_find(struct lite *l, uint64_t seq, struct hash *ret)
{
	struct query q = query_begin(l, SQL_LOCAL_POSITION_GET);
	query_u64(q, 1, seq);
	bool found = query_step(q);
	if (found)
		*ret = column_hash(q, 0);
	query_done(q);
	return found && lite_failed(l, NULL) == OK;
}

static bool contains(struct lite *l, const struct log_state *s, struct position p)
{
	if (p.seq == 0)
		return hash_is_none(p.head);
	if (p.seq >= s->head.seq)
		return position_equal(p, s->head);
	struct hash head;
	return position_find(l, p.seq, &head) && hash_equal(head, p.head);
}

enum feed_verdict position_verdict(
	struct lite *l, const struct log_state *s, const struct epoch *epoch, struct position witness)
{
	if (!epoch_equal(epoch, &s->epoch))
		return FEED_EPOCH_CHANGED;
	return contains(l, s, witness) ? FEED_SERVED : FEED_REWOUND;
}
