#include "local/records.h"

#include <stdio.h>

#include "local/basis.h"
#include "shared/etag.h"

static bool read_id(const struct http_request *q, struct span *ret, struct http_reply *r)
{
	*ret = http_param(q, "id");
	if (record_id_ok(*ret))
		return true;
	http_problem(r, "bad_id", "an id is 1 to %d of A-Z a-z 0-9 . _ : -", RECORD_ID_MAX);
	return false;
}

void records_list(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct record_query query = {.after = http_query(q, "after"), .type = http_query(q, "type")};
	struct span deleted = http_query(q, "deleted");
	uint64_t limit = 100;
	struct reason why;

	if (!basis_number(q, "limit", 1000, &limit, r))
		return;
	if (limit == 0 || (deleted.at && !span_is(deleted, "true") && !span_is(deleted, "false"))) {
		http_problem(r, "bad_request", "limit is 1 to 1000, deleted is true or false");
		return;
	}
	if (query.type.len && !record_type_ok(query.type)) {
		http_problem(r, "bad_type", "a type is 1 to %d of a-z 0-9 _ -", RECORD_TYPE_MAX);
		return;
	}
	query.deleted = span_is(deleted, "true");
	query.limit = (unsigned)limit;
	if (!http_may_list(q, query.limit, r))
		return;
	enum err e = replica_list(l->replica, &query, &r->body, &why);
	r->status = 200;
	if (e != OK)
		local_problem(l, r, e, &why);
}

void records_replaced(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	uint64_t after = 0, limit = 100;
	struct reason why;

	if (!basis_number(q, "after", INT64_MAX, &after, r) || !basis_number(q, "limit", 1000, &limit, r))
		return;
	if (limit == 0) {
		http_problem(r, "bad_request", "limit is 1 to 1000");
		return;
	}
	enum err e = replica_replaced(l->replica, after, (unsigned)limit, &r->body, &why);
	r->status = 200;
	if (e != OK)
		local_problem(l, r, e, &why);
}

struct put_job {
	const struct draft *drafts;
	size_t n;
	struct precondition precondition;
	struct written *written;
};

static enum err put_drafts(void *ctx, struct replica *r, struct reason *why)
{
	struct put_job *j = ctx;
	enum err e = OK;

	for (size_t i = 0; i < j->n && e == OK; i++)
		e = replica_put(r, &j->drafts[i], &j->precondition, &j->written[i], why);
	return e;
}

static void encode_written(const struct written *w, size_t n, struct buf *out)
{
	size_t created = 0, changed = 0;
	char hex[33];

	buf_text(out, "{\"records\":[");
	for (size_t i = 0; i < n; i++) {
		hash_hex(w[i].hash, hex);
		buf_text(out, i ? ",{\"id\":\"" : "{\"id\":\"");
		buf_text(out, w[i].id);
		buf_text(out, "\",\"seq\":");
		buf_u64(out, w[i].seq);
		buf_text(out, ",\"hash\":\"");
		buf_add(out, hex, 32);
		buf_text(out, "\"}");
		created += w[i].created;
		changed += w[i].changed && !w[i].created;
	}
	buf_printf(out, "],\"created\":%zu,\"changed\":%zu,\"unchanged\":%zu}\n", created, changed,
		n - created - changed);
}

void records_post(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct drafts drafts = {0};
	const char *code;
	size_t line;
	struct reason why;

	if (drafts_parse(&drafts, q->body, false, &line, &code, &why) != OK) {
		char members[40];

		snprintf(members, sizeof(members), "\"line\":%zu", line);
		http_problem_with(r, code, members, "%s", why.text);
		return;
	}
	struct put_job j = {.drafts = drafts.at, .n = drafts.n};
	j.written = arena_alloc(&q->arena, (drafts.n + 1) * sizeof(*j.written));
	enum err e = local_write(l, put_drafts, &j, &why);
	if (e == OK) {
		encode_written(j.written, j.n, &r->body);
		r->status = 201;
	} else {
		local_problem(l, r, e, &why);
	}
	drafts_done(&drafts);
}

/* Answers with the version as it is stored now. */
static void answer_record(
	struct local *l, struct span id, int status, struct http_request *q, struct http_reply *r)
{
	struct record rec;
	struct reason why;
	enum err e = replica_get(l->replica, id, &rec, &q->arena, &why);

	if (e != OK) {
		local_problem(l, r, e, &why);
		return;
	}
	record_encode(&rec, &r->body);
	buf_char(&r->body, '\n');
	etag_set(r, rec.hash);
	r->status = status;
}

void records_get(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct record rec;
	struct span id;
	struct reason why;

	if (!read_id(q, &id, r))
		return;
	enum err e = replica_get(l->replica, id, &rec, &q->arena, &why);
	if (e == OK && rec.deleted) {
		char hex[33], members[64];

		hash_hex(rec.hash, hex);
		snprintf(members, sizeof(members), "\"hash\":\"%s\"", hex);
		http_problem_with(r, "not_found", members, "the record has been deleted");
	} else if (e != OK) {
		local_problem(l, r, e, &why);
	} else {
		answer_record(l, id, 200, q, r);
	}
}

void records_put(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct draft d = {0};
	struct written w = {0};
	struct put_job j = {.drafts = &d, .n = 1, .written = &w};
	const char *code;
	struct span id;
	struct reason why;

	if (!read_id(q, &id, r) || !etag_precondition(q, &j.precondition, r))
		return;
	if (draft_parse_put(&d, q->body, &q->arena, &code, &why) != OK) {
		http_problem(r, code, "%s", why.text);
		return;
	}
	d.id = id;
	enum err e = local_write(l, put_drafts, &j, &why);
	r->written = e == OK;
	if (e == OK)
		answer_record(l, id, w.created ? 201 : 200, q, r);
	else
		local_problem(l, r, e, &why);
}

struct delete_job {
	struct span id;
	struct precondition precondition;
	struct written written;
};

static enum err delete_record(void *ctx, struct replica *r, struct reason *why)
{
	struct delete_job *j = ctx;

	return replica_delete(r, j->id, &j->precondition, &j->written, why);
}

void records_delete(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct delete_job j = {0};
	struct reason why;

	if (!read_id(q, &j.id, r) || !etag_precondition(q, &j.precondition, r))
		return;
	enum err e = local_write(l, delete_record, &j, &why);
	r->written = e == OK;
	if (e == OK)
		answer_record(l, j.id, 200, q, r);
	else
		local_problem(l, r, e, &why);
}
