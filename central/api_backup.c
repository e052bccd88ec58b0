#include "central/api_backup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "central/centre.h"
#include "shared/clock.h"
#include "shared/etag.h"

#define BLOCK_BYTES (256 * 1024)

/* --- PostgreSQL: its own tools do it --- */

/* "user:secret@" loses the secret. */
static void put_user(struct buf *out, struct span authority)
{
	const char *at = memrchr(authority.at, '@', authority.len);
	const char *colon = at ? memchr(authority.at, ':', (size_t)(at - authority.at)) : NULL;

	if (!colon) {
		buf_put(out, authority);
		return;
	}
	buf_add(out, authority.at, (size_t)(colon - authority.at));
	buf_put(out, (struct span){at, (size_t)(authority.at + authority.len - at)});
}

/* All parameters but secrets. */
static void put_parameters(struct buf *out, const char *query)
{
	char sign = '?';

	while (*query) {
		size_t len = strcspn(query, "&");

		if (len > 0 && strncmp(query, "password=", 9) != 0 &&
			strncmp(query, "sslpassword=", 12) != 0) {
			buf_char(out, sign);
			buf_add(out, query, len);
			sign = '&';
		}
		query += len + strspn(query + len, "&");
	}
}

/* The URL as it may be shown, for a shell. */
static void put_public_url(struct buf *out, const char *url)
{
	const char *authority = strstr(url, "://") + 3;
	size_t len = strcspn(authority, "/?");
	const char *query = strchr(authority + len, '?');
	const char *end = query ? query : authority + strlen(authority);

	buf_char(out, '\'');
	buf_add(out, url, (size_t)(authority - url));
	put_user(out, (struct span){authority, len});
	buf_add(out, authority + len, (size_t)(end - authority) - len);
	put_parameters(out, query ? query + 1 : "");
	buf_char(out, '\'');
}

static void refuse_postgres(const struct centre *c, struct http_reply *r)
{
	struct buf url = {0};

	put_public_url(&url, c->store_url);
	http_problem(r, "not_implemented",
		"the store is PostgreSQL, which has its own tools: pg_dump --format=custom "
		"--file=centre.dump %s",
		url.at ? url.at : "URL");
	buf_done(&url);
}

/* --- the embedded store --- */

/* The answer under way; freed by the rim. */
struct sending {
	struct backup backup;
	uint64_t sent;
};

static bool send_block(void *ctx, struct buf *out)
{
	struct sending *s = ctx;
	char *block = malloc(BLOCK_BYTES);
	ssize_t n = block ? read(s->backup.fd, block, BLOCK_BYTES) : -1;

	if (n > 0)
		buf_add(out, block, (size_t)n);
	free(block);
	s->sent += n > 0 ? (uint64_t)n : 0;
	return n > 0 && s->sent < s->backup.bytes;
}

static void send_done(void *ctx)
{
	struct sending *s = ctx;

	backup_done(&s->backup);
	free(s);
}

static void tell_copy(struct centre *c, const struct author *by, uint64_t bytes, int64_t took_us)
{
	struct audit taken = {0};
	struct event ev = {.level = LOG_INFO, .kind = "backup.made", .by = by, .audit = &taken};

	audit_number(&taken.after, "bytes", bytes);
	audit_end(&taken.after);
	centre_tell(c->store, &ev, "a copy of the store was made for an operator: %llu bytes in %lld ms",
		(unsigned long long)bytes, (long long)(took_us / 1000));
	audit_done(&taken);
}

static void send_copy(struct sending *s, struct http_reply *r)
{
	etag_set(r, s->backup.hash);
	r->content_type = "application/vnd.sqlite3";
	r->status = 200;
	r->stream = send_block;
	r->stream_done = send_done;
	r->stream_ctx = s;
	r->stream_bytes = s->backup.bytes;
}

void api_backup(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct reason why;
	int64_t began_us = clock_mono_us();

	if (store_url_kind(c->store_url) != STORE_SQLITE) {
		refuse_postgres(c, r);
		return;
	}
	if (q->method == HTTP_HEAD) { /* nothing is copied for nobody */
		r->content_type = "application/vnd.sqlite3";
		r->status = 200;
		return;
	}
	struct sending *s = calloc(1, sizeof(*s));
	if (!s) {
		http_problem(r, "unavailable", "out of memory");
		return;
	}
	enum err e = backup_make(&c->backup, c->store_url + strlen("sqlite:"), &s->backup, &why);
	if (e == OK) {
		const struct author by = centre_author(q);

		tell_copy(c, &by, s->backup.bytes, clock_mono_us() - began_us);
		send_copy(s, r);
		return;
	}
	free(s);
	if (e == CONFLICT)
		http_problem(r, "too_many_requests", "%s", why.text);
	else
		centre_problem(r, e, &why);
}
