#include "central/api_page.h"

#include <string.h>

#include "central/api_status.h"
#include "gen/dashboard.h"
#include "shared/coding.h"
#include "shared/etag.h"
#include "shared/hash.h"

/* Nothing inline, nothing from elsewhere, in nobody's frame. */
static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
	"font-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static const char *type_of(const char *name)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
		{".html", "text/html; charset=utf-8"},
		{".css", "text/css; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"},
		{".svg", "image/svg+xml"},
		{".json", "application/json"},
	};
	const char *ending = strrchr(name, '.');
	for (size_t i = 0; ending && i < sizeof types / sizeof *types; i++)
		if (strcmp(ending, types[i].ending) == 0)
			return types[i].type;
	return "application/octet-stream";
}

static const struct dashboard_file *find(struct span name)
{
	for (const struct dashboard_file *f = dashboard_files; f->name; f++)
		if (span_is(name, f->name))
			return f;
	return NULL;
}

static void answer(const struct http_request *q, struct span name, struct http_reply *r)
{
	const struct dashboard_file *f = find(name);
	if (!f) {
		http_problem(r, "not_found", "the page has no such file");
		return;
	}
	struct span text = {f->at, (size_t)(f->end - f->at)};
	if (coding_is_accepted(q->accept_encoding, CODING_GZIP)) {
		text = (struct span){f->packed, (size_t)(f->packed_end - f->packed)};
		r->encoding = coding_name(CODING_GZIP);
	}
	r->vary = "Accept-Encoding";
	r->content_type = type_of(f->name);
	r->policy = policy;
	r->cache =
		"no-cache"; /* to be kept, and asked for again: another version of the program has others */
	etag_set(r, hash_of(text));
	r->status = etag_is_known(q, r) ? 304 : 200;
	if (r->status == 200)
		buf_put(&r->body, text);
	else
		r->encoding = NULL;
}

void api_page_file(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	answer(q, http_param(q, "name"), r);
}

static bool accepts(const struct http_request *q, const char *type)
{
	return q->accept.at && memmem(q->accept.at, q->accept.len, type, strlen(type));
}

void api_page_front(void *ctx, struct http_request *q, struct http_reply *r)
{
	bool rather_text = accepts(q, "text/plain") || accepts(q, "application/json");
	if (rather_text && !accepts(q, "text/html"))
		api_index(ctx, q, r);
	else
		answer(q, span_of("index.html"), r);
	r->vary = "Accept, Accept-Encoding";
}
