#include "local/basis.h"

#include <string.h>

/* "1" or "1-3" shares a version with ours. */
static bool protocol_is_shared(struct span range)
{
	const char *dash = range.len ? memchr(range.at, '-', range.len) : NULL;
	struct span least = range, most = range;
	uint64_t from = 0, to = 0;

	if (dash) {
		least.len = (size_t)(dash - range.at);
		most = (struct span){dash + 1, range.len - least.len - 1};
	}
	return span_to_u64(least, UINT32_MAX, &from) && span_to_u64(most, UINT32_MAX, &to) &&
	       from <= PROTOCOL_VERSION_MAX && to >= PROTOCOL_VERSION_MIN;
}

static bool hex_id(const struct http_request *q, const char *name, struct epoch *ret, struct http_reply *r)
{
	if (epoch_parse(http_query(q, name), ret))
		return true;
	http_problem(r, "bad_request", "%s is not 32 hex digits", name);
	return false;
}

bool basis_read(const struct http_request *q, struct page_request *ret, struct http_reply *r)
{
	struct page_request p = {.limit = PAGE_LIMIT_DEFAULT, .max_bytes = PAGE_BYTES_DEFAULT};
	struct span protocol = http_query(q, "protocol"), witness = http_query(q, "witness");

	if (protocol.at && !protocol_is_shared(protocol)) {
		struct buf members = {0};

		buf_printf(&members, "\"min\":%d,\"max\":%d", PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX);
		http_problem_with(r, "incompatible", members.at,
			"this local speaks protocol %d to %d, the request %.*s", PROTOCOL_VERSION_MIN,
			PROTOCOL_VERSION_MAX, (int)protocol.len, protocol.at);
		buf_done(&members);
		return false;
	}
	if (!hex_id(q, "centre", &p.centre, r) || !hex_id(q, "request", &p.request, r) ||
		!hex_id(q, "epoch", &p.epoch, r))
		return false;
	if (witness.at && !position_parse(witness, &p.witness)) {
		http_problem(r, "bad_request", "witness is not SEQ.HEAD with a head of 32 hex digits");
		return false;
	}
	*ret = p;
	return true;
}

bool basis_number(
	const struct http_request *q, const char *name, uint64_t max, uint64_t *ret, struct http_reply *r)
{
	struct span text = http_query(q, name);

	if (!text.at || span_to_u64(text, max, ret))
		return true;
	http_problem(
		r, "bad_request", "%s is not a whole number from 0 to %llu", name, (unsigned long long)max);
	return false;
}

void basis_refuse(const struct local *l, const struct page_request *q, const struct feed_served *s,
	struct http_reply *r)
{
	struct buf members = {0};

	buf_printf(&members, "\"epoch\":\"%s\",\"node\":\"%s\",\"request\":\"%s\"", s->epoch.hex,
		replica_node(l->replica), q->request.hex);
	if (s->verdict == FEED_EPOCH_CHANGED)
		http_problem_with(
			r, "epoch_changed", members.at, "this database's epoch is %s", s->epoch.hex);
	else
		http_problem_with(r, "rewound", members.at,
			"position %llu is not in this database's log as you know it",
			(unsigned long long)q->witness.seq);
	buf_done(&members);
}
