#include "central/api_quarantine.h"

#include "central/centre.h"

void api_quarantine_list(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct reason why;
	uint64_t after = 0;
	unsigned limit;
	if (!centre_limit(q, &limit, r) || !centre_number(q, "after", &after, r))
		return;
	if (!http_may_list(q, limit, r))
		return;
	enum err e = store_quarantine(c->store, centre_query_name(q, "owner"), after, limit, &r->body, &why);
	r->status = 200;
	if (e != OK)
		centre_problem(r, e, &why);
}

static bool read_id(struct http_request *q, uint64_t *ret, struct http_reply *r)
{
	if (span_to_u64(http_param(q, "id"), INT64_MAX, ret))
		return true;
	http_problem(r, "not_found", "nothing in quarantine has that number");
	return false;
}

static void put_done(struct http_reply *r, uint64_t id, const char *owner, const char *member)
{
	buf_printf(&r->body, "{\"id\":%llu,\"owner\":\"%s\",\"%s\":true}\n", (unsigned long long)id, owner,
		member);
	r->status = 200;
}

typedef enum err release_fn(struct store *st, const struct author *by, uint64_t id,
	char ret_owner[RECORD_OWNER_MAX + 1], struct reason *why);

/* False: it stays; the reply is filled in either case. */
static bool release(struct centre *c, struct http_request *q, release_fn *how, const char *member,
	char ret_owner[RECORD_OWNER_MAX + 1], struct http_reply *r)
{
	const struct author by = centre_author(q);
	struct reason why;
	uint64_t id;
	if (!read_id(q, &id, r))
		return false;
	enum err e = how(c->store, &by, id, ret_owner, &why);
	if (e != OK) {
		centre_problem(r, e, &why);
		return false;
	}
	log_event(LOG_INFO, "released", "who", by.who, "node", ret_owner, NULL);
	scheduler_changed(c->scheduler, ret_owner);
	put_done(r, id, ret_owner, member);
	return true;
}

/* Nothing is wrong with a request for what is still refused. */
static enum err retry(struct store *st, const struct author *by, uint64_t id,
	char ret_owner[RECORD_OWNER_MAX + 1], struct reason *why)
{
	struct reason refusal;
	enum err e = store_quarantine_retry(st, by, id, ret_owner, &refusal);
	if (e == INVALID)
		return fail(CONFLICT, why, "still refused: %s", refusal.text);
	return e == OK ? OK : fail(e, why, "%s", refusal.text);
}

void api_quarantine_retry(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	char owner[RECORD_OWNER_MAX + 1];
	if (release(c, q, retry, "released", owner, r))
		scheduler_edited(c->scheduler, owner);
}

void api_quarantine_drop(void *ctx, struct http_request *q, struct http_reply *r)
{
	char owner[RECORD_OWNER_MAX + 1];
	(void)release(ctx, q, store_quarantine_drop, "dropped", owner, r);
}
