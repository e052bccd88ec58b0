#include "central/sight.h"

#include "central/own_clock.h"
#include "shared/clock.h"

unsigned sight_wants(const struct node *n, const struct node_run *run, enum node_state state)
{
	return STORE_COUNT_CONFLICTS | (backlog_counts_push(n, run) ? STORE_COUNT_PUSH : 0) |
	       (state != NODE_IN_SYNC ? STORE_COUNT_REJECTED : 0);
}

/* What is not wanted is 0, and known. */
static struct outlook_count count_of(unsigned wanted, unsigned known, unsigned kind, uint64_t n)
{
	if (!(wanted & kind))
		return (struct outlook_count){.known = true};
	return (struct outlook_count){.known = known & kind, .n = n};
}

/* Counts what is still needed; *ret_known: what is known in the end. */
static struct owner_counts complete(
	struct store **st, const struct node_view *v, const struct owner_counts *counted, unsigned *ret_known)
{
	struct owner_counts c = counted ? *counted : (struct owner_counts){.owner = v->node.name};
	unsigned known = c.wanted;
	struct reason why;
	c.wanted = sight_wants(&v->node, &v->run, v->state) & ~known;
	if (c.wanted && *st && centre_knows(store_counts(*st, &c, 1, &why), &why))
		known |= c.wanted;
	else if (c.wanted)
		*st = NULL;
	*ret_known = known;
	return c;
}

void sight_of(
	struct store **st, const struct node_view *v, const struct owner_counts *counted, struct sight *ret)
{
	unsigned wanted = sight_wants(&v->node, &v->run, v->state), known;
	struct owner_counts c = complete(st, v, counted, &known);
	struct outlook_count push = count_of(wanted, known, STORE_COUNT_PUSH, c.to_push);
	struct backlog b = {.pull = backlog_to_pull(&v->node, &v->run),
		.push = {.known = push.known,
			.records = push.n,
			.oldest_us = push.n > 0 ? c.oldest_us : -1,
			.pace = v->push_pace}};
	b.pull.pace = v->pull_pace;
	*ret = (struct sight){.view = v, .backlog = b};
	ret->seen = (struct outlook_seen){.node = &v->node,
		.url = v->url,
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
		.push = push,
		.conflicts = count_of(wanted, known, STORE_COUNT_CONFLICTS, c.conflicts),
		.rejected = count_of(wanted, known, STORE_COUNT_REJECTED, c.rejected),
		.quarantined = {.known = true, .n = v->node.sync.quarantined}};
}
