/* Everything that the centre serves, byte by byte. */
#include "central/routes.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "tests/fuzz/front.h"
#include "tests/fuzz/fuzz.h"

static struct desk {
	struct centre centre;
	struct router router;
	struct networks allowed;
	struct buf state; /* as it began */
	char url[64];
} d;

/* Nodes as they were added, records, conflicts, events. */
static void dump(struct buf *out)
{
	const struct record_query records = {.deleted = true, .limit = 1000};
	const struct event_query events = {.least_level = -1, .limit = 1000};
	struct nodes ns = {0};
	struct reason why;

	MUST(store_nodes(d.centre.store, &ns, &why) == OK);
	for (size_t i = 0; i < ns.n; i++)
		buf_printf(out, "%s %s %s %d\n", ns.at[i].node.name, ns.at[i].url, ns.at[i].title,
			ns.at[i].node.paused);
	nodes_done(&ns);
	MUST(store_records(d.centre.store, &records, out, &why) == OK);
	MUST(store_conflicts(d.centre.store, &(struct conflict_query){.limit = 1000}, out, &why) == OK);
	MUST(store_events(d.centre.store, &events, out, &why) == OK);
}

static void open_desk(void)
{
	static unsigned number;
	struct store_config store = {.url = d.url};
	struct draft drafts[] = {
		{span_of("site-a"), span_of("a"), span_of("t"), span_of("{\"n\":1}")},
		{span_of("site-a"), span_of("b"), span_of("u"), span_of("[1.50]")},
	};
	struct written w[2];
	struct reason why;

	front_chance_anew();
	snprintf(d.url, sizeof d.url, "sqlite:file:/front%u?vfs=memdb", number++);
	MUST(store_open(&d.centre.store, &store, &why) == OK);
	MUST(store_node_add(d.centre.store, NULL, "site-a", "http://127.0.0.1:9", "A", &why) == OK);
	MUST(store_put(d.centre.store, NULL, drafts, 2, NULL, w, &why) == OK);
	struct scheduler_config s = {.store = d.centre.store, .allowed = &d.allowed, .interval_ms = 1000};
	MUST(scheduler_open(&d.centre.scheduler, &s, &why) == OK);
	d.centre.store_url =
		"postgresql://db/x"; /* which has backups of its own: one in memory has no file to copy */
	buf_clear(&d.state);
	dump(&d.state);
}

static void close_desk(void)
{
	scheduler_close(d.centre.scheduler);
	store_close(d.centre.store);
}

static bool moved(void)
{
	struct buf now = {0};

	dump(&now);
	bool ret = !span_equal(buf_span(&now), buf_span(&d.state));

	buf_done(&now);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct front_answers answers;

	if (!d.centre.store) {
		log_init(LOG_ERROR, 0);
		networks_add_loopback(&d.allowed);
		d.centre.allowed = &d.allowed;
		d.centre.interval_ms = 1000;
		d.centre.started_us = clock_mono_us();
		central_routes_init(&d.router, &d.centre);
		d.router.hosts = "";
		open_desk();
	}
	front_connect(&d.router, (struct span){(const char *)data, size}, &answers);
	if (moved()) {
		MUST(answers.good > 0);
		close_desk();
		open_desk();
	}
	return 0;
}
