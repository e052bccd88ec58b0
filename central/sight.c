#include "central/sight.h"

#include "central/own_clock.h"
#include "shared/clock.h"

typedef enum err count_fn(struct store *st, const char *node, uint64_t *ret, struct reason *why);

static struct outlook_count count(struct store **st, const char *node, count_fn *how)
{
	struct outlook_count c = {0};
	struct reason why;
	c.known = *st && centre_knows(how(*st, node, &c.n, &why), &why);
	if (!c.known)
		*st = NULL;
	return c;
}

void sight_of(struct store **st, const struct node_view *v, const struct outlook_count *conflicts,
	struct sight *ret)
{
	struct backlog b;
	backlog_of(st, v, &b);
	*ret = (struct sight){.view = v, .backlog = b};
	ret->seen = (struct outlook_seen){.node = &v->node,
		.run = &v->run,
		.results = v->results,
		.state = v->state,
		.turn = v->next.turn,
		.plan = v->next.plan,
		.then = v->next.then,
		.now_us = clock_mono_us(),
		.wall_us = clock_wall_us(),
		.due_us = v->next_attempt_us,
		.current = b.pull.known,
		.clock = own_clock_claim(),
		.push = {.known = b.push.known, .n = b.push.records},
		.conflicts = conflicts ? *conflicts : count(st, v->node.name, store_conflict_count),
		.rejected = {.known = true},
		.quarantined = {.known = true, .n = v->node.sync.quarantined}};
	if (v->state != NODE_IN_SYNC)
		ret->seen.rejected = count(st, v->node.name, store_rejected_count);
}
