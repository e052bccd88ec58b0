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

size_t room_enter(struct room *r, struct room_ticket *t, size_t bytes)
{
	bool admitted = t->admitted;

	assert(bytes > 0);
	if (admitted && bytes > t->taken)
		bytes = t->taken;
	room_leave(r, t);
	r->takers++;
	if (!admitted && (r->waiting > 0 || !fits(r, bytes))) {
		t->wanted = bytes;
		r->waiting++;
		return 0;
	}
	t->taken = bytes;
	r->taken += bytes;
	return bytes;
}

bool room_admit(struct room *r, struct room_ticket *t)
{
	if (t->wanted == 0 || !fits(r, t->wanted))
		return false;
	*t = (struct room_ticket){.taken = t->wanted, .admitted = true};
	r->taken += t->taken;
	r->waiting--;
	return true;
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
	r->waiting -= t->wanted > 0;
	r->taken -= t->taken;
	*t = (struct room_ticket){0};
}
