#include "local/basis.h"

#include <stdio.h>

#include "shared/build.h"
#include "shared/coding.h"
#include "shared/seal.h"

bool basis_protocol(struct protocol_range centre, unsigned *ret, struct http_reply *r)
{
	struct protocol_range ours = protocol_ours();
	char members[96]; /* on the stack: an answer about the basis must not lose its members */
	struct reason words;

	*ret = protocol_shared(ours, centre);
	if (*ret)
		return true;
	protocol_say(ours, TIDEMARK_VERSION, centre, NULL, &words);
	snprintf(members, sizeof members, "\"min\":%u,\"max\":%u,\"version\":\"%s\"", ours.min, ours.max,
		TIDEMARK_VERSION);
	http_problem_with(r, "incompatible", members, "%s", words.text);
	return false;
}

/* Left out it is version 1. */
static bool read_protocol(struct span text, unsigned *ret, struct http_reply *r)
{
	struct protocol_range centre = {1, 1};

	if (!text.at || protocol_parse(text, &centre))
		return basis_protocol(centre, ret, r);
	http_problem(r, "bad_request", "protocol is not a range of versions like 1 or 1-2");
	return false;
}

static bool hex_id(const struct http_request *q, const char *name, struct epoch *ret, struct http_reply *r)
{
	if (epoch_parse(http_query(q, name), ret))
		return true;
	http_problem(r, "bad_request", "%s is not 32 hex digits", name);
	return false;
}

bool basis_intact(const struct http_request *q, struct http_reply *r)
{
	if (seal_request_holds(q->target, q->body))
		return true;
	http_problem(r, "bad_request", "the request was altered on its way: its check does not fit");
	return false;
}

bool basis_read(const struct http_request *q, struct page_request *ret, struct http_reply *r)
{
	struct page_request p = {.limit = PAGE_LIMIT_DEFAULT, .max_bytes = PAGE_BYTES_DEFAULT};
	struct span witness = http_query(q, "witness");

	if (!basis_intact(q, r) || !read_protocol(http_query(q, "protocol"), &p.protocol, r))
		return false;
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
	char members[96 + 2 * sizeof(struct epoch) + RECORD_OWNER_MAX];

	snprintf(members, sizeof members, "\"epoch\":\"%s\",\"node\":\"%s\",\"request\":\"%s\"", s->epoch.hex,
		replica_node(l->replica), q->request.hex);
	if (s->verdict == FEED_EPOCH_CHANGED)
		http_problem_with(r, "epoch_changed", members, "this database's epoch is %s", s->epoch.hex);
	else
		http_problem_with(r, "rewound", members,
			"position %llu is not in this database's log as you know it",
			(unsigned long long)q->witness.seq);
}

void basis_answer(const struct http_request *q, struct http_reply *r)
{
	seal_answer(&r->body);
	r->accepts = CODING_ACCEPTED;
	http_pack(q, r);
}
