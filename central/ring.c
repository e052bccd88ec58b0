#include "central/ring.h"

#include <assert.h>
#include <string.h>

void ring_done(struct ring *r)
{
	for (size_t i = 0; i < RING_FRAMES; i++)
		buf_done(&r->frames[i].text);
}

struct ring_frame *ring_add(struct ring *r, enum ring_kind kind)
{
	struct ring_frame *f = &r->frames[++r->last % RING_FRAMES];
	struct buf text = f->text;

	buf_clear(&text);
	*f = (struct ring_frame){.kind = kind, .text = text};
	return f;
}

bool ring_has(const struct ring *r, uint64_t place)
{
	return place + RING_FRAMES >= r->last;
}

const struct ring_frame *ring_at(const struct ring *r, uint64_t place)
{
	assert(place > 0 && place <= r->last && ring_has(r, place - 1));
	return &r->frames[place % RING_FRAMES];
}

bool ring_wants(const struct ring_wish *w, const struct ring_frame *f)
{
	if (f->kind != RING_EVENT)
		return true;
	return f->id > w->after && !(w->no_moves && f->is_move) &&
	       (w->least_level < 0 || (int)f->level <= w->least_level) &&
	       (!w->node[0] || strcmp(w->node, f->node) == 0) && (!w->audit || f->who[0]) &&
	       (!w->by_who || strcmp(w->who, f->who) == 0);
}

void ring_put(const struct ring_frame *f, struct buf *out)
{
	static const char *const names[] = {
		[RING_EVENT] = "event", [RING_NODES] = "nodes", [RING_GAP] = "gap"};

	out->failed = out->failed || buf_failed(&f->text);
	if (f->id)
		buf_printf(out, "id: %llu\n", (unsigned long long)f->id);
	buf_printf(out, "event: %s\ndata: ", names[f->kind]);
	buf_put(out, buf_span(&f->text));
	buf_text(out, "\n\n");
}
