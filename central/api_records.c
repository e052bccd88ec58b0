#include "central/api_records.h"

#include <stdio.h>
#include <string.h>

#include "central/centre.h"
#include "shared/etag.h"

static void write_problem(struct http_reply *r, enum err e, const struct reason *why)
{
	if (e == CONFLICT)
		http_problem(r, "precondition_failed", "%s", why->text);
	else
		centre_problem(r, e, why);
}

static void push_to(struct centre *c, struct span owner)
{
	char name[RECORD_OWNER_MAX + 1];
	memcpy(name, owner.at, owner.len);
	name[owner.len] = 0;
	scheduler_edited(c->scheduler, name);
}

/* {owner} and {id} of the path. */
static bool read_key(
	const struct http_request *q, struct span *ret_owner, struct span *ret_id, struct http_reply *r)
{
	*ret_owner = http_param(q, "owner");
	*ret_id = http_param(q, "id");
	if (!record_owner_ok(*ret_owner)) {
		http_problem(r, "bad_id", "an owner is 1 to %d of a-z 0-9 . _ -", RECORD_OWNER_MAX);
		return false;
	}
	if (!record_id_ok(*ret_id)) {
		http_problem(r, "bad_id", "an id is 1 to %d of A-Z a-z 0-9 . _ : -", RECORD_ID_MAX);
		return false;
	}
	return true;
}

void api_records_list(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct span deleted = http_query(q, "deleted");
	struct reason why;
	struct record_query query = {.owner = http_query(q, "owner"),
		.type = http_query(q, "type"),
		.after = http_query(q, "after"),
		.deleted = span_is(deleted, "true")};
	if (!centre_limit(q, &query.limit, r))
		return;
	if (deleted.at && !query.deleted && !span_is(deleted, "false")) {
		http_problem(r, "bad_request", "deleted: true or false");
		return;
	}
	if (query.type.len && !record_type_ok(query.type)) {
		http_problem(r, "bad_type", "a type is 1 to %d of a-z 0-9 _ -", RECORD_TYPE_MAX);
		return;
	}
	if (!http_may_list(q, query.limit, r))
		return;
	enum err e = store_records(c->store, &query, &r->body, &why);
	r->status = 200;
	if (e != OK)
		centre_problem(r, e, &why);
}

/* Answers with the version as it is stored now. */
static void answer(struct centre *c, struct http_request *q, int status, struct http_reply *r)
{
	struct record rec;
	struct reason why;
	enum err e =
		store_record(c->store, http_param(q, "owner"), http_param(q, "id"), &rec, &q->arena, &why);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	record_encode(&rec, &r->body);
	buf_char(&r->body, '\n');
	etag_set(r, rec.hash);
	r->status = status;
}

void api_records_get(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct record rec;
	struct span owner, id;
	struct reason why;
	if (!read_key(q, &owner, &id, r))
		return;
	enum err e = store_record(c->store, owner, id, &rec, &q->arena, &why);
	if (e == OK && rec.deleted) {
		char hex[33], members[64];
		hash_hex(rec.hash, hex);
		snprintf(members, sizeof members, "\"hash\":\"%s\"", hex);
		http_problem_with(r, "not_found", members, "the record has been deleted");
	} else if (e == OK) {
		answer(c, q, 200, r);
	} else {
		centre_problem(r, e, &why);
	}
}

void api_records_put(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct draft d = {0};
	struct written w = {0};
	struct precondition p = {0};
	struct span owner, id;
	struct reason why;
	const char *code;
	if (!read_key(q, &owner, &id, r) || !etag_precondition(q, &p, r))
		return;
	if (draft_parse_put(&d, q->body, &q->arena, &code, &why) != OK) {
		http_problem(r, code, "%s", why.text);
		return;
	}
	d.owner = owner;
	d.id = id;
	enum err e = store_put(c->store, &by, &d, 1, &p, &w, &why);
	if (e != OK) {
		write_problem(r, e, &why);
		return;
	}
	r->written = true;
	if (w.changed)
		push_to(c, owner);
	answer(c, q, w.created ? 201 : 200, r);
}

void api_records_delete(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct written w = {0};
	struct precondition p = {0};
	struct span owner, id;
	struct reason why;
	if (!read_key(q, &owner, &id, r) || !etag_precondition(q, &p, r))
		return;
	enum err e = store_delete(c->store, &by, owner, id, &p, &w, &why);
	if (e != OK) {
		write_problem(r, e, &why);
		return;
	}
	r->written = true;
	if (w.changed)
		push_to(c, owner);
	answer(c, q, 200, r);
}

/* --- many at once --- */

static void line_problem(struct http_reply *r, const char *code, size_t line, const struct reason *why)
{
	char members[40];
	snprintf(members, sizeof members, "\"line\":%zu", line);
	http_problem_with(r, code, members, "%s", why->text);
}

static void put_written(const struct drafts *drafts, const struct written *w, struct buf *out)
{
	size_t created = 0, changed = 0;
	char hex[33];
	buf_text(out, "{\"records\":[");
	for (size_t i = 0; i < drafts->n; i++) {
		hash_hex(w[i].hash, hex);
		buf_printf(out, "%s{\"owner\":\"%.*s\",\"id\":\"%s\",\"seq\":null,\"hash\":\"%s\"}",
			i ? "," : "", (int)drafts->at[i].owner.len, drafts->at[i].owner.at, w[i].id, hex);
		created += w[i].created;
		changed += w[i].changed && !w[i].created;
	}
	buf_printf(out, "],\"created\":%zu,\"changed\":%zu,\"unchanged\":%zu}\n", created, changed,
		drafts->n - created - changed);
}

static void push_all(struct centre *c, const struct drafts *drafts, const struct written *w)
{
	struct span last = {0};
	for (size_t i = 0; i < drafts->n; i++) {
		if (!w[i].changed || span_equal(drafts->at[i].owner, last))
			continue;
		last = drafts->at[i].owner;
		push_to(c, last);
	}
}

void api_records_post(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct drafts drafts = {0};
	const struct precondition none = {0};
	struct reason why;
	const char *code;
	size_t line;
	if (drafts_parse(&drafts, q->body, true, &line, &code, &why) != OK) {
		line_problem(r, code, line, &why);
		return;
	}
	struct written *w = arena_alloc(&q->arena, (drafts.n + 1) * sizeof *w);
	enum err e = drafts.n ? store_put(c->store, &by, drafts.at, drafts.n, &none, w, &why) : OK;
	if (e == OK) {
		push_all(c, &drafts, w);
		put_written(&drafts, w, &r->body);
		r->status = 201;
	} else if (e == GONE) {
		for (line = 1; line < drafts.n && w[line - 1].id[0];)
			line++;
		line_problem(r, "not_found", line, &why);
	} else {
		write_problem(r, e, &why);
	}
	drafts_done(&drafts);
}
