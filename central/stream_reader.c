/* Those who read: first what was before, from the store, then what comes, from the ring. */
#include "central/stream_private.h"

#include <assert.h>
#include <time.h>

#include "central/listing.h"
#include "shared/clock.h"

#define PAST_AT_ONCE 100
#define BLOCK_BYTES ((size_t)64 * 1024)
#define SILENCE_US INT64_C(15000000)

enum err stream_join(struct stream *s, struct stream_reader *rd, struct reason *why)
{
	uint64_t newest;
	enum err e = stream_newest(s, &newest, why);

	if (e != OK)
		return e;
	pthread_mutex_lock(&s->lock);
	if (s->stopping || s->readers == STREAM_READERS_MAX) {
		e = fail(RETRY, why, "%s",
			s->stopping ? "shutting down" : "as many as may follow are following already");
	} else if (s->readers++ == 0) { /* nobody has looked since the last one left */
		s->last_event = newest;
		buf_clear(&s->status);
		s->anew = true;
		pthread_cond_signal(&s->work);
	}
	if (e == OK) {
		rd->stream = s;
		rd->live = !rd->from_past;
		rd->place = s->ring.last;
		if (rd->live)
			rd->wish.after = s->last_event;
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}

void stream_leave(struct stream_reader *rd)
{
	struct stream *s = rd->stream;

	pthread_mutex_lock(&s->lock);
	s->readers--;
	pthread_mutex_unlock(&s->lock);
}

/* --- what was before --- */

struct past {
	struct buf *out;
	uint64_t last;
	unsigned n;
};

static void put_event(void *ctx, const struct listed_event *e)
{
	struct past *p = ctx;

	p->n++;
	p->last = e->id;
	buf_printf(p->out, "id: %llu\nevent: event\ndata: ", (unsigned long long)e->id);
	listing_put_event(p->out, e);
	buf_text(p->out, "\n\n");
}

static void put_gap(struct buf *out, uint64_t after, uint64_t next)
{
	buf_text(out, "event: gap\ndata: ");
	stream_put_gap(out, after, next);
	buf_text(out, "\n\n");
}

/*
 * What was removed of this stretch, if anything, is told before it.  Those with an author stay longer than the others, so
 * that ids are missing between them: each stretch is counted.  A gap that reaches further than the stretch is told once.
 */
static bool tell_missing(struct stream_reader *rd, uint64_t to, struct buf *out)
{
	uint64_t told = rd->gap_to > 0 ? rd->gap_to - 1 : 0, n, next;
	uint64_t after = rd->wish.after > told ? rd->wish.after : told;
	struct reason why;

	if (after == 0 || after >= to)
		return true;
	if (store_events_between(rd->stream->centre->store, after, to, &n, &next, &why) != OK)
		return false;
	if (n >= to - after)
		return true;
	rd->gap_to = next > 0 ? next : to + 1;
	put_gap(out, after, rd->gap_to);
	return true;
}

/*
 * A page of those after wish.after up to `last`, which are all committed: whoever has seen an id never sees a smaller
 * one come.  The oldest may be removed at any time: if, afterwards, all are still there, none was missing.
 */
static bool read_past(struct stream_reader *rd, uint64_t last, struct buf *out)
{
	const struct ring_wish *w = &rd->wish;
	const struct event_query page = {.node = w->node[0] ? w->node : NULL,
		.least_level = w->least_level,
		.no_moves = w->no_moves,
		.audit = w->audit,
		.who = w->by_who ? w->who : NULL,
		.after = w->after,
		.before = last + 1,
		.limit = PAST_AT_ONCE,
		.oldest = true};
	struct buf text = {0};
	struct past got = {.out = &text};
	struct reason why;
	bool good = store_events_each(rd->stream->centre->store, &page, put_event, &got, &why) == OK &&
		    !buf_failed(&text);
	uint64_t to = got.n == PAST_AT_ONCE ? got.last : last;

	good = good && tell_missing(rd, to, out);
	if (good && text.len > 0)
		buf_put(out, buf_span(&text));
	if (good)
		rd->wish.after = to;
	buf_done(&text);
	return good;
}

/* One who knows an id that was never given: of another database, or of this one before an older copy was put back. */
static bool check_future(struct stream_reader *rd, struct buf *out)
{
	struct reason why;
	uint64_t newest;

	if (stream_newest(rd->stream, &newest, &why) != OK)
		return false;
	if (rd->wish.after > newest) {
		put_gap(out, rd->wish.after, newest + 1);
		rd->wish.after = newest;
	}
	return true;
}

static bool catch_up(struct stream_reader *rd, struct buf *out)
{
	struct stream *s = rd->stream;

	pthread_mutex_lock(&s->lock);
	uint64_t last = s->last_event, place = s->ring.last;
	bool stopping = s->stopping;

	pthread_mutex_unlock(&s->lock);
	if (stopping)
		return false;
	if (rd->wish.after < last)
		return read_past(rd, last, out);
	if (rd->wish.after > last && !check_future(rd, out))
		return false;
	rd->place = place;
	rd->live = true;
	return true;
}

/* --- what comes --- */

static void put_new(struct stream_reader *rd, struct buf *out)
{
	struct stream *s = rd->stream;

	while (rd->place < s->ring.last && out->len < BLOCK_BYTES) {
		const struct ring_frame *f = ring_at(&s->ring, ++rd->place);

		if (ring_wants(&rd->wish, f))
			ring_put(f, out);
		if (f->kind == RING_GAP) /* perhaps ids begin again */
			rd->wish.after = 0;
	}
	if (rd->status != s->status_number && s->status.len > 0) {
		buf_text(out, "event: status\ndata: ");
		buf_put(out, buf_span(&s->status));
		buf_text(out, "\n\n");
		rd->status = s->status_number;
	}
}

static bool read_new(struct stream_reader *rd, struct buf *out)
{
	struct stream *s = rd->stream;
	int64_t due = clock_mono_us() + SILENCE_US;
	struct timespec until = {.tv_sec = due / 1000000, .tv_nsec = due % 1000000 * 1000};
	bool good, late = false;

	pthread_mutex_lock(&s->lock);
	while ((good = !s->stopping && ring_has(&s->ring, rd->place)) && !late) {
		put_new(rd, out);
		if (out->len > 0)
			break;
		late = pthread_cond_timedwait(&s->news, &s->lock, &until) != 0;
	}
	pthread_mutex_unlock(&s->lock);
	if (good && out->len == 0)
		buf_text(out, ":\n\n");
	return good;
}

/* From here on everything is told: the time to ask for the whole.  The id is for those who come back before there is one. */
static void greet(struct stream_reader *rd, struct buf *out)
{
	buf_printf(out, "id: %llu\nevent: nodes\ndata: {\"nodes\":[],\"all\":true}\n\n",
		(unsigned long long)rd->wish.after);
	rd->greeted = true;
}

bool stream_read(struct stream_reader *rd, struct buf *out)
{
	assert(out->len == 0);
	if (!rd->live && !catch_up(rd, out))
		return false;
	if (rd->live && !rd->greeted)
		greet(rd, out);
	return !rd->live || out->len > 0 || read_new(rd, out);
}
