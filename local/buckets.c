#include "local/buckets.h"

#include "local/basis.h"
#include "shared/members.h"
#include "shared/seal.h"

void buckets_get(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	uint64_t bits = 0;
	struct reason why;

	if (!basis_intact(q, r) || !basis_number(q, "bits", BUCKET_BITS_MAX, &bits, r))
		return;
	enum err e = replica_buckets(l->replica, (unsigned)bits, &r->body, &why);
	r->status = 200;
	if (e != OK)
		http_problem_err(r, e, &why);
	seal_answer(&r->body);
}

struct wanted {
	uint64_t bits;
	uint32_t *at;
	size_t n;
};

static enum err read_array(struct span array, struct wanted *ret, struct arena *a, struct reason *why)
{
	struct json_iter it;
	struct json_value v;
	uint64_t bucket;

	/* a member takes two bytes at least */
	ret->at = arena_alloc(a, (array.len / 2 + 1) * sizeof(*ret->at));
	if (!json_open(&it, array))
		return fail(INVALID, why, "buckets: not an array");
	while (json_next(&it, NULL, &v)) {
		if (!json_u64(&v, &bucket) || bucket >> ret->bits)
			return fail(INVALID, why, "buckets: %.*s is no bucket at %u bits",
				(int)(v.raw.len < 40 ? v.raw.len : 40), v.raw.at, (unsigned)ret->bits);
		ret->at[ret->n++] = (uint32_t)bucket;
	}
	return OK;
}

/* {"bits":N,"buckets":[…]} */
static enum err read_wanted(struct span body, struct wanted *ret, struct arena *a, struct reason *why)
{
	enum { OF_BITS, OF_BUCKETS, NAMES };
	static const struct span names[NAMES] = {
		[OF_BITS] = MEMBER("bits"), [OF_BUCKETS] = MEMBER("buckets")};
	struct json_value values[NAMES] = {0};
	struct members m = {.names = names, .values = values, .n = NAMES};
	enum err e;

	if ((e = members_read(&m, body, why)) || (e = members_u64(&m, OF_BITS, &ret->bits, why)))
		return e;
	if (ret->bits > BUCKET_BITS_MAX)
		return fail(INVALID, why, "bits: not a whole number from 0 to %d", BUCKET_BITS_MAX);
	if (!members_has(&m, OF_BUCKETS) || values[OF_BUCKETS].kind != JSON_ARRAY)
		return members_refuse(&m, OF_BUCKETS, why, "not an array");
	return read_array(values[OF_BUCKETS].raw, ret, a, why);
}

void buckets_fetch(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct wanted w = {0};
	struct reason why;

	if (!basis_intact(q, r))
		return;
	if (read_wanted(q->body, &w, &q->arena, &why) != OK) {
		http_problem(r, "bad_request", "%s", why.text);
		return;
	}
	enum err e = replica_fetch(l->replica, (unsigned)w.bits, w.at, w.n, &r->body, &why);
	r->status = 200;
	r->content_type = "application/x-ndjson";
	if (e == INVALID)
		http_problem(r, "body_too_large", "%s", why.text);
	else if (e != OK)
		http_problem_err(r, e, &why);
	seal_answer(&r->body);
}
