#include "local/status.h"

#include "gen/openapi_local.h"
#include "shared/build.h"
#include "shared/chrony.h"
#include "shared/clock.h"
#include "shared/tls.h"

void status_healthz(void *local, struct http_request *q, struct http_reply *r)
{
	(void)local;
	(void)q;
	buf_text(&r->body, "{\"status\":\"ok\"}\n");
	r->status = 200;
}

void status_openapi(void *local, struct http_request *q, struct http_reply *r)
{
	(void)local;
	(void)q;
	buf_text(&r->body, openapi_local);
	r->content_type = "application/yaml";
	r->status = 200;
}

static enum err touch(void *ctx, struct replica *r, struct reason *why)
{
	(void)ctx;
	(void)why;
	replica_touch(r);
	return OK;
}

/*
 * Where the last write was not taken one is tried, so that it is known to be over also where nobody writes: perhaps since
 * nobody sends writes to one that is not ready.
 */
static enum err try_write(struct local *l, struct reason *why)
{
	struct ailments s;

	replica_ailments(l->replica, &s);
	return s.kinds & AILMENT_BIT(AILMENT_WRITES_FAIL) ? local_write(l, touch, NULL, why) : OK;
}

void status_readyz(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct replica_status s;
	struct reason why;

	(void)q;
	if (replica_status(l->replica, &s, &why) != OK) {
		http_problem(r, "unavailable", "%s", why.text);
	} else if (!s.usable) {
		(void)replica_refuse(&why);
		http_problem(r, "unavailable", "%s", why.text);
	} else if (atomic_load(&l->damaged)) {
		http_problem(r, "unavailable", "the database is damaged: see the log, and put back a copy");
	} else if (s.full) {
		http_problem(r, "unavailable", "no write is possible: %s", REASON_DISK_FULL);
	} else if (try_write(l, &why) != OK) {
		http_problem(r, "unavailable", "no write is possible: %s", why.text);
	} else {
		buf_text(&r->body, "{\"status\":\"ready\"}\n");
		r->status = 200;
	}
}

/* False: the reply has been filled. */
static bool read_status(struct local *l, struct replica_status *ret, struct http_reply *r)
{
	struct reason why;
	enum err e = replica_status(l->replica, ret, &why);

	if (e != OK)
		local_problem(l, r, e, &why);
	return e == OK;
}

/* Seconds since a wall-clock time, with three digits; null when not known. */
static void put_age(struct buf *out, int64_t us)
{
	int64_t age_us = clock_wall_us() - us;

	if (us < 0)
		buf_text(out, "null");
	else
		buf_printf(out, "%.3f", age_us < 0 ? 0.0 : (double)age_us / 1e6);
}

static void put_generator(struct generator *g, struct buf *out)
{
	buf_printf(out, "\"generator\":{\"rate\":%g,\"written\":%llu}", g ? generator_rate(g) : 0.0,
		(unsigned long long)(g ? generator_written(g) : 0));
}

static void put_unwell(struct local *l, struct buf *out)
{
	struct ailments s;
	const char *comma = "";

	replica_ailments(l->replica, &s);
	buf_text(out, ",\"unwell\":[");
	for (int i = 0; i < AILMENTS_TOLD; i++) {
		enum ailment a = (enum ailment)i;
		if (!(s.kinds & AILMENT_BIT(a)))
			continue;
		buf_printf(out, "%s{\"kind\":\"%s\",\"level\":\"%s\",\"text\":", comma, ailment_name(a),
			log_level_name(ailment_level(a)));
		buf_json_text(out, span_of(s.text[a]));
		buf_char(out, '}');
		comma = ",";
	}
	buf_char(out, ']');
}

