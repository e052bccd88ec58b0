#include "local/replica_private.h"

#include <assert.h>
#include <string.h>

/* So much more is free than when a write found no room: some was made. */
#define ROOM_SEEN_BYTES 65536
/* So much more than what is low is room again: a disk at the edge is not told of again and again. */
#define ROOM_AGAIN_BYTES ((int64_t)1 << 20)
/* Of two that are counted by turns, each time twice as far, until one comes to its end. */
#define COUNT_FIRST 64

/* --- the pool --- */

void readers_init(struct readers *p)
{
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->returned, NULL);
}

void readers_done(struct readers *p)
{
	for (size_t i = 0; i < p->n_idle; i++)
		lite_close(p->idle[i]);
	pthread_cond_destroy(&p->returned);
	pthread_mutex_destroy(&p->lock);
}

/* NULL: the caller is to open one, and has its place. */
static struct lite *take(struct readers *p)
{
	struct lite *l = NULL;
	pthread_mutex_lock(&p->lock);
	while (p->n_idle == 0 && p->n_open == READERS_MAX)
		pthread_cond_wait(&p->returned, &p->lock);
	if (p->n_idle > 0)
		l = p->idle[--p->n_idle];
	else
		p->n_open++;
	pthread_mutex_unlock(&p->lock);
	return l;
}

/* NULL: it could not be opened; its place is free again. */
static void give_back(struct readers *p, struct lite *l)
{
	pthread_mutex_lock(&p->lock);
	if (l)
		p->idle[p->n_idle++] = l;
	else
		p->n_open--;
	pthread_cond_signal(&p->returned);
	pthread_mutex_unlock(&p->lock);
}

enum err reader_begin(struct replica *r, struct lite **ret, struct log_state *state, struct reason *why)
{
	struct lite *l = take(&r->readers);
	if (!l) {
		enum err e = replica_open_reader(r, &l, why);
		if (e != OK) {
			give_back(&r->readers, NULL);
			return e;
		}
	}
	lite_begin(l);
	if (!state_read(l, r->node, state))
		lite_fail(l, INTERNAL, "the database is damaged: its state is gone");
	if (lite_failed(l, NULL) != OK) {
		enum err e = reader_end(r, l, NULL, why);
		assert(e != OK); /* the first failure sticks */
		return e;
	}
	*ret = l;
	return OK;
}

enum err reader_end(struct replica *r, struct lite *l, const struct buf *out, struct reason *why)
{
	if (out && buf_failed(out))
		lite_fail(l, RETRY, "out of memory");
	enum err e = lite_rollback(l, why);
	give_back(&r->readers, l);
	return e;
}

/* --- records --- */

enum err replica_get(
	struct replica *r, struct span id, struct record *ret, struct arena *a, struct reason *why)
{
	struct lite *l;
	struct log_state s;
	enum err e = reader_begin(r, &l, &s, why);
	if (e != OK)
		return e;
	struct record found = {0};
	struct query q = query_begin(l, SQL_LOCAL_RECORD_GET);
	query_text(q, 1, id);
	if (query_step(q)) {
		struct record v;
		struct vector vv;
		row_read(q, r, &v, &vv);
		row_copy(&v, &found, a);
	} else {
		lite_fail(l, GONE, "there is no such record");
	}
	query_done(q);
	e = reader_end(r, l, NULL, why);
	if (e == OK)
		*ret = found;
	return e;
}

struct last {
	char id[RECORD_ID_MAX];
	size_t len;
};

static void keep_last(struct last *to, struct span id)
{
	to->len = id.len < sizeof to->id ? id.len : sizeof to->id;
	memcpy(to->id, id.at, to->len);
}

static unsigned looks_of(const struct record_query *q)
{
	unsigned looks = q->looks ? q->looks : RECORD_LOOKS;
	return looks > q->limit ? looks : q->limit + 1;
}

/* The page was not filled: did it look at all there is?  False: *ret is how far it looked. */
static bool saw_the_end(struct lite *l, const struct record_query *q, struct last *ret)
{
	struct query row = query_begin(l, SQL_LOCAL_RECORD_LOOKED);
	query_text(row, 1, q->after);
	query_i64(row, 2, (int64_t)looks_of(q) - 1);
	bool end = !query_step(row);
	if (!end)
		keep_last(ret, query_col_text(row, 0));
	query_done(row);
	return end;
}

enum err replica_list(struct replica *r, const struct record_query *q, struct buf *out, struct reason *why)
{
	struct lite *l;
	struct log_state s;
	enum err e = reader_begin(r, &l, &s, why);
	if (e != OK)
		return e;
	struct last last = {.len = 0};
	unsigned n = 0;
	bool more = false;
	struct query rows = query_begin(l, SQL_LOCAL_RECORD_LIST);
	query_text(rows, 1, q->after);
	query_i64(rows, 2, looks_of(q));
	query_text(rows, 3, q->type);
	query_i64(rows, 4, q->deleted);
	query_i64(rows, 5, (int64_t)q->limit + 1);
	buf_text(out, "{\"records\":[");
	while (query_step(rows) && !(more = n == q->limit || out->len > PAGE_BYTES_DEFAULT)) {
		struct record v;
		struct vector vv;
		row_read(rows, r, &v, &vv);
		buf_text(out, n++ ? "," : "");
		record_encode(&v, out);
		keep_last(&last, v.id);
	}
	query_done(rows);
	more = more || !saw_the_end(l, q, &last);
	buf_text(out, "],\"next\":");
	if (more)
		buf_json_text(out, (struct span){.at = last.id, .len = last.len});
	else
		buf_text(out, "null");
	buf_char(out, '}');
	return reader_end(r, l, out, why);
}

