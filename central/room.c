#include "central/room.h"

#include <assert.h>

static bool is_taker(const struct room_ticket *t)
{
	return t->taken > 0 || t->wanted > 0;
}

static bool fits(const struct room *r, size_t bytes)
{
	return r->taken == 0 || (r->taken < r->bytes && bytes <= r->bytes - r->taken);
}

size_t room_share(const struct room *r, const struct room_ticket *t, size_t least, size_t most)
{
	size_t share = r->bytes / (r->takers + !is_taker(t));
	return share < least ? least : share < most ? share : most;
}

bool room_enter(struct room *r, struct room_ticket *t, size_t bytes)
{
	assert(t->taken == 0 && bytes > 0);
	if (!is_taker(t))
		r->takers++;
	t->wanted = bytes;
	if (!fits(r, bytes))
		return false;
	t->wanted = 0;
	t->taken = bytes;
	r->taken += bytes;
	return true;
}

bool room_fits(const struct room *r, const struct room_ticket *t)
{
	return t->wanted > 0 && fits(r, t->wanted);
}

void room_trim(struct room *r, struct room_ticket *t, size_t bytes)
{
	if (bytes == 0 || bytes >= t->taken)
		return;
	r->taken -= t->taken - bytes;
	t->taken = bytes;
}

void room_leave(struct room *r, struct room_ticket *t)
{
	if (!is_taker(t))
		return;
	r->takers--;
	r->taken -= t->taken;
	*t = (struct room_ticket){0};
}
