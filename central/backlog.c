#include "central/backlog.h"

#include "shared/clock.h"

bool backlog_is_current(const struct node_view *v)
{
	return v->run.heard && v->run.failures == 0 && !v->node.paused && v->node.sync.halt == HALT_NONE;
}

enum err backlog_of(struct store *st, const struct node_view *v, struct backlog *ret, struct reason *why)
{
	struct backlog b = {.pull_known = backlog_is_current(v), .oldest_us = -1};
	int64_t push_oldest_us = -1;
	if (b.pull_known) {
		b.pull = v->run.pull_backlog;
		b.oldest_us = v->run.oldest_us;
	}
	if (!v->run.heard || v->run.to_push) {
		enum err e = store_push_backlog(st, v->node.name, &b.push, &push_oldest_us, why);
		if (e != OK && e != GONE) /* removed since it was looked at */
			return e;
	}
	if (push_oldest_us >= 0 && (b.oldest_us < 0 || push_oldest_us < b.oldest_us))
		b.oldest_us = push_oldest_us;
	*ret = b;
	return OK;
}

void backlog_put(struct buf *out, const struct backlog *b)
{
	buf_text(out, "\"backlog\":{\"pull\":");
	if (b->pull_known)
		buf_u64(out, b->pull);
	else
		buf_text(out, "null");
	buf_printf(out, ",\"push\":%llu,\"oldest_s\":", (unsigned long long)b->push);
	int64_t age_us = clock_wall_us() - b->oldest_us;
	if (b->oldest_us < 0)
		buf_text(out, "null");
	else
		buf_printf(out, "%.3f", age_us > 0 ? (double)age_us / 1e6 : 0.0);
	buf_char(out, '}');
}