/* --- status --- */

static uint64_t count_after(struct lite *l, int statement, uint64_t after, uint64_t most)
{
	struct query q = query_begin(l, statement);
	query_u64(q, 1, after);
	query_u64(q, 2, most);
	uint64_t n = query_step(q) ? query_col_u64(q, 0) : 0;
	query_done(q);
	return n;
}

/*
 * The places of the log behind one are records, or kept as written over where nothing there has been pruned: whichever are fewer
 * are counted, and those are none where a site writes new records alone, be there millions.
 */
static uint64_t count_records_after(struct replica *r, struct lite *l, uint64_t seq, uint64_t head)
{
	bool all_kept = seq >= atomic_load(&r->pruned_below);
	for (uint64_t most = all_kept ? COUNT_FIRST : INT64_MAX;; most *= 2) {
		uint64_t over = all_kept ? count_after(l, SQL_LOCAL_POSITION_COUNT_AFTER, seq, most) : most;
		if (over < most)
			return head - seq - over;
		uint64_t n = count_after(l, SQL_LOCAL_RECORD_COUNT_AFTER, seq, most);
		if (n < most)
			return n;
	}
}

int64_t reader_updated_after(struct lite *l, uint64_t seq)
{
	struct query q = query_begin(l, SQL_LOCAL_RECORD_UPDATED_AFTER);
	query_u64(q, 1, seq);
	int64_t at_us = query_step(q) ? query_col_i64(q, 0) : -1;
	query_done(q);
	return at_us;
}

int64_t replica_room(struct replica *r, bool *ret_low)
{
	int64_t free_bytes = lite_disk_free(r->path);
	int64_t least = LITE_ROOM_BYTES + (atomic_load(&r->low) ? ROOM_AGAIN_BYTES : 0);
	*ret_low = free_bytes >= 0 && free_bytes < least;
	atomic_store(&r->low, *ret_low);
	return free_bytes;
}

bool replica_is_full(struct replica *r)
{
	return r->full && lite_disk_free(r->path) <= r->full_free_bytes + ROOM_SEEN_BYTES;
}

void replica_note_damage(struct replica *r, const char *what)
{
	struct complaints *c = &r->complaints;

	pthread_mutex_lock(&c->lock);
	if (!c->damaged)
		(void)fail(OK, &c->damage_why, "%s", what);
	c->damaged = true;
	pthread_mutex_unlock(&c->lock);
}

void replica_note_certificate(struct replica *r, const char *what)
{
	struct complaints *c = &r->complaints;

	pthread_mutex_lock(&c->lock);
	(void)fail(OK, &c->certificate, "%s", what);
	pthread_mutex_unlock(&c->lock);
}

void replica_ailments(struct replica *r, struct ailments *ret)
{
	struct complaints *c = &r->complaints;
	struct ailments s = {0};
	bool low, full = replica_is_full(r);
	int64_t free_bytes = replica_room(r, &low);

	pthread_mutex_lock(&c->lock);
	if (c->damaged)
		ailments_add(&s, AILMENT_DAMAGED, "%s", c->damage_why.text);
	if (c->writes_fail && !full && !strstr(c->write_why.text, REASON_DISK_FULL))
		ailments_add(&s, AILMENT_WRITES_FAIL, "its database takes no writes: %s", c->write_why.text);
	if (c->certificate.text[0])
		ailments_add(&s, AILMENT_CERTIFICATE, "%s", c->certificate.text);
	pthread_mutex_unlock(&c->lock);
	if (full)
		ailments_add(&s, AILMENT_DISK_FULL,
			"the last write found no room on the disk; %lld KiB are free",
			(long long)(free_bytes / 1024));
	else if (low)
		ailments_add(&s, AILMENT_DISK_LOW, "only %lld KiB are free where its database lies",
			(long long)(free_bytes / 1024));
	*ret = s;
}

enum err replica_status(struct replica *r, struct replica_status *ret, struct reason *why)
{
	struct lite *l;
	struct log_state s;
	enum err e = reader_begin(r, &l, &s, why);
	if (e != OK)
		return e;
	struct heard oldest = {.at_us = -1};
	known_oldest(&r->known, &oldest);
	uint64_t upto = oldest.witness.seq;
	struct replica_status status = {
		.epoch = s.epoch,
		.head = s.head,
		.digest = s.digest,
		.acknowledged = oldest.witness,
		.acknowledged_at_us = oldest.at_us,
		.unacknowledged = upto == 0 ? s.digest.count : 0,
		.oldest_unacknowledged_us = -1,
		.full = replica_is_full(r),
		.usable = !replica_is_lost(r),
	};
	status.disk_free_bytes = replica_room(r, &status.low);
	if (upto < s.head.seq) {
		if (upto > 0)
			status.unacknowledged = count_records_after(r, l, upto, s.head.seq);
		status.oldest_unacknowledged_us = reader_updated_after(l, upto);
	}
	e = reader_end(r, l, NULL, why);
	if (e == OK)
		*ret = status;
	return e;
}
