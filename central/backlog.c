#include "central/backlog.h"

#include "shared/clock.h"

bool backlog_is_current(const struct node *n, const struct node_run *run)
{
	return run->heard && run->failures == 0 && !n->paused && n->sync.halt == HALT_NONE;
}

struct backlog_way backlog_to_pull(const struct node *n, const struct node_run *run)
{
	if (!backlog_is_current(n, run))
		return (struct backlog_way){.oldest_us = -1};
	return (struct backlog_way){.known = true, .records = run->pull_backlog, .oldest_us = run->oldest_us};
}

/* Of a node that was not heard yet, the store may hold what a run before left; not where it holds nothing of it. */
bool backlog_counts_push(const struct node *n, const struct node_run *run)
{
	return run->to_push || (!run->heard && n->sync.digest.count > 0);
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
