#include "central/api_events.h"

#include <stdio.h>

#include "central/centre.h"

bool api_events_level(struct span word, int *ret, struct http_reply *r)
{
	static const char *const words[] = {"error", "warn", "info", "debug"};
	*ret = -1;
	if (!word.at)
		return true;
	for (int i = 0; i < 4; i++) {
		if (span_is(word, words[i])) {
			*ret = i;
			return true;
		}
	}
	http_problem(r, "bad_request", "level: error, warn, info or debug, and what is worse");
	return false;
}

bool api_events_moves(const struct http_request *q, bool *ret_none, struct http_reply *r)
{
	struct span word = http_query(q, "moves");
	*ret_none = span_is(word, "false");
	if (!word.at || *ret_none || span_is(word, "true"))
		return true;
	http_problem(r, "bad_request", "moves: true, or false to leave out `pulled` and `pushed`");
	return false;
}

bool api_events_audit(const struct http_request *q, bool *ret, struct http_reply *r)
{
	struct span word = http_query(q, "audit");
	*ret = span_is(word, "true");
	if (!word.at || *ret || span_is(word, "false"))
		return true;
	http_problem(r, "bad_request", "audit: true, for what people did alone, or false");
	return false;
}

void api_events_list(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct event_query query = {.node = centre_query_name(q, "node"), .who = centre_query_name(q, "who")};
	struct reason why;
	if (!api_events_level(http_query(q, "level"), &query.least_level, r) ||
		!api_events_moves(q, &query.no_moves, r) || !api_events_audit(q, &query.audit, r) ||
		!centre_limit(q, &query.limit, r) || !centre_number(q, "after", &query.after, r) ||
		!centre_number(q, "before", &query.before, r))
		return;
	if (!http_may_list(q, query.limit, r))
		return;
	enum err e = store_events(c->store, &query, &r->body, &why);
	r->status = 200;
	if (e != OK)
		centre_problem(r, e, &why);
}

void api_conflicts_list(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct reason why;
	struct conflict_query query = {.owner = centre_query_name(q, "owner")};
	struct span order = http_query(q, "order");
	if (!centre_limit(q, &query.limit, r) || !centre_number(q, "after", &query.after, r))
		return;
	query.newest = span_is(order, "newest");
	if (order.at && !query.newest && !span_is(order, "oldest")) {
		http_problem(r, "bad_request", "order: oldest or newest (first)");
		return;
	}
	if (!http_may_list(q, query.limit, r))
		return;
	enum err e = store_conflicts(c->store, &query, &r->body, &why);
	r->status = 200;
	if (e != OK)
		centre_problem(r, e, &why);
}

void api_conflicts_promote(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct written w = {0};
	struct reason why;
	char owner[RECORD_OWNER_MAX + 1], hex[33];
	uint64_t id;
	if (!span_to_u64(http_param(q, "id"), INT64_MAX, &id)) {
		http_problem(r, "not_found", "there is no such conflict");
		return;
	}
	enum err e = store_conflict_promote(c->store, &by, id, owner, &w, &why);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	scheduler_edited(c->scheduler, owner);
	hash_hex(w.hash, hex);
	if (w.changed)
		log_event(LOG_INFO, "conflict.promoted", "who", by.who, "node", owner, "record", w.id, NULL);
	buf_printf(&r->body, "{\"owner\":\"%s\",\"id\":\"%s\",\"hash\":\"%s\",\"changed\":%s}\n", owner, w.id,
		hex, w.changed ? "true" : "false");
	r->status = 200;
}
