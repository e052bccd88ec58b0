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

void api_quarantine_retry(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct reason why;
	char owner[RECORD_OWNER_MAX + 1];
	uint64_t id;
	if (!read_id(q, &id, r))
		return;
	enum err e = store_quarantine_retry(c->store, &by, id, owner, &why);
	if (e == INVALID) { /* nothing is wrong with the request */
		http_problem(r, "conflict", "still refused: %s", why.text);
		return;
	}
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	log_event(LOG_INFO, "released", "who", by.who, "node", owner, NULL);
	scheduler_changed(c->scheduler, owner);
	scheduler_edited(c->scheduler, owner);
	put_done(r, id, owner, "released");
}

void api_quarantine_drop(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct reason why;
	char owner[RECORD_OWNER_MAX + 1];
	uint64_t id;
	if (!read_id(q, &id, r))
		return;
	enum err e = store_quarantine_drop(c->store, &by, id, owner, &why);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	log_event(LOG_INFO, "released", "who", by.who, "node", owner, NULL);
	scheduler_changed(c->scheduler, owner);
	put_done(r, id, owner, "dropped");
}
