#include "shared/protocol.h"

#include <stdio.h>
#include <string.h>

struct protocol_range protocol_ours(void)
{
	return (struct protocol_range){PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX};
}

bool protocol_parse(struct span text, struct protocol_range *ret)
{
	const char *dash = text.len ? memchr(text.at, '-', text.len) : NULL;
	struct span least = text, most = text;
	uint64_t min, max;

	if (dash) {
		least.len = (size_t)(dash - text.at);
		most = (struct span){dash + 1, text.len - least.len - 1};
	}
	if (!span_to_u64(least, UINT32_MAX, &min) || !span_to_u64(most, UINT32_MAX, &max) || min > max)
		return false;
	*ret = (struct protocol_range){(unsigned)min, (unsigned)max};
	return true;
}

void protocol_encode(struct protocol_range r, struct buf *out)
{
	buf_u64(out, r.min);
	if (r.max > r.min)
		buf_printf(out, "-%u", r.max);
}

bool protocol_within(unsigned version, struct protocol_range r)
{
	return version >= r.min && version <= r.max;
}

unsigned protocol_shared(struct protocol_range a, struct protocol_range b)
{
	unsigned least = a.min > b.min ? a.min : b.min, most = a.max < b.max ? a.max : b.max;

	return least <= most ? most : 0;
}

/* "the local (0.1.0) speaks protocol 1", "the centre 2 to 3" */
static void put_end(struct buf *out, const char *end, const char *version, struct protocol_range r)
{
	buf_printf(out, "the %s", end);
	if (version)
		buf_printf(out, " (%.31s)", version);
	buf_printf(out, " speaks protocol %u", r.min);
	if (r.max > r.min)
		buf_printf(out, " to %u", r.max);
}

void protocol_say(struct protocol_range local, const char *local_version, struct protocol_range centre,
	const char *centre_version, struct reason *ret)
{
	struct buf out = {0};
	bool local_is_old = local.max < centre.min;

	put_end(&out, "local", local_version, local);
	buf_text(&out, ", ");
	put_end(&out, "centre", centre_version, centre);
	buf_printf(&out, ": upgrade the %s to a version that speaks protocol %u",
		local_is_old ? "local" : "centre", local_is_old ? centre.min : local.min);
	(void)fail(OK, ret, "%s", out.at ? out.at : "no common version of the protocol");
	buf_done(&out);
}
