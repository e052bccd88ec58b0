#include "central/centre.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/chrony.h"
#include "shared/clock.h"
#include "shared/json_check.h"
#include "shared/lite.h"
#include "shared/tls.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

bool centre_limit(const struct http_request *q, unsigned *ret, struct http_reply *r)
{
	struct span text = http_query(q, "limit");
	uint64_t n = LIMIT_DEFAULT;
	if (text.at && (!span_to_u64(text, LIMIT_MAX, &n) || n == 0)) {
		http_problem(r, "bad_request", "limit: a whole number from 1 to %d", LIMIT_MAX);
		return false;
	}
	*ret = (unsigned)n;
	return true;
}

bool centre_number(const struct http_request *q, const char *name, uint64_t *ret, struct http_reply *r)
{
	struct span text = http_query(q, name);
	if (text.at && !span_to_u64(text, INT64_MAX, ret)) {
		http_problem(r, "bad_request", "%s: not a whole number", name);
		return false;
	}
	return true;
}

bool centre_node_name(struct span text, char ret[RECORD_OWNER_MAX + 1], struct http_reply *r)
{
	if (!record_owner_ok(text)) {
		http_problem(r, "not_found", "there is no such node");
		return false;
	}
	memcpy(ret, text.at, text.len);
	ret[text.len] = 0;
	return true;
}

const char *centre_query_name(struct http_request *q, const char *member)
{
	struct span text = http_query(q, member);
	return text.at ? arena_copy(&q->arena, text.at, text.len) : NULL;
}

struct json_doc *centre_read_body(struct http_request *q, struct http_reply *r)
{
	struct json_doc *d;
	struct json_iter it;
	struct reason why;
	if (json_doc_parse(&d, q->body, &why) != OK) {
		http_problem(r, "bad_json", "%s", why.text);
		return NULL;
	}
	if (json_open(&it, q->body) && it.kind == JSON_OBJECT)
		return d;
	http_problem(r, "bad_request", "not a JSON object");
	json_doc_free(d);
	return NULL;
}

bool centre_read_text(
	const struct json_doc *d, const char *key, size_t max, const char **ret, struct http_reply *r)
{
	struct reason why;
	enum err e = json_doc_text(d, key, ret, &why);
	if (e == OK && strlen(*ret) <= max)
		return true;
	if (e == GONE) {
		*ret = NULL;
		return true;
	}
	if (e == OK)
		http_problem(r, "bad_request", "%s: longer than %zu bytes", key, max);
	else
		http_problem(r, "bad_request", "%s", why.text);
	return false;
}

struct author centre_author(const struct http_request *q)
{
	return (struct author){.who = q->who, .address = q->peer[0] ? q->peer : NULL};
}

void centre_log(const char *kind, const struct author *by, const char *node, const char *text)
{
	log_event(LOG_INFO, kind, "who", by->who, "text", text, node ? "node" : NULL, node, NULL);
}

void centre_tell(struct store *st, struct event *ev, const char *fmt, ...)
{
	struct reason raw, why;
	va_list args;
	va_start(args, fmt);
	vsnprintf(raw.text, sizeof raw.text, fmt, args);
	va_end(args);
	(void)fail(OK, &ev->text, "%s", raw.text);
	centre_log(ev->kind, ev->by, ev->node, ev->text.text);
	enum err e = store_events_add(st, ev, 1, &why);
	if (e != OK)
		log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why.text, NULL);
}

void centre_tell_asked(struct centre *c, struct event *ev, const char *fmt, ...)
{
	struct reason raw;
	va_list args;
	va_start(args, fmt);
	vsnprintf(raw.text, sizeof raw.text, fmt, args);
	va_end(args);
	(void)fail(OK, &ev->text, "%s", raw.text);
	if (c->scheduler && scheduler_totals(c->scheduler).store_failed)
		centre_log(ev->kind, ev->by, ev->node, ev->text.text);
	else
		centre_tell(c->store, ev, "%s", ev->text.text);
}

void centre_put_seconds(struct buf *out, double s)
{
	if (s < 0)
		buf_text(out, "null");
	else
		buf_printf(out, "%.3f", s);
}

void centre_put_known(struct buf *out, bool known, int64_t n)
{
	if (known)
		buf_i64(out, n);
	else
		buf_text(out, "null");
}

void centre_put_text(struct buf *out, const char *text)
{
	if (text[0])
		buf_json_text(out, span_of(text));
	else
		buf_text(out, "null");
}

void centre_put_ailment(struct buf *out, enum ailment a, int64_t since_us, struct span text)
{
	buf_printf(out, "{\"kind\":\"%s\",\"level\":\"%s\",\"since\":", ailment_name(a),
		log_level_name(ailment_level(a)));
	buf_json_time(out, since_us);
	buf_text(out, ",\"text\":");
	buf_json_text(out, text);
	buf_char(out, '}');
}

bool centre_knows(enum err e, const struct reason *why)
{
	if (e == INTERNAL)
		log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why->text, NULL);
	return e == OK;
}

bool centre_store_works(struct centre *c, struct reason *why)
{
	struct scheduler_totals t = scheduler_totals(c->scheduler);
	if (t.store_failed) /* known: not to be waited for behind all those who try it */
		return fail(RETRY, why, "%s", t.store_why.text) == OK;
	return store_ping(c->store, why) == OK;
}

/* The one that nodes are shown is often the same. */
static bool certificate_ends(const struct centre *c, struct reason *ret)
{
	int64_t now = clock_wall_us();
	return tls_ends_soon(c->certificate_ends_us, now, "TLS certificate", ret) ||
	       tls_ends_soon(c->client_certificate_ends_us, now, "client certificate", ret);
}

void centre_watch(struct centre *c)
{
	struct reason certificate;
	struct scheduler_totals t = scheduler_totals(c->scheduler);
	struct chrony chrony;
	chrony_now(&chrony);
	bool embedded = store_url_kind(c->store_url) == STORE_SQLITE;
	const struct selfcheck_seen seen = {.store_failed = t.store_failed,
		.store_why = &t.store_why,
		.free_bytes = embedded ? lite_disk_free(c->store_url + strlen("sqlite:")) : -1,
		.certificate = certificate_ends(c, &certificate) ? &certificate : NULL,
		.clock_kept = clock_error_us() >= 0,
		.clock_asked = chrony.state != CHRONY_UNKNOWN,
		.clock_words = chrony_state_words(chrony.state),
		.wall_us = clock_wall_us()};
	selfcheck_look(&c->self, &seen, c->store);
	if (c->access)
		access_tend(c->access, c->store, !t.store_failed);
}

void centre_problem(struct http_reply *r, enum err e, const struct reason *why)
{
	centre_knows(e, why);
	http_problem_err(r, e, why);
}