void status_get(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct replica_status s;
	struct buf *out = &r->body;

	(void)q;
	if (!read_status(l, &s, r))
		return;
	buf_printf(out,
		"{\"node\":\"%s\",\"epoch\":\"%s\",\"version\":\"%s\",\"uptime_s\":%lld,\"head_seq\":%llu,"
		"\"records\":%llu,",
		replica_node(l->replica), s.epoch.hex, TIDEMARK_VERSION,
		(long long)((clock_mono_us() - l->started_us) / 1000000), (unsigned long long)s.head.seq,
		(unsigned long long)s.digest.count);
	buf_printf(out, "\"acknowledged\":{\"seq\":%llu,\"at\":", (unsigned long long)s.acknowledged.seq);
	buf_json_time(out, s.acknowledged_at_us);
	buf_printf(out,
		"},\"unacknowledged\":{\"records\":%llu,\"oldest_s\":", (unsigned long long)s.unacknowledged);
	put_age(out, s.oldest_unacknowledged_us);
	buf_text(out, "},\"digest\":");
	digest_encode(s.digest, out);
	buf_char(out, ',');
	put_generator(l->generator, out);
	buf_char(out, ',');
	buf_text(out, "\"clock\":");
	chrony_put_clock(out);
	buf_text(out, ",\"disk\":{\"free_bytes\":");
	if (s.disk_free_bytes < 0)
		buf_text(out, "null");
	else
		buf_i64(out, s.disk_free_bytes);
	buf_printf(out, ",\"ok\":%s}", s.usable && !s.full && !s.low ? "true" : "false");
	put_unwell(l, out);
	buf_text(out, "}\n");
	r->status = 200;
}

static void put_metric(struct buf *out, const char *name, const char *type, const char *help, double value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, value);
}

static void put_replica_metrics(const struct replica_status *s, struct buf *out)
{
	int64_t age_us = clock_wall_us() - s->oldest_unacknowledged_us;

	put_metric(out, "tidemark_head_seq", "gauge", "The end of the log.", (double)s->head.seq);
	put_metric(out, "tidemark_records", "gauge", "Records held, tombstones included.",
		(double)s->digest.count);
	put_metric(out, "tidemark_unacknowledged_records", "gauge", "Records no centre is known to hold yet.",
		(double)s->unacknowledged);
	put_metric(out, "tidemark_unacknowledged_oldest_seconds", "gauge",
		"Age of the oldest record no centre is known to hold yet; 0 when there is none.",
		s->oldest_unacknowledged_us >= 0 && age_us > 0 ? (double)age_us / 1e6 : 0);
	put_metric(out, "tidemark_disk_ok", "gauge", "1 when there is room where the database lies.",
		!s->full && !s->low);
	if (s->disk_free_bytes >= 0)
		put_metric(out, "tidemark_disk_free_bytes", "gauge", "Free bytes where the database lies.",
			(double)s->disk_free_bytes);
}

static void put_unwell_metric(struct local *l, struct buf *out)
{
	struct ailments s;

	replica_ailments(l->replica, &s);
	buf_text(out, "# HELP tidemark_unwell 1 for what is wrong with this local though it is up, by kind.\n"
		      "# TYPE tidemark_unwell gauge\n");
	for (int a = 0; a < AILMENTS_TOLD; a++)
		if (s.kinds & AILMENT_BIT(a))
			buf_printf(out, "tidemark_unwell{kind=\"%s\"} 1\n", ailment_name((enum ailment)a));
}

/* Answers whatever the database does: that it is not usable is what somebody wants to be told. */
void status_metrics(void *local, struct http_request *q, struct http_reply *r)
{
	struct local *l = local;
	struct replica_status s = {0};
	struct reason why;
	struct buf *out = &r->body;
	bool told = replica_status(l->replica, &s, &why) == OK;

	buf_printf(out,
		"# HELP tidemark_build_info The running program.\n# TYPE tidemark_build_info gauge\n"
		"tidemark_build_info{version=\"%s\",node=\"%s\"} 1\n",
		TIDEMARK_VERSION, replica_node(l->replica));
	chrony_put_metrics(out);
	put_metric(out, "tidemark_database_up", "gauge",
		"1 when the database answered just now and is not known to be damaged or gone.",
		told && s.usable && !atomic_load(&l->damaged));
	put_metric(out, "tidemark_generated_records_total", "counter",
		"Records the generator wrote in this run.",
		(double)(l->generator ? generator_written(l->generator) : 0));
	if (told)
		put_replica_metrics(&s, out);
	put_unwell_metric(l, out);
	const struct tls_ends ends = {"server", l->certificate_ends_us};
	tls_put_metric(&ends, 1, clock_wall_us(), out);
	http_put_metrics(q, out);
	r->status = 200;
	r->content_type = "text/plain; version=0.0.4; charset=utf-8";
}
