/* What all answers may take together: where it is more, the largest of those on their way is given up. */
#include "central/transfer_private.h"

#include <assert.h>
#include <stdlib.h>

/* Beyond what is kept for it, or is everybody's. */
static size_t beyond(const struct transfer_call *call, size_t held)
{
	size_t own = call->kept_bytes > TRANSFER_FREE_BYTES ? call->kept_bytes : TRANSFER_FREE_BYTES;
	return held > own ? held - own : 0;
}

static void charge(struct transfer_call *call, size_t bytes)
{
	call->budget->taken += bytes;
	call->budget->taken -= call->own.charged;
	call->own.charged = bytes;
}

void transfer_call_drop(struct transfer_call *call)
{
	buf_done(&call->reply);
	free(call->own.why);
	call->answer.why = call->own.why = NULL;
	if (call->budget)
		charge(call, 0);
}

static struct transfer_call *largest_beside(struct transfer_call *call)
{
	struct transfer_call *found = call;
	for (struct transfer_call *c = call->own.among->first; c; c = c->own.next)
		if (c->budget == call->budget && c->own.charged > found->own.charged)
			found = c;
	return found;
}

bool transfer_budget_take(struct transfer_call *call, size_t held)
{
	if (call->own.crowded_out)
		return false;
	size_t want = call->budget ? beyond(call, held) : 0;
	if (want == 0 || want <= call->own.charged)
		return true;
	charge(call, want);
	while (call->budget->taken > call->budget->bytes && !call->own.crowded_out) {
		struct transfer_call *largest = largest_beside(call);
		assert(largest->own.charged > 0);
		largest->own.crowded_out = true;
		transfer_call_drop(largest);
		call->own.among->broken = true;
	}
	return !call->own.crowded_out;
}
