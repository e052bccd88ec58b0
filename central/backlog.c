#include "central/backlog.h"

#include "shared/clock.h"

bool backlog_is_current(const struct node_view *v)
{
	return v->run.heard && v->run.failures == 0 && !v->node.paused && v->node.sync.halt == HALT_NONE;
}

static bool count_push(struct store *st, const char *node, uint64_t *ret, int64_t *ret_oldest_us)
{
	struct reason why;
	enum err e = st ? store_push_backlog(st, node, ret, ret_oldest_us, &why) : RETRY;
	return e == GONE || centre_knows(e, &why); /* GONE: removed since it was looked at */
}

void backlog_of(struct store **st, const struct node_view *v, struct backlog *ret)
{
	struct backlog b = {.pull = {.known = backlog_is_current(v), .oldest_us = -1, .pace = v->pull_pace},
		.push = {.known = true, .oldest_us = -1, .pace = v->push_pace}};
	if (b.pull.known) {
		b.pull.records = v->run.pull_backlog;
		b.pull.oldest_us = v->run.oldest_us;
	}
	/* Of a node that was not heard yet, the store may hold what a run before left; not where it holds nothing of it. */
	if (v->run.to_push || (!v->run.heard && v->node.sync.digest.count > 0))
		b.push.known = count_push(*st, v->node.name, &b.push.records, &b.push.oldest_us);
	if (!b.push.known)
		*st = NULL;
	*ret = b;
}

int64_t backlog_older(int64_t a_us, int64_t b_us)
{
	return a_us >= 0 && (b_us < 0 || a_us < b_us) ? a_us : b_us;
}

double backlog_left_s(const struct backlog_way *w)
{
	if (!w->known)
		return -1;
	if (w->records == 0)
		return 0;
	return w->pace > 0 ? (double)w->records / w->pace : -1;
}

static void put_age(struct buf *out, const char *name, int64_t now_us, int64_t since_us)
{
	int64_t age_us = now_us - since_us;
	buf_printf(out, ",\"%s\":", name);
	centre_put_seconds(out, since_us < 0 ? -1 : age_us > 0 ? (double)age_us / 1e6 : 0);
}

static void put_left(struct buf *out, const char *name, const struct backlog_way *w)
{
	buf_printf(out, ",\"%s\":", name);
	centre_put_seconds(out, backlog_left_s(w));
}

void backlog_put(struct buf *out, const struct backlog *b)
{
	buf_text(out, "\"backlog\":{\"pull\":");
	centre_put_known(out, b->pull.known, (int64_t)b->pull.records);
	buf_text(out, ",\"push\":");
	centre_put_known(out, b->push.known, (int64_t)b->push.records);
	/* Of what is known: so long at least. */
	int64_t now_us = clock_wall_us(), pull_us = b->pull.known ? b->pull.oldest_us : -1,
		push_us = b->push.known ? b->push.oldest_us : -1;
	put_age(out, "oldest_s", now_us, backlog_older(pull_us, push_us));
	put_age(out, "pull_oldest_s", now_us, pull_us);
	put_age(out, "push_oldest_s", now_us, push_us);
	put_left(out, "pull_left_s", &b->pull);
	put_left(out, "push_left_s", &b->push);
	buf_char(out, '}');
}
