#include "central/api_status.h"

#include <stdlib.h>
#include <string.h>

#include "central/backlog.h"
#include "central/centre.h"
#include "gen/openapi_central.h"
#include "shared/build.h"
#include "shared/chrony.h"
#include "shared/clock.h"

static const char index_text[] = "tidemark-central " TIDEMARK_VERSION "\n"
				 "\n"
				 "/healthz             is the process alive\n"
				 "/readyz              is the store open and writable\n"
				 "/metrics             for Prometheus\n"
				 "/openapi.yaml        all of this, for programs\n"
				 "/v1/status           everything in one object\n"
				 "/v1/nodes            every node, worst first; /v1/nodes/NAME for one\n"
				 "/v1/records          ?owner= &type= &after= &limit= &deleted=true\n"
				 "/v1/records/OWNER/ID GET, PUT {\"type\", \"body\"}, DELETE\n"
				 "/v1/events           ?node= &level= &moves= &after= &before= &limit=\n"
				 "/v1/conflicts        versions that lost, and were kept\n"
				 "/v1/quarantine       what could not be taken, and was kept\n"
				 "/v1/notifications    who was told what happened; /receivers, POST /test\n"
				 "/v1/backup           a consistent copy of the embedded store\n";

void api_index(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	buf_text(&r->body, index_text);
	r->content_type = "text/plain; charset=utf-8";
	r->status = 200;
}

void api_openapi(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	buf_text(&r->body, openapi_central);
	r->content_type = "application/yaml";
	r->status = 200;
}

void api_healthz(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	buf_text(&r->body, "{\"status\":\"ok\"}\n");
	r->status = 200;
}

void api_readyz(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct reason why;
	(void)q;
	if (!centre_store_works(ctx, &why)) {
		http_problem(r, "unavailable", "%s", why.text);
		return;
	}
	buf_text(&r->body, "{\"status\":\"ready\"}\n");
	r->status = 200;
}

/* Sums over all nodes.  What is not known of one node is not known of their sum; a paused one is left out. */
struct sums {
	uint64_t nodes, states[NODE_STATES];
	uint64_t records;
	struct backlog backlog;
	uint64_t unwell;  /* nodes with something that needs somebody */
	uint64_t unknown; /* nodes that are asked, and whose backlog is not known */
	/* Those of which it is counted what is to be pushed. */
	struct owner_counts *counts;
	size_t n;
	struct arena names;
};

static void add_way(struct backlog_way *sum, uint64_t records, int64_t oldest_us)
{
	sum->records += records;
	sum->oldest_us = backlog_older(sum->oldest_us, oldest_us);
}

static void count_later(struct sums *s, const char *name)
{
	if (s->n % 256 == 0) {
		s->counts = realloc(s->counts, (s->n + 256) * sizeof *s->counts);
		if (!s->counts)
			err_out_of_memory();
	}
	s->counts[s->n++] = (struct owner_counts){
		.owner = arena_copy(&s->names, name, strlen(name)), .wanted = STORE_COUNT_PUSH};
}

static void add_node(void *ctx, const struct node_glance *g)
{
	struct sums *s = ctx;
	struct backlog_way pull = backlog_to_pull(g->node, g->run);
	s->nodes++;
	s->states[g->state]++;
	s->records += g->node->sync.digest.count;
	s->unwell += (g->ailing & OUTLOOK_AILING_LOUD) != 0;
	s->unknown += !pull.known && !g->node->paused;
	add_way(&s->backlog.pull, pull.records, pull.oldest_us);
	if (backlog_counts_push(g->node, g->run))
		count_later(s, g->node->name);
}

static void sum_nodes(struct centre *c, struct store **st, struct sums *ret)
{
	struct sums s = {.backlog = {.pull = {.oldest_us = -1}, .push = {.oldest_us = -1}}};
	struct reason why;
	scheduler_each(c->scheduler, add_node, &s);
	if (!centre_knows(store_counts(*st, s.counts, s.n, &why), &why))
		*st = NULL;
	for (size_t i = 0; *st && i < s.n; i++)
		add_way(&s.backlog.push, s.counts[i].to_push, s.counts[i].oldest_us);
	free(s.counts);
	arena_done(&s.names);
	s.backlog.pull.known = s.unknown == 0;
	s.backlog.push.known = *st;
	*ret = s;
}

static void put_sums(struct buf *out, const struct sums *s)
{
	buf_printf(out, "\"nodes\":{\"total\":%llu", (unsigned long long)s->nodes);
	for (int i = 0; i < NODE_STATES; i++)
		buf_printf(out, ",\"%s\":%llu", node_state_name((enum node_state)i),
			(unsigned long long)s->states[i]);
	buf_text(out, "},\"records\":");
	buf_u64(out, s->records);
	buf_char(out, ',');
	backlog_put(out, &s->backlog);
}

struct list {
	struct buf *out;
	const char *comma;
};

static void put_own_ailment(void *ctx, enum ailment a, int64_t since_us, struct span text)
{
	struct list *l = ctx;
	buf_text(l->out, l->comma);
	centre_put_ailment(l->out, a, since_us, text);
	l->comma = ",";
}

static void put_unwell(struct centre *c, uint64_t nodes, struct buf *out)
{
	struct list l = {.out = out, .comma = ""};
	buf_printf(out, ",\"nodes_unwell\":%llu,\"unwell\":[", (unsigned long long)nodes);
	selfcheck_each(&c->self, put_own_ailment, &l);
	buf_text(out, "]}\n");
}

void api_status_put(struct centre *c, struct buf *out)
{
	struct store *st = c->store;
	struct sums s;
	struct reason why;
	uint64_t conflicts = 0, quarantined = 0;
	sum_nodes(c, &st, &s);
	struct scheduler_totals t = scheduler_totals(c->scheduler);
	s.backlog.pull.pace = t.pull_pace;
	s.backlog.push.pace = t.push_pace;
	bool counted = st && centre_knows(store_conflict_count(st, NULL, &conflicts, &why), &why);
	counted = counted && centre_knows(store_quarantine_count(st, NULL, &quarantined, &why), &why);
	bool store_ok = counted && centre_store_works(c, &why);
	buf_printf(out, "{\"version\":\"%s\",\"uptime_s\":%lld,\"store\":{\"kind\":\"%s\",\"ok\":%s},",
		TIDEMARK_VERSION, (long long)((clock_mono_us() - c->started_us) / 1000000),
		store_kind(c->store), store_ok ? "true" : "false");
	buf_text(out, "\"clock\":");
	chrony_put_clock(out);
	buf_char(out, ',');
	put_sums(out, &s);
	buf_text(out, ",\"conflicts\":");
	centre_put_known(out, counted, (int64_t)conflicts);
	buf_text(out, ",\"quarantined\":");
	centre_put_known(out, counted, (int64_t)quarantined);
	buf_printf(out, ",\"rates\":{\"pull_s\":%.1f,\"push_s\":%.1f}", t.pulled_per_s, t.pushed_per_s);
	put_unwell(c, s.unwell, out);
}

void api_status(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)q;
	api_status_put(ctx, &r->body);
	r->status = 200;
}
