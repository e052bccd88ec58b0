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
	struct backlog b = {.pull_known = backlog_is_current(v), .push_known = true, .oldest_us = -1};
	int64_t push_oldest_us = -1;
	if (b.pull_known) {
		b.pull = v->run.pull_backlog;
		b.oldest_us = v->run.oldest_us;
	}
	if (!v->run.heard || v->run.to_push)
		b.push_known = count_push(*st, v->node.name, &b.push, &push_oldest_us);
	if (!b.push_known) {
		*st = NULL;
		b.oldest_us = -1;
	}
	if (push_oldest_us >= 0 && (b.oldest_us < 0 || push_oldest_us < b.oldest_us))
		b.oldest_us = push_oldest_us;
	*ret = b;
}

void backlog_put(struct buf *out, const struct backlog *b)
{
	buf_text(out, "\"backlog\":{\"pull\":");
	centre_put_known(out, b->pull_known, (int64_t)b->pull);
	buf_text(out, ",\"push\":");
	centre_put_known(out, b->push_known, (int64_t)b->push);
	buf_text(out, ",\"oldest_s\":");
	int64_t age_us = clock_wall_us() - b->oldest_us;
	if (b->oldest_us < 0)
		buf_text(out, "null");
	else
		buf_printf(out, "%.3f", age_us > 0 ? (double)age_us / 1e6 : 0.0);
	buf_char(out, '}');
}
