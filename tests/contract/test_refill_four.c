/* Four locals that lost all they had are refilled at once, with a real scheduler: what is read ahead for one is not read again. */
#include "central/scheduler.h"
#include "central/store.h"
#include "central/transfer.h"
#include "local/routes.h"
#include "local/writer.h"
#include "shared/clock.h"
#include "shared/server.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES 4
#define RECORDS 900 /* of each: some seven pages, when four share the room */
#define BODY 16000
#define INTERVAL_MS 500
#define PATIENCE_MS 30000

struct site {
	char name[16], listen[64];
	struct local local;
	struct router router;
	struct server *server;
};

static struct site sites[NODES];
static struct reason why;

#define MUST(call)                                                             \
	do {                                                                   \
		enum err e_ = (call);                                          \
		if (e_ != OK)                                                  \
			fail_msg("%s: %s: %s", #call, err_name(e_), why.text); \
	} while (0)

static atomic_uint rows_read; /* by the sweep and ahead of it */

enum err __real_store_push_page(struct store *st, const char *node, const struct node_sync *basis,
	unsigned limit, size_t max_bytes, struct push_page *ret, struct reason *r);
enum err __wrap_store_push_page(struct store *st, const char *node, const struct node_sync *basis,
	unsigned limit, size_t max_bytes, struct push_page *ret, struct reason *r);
enum err __wrap_store_push_page(struct store *st, const char *node, const struct node_sync *basis,
	unsigned limit, size_t max_bytes, struct push_page *ret, struct reason *r)
{
	enum err e = __real_store_push_page(st, node, basis, limit, max_bytes, ret, r);

	rows_read += e == OK ? (unsigned)ret->n : 0;
	return e;
}

enum err __real_store_push_ahead(struct store *st, const char *node, const struct node_sync *basis,
	unsigned limit, size_t max_bytes, struct push_page *ret, struct reason *r);
enum err __wrap_store_push_ahead(struct store *st, const char *node, const struct node_sync *basis,
	unsigned limit, size_t max_bytes, struct push_page *ret, struct reason *r);
enum err __wrap_store_push_ahead(struct store *st, const char *node, const struct node_sync *basis,
	unsigned limit, size_t max_bytes, struct push_page *ret, struct reason *r)
{
	enum err e = __real_store_push_ahead(st, node, basis, limit, max_bytes, ret, r);

	rows_read += e == OK ? (unsigned)ret->n : 0;
	return e;
}

/* `life`: another one is an empty database. */
static void open_database(struct site *s, unsigned life)
{
	char path[64];

	snprintf(path, sizeof path, "file:/four-%s-%u?vfs=memdb", s->name, life);
	MUST(replica_open(&s->local.replica, &(struct replica_config){.path = path, .node = s->name}, &why));
	s->local.writer = writer_new(s->local.replica);
}

static void close_database(struct site *s)
{
	writer_free(s->local.writer);
	replica_close(s->local.replica);
}

static void start(struct site *s)
{
	routes_init(&s->router, &s->local);
	MUST(server_open(
		&s->server, &(struct server_config){.listen = s->listen, .router = &s->router}, &why));
	snprintf(s->listen, sizeof s->listen, "%s", server_url(s->server) + strlen("http://"));
}

static void stop(struct site *s)
{
	replica_wake(s->local.replica, true);
	server_close(s->server);
}

static enum err put_all(void *body, struct replica *r, struct reason *reason)
{
	enum err e = OK;

	for (unsigned i = 0; e == OK && i < RECORDS; i++) {
		struct draft d = {.type = span_of("t"), .body = span_of(body)};
		struct written w;

		e = replica_put(r, &d, NULL, &w, reason);
	}
	return e;
}

static void fill(struct site *s)
{
	static char body[BODY];

	memset(body, 'x', sizeof body - 1);
	body[0] = body[sizeof body - 2] = '"';
	MUST(writer_run(s->local.writer, put_all, body, &why));
}

/* Until all are, with so many records, of the present databases. */
static void await_in_sync(struct scheduler *scheduler)
{
	int64_t until_us = clock_mono_us() + PATIENCE_MS * 1000;

	for (unsigned n = 0; n < NODES;) {
		struct node_view v;
		struct replica_status st;

		assert_true(scheduler_view(scheduler, sites[n].name, &v, NULL));
		MUST(replica_status(sites[n].local.replica, &st, &why));
		if (v.state == NODE_IN_SYNC && st.digest.count == RECORDS &&
			v.node.sync.digest.count == RECORDS && epoch_equal(&v.node.sync.epoch, &st.epoch)) {
			n++;
			continue;
		}
		if (clock_mono_us() > until_us)
			fail_msg("%s is %s: %s", sites[n].name, node_state_name(v.state), v.reason.text);
		poll(NULL, 0, 5);
	}
}

static void run_until_in_sync(struct store *store, const struct networks *allowed)
{
	struct scheduler *scheduler;
	struct scheduler_config c = {.store = store, .allowed = allowed, .interval_ms = INTERVAL_MS};

	MUST(scheduler_open(&scheduler, &c, &why));
	MUST(scheduler_start(scheduler, &why));
	await_in_sync(scheduler);
	scheduler_close(scheduler);
}

static void a_page_that_was_read_ahead_is_not_read_again(void **state)
{
	struct store *store;
	struct networks allowed = {0};

	(void)state;
	networks_add_loopback(&allowed);
	MUST(store_open(&store, &(struct store_config){.url = "sqlite:file:/four?vfs=memdb"}, &why));
	for (unsigned i = 0; i < NODES; i++) {
		snprintf(sites[i].name, sizeof sites[i].name, "site-%u", i);
		strcpy(sites[i].listen, "127.0.0.1:0");
		open_database(&sites[i], 0);
		fill(&sites[i]);
		start(&sites[i]);
		MUST(store_node_add(store, NULL, sites[i].name, server_url(sites[i].server), "", &why));
	}
	run_until_in_sync(store, &allowed);
	rows_read = 0;
	for (unsigned i = 0; i < NODES; i++) {
		stop(&sites[i]);
		close_database(&sites[i]);
		open_database(&sites[i], 1);
		start(&sites[i]);
	}
	run_until_in_sync(store, &allowed);
	/* A few are, at the start: until all four have found their share of the room. */
	assert_in_range(rows_read, NODES * RECORDS, NODES * RECORDS * 3 / 2);
	for (unsigned i = 0; i < NODES; i++) {
		stop(&sites[i]);
		close_database(&sites[i]);
	}
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_page_that_was_read_ahead_is_not_read_again)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
