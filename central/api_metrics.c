#include "central/api_metrics_private.h"

#include "shared/build.h"
#include "shared/chrony.h"
#include "shared/clock.h"
#include "shared/tls.h"

void api_metrics_begin(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_build(struct buf *out)
{
	api_metrics_begin(out, "tidemark_build_info", "gauge", "The running program.");
	buf_printf(out, "tidemark_build_info{version=\"%s\"} 1\n", TIDEMARK_VERSION);
}

static void put_own_ailment(void *ctx, enum ailment a, int64_t since_us, struct span text)
{
	(void)since_us;
	(void)text;
	buf_printf(ctx, "tidemark_unwell{kind=\"%s\"} 1\n", ailment_name(a));
}

static void put_histogram(struct buf *out, const struct histogram *h)
{
	static const char name[] = "tidemark_apply_seconds";
	api_metrics_begin(out, name, "histogram", "Time to apply the answers of one transaction.");
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, histogram_bounds[i],
			(unsigned long long)h->buckets[i]);
	buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9g\n%s_count %llu\n", name,
		(unsigned long long)h->count, name, h->sum, name, (unsigned long long)h->count);
}

static void put_two(struct buf *out, const char *name, const char *help, uint64_t content, uint64_t wire)
{
	api_metrics_begin(out, name, "counter", help);
	buf_printf(out, "%s{as=\"content\"} %llu\n%s{as=\"wire\"} %llu\n", name, (unsigned long long)content,
		name, (unsigned long long)wire);
}

static void put_traffic(struct buf *out, const struct traffic *t)
{
	put_two(out, "tidemark_answer_bytes_total",
		"Bytes of what nodes answered: as its content, and as it came over the wire, perhaps packed.",
		t->content, t->wire);
	put_two(out, "tidemark_sent_bytes_total",
		"Bytes of what nodes were sent: as its content, and as it went over the wire, perhaps "
		"packed.",
		t->sent_content, t->sent_wire);
}

typedef enum err count_fn(struct store *st, const char *node, uint64_t *ret, struct reason *why);

static void put_kept(struct store **st, struct buf *out, const char *name, const char *help, count_fn *count)
{
	struct reason why;
	uint64_t n;
	api_metrics_begin(out, name, "gauge", help);
	if (*st && centre_knows(count(*st, NULL, &n, &why), &why))
		buf_printf(out, "%s %llu\n", name, (unsigned long long)n);
	else
		*st = NULL;
}

static void put_failures(struct access *a, struct buf *out)
{
	static const char name[] = "tidemark_auth_failures_total";
	uint64_t n[THROTTLE_KINDS];
	access_failures(a, n);
	api_metrics_begin(out, name, "counter", "Failed authentications, by what was tried.");
	for (int i = 0; i < THROTTLE_KINDS; i++)
		buf_printf(out, "%s{by=\"%s\"} %llu\n", name, throttle_kind_name((enum throttle_kind)i),
			(unsigned long long)n[i]);
}

/* A figure that the store cannot give now is left out; tidemark_store_up says so. */
static void put_all(struct centre *c, struct buf *out)
{
	struct scheduler_totals t = scheduler_totals(c->scheduler);
	struct store *st = c->store;
	put_build(out);
	chrony_put_metrics(out);
	api_metrics_put_nodes(c->scheduler, &st, out);
	api_metrics_begin(
		out, "tidemark_unwell", "gauge", "1 for what is wrong with the centre itself, by kind.");
	selfcheck_each(&c->self, put_own_ailment, out);
	const struct tls_ends ends[] = {
		{"server", c->certificate_ends_us}, {"client", c->client_certificate_ends_us}};
	tls_put_metric(ends, 2, clock_wall_us(), out);
	put_histogram(out, &t.applied);
	put_traffic(out, &t.traffic);
	put_kept(&st, out, "tidemark_conflicts",
		"Versions that lost a conflict, or were put aside, and are kept.", store_conflict_count);
	put_kept(&st, out, "tidemark_quarantined", "Records that could not be applied and are kept apart.",
		store_quarantine_count);
	if (c->notifier)
		notifier_put_metrics(c->notifier, out);
	if (c->access)
		put_failures(c->access, out);
	api_metrics_begin(out, "tidemark_store_up", "gauge",
		"1 when the store answered just now and the last write was good.");
	buf_printf(out, "tidemark_store_up %d\n", st && !t.store_failed);
}

void api_metrics(void *ctx, struct http_request *q, struct http_reply *r)
{
	put_all(ctx, &r->body);
	http_put_metrics(q, &r->body);
	r->status = 200;
	r->content_type = "text/plain; version=0.0.4; charset=utf-8";
}
