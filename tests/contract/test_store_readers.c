/* Readers of a store at the same time: a connection each, opened when it is first needed, and only on the file that the store has open. */
#include "tests/support/stage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <pthread.h>

#define AT_ONCE 4 /* of either back-end */

struct reading {
	struct stage *g;
	unsigned inner; /* so many read at the same time, each begun while all before it are within */
	bool entered, waited;
	const char *replacement; /* takes the place of the store's file first; NULL = none */
	enum err result;
	struct reason why;
};

static void *read_node(void *ctx)
{
	struct reading *r = ctx;
	struct node n;

	r->result = store_node(r->g->store, "site-a", &n, &r->why);
	return NULL;
}

static void *read_events(void *ctx);

/* False: it is still at it. */
static bool join_within(pthread_t thread, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

static void within(void *ctx, const struct listed_event *e)
{
	struct reading *r = ctx, inner = {.g = r->g, .inner = r->inner - 1};
	pthread_t thread;

	(void)e;
	if (r->entered)
		return;
	r->entered = true;
	if (r->inner == 0)
		return;
	assert_int_equal(pthread_create(&thread, NULL, inner.inner > 0 ? read_events : read_node, &inner), 0);
	if (!join_within(thread, 10000))
		fail_msg("a reader waits for another, %u of %d are within", AT_ONCE - r->inner, AT_ONCE);
	assert_int_equal(inner.result, OK);
}

static void *read_events(void *ctx)
{
	const struct event_query q = {.least_level = -1, .limit = 10};
	struct reading *r = ctx;

	r->result = store_events_each(r->g->store, &q, within, r, &r->why);
	return NULL;
}

STAGE_TEST(readers_do_not_wait_for_each_other)
{
	struct reading r = {.g = g, .inner = AT_ONCE - 1};

	(void)f;
	read_events(&r);
	assert_int_equal(r.result, OK);
	assert_true(r.entered);
}

static struct reading late;
static pthread_t late_thread;

/* Another database lies where the store's was; one more reader would open that. */
static void replace(void *ctx, const struct listed_event *e)
{
	struct reading *r = ctx;

	(void)e;
	if (r->entered)
		return;
	r->entered = true;
	assert_int_equal(rename(r->replacement, r->g->url + strlen("sqlite:")), 0);
	late = (struct reading){.g = r->g};
	assert_int_equal(pthread_create(&late_thread, NULL, read_node, &late), 0);
	r->waited = !join_within(late_thread, 200); /* time to go wrong in */
}

static void a_reader_never_opens_another_file(void **state)
{
	const struct event_query q = {.least_level = -1, .limit = 10};
	struct stage *g = stage_open(STAGE_FILE, POLICY_OWNER);
	struct far *f = calloc(1, sizeof *f);
	struct store_config c;
	struct store *other;
	char path[128], url[144];

	(void)state;
	assert_non_null(f);
	far_open(f, "site-a", &g->arena);
	stage_meet(g, f);
	snprintf(path, sizeof path, "%s/other.db", g->dir);
	snprintf(url, sizeof url, "sqlite:%s", path);
	c = (struct store_config){.url = url};
	assert_int_equal(store_open(&other, &c, &g->why), OK);
	store_close(other);
	struct reading r = {.g = g, .replacement = path};

	assert_int_equal(store_events_each(g->store, &q, replace, &r, &g->why), OK);
	assert_true(r.waited);
	pthread_join(late_thread, NULL);
	assert_int_equal(late.result, OK); /* the node is not in the other one */
	stage_close(g);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_do_not_wait_for_each_other),
		cmocka_unit_test(a_reader_never_opens_another_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
