#include "central/api_tokens.h"

#include <stdio.h>
#include <string.h>

#include "central/centre.h"
#include "central/listing.h"
#include "shared/clock.h"

#define EXPIRES_MOST_S UINT64_C(3153600000) /* a hundred years */

/* All but the closing bracket. */
static void put_key(struct buf *out, const struct key *k)
{
	buf_printf(out, "{\"name\":\"%s\",\"role\":\"%s\",\"created_at\":", k->name, role_name(k->role));
	buf_json_time(out, k->created_us);
	buf_text(out, ",\"created_by\":");
	buf_json_text(out, span_of(k->created_by));
	buf_text(out, ",\"expires_at\":");
	buf_json_time(out, k->expires_us);
	buf_printf(
		out, ",\"expired\":%s,\"last_used_at\":", key_expired(k, clock_wall_us()) ? "true" : "false");
	buf_json_time(out, k->used_us);
}

static void list(const struct keys *ks, const char *after, unsigned limit, struct buf *out)
{
	const char *last = NULL;
	bool more = false;

	buf_text(out, "{\"tokens\":[");
	for (size_t i = 0, n = 0; i < ks->n && !more; i++) {
		if (after && strcmp(ks->at[i].name, after) <= 0)
			continue;
		more = n == limit;
		if (more)
			break;
		buf_text(out, n++ ? "," : "");
		put_key(out, &ks->at[i]);
		buf_char(out, '}');
		last = ks->at[i].name;
	}
	buf_text(out, "],\"next\":");
	centre_put_text(out, more ? last : "");
	buf_text(out, "}\n");
}

void api_tokens_list(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct keys ks = {0};
	unsigned limit;

	if (!centre_limit(q, &limit, r))
		return;
	if (c->access)
		access_keys(c->access, &ks);
	list(&ks, centre_query_name(q, "after"), limit, &r->body);
	keys_done(&ks);
	r->status = 200;
}

/* --- changes --- */

/* False: the reply has been filled. */
static bool read_expiry(const struct json_doc *d, struct key *k, struct http_reply *r)
{
	struct reason why;
	uint64_t s = 0;
	enum err e = json_doc_u64(d, "expires_s", &s, &why);

	k->expires_us = -1;
	if (e == GONE)
		return true;
	if (e != OK || s == 0 || s > EXPIRES_MOST_S) {
		http_problem(r, "bad_request", "expires_s: a whole number of seconds from now, 1 to %llu",
			(unsigned long long)EXPIRES_MOST_S);
		return false;
	}
	k->expires_us = (clock_wall_us() / 1000000 + (int64_t)s) * 1000000;
	return true;
}

static bool read_key(const struct json_doc *d, struct key *k, struct http_reply *r)
{
	const char *name, *role;

	if (!centre_read_text(d, "name", RECORD_OWNER_MAX, &name, r) ||
		!centre_read_text(d, "role", 16, &role, r) || !read_expiry(d, k, r))
		return false;
	if (!name || !role)
		http_problem(r, "bad_request", "wanted: {\"name\", \"role\", \"expires_s\"?}");
	else if (!key_name_ok(name))
		http_problem(r, "bad_request",
			"name: a-z 0-9 . _ -, starting with a letter or digit, %d at most; secret, "
			"anyone and settings are taken",
			RECORD_OWNER_MAX);
	else if (!role_parse(span_of(role), &k->role))
		http_problem(r, "bad_request", "role: viewer, operator or admin");
	else
		memcpy(k->name, name, strlen(name) + 1);
	return r->status == 0;
}

static void add(struct centre *c, const struct author *by, struct key *k, struct http_reply *r)
{
	char token[KEY_TOKEN_BYTES];
	struct reason why;
	enum err e = access_add(c->access, c->store, by, k, token, &why);

	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	r->written = true;
	put_key(&r->body, k);
	buf_printf(&r->body, ",\"token\":\"%s\"}\n", token);
	explicit_bzero(token, sizeof(token));
	snprintf(r->location, sizeof(r->location), "/v1/tokens/%s", k->name);
	r->status = 201;
}

void api_tokens_add(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct key k = {.role = ROLE_NONE};
	struct json_doc *d = centre_read_body(q, r);

	if (!d)
		return;
	if (read_key(d, &k, r))
		add(c, &by, &k, r);
	json_doc_free(d);
}

void api_tokens_remove(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct span text = http_param(q, "name");
	struct reason why;

	if (!record_owner_ok(text)) {
		http_problem(r, "not_found", "there is no such token");
		return;
	}
	const char *name = arena_copy(&q->arena, text.at, text.len);
	enum err e = access_remove(c->access, c->store, &by, name, &why);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	buf_printf(&r->body, "{\"name\":\"%s\",\"removed\":true}\n", name);
	r->status = 200;
}
